#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Where and how often the files of a forked job are placed on its nodes
# shellcheck disable=SC2016,SC2154

load slurm

# The plugin runs dsv through a script, which can preload fault.so: $fault.
setup_file() {
	[ -z "$(slurm_missing)" ] || return 0
	start_cluster \
		"optional @DIR@/lib/spank_dsv.so dsv=@DIR@/bin/dsv-start"
	make -s -C "$cluster_root" B="$build" "$build/fault.so"
	install -m 755 "$build/fault.so" "$CLUSTER_DIR/lib/"
	cat >"$CLUSTER_DIR/bin/dsv-start" <<-END
	#!/bin/sh
	case \$* in
	*" job start "*) [ ! -e "$CLUSTER_HOME/fault" ] || . "$CLUSTER_HOME/fault" ;;
	esac
	exec "$CLUSTER_DIR/bin/dsv" "\$@"
	END
	chmod 755 "$CLUSTER_DIR/bin/dsv-start"
}

setup() {
	need_slurm
	work_in_repository
}

teardown() {
	rm -f "$CLUSTER_HOME/fault"
}

# Tell fault.so about the calls below DIR: with_fault DIR NAME=VALUE...
with_fault() {
	local root=$1
	shift

	{
		printf 'export LD_PRELOAD=%s\n' "$CLUSTER_DIR/lib/fault.so"
		printf 'export DSV_FAULT_ROOT=%s\n' "$root"
		printf 'export DSV_FAULT_%q\n' "$@"
	} >"$CLUSTER_HOME/fault"
}

