# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Every Bats file loads this.  A test starts in an empty directory of its own,
# with nothing in its environment that dsv or Slurm would read.
#
#   dsv [-N] ARG...       run dsv, require exit status 0, or N; its output is
#                         in $output, $stderr, as with "run --separate-stderr"
#   repo [DIR]            make a repository and go there
#   put PATH [BYTES [SEED]]   write a file, the same one for the same SEED
#   tag ARG...            run dsv tag; the id is in $id
#   json EXPR             put the Python EXPR of $output as JSON, called j,
#                         into $result
#   assert A B            fail unless A and B are the same text
#   ordinary_user         from now on run dsv as a user who is not root and who
#                         owns this directory
#   ordinary COMMAND...   run another command as that user
#
# DSV_BUILD names an output directory other than build/.

bats_require_minimum_version 1.5.0

build=$(cd "${BASH_SOURCE[0]%/*}/.." && cd "${DSV_BUILD:-build}" && pwd)
program=$build/dsv
as=()

clean_environment() {
	local name

	for name in "${!SLURM_@}" "${!DSV_@}" "${!SBATCH_@}"; do
		case $name in
		SLURM_CONF | DSV_TEST_*) ;;
		*) unset "$name" ;;
		esac
	done
	unset NO_COLOR PAGER
	export LC_ALL=C TZ=UTC DSV_PAGER=cat
	export HOME=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/home
	export XDG_CONFIG_HOME=$HOME/.config DSV_CONFIG_SYSTEM=/nonexistent
	export PATH=$build:$PATH
	mkdir -p "$HOME"
}

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
}

dsv() {
	local want=0

	case $1 in -[0-9]*) want=${1#-}; shift ;; esac
	echo "+ dsv $*"
	run "-$want" --separate-stderr "${as[@]}" "$program" "$@"
}

repo() {
	mkdir -p "${1:-.}"
	cd "${1:-.}" || return
	"$program" -q init
}

put() {
	local bytes=${2:-100} seed=${3:-$1}

	mkdir -p "$(dirname "$1")"
	seq -f "$seed %.0f" "$((bytes / 4 + 1))" | head -c "$bytes" >"$1"
}

tag() {
	dsv tag "$@"
	# shellcheck disable=SC2154	# "run" of Bats sets it
	id=$output
	[[ $id =~ ^[0-9a-f]{64}$ ]]
}

# shellcheck disable=SC2034
json() {
	# shellcheck disable=SC2154
	result=$(python3 -c '
import json, sys
j = json.loads(sys.argv[1])
print(eval(sys.argv[2]))
' "$output" "$1")
}

assert() {
	[ "$1" = "$2" ] && return
	printf 'is:        %s\nshould be: %s\n' "$1" "$2"
	return 1
}

# Skip a test because something that it needs of PART is missing, or fail if
# $DSV_TEST_REQUIRE, a list with commas, names that part.
without() {
	local part=$1 why=$2

	[[ ,${DSV_TEST_REQUIRE:-}, == *,"$part",* ]] || skip "$why"
	echo "$part is required: $why"
	return 1
}

# LeakSanitizer does not work under ptrace(2).
need_strace() {
	strace -o /dev/null true 2>/dev/null ||
		without strace "strace is not installed, or may not trace" || return
	export ASAN_OPTIONS=detect_leaks=0
}

# File modes mean nothing to root.
ordinary_user() {
	[ "$EUID" = 0 ] || return 0
	chmod a+x "$BATS_RUN_TMPDIR" || return
	mkdir -p "$BATS_TEST_TMPDIR/bin" || return
	cp -f "$build/dsv" "$BATS_TEST_TMPDIR/bin/dsv" || return
	program=$BATS_TEST_TMPDIR/bin/dsv
	chown -R 65534:65534 . "$HOME"
	as=(ordinary)
}

ordinary() {
	if [ "$EUID" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		"$@"
	fi
}
