#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tag --collective: several processes make one state

# shellcheck disable=SC2154,SC2314

load helper

calls=write,pwrite64,fsync,fdatasync,rename,link,unlink,ftruncate

# Run rank I of N in the background; its output is in out.I, its exit status in
# exit.I: rank I N ARG...
rank() {
	local rank=$1 ranks=$2

	shift 2
	(
		exec 3>&-
		status=0
		RANK=$rank WORLD_SIZE=$ranks "$program" -q tag --collective \
			"$@" >"out.$rank" 2>&1 || status=$?
		echo "$status" >"exit.$rank"
	) &
}

# Run all ranks 0 to N-1, each with its own directory: ranks N ARG...
ranks() {
	local ranks=$1 i

	shift
	for ((i = 0; i < ranks; i++)); do
		rank "$i" "$ranks" "$@" "r$i/ckpt"
	done
	wait
}

# Make a directory for each of N ranks: shards N [SEED]
shards() {
	local i

	for ((i = 0; i < $1; i++)); do
		put "r$i/ckpt/shard$i" 100000 "${2:-one}$i"
	done
}

# Require that N ranks exited with STATUS and one output: all_said N STATUS
all_said() {
	local i

	for ((i = 0; i < $1; i++)); do
		assert "$(cat "exit.$i")" "$2" || { cat "out.$i"; return 1; }
		assert "$(cat "out.$i")" "$(cat out.0)"
	done
}

states() {
	dsv find --count
	assert "$output" "$1"
}

@test "eight ranks make one state, twice" {
	repo
	shards 8
	ranks 8 --group e1 -m "epoch 1" -a loss=2 -p lr=0.1 -s run
	all_said 8 0
	shards 8 two
	ranks 8 --group e2 -m "epoch 2" -a loss=1
	all_said 8 0
	states 2
	id=$(cat out.7)
	dsv show --json "$id"
	json '[j["message"], j["attrs"]["loss"], j["params"]["lr"], j["files"],
		j["size"], len(j["parents"])]'
	assert "$result" "['epoch 2', 1, 0.1, 8, 800000, 1]"
	dsv find --scope run --count
	assert "$output" 1
	dsv checkout HEAD all
	for i in {0..7}; do
		cmp "r$i/ckpt/shard$i" "all/ckpt/shard$i"
	done
	dsv fsck --data
}

@test "rank I checks out its own part, including what others have too" {
	repo
	shards 3
	for i in 0 1 2; do echo same >"r$i/ckpt/config"; done
	ranks 3 --group g
	all_said 3 0
	dsv checkout --rank 1 HEAD mine
	assert "$(cd mine && find . -type f | sort | paste -sd' ')" \
		"./ckpt/config ./ckpt/shard1"
	dsv -4 checkout --rank 3 HEAD other
	[[ $stderr == *"no part of rank 3"* ]]
}

@test "a directory that is empty for one rank is filled by another" {
	repo
	mkdir -p r0/ckpt r1/ckpt
	echo x >r1/ckpt/file
	ranks 2 --group g
	all_said 2 0
	dsv checkout HEAD all
	assert "$(cat all/ckpt/file)" x
	dsv checkout --rank 0 HEAD mine
	[ -d mine/ckpt ]
	dsv fsck
}

@test "options give the rank, and win over the environment" {
	repo
	shards 2
	RANK=7 WORLD_SIZE=9 "$program" tag --collective --rank 1 --ranks 2 \
		--group g r1/ckpt >out.1 3>&- &
	dsv tag --collective --rank 0 --ranks 2 --group g r0/ckpt
	wait
	assert "$output" "$(cat out.1)"
	dsv -2 tag --collective --rank 0 --group g r0/ckpt
	dsv -2 tag --collective --rank 2 --ranks 2 --group g r0/ckpt
}

@test "without a rank or a group it says how to give them" {
	repo
	shards 1
	dsv -2 tag --collective --group g r0/ckpt
	[[ $stderr == *"--rank and --ranks"* ]]
	RANK=0 WORLD_SIZE=2 dsv -2 tag --collective r0/ckpt
	[[ $stderr == *"--group"* ]]
	dsv -2 tag --replicated r0/ckpt
	states 0
}

