#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tag --collective --async: several processes capture one state.  The
# environment names their nodes.

# shellcheck disable=SC2154,SC2314

load helper
load stop

calls=write,pwrite64,fsync,fdatasync,rename,link,unlink,ftruncate

# From now on only wait and queue --run store anything.
by_hand() { dsv config queue.auto false; }

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	export SLURM_JOB_ID=7 DSV_BRANCH=main
	unset SLURM_PROCID SLURM_NTASKS SLURM_STEP_ID
}

teardown() { end_stopped; }

# Run dsv on a node: on NODE [-STATUS] ARG...
on() {
	local node=$1

	shift
	SLURMD_NODENAME=$node dsv "$@"
}

# Run rank I of N on a node: rank NODE I N ARG...
rank() {
	local node=$1 rank=$2 ranks=$3

	shift 3
	(
		exec 3>&-
		status=0
		SLURMD_NODENAME=$node RANK=$rank WORLD_SIZE=$ranks "$program" \
			-q tag --collective --async "$@" >"out.$rank" 2>&1 ||
			status=$?
		echo "$status" >"exit.$rank"
	) &
}

# Run two ranks on each of two nodes, a and b: ranks ARG...
ranks() {
	local i

	for i in 0 1 2 3; do
		node=a
		[ "$i" -lt 2 ] || node=b
		rank $node "$i" 4 "$@" "r$i/ckpt"
		pids[i]=$!
	done
	wait "${pids[@]}"
	id=$(cat out.0)
}

shards() {
	local i

	for i in 0 1 2 3; do
		put "r$i/ckpt/shard$i" 300000 "${1:-one}$i"
	done
}

all_said() {
	assert "$(cat exit.? | paste -sd' ')" "$1 $1 $1 $1"
	assert "$(sort -u out.? | wc -l)" 1
}

# Give each node a tier of its own.
tiers() {
	dsv config core.localTier "$PWD/tier/%h"
}

counts() {
	dsv status --json
	assert "$(jq -c '[.states, .pending, .lost]' <<<"$output")" "$1"
}

captures() {
	find .dsv/queue -name '*.json' | wc -l
}

@test "all ranks return one state, which becomes durable on its own" {
	repo
	shards
	ranks --group g -m epoch -a loss=2 -p lr=0.1 -s run
	all_said 0
	on a wait "$id"
	on b wait
	counts '[1,0,0]'
	dsv show --json "$id"
	json '[j["message"], j["attrs"]["loss"], j["params"]["lr"], j["files"],
		j["size"]]'
	assert "$result" "['epoch', 2, 0.1, 4, 1200000]"
	dsv checkout "$id" all
	for i in 0 1 2 3; do
		cmp "r$i/ckpt/shard$i" "all/ckpt/shard$i"
	done
	dsv checkout --rank 2 "$id" two
	assert "$(find two -type f)" two/ckpt/shard2
	assert "$(captures)" 0
	assert "$(find .dsv/intake -name 'async-*')" ""
	dsv fsck --data
}

@test "each node stores its own, the last makes the state durable" {
	repo
	tiers
	shards
	by_hand
	ranks --group g
	all_said 0
	counts '[1,1,0]'
	dsv queue --json
	assert "$(jq -c 'map([.rank, .host])' <<<"$output")" \
		'[[0,"a"],[1,"a"],[2,"b"],[3,"b"]]'
	rm -r r?
	on a queue --run
	dsv queue --json
	assert "$(jq -c 'map(.rank)' <<<"$output")" '[2,3]'
	on a -1 wait --timeout 200ms "$id"
	counts '[1,1,0]'
	on b wait
	counts '[1,0,0]'
	# Node a has nothing to do with it any more, except for its captures.
	[ -n "$(find tier/a -name 'shard*')" ]
	on a wait
	assert "$(find tier -name 'shard*')" ""
	assert "$(captures)" 0
	assert "$(find .dsv/intake -name 'async-*')" ""
	dsv checkout "$id" all
	assert "$(find all -type f | wc -l)" 4
	dsv fsck --data
}