@test "each node places the files once, in a directory of its own" {
	script 'srun --overcommit -n16 sh -c "cat \$DSV_CHECKOUT/ckpt/w
		echo \$SLURMD_NODENAME \$DSV_CHECKOUT" | sort | uniq -c |
		sed "s/^ *//"'
	submit --dsv-fork=HEAD --dsv-to="$CLUSTER_LOCAL/%j" -N2 -n16 \
		--overcommit job
	finished
	assert "$output" "16 first
8 n1 $CLUSTER_LOCAL/$job
8 n2 $CLUSTER_LOCAL/$job"
	without_plugin
	user fork HEAD --to "$CLUSTER_LOCAL/%j" --sbatch -- -N2 -n16 \
		--overcommit -o %A_%a.out job
	job=${output##* }
	finished
	assert "$output" "16 first
8 n1 $CLUSTER_LOCAL/$job
8 n2 $CLUSTER_LOCAL/$job"
}

@test "32 tasks that start at once on a node place the files once" {
	with_fault "$CLUSTER_HOME" LOG="$PWD/calls" MATCH='rename:*/placed*'
	run -0 --separate-stderr cluster_as srun -N2 -n64 --overcommit \
		--dsv-fork=HEAD --dsv-to="$PWD/placed.%N" \
		sh -c 'cat $DSV_CHECKOUT/ckpt/w'
	assert "$(sort <<<"$output" | uniq -c | tr -s ' ')" " 64 first"
	assert "$(cut -d' ' -f2- calls | sort)" "rename $PWD/placed.n1
rename $PWD/placed.n1.dsv-tmp/ckpt/w
rename $PWD/placed.n2
rename $PWD/placed.n2.dsv-tmp/ckpt/w"
	user find --count "kind = 'fork'"
	assert "$output" 1
}

# Start a job whose files are being placed in ./placed; some exist already.
start_placing() {
	cluster_as sh -c 'cd ckpt && seq 400 | xargs touch'
	user tag ckpt
	held=$output
	with_fault "$PWD/placed" LOG="$PWD/calls" MATCH='rename:*/ckpt/*' \
		AT=100 DO=stop
	script 'ls "$DSV_CHECKOUT/ckpt" | wc -l; echo "ran $DSV_ATTEMPT"'
	submit --dsv-fork=HEAD --dsv-to="$PWD/placed" --open-mode=append job
	cluster_until 20 grep -qs ^100 calls
	[ -e placed.dsv-tmp ]
	[ ! -e placed ]
}

@test "scancel while files are placed leaves no half of them, and no hold" {
	start_placing
	cluster_as scancel "$job"
	finished
	[[ $output != *ran* ]]
	assert "$(ls -d placed*)" placed.dsv
	user job sync
	assert "$(record state | tail -1)" CANCELLED
	user prune --expire=now "main-$job" "$held"
}

@test "a job that is requeued while files are placed gets them all" {
	start_placing
	rm "$CLUSTER_HOME/fault"
	cluster_requeue "$job"
	finished
	assert "$(grep -v slurmstepd <<<"$output")" "401
ran 2"
	assert "$(ls -d placed*)" "placed
placed.dsv"
}

# Make HEAD a state that four ranks made.
collective() {
	local i

	cluster_as mkdir r{0..3} r{0..3}/ckpt
	for i in 3 2 1 0; do
		cluster_as sh -c "echo $i >r$i/ckpt/shard$i"
		cluster_as "$program" tag -q --collective --rank $i --ranks 4 \
			--group g r$i/ckpt >tagged.$i 3>&- &
	done
	wait
}

@test "with --dsv-parts=mine a node has the parts of its ranks" {
	local way

	collective
	options=(parts=mine "to=$CLUSTER_LOCAL/%j")
	script 'srun sh -c "cd \$DSV_CHECKOUT/ckpt
		echo \$SLURMD_NODENAME \$SLURM_PROCID: *" | sort
		cd "$DSV_CHECKOUT/ckpt" && srun -Qn1 -N1 -w n1 echo tool: *'
	for way in plugin fork bare; do
		submit_as $way -N2 -n4 --ntasks-per-node=2
		finished
		assert "$output" "n1 0: shard0 shard1
n1 1: shard0 shard1
n2 2: shard2 shard3
n2 3: shard2 shard3
tool: shard0 shard1"
	done
	submit_as plugin -N2 -n4 --ntasks-per-node=2 -m cyclic
	finished
	assert "$(sed -n '1p;3p' <<<"$output")" "n1 0: shard0 shard2
n2 1: shard1 shard3"
}

@test "with --dsv-parts=mine in the repository each node has a directory" {
	collective
	run -0 --separate-stderr cluster_as srun -N3 -n4 --dsv-fork=HEAD \
		--dsv-parts=mine sh -c 'ls $DSV_CHECKOUT/ckpt >ranks.$SLURM_PROCID
		basename $DSV_CHECKOUT | sed s/.*[.]//'
	assert "$(sort -u <<<"$output")" "n1
n2
n3"
	assert "$(cat ranks.3)" shard3
}

@test "a number of ranks other than of parts is refused with a way out" {
	local way

	collective
	options=(parts=mine)
	script 'echo ran'
	for way in plugin bare; do
		submit_as $way -n3
		finished
		[[ $output == *"3 tasks cannot have the 4 parts of the state (ask for 4 with -n 4, or for all parts on each node with --dsv-parts=all)" ]]
		[ "${exit%:0}" -gt 0 ]
	done
	options=(parts=all)
	submit_as plugin -n3
	finished
	assert "$output" ran
	run -1 --separate-stderr cluster_as sbatch --dsv-fork=HEAD \
		--dsv-parts=some job
	assert "$stderr" "sbatch: error: dsv: parts are 'all' or 'mine', not 'some'"
	user -2 fork HEAD --parts mine
}

# Start a job that makes a durable state and one only on its node, and waits.
start_async() {
	user config core.localTier "$CLUSTER_LOCAL/tier"
	cat >hold <<-'END'
	import fcntl, struct, sys, time
	f = open(sys.argv[1], "a+")
	fcntl.fcntl(f, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
	open("held", "w")
	time.sleep(60)
	END
	script 'cat "$DSV_CHECKOUT/ckpt/w"
		[ "$DSV_ATTEMPT" = 1 ] ||
			exec dsv -q tag "$DSV_CHECKOUT/ckpt" >next
		mkdir -p new/ckpt ".dsv/queue/$SLURMD_NODENAME"
		echo durable >new/ckpt/w; dsv -q tag new/ckpt >durable
		python3 hold ".dsv/queue/$SLURMD_NODENAME/lock" &
		until [ -e held ]; do sleep 0.1; done
		echo captured >new/ckpt/w; dsv -q tag --async new/ckpt >captured
		echo "$SLURMD_NODENAME" >node; exec sleep 60'
	submit --dsv-fork=HEAD --open-mode=append job
	cluster_until 20 test -s node
	user status --json
	json "j['pending']"
	assert "$result" 1
}

@test "after a requeue on its node a job has what only that node had" {
	start_async
	cluster_as scontrol update JobId="$job" ReqNodeList="$(<node)"
	cluster_requeue "$job"
	finished
	assert "$(grep -v slurmstepd <<<"$output")" "first
captured"
	user rev-parse "$(<next)^"
	assert "$output" "$(<captured)"
}

@test "a job whose node took the head with it continues from a durable state" {
	start_async
	cluster_lose_node "$(<node)"
	cluster_until 20 cluster_can_start_now "$job"
	cluster_wait_job "$job"
	user -4 wait "$(<captured)"
	[[ $stderr == *"is lost"* ]]
	cluster_return_node "$(<node)"
	finished
	assert "$(grep -v slurmstepd <<<"$output")" "first
dsv: warning: the head of 'main-$job' cannot be had: the branch goes on from its nearest durable ancestor $(cut -c-12 durable)
durable"
	user rev-parse "$(<next)^"
	assert "$output" "$(<durable)"
	user rev-parse "main-$job"
	assert "$output" "$(<next)"
}

@test "no node was drained by any of this" {
	cluster_assert_healthy
}