@test "each tag of a job step is a group of its own, also after a requeue" {
	repo
	shards 4
	export SLURM_JOB_ID=77 SLURM_STEP_ID=0 SLURM_NTASKS=4
	for epoch in 1 2 3; do
		[ "$epoch" -lt 3 ] || export SLURM_RESTART_COUNT=1
		for i in 0 1 2 3; do
			SLURM_PROCID=$i "$program" tag --collective \
				-m "epoch $epoch" "r$i/ckpt" >"out.$i" 3>&- &
		done
		wait
		assert "$(cat out.? | uniq | wc -l)" 1
	done
	states 3
	dsv log --oneline job-77
	assert "${#lines[@]}" 3
	# Only the last one of each attempt has left something.
	assert "$(find .dsv/intake -name 'tag-*' | wc -l)" 2
}

@test "a batch script is not a step: it would wait for nobody" {
	repo
	shards 1
	export SLURM_JOB_ID=77 SLURM_PROCID=0 SLURM_NTASKS=4
	dsv -2 tag --collective r0/ckpt
	[[ $stderr == *srun* ]]
}

@test "a rank that dies: the others time out, and nothing is visible" {
	repo
	shards 3
	rank 0 3 --group g --group-timeout 1s r0/ckpt
	rank 2 3 --group g --group-timeout 1s r2/ckpt
	wait
	assert "$(cat exit.0 exit.2 | paste -sd' ')" "3 3"
	[[ $(cat out.0) == *"of 3 ranks these did not arrive: 1" ]]
	states 0
	# It was only late, but half a group is not completed.
	rank 1 3 --group g r1/ckpt
	wait
	assert "$(cat exit.1)" 3
	states 0
	assert "$(find .dsv/segments -type f | wc -l)" 0
	dsv fsck --data
}

@test "a rank that is killed while it waits counts as arrived" {
	repo
	shards 3
	RANK=0 WORLD_SIZE=3 "$program" tag --collective --group g r0/ckpt \
		>out.0 2>&1 3>&- &
	pid=$!
	while ! ls .dsv/intake/tag-*/0 2>/dev/null; do sleep 0.05; done
	kill -KILL "$pid"
	rank 1 3 --group g r1/ckpt
	rank 2 3 --group g r2/ckpt
	wait
	assert "$(cat exit.1 exit.2 | paste -sd' ')" "0 0"
	assert "$(cat out.1)" "$(cat out.2)"
	dsv checkout HEAD all
	cmp r0/ckpt/shard0 all/ckpt/shard0
}

@test "if a rank is interrupted, the others fail at once" {
	repo
	shards 2
	RANK=0 WORLD_SIZE=2 "$program" tag --collective --group g r0/ckpt \
		>out.0 2>&1 3>&- &
	pid=$!
	while ! ls .dsv/intake/tag-*/0 2>/dev/null; do sleep 0.05; done
	kill -TERM "$pid"
	wait "$pid" || :
	rank 1 2 --group g r1/ckpt
	wait
	assert "$(cat exit.1)" 3
	[[ $(cat out.1) == *"rank 0: interrupted"* ]]
	states 0
}

@test "if a rank fails, the others fail, and say why" {
	repo
	shards 1
	rank 1 2 --group g r1/nothing
	rank 0 2 --group g r0/ckpt
	wait
	assert "$(cat exit.0)" 4
	[[ $(cat out.0) == *"rank 1: "*r1/nothing* ]]
	states 0
}

@test "a hint is told to the others too" {
	repo
	shards 1
	put r1/ckpt/shard1
	mkfifo r1/ckpt/pipe
	rank 1 2 --group g r1/ckpt
	rank 0 2 --group g r0/ckpt
	wait
	assert "$(cat exit.0) $(cat exit.1)" "14 14"
	[[ $(cat out.0) == *"rank 1: "*/pipe*" (--exclude leaves it out)" ]]
	[[ $(cat out.1) == *"/pipe"*" (--exclude leaves it out)" ]]
	states 0
}