@test "a node has its own parts of a pending state" {
	repo
	tiers
	shards
	by_hand
	ranks --group g
	on a checkout --rank 1 "$id" one
	cmp r1/ckpt/shard1 one/ckpt/shard1
	on a -4 checkout --rank 2 "$id" two
	[[ $stderr == *"not in the store yet: 2 (on b), 3 (on b) (--rank I"* ]]
	on a -4 checkout "$id" all
	[ ! -e two ] || rmdir two
	on b checkout "$id" all
	cmp r3/ckpt/shard3 all/ckpt/shard3
}

@test "a node that dies with its parts: the state is lost" {
	repo
	shards
	ranks --group e1
	durable=$id
	on a wait "$id"
	tiers
	shards two
	by_hand
	ranks --group e2
	on a queue --run
	mv tier/b tier/gone
	on b status
	[[ $output == *"lost 1"* ]]
	on b -4 wait "$id"
	[[ $stderr == *"lost: its node died"* ]]
	on a -4 checkout "$id" out
	on a checkout --rank 0 "$id" zero
	on a checkout --nearest "$id" out
	[[ $stderr == *"${durable:0:12}"* ]]
	dsv fsck --data
	# It was only away.
	mv tier/gone tier/b
	on b wait "$id"
	counts '[2,0,0]'
	dsv fsck --data
}

@test "two hosts may store one rank's files at once" {
	may_stop
	repo
	shards
	by_hand
	ranks --group g
	# b helps with rank 0; a stores it too, and dies before rank 1.
	stopped 'link:*/async-*/0' env SLURMD_NODENAME=b -- -q wait "$id"
	SLURMD_NODENAME=a LD_PRELOAD=$build/fault.so DSV_FAULT_ROOT=$PWD \
		DSV_FAULT_DO=kill DSV_FAULT_AT=1 \
		DSV_FAULT_MATCH='link:*/async-*/1' "$program" queue --run || true
	counts '[1,1,0]'
	go_on
	assert "$status $(cat err)" "0 "
	counts '[1,0,0]'
	dsv fsck --data
}

@test "another host makes a state durable while this one helps with it" {
	may_stop
	repo
	shards
	by_hand
	ranks --group g
	stopped 'link:*/async-*/0' env SLURMD_NODENAME=b -- -q wait "$id"
	on a queue --run
	counts '[1,0,0]'
	go_on
	assert "$status $(cat err)" "0 "
	dsv fsck --data
}

@test "several in flight keep their order" {
	repo
	by_hand
	for n in 1 2 3; do
		shards "$n"
		ranks --group "e$n" -m "epoch $n"
		all_said 0
	done
	counts '[3,3,0]'
	on a queue --run
	on b wait
	counts '[3,0,0]'
	dsv log --format '%(message)'
	assert "$output" $'epoch 3\nepoch 2\nepoch 1'
	dsv checkout HEAD~1 two
	shards 2
	cmp r0/ckpt/shard0 two/ckpt/shard0
}

@test "a group that is not complete leaves nothing, and gives files back" {
	repo
	shards
	rank a 0 3 --group g --group-timeout 500ms --move r0/ckpt
	rank a 1 3 --group g --group-timeout 500ms r1/ckpt
	wait
	assert "$(cat exit.0 exit.1 | paste -sd' ')" "3 3"
	[ -e r0/ckpt/shard0 ]
	counts '[0,0,0]'
	assert "$(captures)" 0
	assert "$(find .dsv/queue -name 'shard*')" ""
}

@test "a rank that is killed while it waits has captured its part" {
	repo
	shards
	SLURMD_NODENAME=b RANK=3 WORLD_SIZE=4 "$program" tag --collective \
		--async --group g r3/ckpt >out.3 2>&1 3>&- &
	pid=$!
	while ! ls .dsv/intake/tag-*/3 2>/dev/null; do sleep 0.05; done
	kill -KILL "$pid"
	rank a 0 4 --group g r0/ckpt
	rank a 1 4 --group g r1/ckpt
	rank b 2 4 --group g r2/ckpt
	wait
	assert "$(cat exit.[012] | paste -sd' ')" "0 0 0"
	on b wait "$(cat out.0)" || { echo "$stderr"; false; }
	dsv checkout HEAD all
	cmp r3/ckpt/shard3 all/ckpt/shard3
}

