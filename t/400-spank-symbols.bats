#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The plugin as a file, which is loaded into everybody's Slurm commands
# shellcheck disable=SC2154

load slurm

setup() {
	[ -e "$plugin" ] || need_slurm
}

@test "the plugin exports Slurm's entry points and nothing else" {
	run -0 bash -c "nm -D --defined-only '$plugin' | awk '{ print \$3 }'"
	assert "$output" "plugin_name
plugin_type
plugin_version
slurm_spank_exit
slurm_spank_init
slurm_spank_init_post_opt
slurm_spank_task_exit
slurm_spank_task_init"
}

@test "the plugin needs libc only" {
	run -0 bash -c "readelf -d '$plugin' | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'"
	assert "$output" "libc.so.6"
}

@test "the plugin takes from Slurm only what spank.h offers" {
	run -0 bash -c "nm -D --undefined-only '$plugin' |
		awk '\$1 == \"U\" && \$2 !~ /@GLIBC/ { print \$2 }' |
		grep -vE '^(spank_|slurm_(error|info|debug|spank_log)$)' || :"
	assert "$output" ""
}

# Make headers of RELEASE: those of this one with its number and, from 25.05 on,
# the enumerator that is new there.  They are a stand-in: only a build against
# the real ones shows whether more that the plugin uses differs.
headers_of() {
	local hex

	hex=$(printf '0x%02x%02x01' "${1%.*}" "$((10#${1#*.}))")
	mkdir -p "$1"
	cp -r /usr/include/slurm "$1/slurm"
	sed -i "s/^#define SLURM_VERSION_NUMBER .*/#define SLURM_VERSION_NUMBER $hex/" \
		"$1/slurm/slurm_version.h"
	[[ $1 < 25.05 ]] || sed -i 's/^#include <slurm\/slurm_errno.h>/&\
#define ESPANK_JOB_FAILURE 3031/' "$1/slurm/spank.h"
}

@test "the plugin compiles for later releases of Slurm, and matches each" {
	local release object=$BATS_TEST_TMPDIR/dispatch.so want

	cd "$BATS_TEST_TMPDIR"
	for release in 23.02 23.11 24.05 24.11 25.05 25.11; do
		headers_of $release
		run -0 cc -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
			-DDSV_BINDIR='"/usr/bin"' \
			-isystem "$release" -fvisibility=hidden -fPIC -shared \
			-Wl,--version-script="$cluster_root/spank/spank_dsv.map" \
			-o "$object" "$cluster_root"/spank/*.c
		want=0
		[[ $release < 25.05 ]] || want=1
		assert "$(nm -D --defined-only "$object" |
			grep -c slurm_spank_init_failure_mode)" $want
		run -0 python3 -c "import ctypes, os, sys
lib = ctypes.CDLL('$object', os.RTLD_LAZY)
v = ctypes.c_uint.in_dll(lib, 'plugin_version').value
print('%d.%02d' % (v >> 16, v >> 8 & 255))"
		assert "$output" $release
	done
}

@test "a job without our options pays less than a millisecond per callback" {
	cd "$BATS_TEST_TMPDIR"
	run -0 cc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -rdynamic \
		-o cost "$cluster_root/t/spank/cost.c" -ldl
	run -0 ./cost "$plugin"
	assert "$(awk '{ print $1, $2 < 1000 }' <<<"$output")" "load 1
init 1
init_post_opt 1
task_init 1
task_exit 1
exit 1"
}