@test "the committing rank may die at any call: another finishes it, once" {
	local k=1 n=0 code=137 had=0

	need_strace
	repo
	shards 3
	# 3 if on a slow machine it arrives too late, and the others have left.
	while [[ $code =~ ^(137|3)$ ]]; do
		n=$((n + 1))
		shards 3 "$n"
		for i in 0 1; do
			rank $i 3 --group "g$n" --group-timeout 2s "r$i/ckpt"
		done
		while [ "$(ls .dsv/intake/tag-*/[01] 2>/dev/null | wc -l)" -lt 2 ]
		do
			sleep 0.02
		done
		code=0
		RANK=2 WORLD_SIZE=3 strace -f -o /dev/null -e trace=$calls \
			-e "inject=$calls:signal=KILL:when=$k" "$program" tag \
			--collective --group "g$n" --group-timeout 2s r2/ckpt \
			>out.2 2>&1 || code=$?
		wait
		assert "$(cat exit.0)" "$(cat exit.1)"
		assert "$(cat out.0)" "$(cat out.1)"
		dsv find --count
		case $(cat exit.0) in
		0)
			assert "$output" $((had + 1))
			had=$output
			[ "$code" != 0 ] || assert "$(cat out.2)" "$(cat out.0)"
			;;
		3) assert "$output" "$had" ;;
		*) false ;;
		esac
		rm -rf .dsv/intake/*
		[ "$code" = 3 ] || k=$((k + 5))
	done
	assert "$code" 0
	[ "$had" -gt 2 ]
	dsv fsck --data
}

@test "a group that is complete, or has this rank, accepts no more" {
	repo
	shards 2
	ranks 2 --group g
	all_said 2 0
	ranks 2 --group g
	all_said 2 14
	[[ $(cat out.0) == *"is complete"* ]]
	rank 0 2 --group h --group-timeout 3s r0/ckpt
	while ! ls .dsv/intake/tag-*/0 2>/dev/null; do sleep 0.05; done
	RANK=0 WORLD_SIZE=2 dsv -14 tag --collective --group h r0/ckpt
	rank 1 2 --group h r1/ckpt
	wait
	assert "$(cat exit.0 exit.1 | paste -sd' ')" "0 0"
	states 2
}

@test "two groups at once" {
	repo
	mkdir a b
	(cd a && shards 4 a && ranks 4 --group a -b a) &
	(cd b && shards 4 b && ranks 4 --group b -b b) &
	wait
	(cd a && all_said 4 0)
	(cd b && all_said 4 0)
	states 2
	dsv checkout a out
	cmp a/r3/ckpt/shard3 out/ckpt/shard3
}

@test "ranks that contradict one another are refused" {
	repo
	shards 3
	rank 0 3 --group g -b one r0/ckpt
	rank 1 3 --group g -b one r1/ckpt
	rank 2 3 --group g -b two r2/ckpt
	wait
	assert "$(cat exit.? | paste -sd' ')" "14 14 14"
	[[ $(cat out.1) == *"'branch' is \"one\" for rank 0 and \"two\" for rank 2"* ]]
	rank 0 2 --group h r0/ckpt
	rank 1 3 --group h r1/ckpt
	wait
	assert "$(cat exit.0 exit.1 | paste -sd' ')" "14 14"
	[[ $(cat out.1) == *"'ranks' is 2 for rank 0 and 3 for rank 1"* ]]
	states 0
	assert "$(find .dsv/segments -type f | wc -l)" 0
}

@test "the same path with other bytes is refused" {
	repo
	put r0/ckpt/file 100 a
	put r1/ckpt/file 100 b
	ranks 2 --group g
	all_said 2 14
	[[ $(cat out.0) == *"'ckpt/file' of rank 0"*"of rank 1 differ"* ]]
	# A file of one rank is a directory of the other.
	rm r1/ckpt/file
	put r1/ckpt/file/below 100 b
	ranks 2 --group h
	all_said 2 14
	states 0
	dsv fsck
}

@test "what two ranks both have is stored once" {
	repo
	put r0/ckpt/big 3000000 a
	put r1/ckpt/big 3000000 a
	ranks 2 --group g
	all_said 2 0
	dsv show --json
	json '[j["files"], j["size"], j["stored"] < 3010000]'
	assert "$result" "[1, 3000000, True]"
	dsv fsck --data
}