@test "prune sweeps what a killed group has captured, but not what it moved" {
	repo
	shards
	for i in 0 1; do
		SLURMD_NODENAME=a RANK=$i WORLD_SIZE=3 "$program" tag \
			--collective --async --group g \
			"$([ $i = 0 ] && echo --pin || echo --move)" \
			"r$i/ckpt" >/dev/null 2>&1 3>&- &
		pids[i]=$!
	done
	until [ "$(ls .dsv/intake/tag-*/[01] 2>/dev/null | wc -l)" = 2 ]; do
		sleep 0.05
	done
	kill -KILL "${pids[@]}"
	assert "$(captures)" 2
	on a tag -m x r2/ckpt
	on a tag -m y r2/ckpt
	find .dsv/intake .dsv/queue -exec touch -hd '-3 days' {} +
	on a prune --keep-last 1
	[[ $stderr == *"the files that it moved are in"* ]]
	assert "$(captures)" 1
	assert "$(find .dsv/intake -name 'tag-*')" ""
}

@test "prune leaves a pending state's captures alone" {
	repo
	by_hand
	shards
	ranks --group g
	on a tag -b other -m x r2/ckpt
	on a tag -b other -m y r2/ckpt
	find .dsv/intake .dsv/queue -exec touch -hd '-3 days' {} +
	on a prune --branch other --keep-last 1
	on a queue --run
	on b wait "$id"
	counts '[2,0,0]'
	dsv checkout "$id" all
	cmp r3/ckpt/shard3 all/ckpt/shard3
}

@test "the same path with other bytes is refused" {
	repo
	for i in 0 1 2 3; do put "r$i/ckpt/config" 100 "$i"; done
	ranks --group g
	all_said 14
	[[ $(cat out.0) == *"'ckpt/config' of rank 0"*"differ"* ]]
	counts '[0,0,0]'
	assert "$(captures)" 0
}

@test "for big files this is noticed when they are stored" {
	repo
	by_hand
	for i in 0 1 2 3; do put "r$i/ckpt/big" 2000000 "$i"; done
	ranks --group g
	all_said 0
	on a queue --run
	on b -14 wait "$id"
	[[ $stderr == *"'ckpt/big' of rank 0"*"differ"* ]]
	on a -14 wait "$id"
	counts '[1,0,1]'
	dsv fsck --data
}

@test "ranks that contradict one another are refused" {
	repo
	shards
	rank a 0 2 --group g r0/ckpt
	RANK=1 WORLD_SIZE=2 SLURMD_NODENAME=b dsv -14 tag --collective \
		--group g r1/ckpt
	[[ $stderr == *"'async' is"* ]]
	wait
	assert "$(cat exit.0)" 14
	counts '[0,0,0]'
}

@test "replicated: each node stores the share of its ranks" {
	repo
	put r0/ckpt/big 20000000 a
	put r0/ckpt/small 100 b
	ln -s big r0/ckpt/link
	mkdir r0/ckpt/none
	for i in 1 2 3; do cp -a r0 "r$i"; done
	by_hand
	ranks --group g --replicated
	all_said 0
	on a queue --run
	on b wait "$id"
	on a wait
	dsv show --json
	json '[j["files"], j["size"], j["stored"] < 20100000]'
	assert "$result" "[2, 20000100, True]"
	dsv checkout HEAD all
	diff -r --no-dereference r0/ckpt all/ckpt
	assert "$(captures)" 0
	dsv fsck --data
	printf x | dd of=r2/ckpt/big bs=1 seek=1500000 conv=notrunc status=none
	ranks --group h --replicated
	on a queue --run
	on b -14 wait "$id"
	[[ $stderr == *"'ckpt/big' of rank 2 is not that of rank 0"* ]]
}

@test "a worker may die at any call: the next one continues" {
	local k=1 code=137

	need_strace
	repo
	by_hand
	while [ "$code" = 137 ]; do
		shards "$k"
		ranks --group "g$k"
		all_said 0
		code=0
		SLURMD_NODENAME=b "$program" -q queue --run
		SLURMD_NODENAME=a strace -f -o /dev/null -e trace=$calls \
			-e "inject=$calls:signal=KILL:when=$k" "$program" -q \
			queue --run 2>/dev/null || code=$?
		on a wait "$id"
		rm -rf out
		dsv checkout "$id" out
		cmp r1/ckpt/shard1 out/ckpt/shard1
		assert "$(captures)" 0
		k=$((2 * k + 1))
	done
	assert "$code" 0
	[ "$k" -gt 30 ]
	dsv fsck --data
}
