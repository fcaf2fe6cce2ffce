#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The plugin in real jobs of an ordinary user, with a stand-in for dsv
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	# With Contain, the extern step runs the plugin as well.
	export CLUSTER_CONF="PrologFlags=Alloc,Contain"
	start_cluster "$(plugin_line)"
	install -m 755 "$stub" "$CLUSTER_DIR/bin/dsv"
}

plugin_line() {
	echo "optional @DIR@/lib/spank_dsv.so dsv=@DIR@/bin/${1:-dsv}" \
		"timeout=5 start_timeout=2 finish_timeout=1"
}

plugstack() {
	local line

	for line; do
		echo "${line//@DIR@/$CLUSTER_DIR}"
	done >"$CLUSTER_DIR/plugstack.conf"
}

setup() {
	need_slurm
	work_in_cluster
	cat >forked <<-'END'
	#!/bin/sh
	[ "$DSV_REPO" = "$PWD" ] && [ "$DSV_JOB_ID" = "$SLURM_JOB_ID" ] &&
	[ "$DSV_BRANCH" = "main-$SLURM_JOB_ID" ] &&
	[ "$DSV_PARAM_NOTE" = 'a b, "c"
	=d' ] && echo forked || echo "not forked"
	END
	chmod 755 forked
	plugstack "$(plugin_line)"
}

# Print how often dsv was called like this: calls_of 'start .* job=7 '
calls_of() {
	grep -cE "^$1" "$calls"
}

@test "a forked job has its environment, in the script and in its steps" {
	submit -n2 --dsv-fork=HEAD --wrap "./forked; srun ./forked
		srun -n1 --export=NONE ./forked; env | grep SPANK; exit 7"
	finished
	# A step may have to wait for the previous one, and says so.
	assert "$(grep -v '^srun: ' <<<"$output")" "forked
forked
forked
forked"
	assert "$exit" 7:0
	assert "$(calls_of prepare)" 1
	assert "$(calls_of "start uid=$(id -u "$CLUSTER_USER") job=$job node=n1")" 4
	assert "$(calls_of "finish uid=$(id -u "$CLUSTER_USER") job=$job .*status=1792")" 1
	assert "$(calls_of .)" 6
}

@test "it forks from #SBATCH lines, and under every --export" {
	local jobs=() mode

	printf 'PATH=%s\0' "$PATH" >env-file
	printf '#!/bin/sh\n#SBATCH --dsv-fork=HEAD\n./forked\nsrun ./forked\n' >job
	for mode in --export=ALL --export=NONE --export=PATH \
	    --export-file="$PWD/env-file"; do
		submit "$mode" job
		jobs+=("$job")
	done
	for job in "${jobs[@]}"; do
		finished
		assert "$output" "forked
forked"
		assert "$exit" 0:0
	done
}

@test "each task of an array forks, with one ticket" {
	submit --array=0-2 --dsv-fork=HEAD --wrap ./forked
	cluster_wait_job "$job"
	assert "$(cat "$job"_?.out)" "forked
forked
forked"
	assert "$(calls_of prepare)" 1
	assert "$(calls_of start)" 3
	assert "$(sed -n 's/^start .* \(job=[0-9]*\).*/\1/p' "$calls" |
		sort -u | wc -l)" 3
	assert "$(grep -o 'ticket=[0-9a-f]*' "$calls" | sort -u | wc -l)" 1
	assert "$(calls_of 'finish .*status=0')" 3
}

@test "srun alone forks on each of its nodes" {
	run -1 --separate-stderr cluster_as srun -N2 \
		--ntasks-per-node=2 --dsv-fork=HEAD \
		sh -c "./forked; exit \$((SLURM_PROCID == 3))"
	assert "$output" "forked
forked
forked
forked"
	assert "$(calls_of 'start .*node=n1')" 2
	assert "$(calls_of 'start .*node=n2')" 2
	assert "$(calls_of 'finish .*node=n1 .*status=0')" 1
	assert "$(calls_of 'finish .*node=n2 .*status=256')" 1
}

@test "the steps of an salloc are forked; its end is known from Slurm" {
	run -0 --separate-stderr cluster_as salloc --dsv-fork=HEAD \
		sh -c "srun ./forked; srun --export=NONE ./forked"
	assert "$output" "forked
forked"
	assert "$(calls_of prepare)" 1
	assert "$(calls_of start)" 2
	assert "$(calls_of finish)" 0
}

@test "a job submitted from a forked job does not fork" {
	cat >inner <<-'END'
	#!/bin/sh
	#SBATCH -o inner.out
	env | grep -E 'SPANK|DSV_TICKET'
	srun env | grep -E 'SPANK|DSV_TICKET'
	exit 0
	END
	submit --dsv-fork=HEAD --wrap "sbatch --wait inner; salloc -n1 srun env |
		grep -E 'SPANK|DSV_TICKET'; env -u SLURM_JOB_ID srun -n1 env |
		grep -E 'SPANK|DSV_TICKET'; true"
	finished
	assert "$(cat inner.out)" ""
	run ! grep -E 'SPANK|DSV_TICKET' "${job}"_*.out
	assert "$(calls_of start)" 1
	assert "$(calls_of finish)" 1
}

