#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Daemons of Slurm that die or forget, and what dsv knows about the job then
# shellcheck disable=SC2016,SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	export CLUSTER_CONF="SlurmdTimeout=15"
	start_cluster
}

setup() {
	need_slurm
	work_in_repository
	script 'touch "began-$SLURM_JOB_ID"
		until [ -e go ]; do sleep 0.1; done; exit 7'
}

running() {
	submit --dsv-fork=HEAD "$@" job
	cluster_until 30 test -e "began-$job"
}

# Print the record of $job after a sync: state, exit status, whether it ended.
recorded() {
	user job sync
	assert "$(record state | tail -1) $(record exit | tail -1)" "$1 $2"
	[ "$(record ended | tail -1)" != None ]
}

# With its branch gone, nothing of $job must hold the state it started from.
holds_nothing() {
	cluster_as sh -c 'echo second >ckpt/w'
	user tag ckpt
	user branch -d "main-$job"
	user prune --expire=now "$first"
}

@test "a slurmd that is killed and comes back loses nothing of its job" {
	running -w n3
	cluster_kill_slurmd n3
	user job sync
	assert "$(record state | tail -1)" RUNNING
	cluster_return_node n3 || :
	cluster_as touch go
	cluster_wait_job "$job" 60
	recorded FAILED 7
	holds_nothing
}

node_has_no_steps() {
	[ -z "$(cluster_job_pids "$1")" ]
}

@test "NODE_FAIL, when slurmd does not come back; what it left running ends" {
	running --no-requeue -w n4
	cluster_kill_slurmd n4
	cluster_wait_state "$job" NODE_FAIL 60
	recorded NODE_FAIL None
	holds_nothing
	cluster_return_node n4
	cluster_until 30 node_has_no_steps n4
	# It ends by a signal, which is then recorded.
	recorded NODE_FAIL 0
	[ "$(record signal | tail -1)" != None ]
}

# Slurm forgets what ended two seconds ago.  filetxt opens its file for writing
# even to read it, so users must have that permission.
forgets() {
	echo MinJobAge=2 >>"$SLURM_CONF"
	scontrol reconfigure
	chmod 666 "$CLUSTER_DIR/jobcomp.txt"
}

has_forgotten() {
	run ! scontrol show job "$1"
}

@test "from the log of completed jobs: state, exit status and end" {
	forgets
	running
	# The end cannot be recorded.
	mv "$program" "$program.away"
	cluster_as touch go
	cluster_until 60 has_forgotten "$job"
	mv "$program.away" "$program"
	recorded FAILED 7
	local end
	end=$(sed -n "s/^JobId=$job .* EndTime=\([^ ]*\).*/\1/p" \
		"$CLUSTER_DIR/jobcomp.txt")
	user find --count "job.id = '$job' and job.state = FAILED"
	record ended
	assert "$(date -d "$result" +%s)" "$(date -d "$end" +%s)"
	holds_nothing
}

@test "no node is drained by any of this" {
	cluster_until 30 cluster_has_no_jobs
	cluster_assert_healthy
}
