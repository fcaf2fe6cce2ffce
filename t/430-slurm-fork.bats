#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Forks in real Slurm jobs, by dsv itself: with the plugin and without
# shellcheck disable=SC2016,SC2154

load slurm

setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	start_cluster
}

setup() {
	need_slurm
	work_in_repository
}

@test "a fork has its files, parameters and record, however submitted" {
	local way

	script 'cat "$DSV_CHECKOUT/ckpt/w"; echo "lr=$DSV_PARAM_LR"
		dsv params HEAD lr; cat "$DSV_PARAMS_FILE"; echo "$DSV_PARENT"
		srun sh -c "echo \$DSV_BRANCH"; dsv rev-parse HEAD
		echo "$DSV_STATE"; exit 3'
	for way in plugin fork bare; do
		echo "== $way"
		submit_as $way -w n2
		finished
		branch=$(sed -n 6p <<<"$output")
		state=$(sed -n 7p <<<"$output")
		assert "$output" "first
lr=0.2
0.2
{\"lr\":0.2}
$first
$branch
$state
$state"
		assert "$exit" 3:0
		user rev-parse "$branch"
		assert "$output" "$state"
		assert "$(record state | tail -1)" FAILED
		assert "$(record exit | tail -1)" 3
		assert "$(record nodes | tail -1)" n2
		assert "$(record branch | tail -1)" "$branch"
		assert "$(record fork | tail -1)" "$first"
	done
}

@test "a branch that is named like the job is not an obstacle" {
	script 'srun -n4 sh -c "echo \$DSV_BRANCH" | sort -u'
	submit -n4 --hold --dsv-fork=HEAD job
	user branch "main-$job"
	cluster_as scontrol release "$job"
	finished
	assert "$output" "main-$job-1"
	user find --count "kind = 'fork'"
	assert "$output" 1
}

@test "parameters arrive as they were given" {
	local odd=' a, "b" = '\''c'\'' $d \e *%j ' way i

	options=("set=+odd=$odd" "set=+b=größe=1,2")
	for i in {1..28}; do
		options+=("set=+k$i=$(printf "%1000s$odd" '' | tr ' ' "$i")$i,=é")
	done
	printf '%s\n' "${options[@]}" | sed -n 's/^set=+k[0-9]*=//p' >wanted
	[ "$(wc -c <wanted)" -gt $((28 * 1024)) ]
	script 'printf "%s|%s\n" "$DSV_PARAM_ODD" "$DSV_PARAM_B"
		for i in $(seq 28); do eval "echo \"\$DSV_PARAM_K$i\""; done >got
		cmp got wanted
		for i in $(seq 28); do dsv params HEAD k$i; done | cmp - wanted
		python3 -c "import json, os
print(json.load(open(os.environ[\"DSV_PARAMS_FILE\"]))[\"odd\"])"'
	for way in plugin fork bare; do
		submit_as $way
		finished
		assert "$output" "$odd|größe=1,2
$odd"
	done
}

@test "a job of several nodes ends as its worst task did" {
	run -3 --separate-stderr cluster_as srun -N2 -n2 --dsv-fork=HEAD \
		sh -c '[ $SLURM_PROCID = 0 ] || { sleep 1; exit 1; }; exit 3'
	user job list --json
	json "[(x['state'], x['exit']) for x in j]"
	assert "$result" "[('FAILED', 3)]"
}

@test "what was placed in the repository stays until its branch is pruned" {
	script 'echo "$DSV_CHECKOUT"; dsv -q tag ckpt'
	submit --dsv-fork=HEAD job
	finished
	placed=${output%%$'\n'*}
	user prune "main-$job" --expire=now
	[ -e "$placed/ckpt/w" ]
	touch -d '8 days ago' "${placed%/*}"
	user prune main --expire=now
	[ ! -e "${placed%/*}" ]
}

@test "a job that waits keeps its state, however long" {
	script 'cat "$DSV_CHECKOUT/ckpt/w"'
	submit_as bare --hold
	cluster_as sh -c 'echo second >ckpt/w'
	user tag -b other --parent "$first" ckpt
	user branch -f main other
	user tag -b main ckpt
	user prune --branch main --keep-last 1 --expire=now --json
	json "[x['action'] for x in j['states'] if x['id'] == '$first'][0]"
	assert "$result" keep
	cluster_as scontrol release "$job"
	finished
	assert "$output" first
}

@test "no --export and no export file takes the fork away" {
	local way mode jobs=()

	printf 'PATH=%s\0' "$PATH" >env-file
	script '/bin/cat "$DSV_CHECKOUT/ckpt/w"
		srun --export=ALL /bin/sh -c "echo \$DSV_PARAM_LR"'
	for way in plugin fork bare; do
		jobs=()
		for mode in NONE PATH; do
			submit_as $way -n1 --export=$mode
			jobs+=("$job")
		done
		submit_as $way -n1 --export-file="$PWD/env-file"
		jobs+=("$job")
		# The next way changes what jobs that start late find.
		for job in "${jobs[@]}"; do
			finished
			assert "$output" "first
0.2"
		done
	done
	with_plugin
}

@test "--after starts the fork when the other job has ended" {
	local way

	script 'echo "$DSV_BRANCH"'
	for way in with without; do
		${way}_plugin
		submit --hold --wrap true
		other=$job
		user fork HEAD -b $way --after "$other" --sbatch -- \
			-o %A_%a.out job
		job=${output##* }
		assert "$(squeue -h -j "$job" -o %E)" \
			"afterany:$other(unfulfilled)"
		cluster_as scontrol release "$other"
		finished
		assert "$output" $way
	done
	user -2 fork HEAD --after "1;2" --sbatch -- job
}

@test "a job that a forked job submits is not a fork, plugin or not" {
	local way

	printf '#!/bin/sh\nsrun dsv tag -q ckpt\n' >inner
	script 'sbatch -Qn1 -o /dev/null --export=ALL --wait inner
		srun -n1 true; dsv -q find --count "kind = \"fork\""'
	for way in plugin bare; do
		submit_as "$way" -n1
		finished
		assert "$(tail -1 <<<"$output")" 1
		user log -n1 --format '%(branch)' "job-$((job + 1))"
		assert "$output" "job-$((job + 1))"
		user job list --json
		json "[x['id'] for x in j if x['fork']]"
		assert "$result" "['$job']"
		rm -rf .dsv
		user init
		user tag -p lr=0.1 ckpt
	done
}

@test "a requeued job continues at the head of its branch" {
	script 'cat "$DSV_CHECKOUT/ckpt/w"; echo "$DSV_BRANCH $DSV_ATTEMPT"
		[ "$DSV_ATTEMPT" = 1 ] || exit 0
		mkdir -p new/ckpt; echo second >new/ckpt/w
		dsv -q tag -a acc=0.7 new/ckpt >id && touch tagged
		exec sleep 30'
	submit --dsv-fork=HEAD --open-mode=append job
	cluster_until 10 test -e tagged
	cluster_requeue "$job"
	finished
	assert "$(grep -v slurmstepd <<<"$output")" "first
main-$job 1
second
main-$job 2"
	assert "$(record state | tail -1)" COMPLETED
}

@test "each task of an array has a branch, and so have its steps" {
	script 'srun --export=NONE /bin/sh -c "echo \$DSV_BRANCH"'
	submit --array=0-2 --dsv-fork=HEAD job
	cluster_wait_job "$job"
	assert "$(cat "$job"_?.out)" "main-$job.0
main-$job.1
main-$job.2"
	user find --count "kind = 'fork'"
	assert "$output" 3
}

# Check what the tasks of a sweep have printed, and their records.
check_sweep() {
	cluster_wait_job "$job"
	assert "$(cat "$job"_?.out)" "0.1 32 $1
0.1 64 $1
0.2 32 $1
0.2 64 $1"
	user log --all --graph --format '%(kind) %(param:lr) %(param:bs)'
	assert "$(grep -c 'fork 0' <<<"$output")" 4
	user job list --json
	json "sorted((x['id'], x['state']) for x in j)"
	assert "$result" "$(python3 -c "
print([('${job}_%d' % i, 'COMPLETED') for i in range(4)])")"
	json "len(set(x['branch'] for x in j))"
	assert "$result" 4
}

@test "a sweep is one array, each task with parameters of its own" {
	local way

	script 'echo "$DSV_PARAM_LR $DSV_PARAM_BS $(cat "$DSV_CHECKOUT/ckpt/w")"'
	user tag -p lr=0.5 -p bs=1 ckpt
	for way in plugin fork bare; do
		with_plugin
		if [ $way = plugin ]; then
			submit --dsv-fork=HEAD --dsv-sweep=lr=0.1,0.2 \
				--dsv-sweep=bs=32,64 job
		else
			[ $way = fork ] || without_plugin
			user fork HEAD --sweep lr=0.1,0.2 --sweep bs=32,64 \
				--sbatch -- -o %A_%a.out job
			assert "$(wc -l <<<"$output")" 4
			job=${output##* }
			job=${job%_3}
		fi
		check_sweep first
		rm -rf .dsv "$job"_?.out
		user init
		user tag -p lr=0.5 -p bs=1 ckpt
	done
}

@test "a sweep from #SBATCH lines; its array belongs to no other job" {
	script '#SBATCH --dsv-fork=HEAD --dsv-sweep=lr=0.1,0.2
echo "$DSV_PARAM_LR $DSV_PARAM_NOTE ${SBATCH_ARRAY_INX-none}"'
	submit '--dsv-sweep=+note:=["a,b",[1,2]]' job
	cluster_wait_job "$job"
	assert "$(cat "$job"_?.out)" '0.1 a,b none
0.1 [1,2] none
0.2 a,b none
0.2 [1,2] none'
	submit --array=0-1%1 --dsv-fork=HEAD --dsv-sweep=lr=1,2 --wrap true
	cluster_wait_job "$job"
	run -1 --separate-stderr cluster_as sbatch --array=0-7 --dsv-fork=HEAD \
		--dsv-sweep=lr=1,2 --wrap true
	assert "$stderr" "sbatch: error: dsv: the sweep has 2 combinations: it needs an array of the tasks 0-1 (submit it with sbatch --array=0-1)"
	run -1 --separate-stderr cluster_as srun --dsv-fork=HEAD \
		--dsv-sweep=lr=1,2 true
	[[ $stderr == *"the sweep has 2 combinations: it needs an array of the tasks 0-1 (submit it with sbatch --array=0-1)" ]]
}

@test "an array of fork --sbatch has a branch for each task, from the start" {
	local way

	script 'echo "$DSV_BRANCH $DSV_PARAM_LR"'
	for way in fork bare; do
		with_plugin
		[ $way = fork ] || without_plugin
		user fork HEAD -b $way --set lr=7 --sbatch -- -o %A_%a.out \
			--array=1-5:2%2 job
		assert "$(cut -d' ' -f1,3 <<<"$output" | sed 's/ [0-9]*/ /')" \
			"$way.1 _1
$way.3 _3
$way.5 _5"
		job=${output##* }
		job=${job%_5}
		cluster_wait_job "$job"
		assert "$(cat "$job"_?.out)" "$way.1 7
$way.3 7
$way.5 7"
	done
}

@test "a sweep that is cancelled before it starts leaves nothing" {
	script true
	user fork HEAD --sweep lr=1,2 --sbatch -- --hold job
	job=${output##* }
	cluster_as scancel "${job%_1}"
	cluster_wait_job "${job%_1}"
	user job sync
	user branch
	assert "$output" "* main"
}

@test "the submission of an array is listed while tasks are still to come" {
	script 'sleep 30'
	submit --array=0-1%1 --dsv-fork=HEAD job
	cluster_until 20 sh -c "squeue -h -t R -o %A | grep ."
	sleep 1
	user job list --json
	json "sorted(x['id'] for x in j)"
	assert "$result" "['$job', '${job}_0']"
	cluster_as scancel "$job"
	cluster_wait_job "$job"
	user job list --json
	json "[(x['id'], x['state']) for x in j]"
	assert "$result" "[('${job}_0', 'CANCELLED')]"
}

@test "a heterogeneous job has one branch" {
	script 'srun --het-group=0,1 sh -c "echo \$DSV_BRANCH; \
		cat \$DSV_CHECKOUT/ckpt/w" | sort'
	submit -w n1 --dsv-fork=HEAD : -w n2 job
	finished
	assert "$output" "first
first
main-$job
main-$job"
	user find --count "kind = 'fork'"
	assert "$output" 1
}

@test "a heterogeneous job has its fork on all nodes without the plugin" {
	options=("to=$CLUSTER_LOCAL/%j")
	script 'srun --het-group=0,1 sh -c "cat \$DSV_CHECKOUT/ckpt/w"'
	submit_as bare -w n1 : -w n2
	finished
	assert "$output" "first
first"
}

@test "what cannot be forked is refused at submission, and leaves nothing" {
	script true
	user branch taken
	for args in "--dsv-fork=unknown" "--dsv-fork=HEAD --dsv-set=rl=1" \
	    "--dsv-fork=HEAD --dsv-branch=taken" \
	    "--dsv-fork=HEAD --dsv-unset=none" \
	    "--dsv-fork=HEAD --dsv-repo=/nowhere"; do
		# shellcheck disable=SC2086
		run -1 --separate-stderr cluster_as sbatch $args job
		echo "$stderr"
		assert "$output" ""
		[[ $stderr =~ ^"sbatch: error: dsv: "[^$'\n']+$ ]]
	done
	user job list
	assert "$output" ""
}

@test "--test-only leaves nothing, however given" {
	local way

	script true
	run -0 cluster_as sbatch --test-only --dsv-fork=HEAD job
	run -0 cluster_as srun -N 1 --test-only --dsv-fork=HEAD true
	script '#SBATCH --test-only
true'
	run -0 cluster_as sbatch --dsv-fork=HEAD job
	user job list
	assert "$output" ""
	for way in fork bare; do
		with_plugin
		[ $way = fork ] || without_plugin
		run -0 cluster_as "$program" fork HEAD --sbatch -- job
		[[ $output == *"to start at"* ]]
		script true
		run -0 cluster_as "$program" fork HEAD --sweep lr=1,2 \
			--sbatch -- --test-only job
		[[ $output == *"to start at"* ]]
		script '#SBATCH --comment="a # b" --test-only
true'
		user branch
		assert "$output" "* main"
		user job list
		assert "$output" ""
	done
}

@test "a state that a waiting job needs is held, until the job is gone" {
	script true
	submit --hold --dsv-fork=HEAD job
	cluster_as sh -c 'echo second >ckpt/w'
	user tag ckpt
	user -14 prune --expire=now "$first"
	cluster_as scancel "$job"
	cluster_wait_job "$job"
	user job sync
	user prune --expire=now "$first"
}

@test "the hold of a job that was sent to another cluster is not ended here" {
	local clusters

	cluster_as sh -c 'echo second >ckpt/w'
	user tag ckpt
	for clusters in other dsvtest,other DSVTEST; do
		user job prepare --fork="$first" --clusters=$clusters
		user job sync
		user job list --json
		json "j[0]['state'], j[0]['cluster']"
		case $clusters in
		other)
			assert "$result" "('WAITING', 'other')"
			user -14 prune --expire=now "$first"
			;;
		*,*)
			assert "$result" "('WAITING', None)"
			json "j[0]['ticket']"
			user job cancel --ticket="$result"
			user job list --json
			json "j[0]['state']"
			assert "$result" CANCELLED
			;;
		*) assert "$result" "('CANCELLED', 'DSVTEST')" ;;
		esac
	done
}

@test "how a job ended is recorded, or asked of Slurm" {
	script 'kill -KILL $$'
	submit --dsv-fork=HEAD job
	finished
	assert "$(record signal | tail -1)" 9
	run -0 --separate-stderr cluster_as salloc --dsv-fork=HEAD srun \
		sh -c 'echo $SLURM_JOB_ID'
	job=$output
	cluster_wait_job "$job"
	user job sync
	assert "$(record state | tail -1)" COMPLETED
	script 'sleep 30'
	submit --dsv-fork=HEAD job
	cluster_wait_state "$job" RUNNING
	cluster_as scancel "$job"
	finished
	user job sync
	assert "$(record state | tail -1)" CANCELLED
}

@test "no node was drained by any of this" {
	cluster_assert_healthy
}
