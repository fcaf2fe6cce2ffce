#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How real jobs end, and what dsv knows about it afterwards
# shellcheck disable=SC2016,SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	export CLUSTER_CONF="LaunchParameters=use_interactive_step
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL PriorityTier=9 MaxTime=INFINITE State=UP"
	start_cluster
}

setup() {
	need_slurm
	work_in_repository
	script 'dsv -q tag -a acc=1 ckpt >id; touch "began-$SLURM_JOB_ID"
		exec sleep 60'
}

# Start a forked job that runs until it is stopped.
running() {
	submit --dsv-fork=HEAD "$@" job
	cluster_until 30 test -e "began-$job"
}

# Require that the record of $job says STATE, and finds its states.
ended() {
	local want=$1
	shift

	cluster_wait_job "$job" 60
	user job sync
	assert "$(record state | tail -1)" "$want"
	assert "$(cluster_job_state "$job")" "$want"
	user find "job.state = '$want' and job.id = '$job'" "$@"
	[ -n "$output" ]
}

# Slurm checks time limits twice a minute; the last test but one waits for it.
@test "a job whose time is over soon starts" {
	running --time=1 -w n3
	scontrol update JobId="$job" EndTime=now+1
	echo "$job $PWD" >"$CLUSTER_TOP/timeout"
}

@test "COMPLETED and FAILED, with exit status and node" {
	submit --dsv-fork=HEAD -w n3 --wrap 'exit 0'
	ended COMPLETED
	user find --count "job.id = '$job' and job.nodes = 'n3' and job.exit = 0"
	assert "$output" 1
	submit --dsv-fork=HEAD --wrap 'exit 7'
	ended FAILED
	user find --format '%(job.state) %(job.exit)' "job.id = '$job'"
	assert "$output" "FAILED 7"
}

@test "CANCELLED, running" {
	running
	cluster_as scancel "$job"
	ended CANCELLED
}

@test "CANCELLED before it started: no state, no branch, no hold" {
	local way

	# A job that was submitted within 5 s might be the one that waits.
	sleep 6
	for way in plugin fork bare; do
		submit_as $way --hold
		cluster_as scancel "$job"
		cluster_wait_job "$job"
		user job sync
		user job list --json
		json "[x['state'] for x in j if x['state'] != 'CANCELLED']"
		assert "$result" "[]"
		user branch
		assert "$output" "* main"
		user find --count "job.id = '$job'"
		assert "$output" 0
	done
	cluster_as sh -c 'echo second >ckpt/w'
	user tag ckpt
	user prune --expire=now "$first"
}

@test "NODE_FAIL" {
	running --no-requeue -w n4
	scontrol update NodeName=n4 State=DOWN Reason=test
	ended NODE_FAIL
	# It may have returned on its own.
	scontrol update NodeName=n4 State=RESUME || :
	cluster_until 30 cluster_node_is n4 idle
}

@test "PREEMPTED, if it may not be requeued" {
	running --no-requeue --exclusive -w n2
	run -0 cluster_as srun -p urgent --exclusive -w n2 true
	ended PREEMPTED
}

@test "preempted and requeued: it continues at the head of its branch" {
	script 'cat "$DSV_CHECKOUT/ckpt/w"; [ "$DSV_ATTEMPT" = 1 ] || exit 0
		mkdir -p new/ckpt; echo second >new/ckpt/w
		dsv -q tag new/ckpt >id; touch "began-$SLURM_JOB_ID"
		exec sleep 60'
	running --exclusive -w n2 --open-mode=append
	run -0 cluster_as srun -p urgent --exclusive -w n2 true
	cluster_until 20 cluster_can_start_now "$job"
	ended COMPLETED
	assert "$(grep -v slurmstepd "$job"_*.out)" "first
second"
}

@test "a killed slurmstepd, when Slurm gives the job up" {
	running --no-requeue
	kill -KILL "$(step_daemon)"
	user job sync
	assert "$(record state | tail -1)" RUNNING
	cluster_as scancel "$job"
	ended CANCELLED
}

# Input that is typed before srun has made the terminal raw may be lost.
prompted() {
	grep -q '\$ ' terminal
}

@test "the shell of a salloc, an interactive step on the node, has the fork" {
	local keys pid

	mkfifo keys
	exec {keys}<>keys
	cluster_as env PS1='$ ' timeout 60 script -qc \
		'salloc --dsv-fork=HEAD --dsv-set=lr=7 -w n3' /dev/null \
		<keys >terminal 3>&- {keys}>&- &
	pid=$!
	cluster_until 30 prompted || cat terminal
	echo 'echo "$SLURMD_NODENAME $(cat "$DSV_CHECKOUT/ckpt/w") $DSV_PARAM_LR";' \
		exit >&"$keys"
	wait "$pid"
	grep "n3 first 7" terminal
	job=$(sed -n 's/.*Granted job allocation \([0-9]*\).*/\1/p' terminal)
	ended COMPLETED
}

