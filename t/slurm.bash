# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The Bats files about Slurm share this, besides helper and cluster.
# shellcheck disable=SC2034,SC2154

load helper
load cluster

plugin=$build/spank_dsv.so
stub=$cluster_root/t/spank/dsv-stub

slurm_missing() {
	if [ -n "$(cluster_missing)" ]; then
		echo "not installed: $(cluster_missing)"
	elif [ ! -e "$plugin" ]; then
		echo "the plugin was not built (slurm/spank.h)"
	fi
}

# Call this in setup, not in setup_file, where Bats cannot skip.
need_slurm() {
	local missing

	missing=$(slurm_missing)
	[ -z "$missing" ] || without slurm "$missing"
}

# Call this in setup_file: start the throwaway cluster; LINE... as there.
start_cluster() {
	clean_environment
	export CLUSTER_TOP
	CLUSTER_TOP=$(mktemp -d "${TMPDIR:-/tmp}/dsv-cluster.XXXXXX")
	cluster_start "$CLUSTER_TOP" "$@"
}

teardown_file() {
	[ -n "${CLUSTER_TOP:-}" ] || return 0
	cluster_stop
	rm -rf "$CLUSTER_TOP"
}

# Make a directory for the jobs' user and go there.
work_in_cluster() {
	work=$CLUSTER_HOME/$BATS_TEST_NUMBER
	cluster_as mkdir -p "$work"
	cd "$work" || return
	calls=$CLUSTER_HOME/calls
	rm -f "$calls"
}

# Submit as the job's user; the id is in $job.
submit() {
	echo "+ sbatch $*"
	run -0 --separate-stderr cluster_as sbatch --parsable -o '%A_%a.out' "$@"
	echo "$stderr"
	job=$output
	[[ $job =~ ^[0-9]+$ ]]
}

# Wait for $job; its output is in $output, its exit status in $exit.
finished() {
	local file

	cluster_wait_job "$job" "$@"
	# shellcheck disable=SC2034
	exit=$(cluster_job_exit "$job")
	output=
	for file in "${job}"_*.out; do
		output+=$(cat "$file")
	done
	echo "$output"
	echo "= $(cluster_job_state "$job") $exit"
}

# ---- Helpers that use dsv itself, not a stand-in ----

use_dsv() {
	program=$CLUSTER_DIR/bin/dsv
	# helper put the build first in PATH, but a job's user may not reach it.
	export PATH=$CLUSTER_DIR/bin:$PATH
}

# Make a repository with one state, whose id is in $first.
work_in_repository() {
	work_in_cluster
	use_dsv
	with_plugin
	user init
	cluster_as mkdir ckpt
	cluster_as sh -c 'echo first >ckpt/w'
	user tag -p lr=0.1 -a acc=0.5 ckpt
	first=$output
}

with_plugin() {
	[ -e "$CLUSTER_DIR/plugin.conf" ] ||
		cp "$CLUSTER_DIR/plugstack.conf" "$CLUSTER_DIR/plugin.conf"
	cp "$CLUSTER_DIR/plugin.conf" "$CLUSTER_DIR/plugstack.conf"
}

without_plugin() {
	: >"$CLUSTER_DIR/plugstack.conf"
}

# Run dsv as the jobs' user: user [-N] ARG...
user() {
	local want=0

	case $1 in -[0-9]*) want=${1#-}; shift ;; esac
	echo "+ dsv $*"
	run --separate-stderr cluster_as "$program" -q "$@"
	echo "$stderr"
	assert "$status" "$want"
}

script() {
	printf '#!/bin/sh\n%s\n' "$1" >job
}

# Print a field of $job in dsv job list, as Python sees it.
record() {
	user job list --json
	json "[x['$1'] for x in j if x['id'] == '${2:-$job}'][0]"
	echo "$result"
}

# Print the slurmstepd of $job's batch step in this cluster.
step_daemon() {
	local pid

	for pid in $(cluster_job_pids); do
		! grep -qzF "slurmstepd: [$job.batch]" "/proc/$pid/cmdline" ||
			echo "$pid"
	done
}

# Submit ./job as a fork of HEAD, in one of three ways, with OPTION=VALUE of
# ${options[@]}.
options=(set=lr=0.2)
submit_as() {
	local way=$1
	shift

	with_plugin
	if [ "$way" = plugin ]; then
		submit --dsv-fork=HEAD "${options[@]/#/--dsv-}" "$@" job
		return
	fi
	[ "$way" = fork ] || without_plugin
	user fork HEAD "${options[@]/#/--}" --sbatch -- -o %A_%a.out "$@" job
	job=${output##* }
	[[ $job =~ ^[0-9]+$ ]]
}
