#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run every test (or those named) and end with "N passed, N failed,
# N skipped".  Lines of TAP are shown unless they are plain success.
#
# DSV_BUILD names an output directory other than build/; the jobs of t/4*.bats,
# which run what is in build/, are then left out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

export LC_ALL=C.UTF-8
build=${DSV_BUILD:-build}
# What the sanitizers find is a failure: an exit status that no test expects.
# A preloaded shim may come before ASan.
export ASAN_OPTIONS=exitcode=99:detect_leaks=1:verify_asan_link_order=0
export UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1
out=$(mktemp)
trap 'rm -f "$out"' EXIT

show='/^not ok|^ok .*# skip|^#|^[^ ].* \.\.\.( [0-9]+ s)?$/ { print; fflush() }'

run_units() {
	local unit

	for unit in "$@"; do
		echo "$unit ..."
		"$unit" 2>&1 || echo "not ok - $unit ended with status $?"
	done
}

# A file that does not even start has failed as well.  Its output is printed in
# one piece when it has ended.
run_bats() {
	local file=$1 start=$SECONDS tap status=0

	tap=$(mktemp)
	bats --tap "$file" >"$tap" 2>&1 || status=$?
	if [ "$status" != 0 ] && ! grep -q '^not ok' "$tap"; then
		echo "not ok - $file ended with status $status" >>"$tap"
	fi
	{
		flock 9
		echo "$file ... $((SECONDS - start)) s"
		cat "$tap"
	} 9>>"$out"
	rm -f "$tap"
}

run_lane() {
	local file

	for file in "$@"; do
		run_bats "$file"
	done
}

bats=("$@") units=() jobs=() rest=()
if [ $# = 0 ]; then
	for file in t/*.bats; do
		[ -n "${DSV_BUILD:-}" ] && [[ $file == t/4* ]] && continue
		bats+=("$file")
	done
	for source in t/unit/*_test.c; do
		units+=("$build/${source%.c}")
	done
fi
# Jobs mostly wait, so one cluster at a time runs beside everything else.
for file in "${bats[@]}"; do
	case $file in
	*t/4*|*t/360*) jobs+=("$file") ;;
	*) rest+=("$file") ;;
	esac
done
run_units "${units[@]}" | tee -a "$out" | awk "$show"
# Ctrl-C would not end lanes started by "&".  A killed lane is incomplete.
export -f run_bats run_lane
export out
printf '%s\n' "${jobs[*]}" "${rest[*]}" |
	xargs -L 1 -P 2 bash -c 'run_lane "$@"' - |
	tee -a "$out" | awk "$show" ||
	echo "not ok - a lane of tests was killed" | tee -a "$out"

count() { grep -cE "$1" "$out"; }
skipped=$(count '^ok .*# skip')
passed=$(($(count '^ok ') - skipped))
failed=$(count '^not ok')
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