@test "a step in another job than its own is not forked" {
	submit --wrap "sleep 30"
	other=$job
	cluster_wait_state "$other" RUNNING
	submit --dsv-fork=HEAD --wrap "srun --jobid=$other --overlap true"
	finished
	assert "$exit" 0:0
	assert "$(calls_of start)" 1
	scancel "$other"
	cluster_wait_job "$other"
}

@test "a requeued job starts again with the same ticket" {
	submit --dsv-fork=HEAD --open-mode=append --wrap "./forked
		[ -n \"\$SLURM_RESTART_COUNT\" ] || sleep 30"
	cluster_until 10 sh -c "grep -qs forked ${job}_*.out"
	cluster_requeue "$job"
	finished
	assert "$(grep -c '^forked' <<<"$output")" 2
	assert "$(calls_of prepare)" 1
	assert "$(calls_of start)" 2
	assert "$(calls_of 'finish .*status=0')" 1
}

@test "a job whose fork cannot be made fails, and says why" {
	local jobs=() rev

	for rev in start-fails start-dies start-lies start-hangs; do
		submit --dsv-fork=$rev --wrap "echo ran"
		jobs+=("$job")
	done
	set -- "checkout: no space left" \
		"'$CLUSTER_DIR/bin/dsv' was killed by signal 9" \
		"cannot set 'PATH=/nowhere'" \
		"'$CLUSTER_DIR/bin/dsv' did not answer in 2 s"
	for job in "${jobs[@]}"; do
		finished
		assert "${output#slurmstepd-n?: error: dsv: }" "$1"
		assert "$exit" 1:0
		shift
	done
}

@test "a damaged ticket fails the job that carries it" {
	run -1 --separate-stderr cluster_as salloc --dsv-fork=HEAD env \
		SLURM_SPANK_DSV_TICKET='$(id)' srun echo ran
	assert "$output" ""
	[[ $stderr == *"error: dsv: the job's ticket is damaged"* ]]
	run -1 --separate-stderr cluster_as salloc --dsv-fork=HEAD env \
		SLURM_SPANK_DSV_REPO=../x srun echo ran
	[[ $stderr == *"error: dsv: the job's ticket is damaged"* ]]
	assert "$output" ""
	assert "$(calls_of start)" 0
}

@test "an end that cannot be recorded leaves the job's result alone" {
	local jobs=() rev

	for rev in finish-fails finish-hangs; do
		submit --dsv-fork=$rev --wrap "echo ran; exit 3"
		jobs+=("$job")
	done
	for job in "${jobs[@]}"; do
		finished
		[[ $output == "ran"$'\n'*"error: dsv: "* ]]
		assert "$exit" 3:0
	done
}

@test "jobs that ask for nothing do not notice a broken dsv" {
	local line jobs=()

	for line in "$(plugin_line missing)" "$(plugin_line) colour=red" \
	    "optional /dev/null"; do
		plugstack "$line"
		submit --wrap "echo ran; srun echo ran"
		jobs+=("$job")
		cluster_wait_job "$job"
	done
	for job in "${jobs[@]}"; do
		finished
		[[ $output == "ran"*"ran" ]]
		assert "$exit" 0:0
	done
	[ ! -e "$calls" ]
}

@test "a forked job that meets a broken dsv on its node fails" {
	submit --hold --dsv-fork=HEAD --wrap "echo ran"
	plugstack "$(plugin_line missing)"
	cluster_as scontrol release "$job"
	finished
	assert "$output" "slurmstepd-n1: error: dsv: run '$CLUSTER_DIR/bin/missing': No such file or directory"
	assert "$exit" 1:0
}

@test "a job can be cancelled while its files are placed" {
	submit --dsv-fork=start-hangs --wrap "echo ran"
	cluster_until 10 grep -qs ^start "$calls"
	cluster_as scancel "$job"
	finished
	assert "$(cluster_job_state "$job")" CANCELLED
	[[ $output != *ran* ]]
}

@test "a heterogeneous job forks once, for all its components" {
	submit -w n1 -n1 --dsv-fork=HEAD : -w n2 -n1 --wrap \
		"./forked; srun --het-group=0,1 ./forked"
	finished
	assert "$output" "forked
forked
forked"
	assert "$(calls_of prepare)" 1
	assert "$(calls_of "start .*job=$job ")" 3
	assert "$(calls_of "start .*node=n2 ")" 1
}

@test "no node was drained by any of this" {
	cluster_assert_healthy
}