@test "replicated: each rank stores its share of what all have" {
	repo
	put r0/ckpt/big 20000000 a
	put r0/ckpt/small 100 b
	head -c 9000000 /dev/zero >r0/ckpt/zero
	: >r0/ckpt/empty
	ln -s big r0/ckpt/link
	mkdir r0/ckpt/none
	for i in 1 2 3; do cp -a r0 "r$i"; done
	ranks 4 --group g --replicated
	all_said 4 0
	# With big files of three or four ranks, nobody has stored it all.
	[ "$(find .dsv/segments -size +4M -not -name '*.idx' | wc -l)" -ge 3 ]
	dsv show --json
	json '[j["files"], j["size"], j["stored"] < 20200000]'
	assert "$result" "[4, 29000100, True]"
	dsv checkout HEAD all
	diff -r --no-dereference r0/ckpt all/ckpt
	dsv checkout --rank 3 HEAD three
	diff -r --no-dereference r0/ckpt three/ckpt
	dsv -4 checkout --rank 4 HEAD four
	# The same bytes, tagged alone, are the same recipes.
	dsv tag -m alone r0/ckpt
	dsv show --json
	json 'j["stored"] < 2000'
	assert "$result" True
	dsv fsck --data
}

@test "replicated: a replica that differs is refused, by name" {
	repo
	for i in 0 1 2 3; do
		put "r$i/ckpt/a" 2000000 a
		put "r$i/ckpt/b" 2000000 b
	done
	printf x | dd of=r2/ckpt/b bs=1 seek=1500000 conv=notrunc status=none
	ranks 4 --group g --replicated
	all_said 4 14
	[[ $(cat out.0) == *"'ckpt/b' of rank 2 is not that of rank 0"* ]]
	cp r1/ckpt/b r2/ckpt/b
	rm r0/ckpt/a
	ranks 4 --group h --replicated
	all_said 4 14
	[[ $(cat out.0) == *"'ckpt/a' of rank 0 is not that of rank 1"* ]]
	states 0
}

@test "prune frees a collective state, restore brings it back" {
	repo
	shards 4
	ranks 4 --group e1
	first=$(cat out.0)
	shards 4 two
	cp r0/ckpt/shard0 r0/ckpt/copy
	ranks 4 --group e2
	second=$(cat out.0)
	dsv prune "$first"
	dsv fsck --data
	dsv restore "$first"
	dsv fsck --data
	dsv checkout "$first" back
	dsv prune --expire=now "$first"
	dsv fsck --data
	dsv -4 checkout "$first" gone
	dsv checkout "$second" all
	cmp r3/ckpt/shard3 all/ckpt/shard3
	dsv checkout --rank 2 "$second" two
	cmp r2/ckpt/shard2 two/ckpt/shard2
	shards 1 three
	dsv tag r0/ckpt
	dsv prune --expire=now --unsafe-allow-remove-all "$second"
	dsv fsck --data
	dsv -4 restore "$second"
}

@test "a part's manifest that a plain state has too outlives it" {
	repo
	shards 2
	dsv tag -m alone r1/ckpt
	alone=$output
	ranks 2 --group g
	all_said 2 0
	dsv prune --expire=now "$alone"
	dsv fsck --data
	dsv checkout HEAD all
	cmp r1/ckpt/shard1 all/ckpt/shard1
}

@test "a fork of a collective state keeps its parts" {
	repo
	shards 2
	ranks 2 --group g
	dsv fork HEAD -b wide
	dsv checkout --rank 1 wide mine
	assert "$(find mine -type f)" mine/ckpt/shard1
	dsv fsck
}

@test "prune sweeps what old groups left" {
	repo
	shards 2
	rank 0 2 --group g --group-timeout 100ms r0/ckpt
	wait
	assert "$(find .dsv/intake -name 'tag-*' | wc -l)" 1
	dsv tag -m x r0/ckpt
	dsv tag -m y r0/ckpt
	dsv prune --keep-last 1
	assert "$(find .dsv/intake -name 'tag-*' | wc -l)" 1
	find .dsv/intake -exec touch -d '-3 days' {} +
	dsv prune --keep-last 1
	assert "$(find .dsv/intake -name 'tag-*' | wc -l)" 0
}
