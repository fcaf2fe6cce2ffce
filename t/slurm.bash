# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the Bats files about Slurm share, besides helper and cluster.
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

# In setup, not in setup_file: Bats cannot skip there.
need_slurm() {
	local missing

	missing=$(slurm_missing)
	[ -n "$missing" ] || return 0
	if [[ ,${DSV_TEST_REQUIRE:-}, == *,slurm,* ]]; then
		echo "slurm is required, but $missing"
		return 1
	fi
	skip "slurm: $missing"
}

# The ways in which sbatch is asked for a directory of its own, by its user.
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