# Slurm has forgotten the job, so that only sacct is left.  There is no
# accounting here, so a program of that name answers.
forgotten() {
	cluster_as mkdir -p fake
	cluster_as sh -c 'printf "#!/bin/sh\nexit 1\n" >fake/scontrol
		printf "#!/bin/sh\nexit 0\n" >fake/squeue
		cat >fake/sacct; chmod +x fake/*'
	PATH=$PWD/fake:$PATH user job sync
}

@test "OUT_OF_MEMORY and others from accounting, when Slurm forgot the job" {
	local state

	for state in OUT_OF_MEMORY NODE_FAIL "CANCELLED by 1000"; do
		running
		kill -KILL "$(step_daemon)"
		forgotten <<-END
		#!/bin/sh
		case "\$*" in *-c*) exit 1 ;; *"-j $job "*) ;; *) exit 1 ;; esac
		echo "$state|0:125|2026-01-31T14:00:00"
		END
		assert "$(record state | tail -1)" "${state%% *}"
		assert "$(record signal | tail -1)" 125
		user find --count "job.id = '$job' and job.state = '${state%% *}'"
		[ "$output" -gt 0 ]
		cluster_as scancel "$job"
	done
}

# This is what sacct of 22.05 with slurmdbd prints for the tasks of an array.
# The first that starts is not a submission, although the others come after it.
@test "each task of an array from accounting, when Slurm forgot the job" {
	local end=2026-01-31T14:00:00

	script 'touch "began-$SLURM_ARRAY_TASK_ID"; exec sleep 60'
	submit --dsv-fork=HEAD --array=1-3 job
	cluster_until 30 test -e began-1 -a -e began-2 -a -e began-3
	forgotten <<-END
	#!/bin/sh
	case "\$*" in
	*-c*) exit 1 ;;
	*"-j ${job}_1 "*) echo "FAILED|3:0|$end" ;;
	*"-j ${job}_2 "*) echo "FAILED|0:11|$end" ;;
	*"-j ${job}_3 "*) echo "CANCELLED by 999|0:0|$end" ;;
	esac
	END
	PATH=$PWD/fake:$PATH user job list --json
	json "sorted([x['id'], x['state'], x['exit'], x['signal']] for x in j)"
	cluster_as scancel "$job"
	assert "$result" "[['${job}_1', 'FAILED', 3, None], \
['${job}_2', 'FAILED', 0, 11], ['${job}_3', 'CANCELLED', None, None]]"
}

# Each cluster counts its jobs from one.
@test "another cluster's job of the same number is not asked about here" {
	local name

	for name in other dsvtest; do
		running
		kill -KILL "$(step_daemon)"
		cluster_as mkdir -p fake
		cluster_as sh -c 'cat >fake/scontrol; chmod +x fake/*' <<-END
		#!/bin/sh
		[ "\$*" = "show config" ] || exit 1
		printf 'Configuration data\nClusterName             = $name\n'
		END
		cluster_as sh -c 'printf "#!/bin/sh\nexit 0\n" >fake/squeue
			printf "#!/bin/sh\necho \"FAILED|7:0|Unknown\"\n" >fake/sacct
			chmod +x fake/*'
		PATH=$PWD/fake:$PATH user job sync
		PATH=$PWD/fake:$PATH user job list --json
		json "[x['state'] for x in j if x['id'] == '$job'][0]"
		cluster_as scancel "$job"
		case $name in
		other) assert "$result" RUNNING ;;
		*) assert "$result" FAILED ;;
		esac
	done
}

@test "settings for squeue and the like in the environment change no answer" {
	local name

	submit --hold --dsv-fork=HEAD job
	for name in SQUEUE_PARTITION=urgent SLURM_TIME_FORMAT=%Y; do
		export "${name?}"
		user job list --json
		unset "${name%=*}"
		json "[x['state'] for x in j]"
		assert "$result" "['WAITING']"
	done
	cluster_as scancel "$job"
	cluster_wait_job "$job"
	SLURM_CLUSTERS=other user job list --json
	json "[x['state'] for x in j]"
	assert "$result" "['CANCELLED']"
}

@test "from the log of completed jobs, when there is no accounting" {
	running
	kill -KILL "$(step_daemon)"
	forgotten <<-'END'
	#!/bin/sh
	case $1 in -c*) echo "NODE_FAIL|0:0|Unknown" ;; *) exit 1 ;; esac
	END
	assert "$(record state | tail -1)" NODE_FAIL
	cluster_as scancel "$job"
}

@test "UNKNOWN, if nobody remembers; an answer that never comes is not an end" {
	running
	kill -KILL "$(step_daemon)"
	cluster_as sh -c 'mkdir -p mute; printf "#!/bin/sh\nexit 1\n" >mute/squeue
		chmod +x mute/squeue'
	PATH=$PWD/mute:$PATH user job sync
	assert "$(record state | tail -1)" RUNNING
	forgotten <<-'END'
	#!/bin/sh
	exit 1
	END
	assert "$(record state | tail -1)" UNKNOWN
	cluster_as scancel "$job"
}

@test "TIMEOUT" {
	local dir

	read -r job dir <"$CLUSTER_TOP/timeout"
	cd "$dir"
	ended TIMEOUT
}

@test "no node was drained by any of this" {
	cluster_until 30 cluster_has_no_jobs
	cluster_assert_healthy
}
