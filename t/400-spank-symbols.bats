#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The plugin as a file: it is loaded into everybody's Slurm commands
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

@test "the plugin needs libc alone" {
	run -0 bash -c "readelf -d '$plugin' | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'"
	assert "$output" "libc.so.6"
}

@test "the plugin takes from Slurm only what spank.h offers" {
	run -0 bash -c "nm -D --undefined-only '$plugin' |
		awk '\$1 == \"U\" && \$2 !~ /@GLIBC/ { print \$2 }' |
		grep -vE '^(spank_|slurm_(error|info|debug|spank_log)$)' || :"
	assert "$output" ""
}
