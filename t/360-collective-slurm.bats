#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tag --collective by the tasks of real Slurm job steps
# shellcheck disable=SC2016,SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	start_cluster "#"
}

setup() {
	need_slurm
	work_in_cluster
	use_dsv
	user init
}

# Write what each task of a step does: task SCRIPT
task() {
	cat >task <<-END
	#!/bin/bash
	set -e
	mkdir -p r\$SLURM_PROCID/ckpt
	$1
	END
	chmod +x task
	printf '#!/bin/bash\n%s\n' "$2" >job
}

epoch='
epoch() {
	echo "$1 of $SLURM_PROCID" >r$SLURM_PROCID/ckpt/shard$SLURM_PROCID
	dsv tag -q --collective -m "epoch $1" -a "epoch=$1" \
		--group-timeout 60s r$SLURM_PROCID/ckpt
}'

@test "eight tasks on four nodes: two epochs, each one state" {
	task "$epoch
		epoch 1; epoch 2" 'srun ./task'
	submit -N4 -n8 job
	finished 60
	assert "$exit" 0:0
	assert "$(sort <<<"$output" | uniq -c | awk '{print $1}' |
		paste -sd' ')" "8 8"
	user log --format '%(message) %(files) %(job.id) %(branch)' "job-$job"
	assert "$output" "epoch 2 8 $job job-$job
epoch 1 8 $job job-$job"
	user checkout --rank 5 "job-$job" five
	assert "$(find five -type f)" five/ckpt/shard5
	assert "$(cat five/ckpt/shard5)" "2 of 5"
	user fsck --data
	cluster_assert_healthy
}

@test "--async into node-local storage: each node stores its own at the end" {
	user config core.localTier "$CLUSTER_LOCAL/%j"
	user config queue.auto false
	task "${epoch/--collective/--collective --async}
		epoch 1; epoch 2" "srun ./task
		dsv status --json | jq .pending
		srun --overcommit --ntasks-per-node=1 -n4 dsv -q wait"
	submit -N4 -n8 job
	finished 60
	assert "$exit" 0:0
	assert "$(grep -v '^[0-9a-f]\{64\}$' <<<"$output")" 2
	user log --format '%(message) %(files) %(pending)' "job-$job"
	assert "$output" "epoch 2 8 false
epoch 1 8 false"
	user checkout "job-$job" all
	assert "$(cat all/ckpt/shard5)" "2 of 5"
	user fsck --data
	cluster_assert_healthy
}

@test "a requeue in the middle of an epoch begins a new group" {
	task "$epoch"'
		if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then
			epoch 1
			# Only some begin epoch 2.
			[ $SLURM_PROCID -lt 4 ] || sleep 100
		fi
		epoch 2
		epoch 3' 'srun ./task'
	submit -N4 -n8 --requeue job
	# Some parts of the second group exist.
	cluster_until 30 has_parts 4
	cluster_requeue "$job"
	cluster_until 60 cluster_job_has_ended "$job"
	finished 60
	assert "$exit" 0:0
	user log --format '%(message) %(files)' "job-$job"
	assert "$output" "epoch 3 8
epoch 2 8
epoch 1 8"
	user fsck --data
	cluster_assert_healthy
}

# Check that so many parts wait in a group that is still undecided.
has_parts() {
	local dir

	for dir in .dsv/intake/tag-*; do
		[ ! -e "$dir/verdict" ] || continue
		[ "$(find "$dir" -name '[0-9]*' | wc -l)" -lt "$1" ] ||
			return 0
	done
	return 1
}

@test "two simultaneous steps of one job are two groups" {
	task "$epoch"'
		epoch $STEP' 'export DSV_BRANCH
		for STEP in 1 2; do
			export STEP DSV_BRANCH=step-$STEP
			mkdir -p $STEP
			srun --exact -n2 -D $STEP --mem=0 ../task &
		done
		wait'
	submit -N1 -n4 job
	finished 60
	assert "$exit" 0:0
	user find --count
	assert "$output" 2
	user find --branch step-2 --format '%(message) %(files)'
	assert "$output" "epoch 2 2"
}

@test "replicated: the tasks of four nodes share the work" {
	task '
		seq 700000 >r$SLURM_PROCID/ckpt/w
		dsv tag -q --collective --replicated r$SLURM_PROCID/ckpt' \
		'srun ./task'
	submit -N4 -n4 job
	finished 60
	assert "$exit" 0:0
	assert "$(sort -u <<<"$output" | wc -l)" 1
	user show --format '%(files) %(size)' "job-$job"
	assert "$output" "1 $(stat -c %s r0/ckpt/w)"
	user checkout --rank 3 "job-$job" three
	cmp r0/ckpt/w three/ckpt/w
	user fsck --data
}
