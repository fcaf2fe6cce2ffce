#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The job scripts of share/examples, in real jobs
# shellcheck disable=SC2016,SC2154

load slurm

examples=${BATS_TEST_DIRNAME}/../share/examples

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	start_cluster
}

# A training run of many epochs, which a test interrupts.
setup() {
	need_slurm
	work_in_cluster
	if ! cluster_as python3 -c 'import torch, sklearn'; then
		without torch "PyTorch or scikit-learn is not installed"
	fi
	use_dsv
	cp "$examples"/* .
	cluster_as "$program" -q init
	cluster_as sh -c 'echo "{\"epochs\": 5000}" >params'
	export DSV_PARAMS_FILE=$PWD/params
}

# Start a job and wait until it has made two states.
start() {
	job=$(cluster_as sbatch --parsable "$@")
	branch=job-$job
	cluster_until 60 has_states 2
}

has_states() {
	[ "$(cluster_as "$program" find --branch "$branch" --count \
		2>/dev/null || echo 0)" -ge "$1" ]
}

goes_on() {
	grep -q "^continuing from epoch" "digits-$job.log"
}

# Require that after the requeue the line has no gap and no second beginning.
check_history() {
	local n

	cluster_until 90 goes_on || { cat "digits-$job.log"; false; }
	n=$(cluster_as "$program" find --branch "$branch" --count)
	cluster_until 60 has_states $((n + 1))
	cluster_as scancel "$job"
	cluster_wait_job "$job"
	assert "$(cluster_as "$program" log "$branch" \
		--format '%(attr:epoch)')" \
		"$(cluster_as "$program" find --branch "$branch" --count |
			xargs -I N seq N -1 1)"
}

@test "requeue.sh continues where it was" {
	start requeue.sh
	cluster_requeue "$job"
	check_history
}

# Slurm checks time limits twice a minute.
@test "preempt.sh stops before its time limit and continues after a requeue" {
	start --time=1 --signal=B:USR2@55 preempt.sh
	cluster_until 70 cluster_can_start_now "$job"
	check_history
	grep -q "^out of time: requeuing $job" "digits-$job.log"
	local epoch
	epoch=$(sed -n 's/^stopped after epoch //p' "digits-$job.log")
	grep -q "^continuing from epoch $epoch:" "digits-$job.log"
}

@test "async.sh stores on the shared storage what its node captured" {
	cluster_as sh -c 'echo "{\"epochs\": 3}" >params'
	cluster_as "$program" config core.localTier "$CLUSTER_LOCAL/tier"
	export TMPDIR=$CLUSTER_LOCAL
	job=$(cluster_as sbatch --parsable -w n2 async.sh)
	cluster_wait_job "$job" 60
	cat "digits-$job.log"
	assert "$(cluster_job_exit "$job")" 0:0
	# Another node does not see what n2 has.
	run -0 cluster_as "$program" fsck --data
	assert "$(cluster_as "$program" log "job-$job" \
		--format '%(attr:epoch) %(pending)')" "3 false
2 false
1 false"
}

@test "the lines for cron close jobs, prune and check" {
	local file=$BATS_TEST_DIRNAME/../share/cron/dsv-prune fields='([0-9*]+ ){5}'

	start requeue.sh
	cluster_until 60 has_states 11
	cluster_as scancel "$job"
	cluster_wait_job "$job"
	sed -n 's/^#\t\(\[prune\|\tkeep\)/\1/p' "$file" >>.dsv/config
	# For cron a % ends the command.
	run ! grep % "$file"
	sed -nE "s/^${fields}USER //p" "$file" |
		sed "s|/scratch/digits|$PWD|g" >lines
	assert "$(wc -l <lines)" 2
	run -0 cluster_as sh -e lines
	assert "$output" ""
	# These are the last five, the last of the day, the three best.
	local n
	n=$(cluster_as "$program" find --branch "$branch" --count)
	[ "$n" -ge 5 ] && [ "$n" -le 9 ]
}

@test "train.sh in a fork continues with other parameters" {
	cluster_as sh -c 'echo "{\"epochs\": 1}" >params'
	job=$(cluster_as sbatch --parsable train.sh)
	cluster_wait_job "$job" 60
	unset DSV_PARAMS_FILE
	job=$(cluster_as sbatch --parsable "--dsv-fork=max:acc@*" \
		--dsv-set=lr=0.01 --dsv-set=epochs=1 --dsv-branch=small train.sh)
	cluster_wait_job "$job" 60
	assert "$(sed -n 's/.*now with //p' "digits-$job.log")" "lr 0.01"
	assert "$(cluster_as "$program" show small \
		--format '%(param:lr) %(attr:epoch)')" "0.01 2"
}

@test "what the CI jobs run finds the recorded accuracy" {
	cluster_as sh -c 'echo "{\"epochs\": 1}" >params'
	job=$(cluster_as sbatch --parsable train.sh)
	cluster_wait_job "$job" 60
	sed -n 's/^    - \(.*=\$(\|dsv\|test\)/\1/p' \
		"$BATS_TEST_DIRNAME/../share/ci/gitlab-ci.yml" |
		sed 's|share/examples/||' >job.sh
	grep -q 'test "$measured" = "$recorded"' job.sh
	DSV_REPO=$PWD MODEL='max:acc@*' run -0 cluster_as bash -e job.sh
}
