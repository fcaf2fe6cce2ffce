#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
bats_require_minimum_version 1.5.0

load helper
load stop

# Hold this host's queue, so that no worker stores anything.
hold_queue() {
	local dir=.dsv/queue/$(uname -n)

	mkdir -p "$dir"
	python3 - "$dir/lock" 3>&- <<-'END' &
		import fcntl, struct, sys, time
		f = open(sys.argv[1], "a+")
		lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
		fcntl.fcntl(f, 37, lock)	# F_OFD_SETLK
		open(sys.argv[1] + ".held", "w")
		time.sleep(600)
	END
	holder=$!
	until [ -e "$dir/lock.held" ]; do sleep 0.01; done
}

release_queue() {
	[ -z "${holder:-}" ] && return
	kill "$holder"
	wait "$holder" || :
	holder=
}

teardown() {
	release_queue
}

pending() {
	"$program" status --json | jq .pending
}

@test "tag --async returns a state that becomes durable on its own" {
	repo
	put ckpt/a 3000000
	tag --async ckpt
	dsv wait "$id"
	assert "$(pending)" 0
	dsv checkout "$id" out
	cmp ckpt/a out/ckpt/a
	dsv fsck --data
	[ -z "$(find .dsv/queue -name '*.json')" ]
}

@test "a capture that cannot be removed is reported, and swept later" {
	may_stop
	repo
	dsv config queue.auto false
	put ckpt/a 1000
	tag --async ckpt
	LD_PRELOAD=$build/fault.so DSV_FAULT_ROOT=$PWD DSV_FAULT_DO=EIO \
		DSV_FAULT_AT=1 DSV_FAULT_MATCH='unlink:*/queue/*/a' \
		dsv queue --run
	[[ $stderr == *"remove '"*"/queue/"*"': Input/output error;"* ]]
	[[ $stderr == *" a prune removes what was captured"* ]]
	assert "$(pending)" 0
	dsv checkout "$id" out
	find .dsv/queue -mindepth 2 -exec touch -d '2 days ago' {} +
	dsv prune --keep-last=1
	[ -z "$(find .dsv/queue -name '*.json' -o -name a)" ]
}

@test "the directories of captures are never open to others, not even at first" {
	need_strace
	repo
	put ckpt/a 1000
	umask 0
	strace -f -o trace \
		-e trace=mkdir,mkdirat,chmod,fchmodat \
		"$program" tag --async -q ckpt
	grep -qE 'mkdir.*/queue/.*/[0-9a-f]{32}", 0700\) = 0' trace
	run ! grep chmod trace
}

@test "a caller that waits for the pipes does not wait for the worker" {
	repo
	put ckpt/a 1000
	timeout 20 python3 -c '
import subprocess, sys
subprocess.run([sys.argv[1], "tag", "--async", "ckpt"], capture_output=True, check=True)' "$program"
}

@test "while it is pending the state has its final id" {
	repo
	hold_queue
	put ckpt/a 100000
	tag --async -m epoch -a acc=0.5 ckpt
	first=$id
	assert "$(pending)" 1
	dsv rev-parse HEAD
	assert "$output" "$first"
	dsv find 'pending = true'
	assert "$output" "$first"
	dsv queue --json
	assert "$(jq -r '.[0].id' <<<"$output")" "$first"
	dsv -14 fork "$first"
	[[ $stderr == *"not durable yet"* ]]
	release_queue
	dsv wait
	dsv rev-parse HEAD
	assert "$output" "$first"
}

@test "what the writer does next does not change the capture" {
	repo
	hold_queue
	put ckpt/a 100000 1
	cp ckpt/a before
	tag --async ckpt
	put ckpt/a 100000 2
	release_queue
	dsv wait
	dsv checkout HEAD out
	cmp before out/ckpt/a
}

@test "several in flight keep their order, and wait flushes them" {
	repo
	hold_queue
	for n in 1 2 3; do
		put ckpt/a 50000 $n
		tag --async -m "epoch $n" ckpt
	done
	assert "$(pending)" 3
	release_queue
	dsv queue --run
	assert "$(pending)" 0
	dsv log --format '%(message)'
	assert "$output" $'epoch 3\nepoch 2\nepoch 1'
	dsv fsck --data
}

@test "the local tier takes the copy; gone with its node the state is lost" {
	repo
	put ckpt/a 50000 1
	tag ckpt
	durable=$id
	dsv config core.localTier "$PWD/tier/%h"
	hold_queue
	put ckpt/a 50000 2
	tag --async ckpt
	[ -n "$(find tier -type f -size +40k)" ]
	rm -rf tier
	dsv status
	[[ $output == *"lost 1"* ]]
	release_queue
	dsv -4 wait "$id"
	[[ $stderr == *"lost: its node died"* ]]
	dsv -4 checkout "$id" out
	dsv checkout --nearest "$id" out
	[[ $stderr == *"${durable:0:12}"* ]]
	dsv fsck
	dsv prune "$id"
	[[ $output == *"removed 1 state of 1"* ]]
	dsv rev-parse HEAD
	assert "$output" "$durable"
	dsv status --json
	assert "$(jq .lost <<<"$output")" 0
	dsv fsck --data
}

@test "--move takes the file, unless somebody else has it too" {
	repo
	put ckpt/a 50000
	put ckpt/b 50000 2
	ln ckpt/b other
	cp ckpt/a a
	tag --async --move ckpt
	dsv wait
	[ ! -e ckpt/a ]
	[ -e ckpt/b ]
	dsv checkout HEAD out
	cmp a out/ckpt/a
	cmp other out/ckpt/b
}

@test "--move without --async removes the files once they are durable" {
	repo
	put ckpt/a 50000
	cp ckpt/a a
	tag --move ckpt
	[ ! -e ckpt/a ]
	dsv cat HEAD:ckpt/a
	dsv checkout HEAD out
	cmp a out/ckpt/a
}

@test "a refused tag --async --move gives the files back" {
	repo
	put ckpt/a 5000
	tag --name best ckpt
	put ckpt/a 5000 2
	dsv -14 tag --async --move --name best ckpt
	[ -e ckpt/a ]
	assert "$(pending)" 0
}

@test "the next worker continues the work of a killed one" {
	repo
	hold_queue
	put ckpt/a 5000000
	tag --async ckpt
	release_queue
	"$program" queue --run -q 3>&- &
	kill -9 $! 2>/dev/null || :
	wait $! 2>/dev/null || :
	dsv wait --timeout 20s
	assert "$(pending)" 0
	dsv fsck --data
}

@test "a wait that times out exits with status 1" {
	repo
	hold_queue
	put ckpt/a 5000
	tag --async ckpt
	dsv -1 wait --timeout 300ms "$id"
}

@test "a tier that is away for a while loses nothing" {
	repo
	dsv config core.localTier "$PWD/tier"
	hold_queue
	put ckpt/a 50000
	tag --async ckpt
	mv tier away
	release_queue
	dsv -4 wait "$id"
	dsv status
	[[ $output == *"lost 1"* ]]
	mv away tier
	dsv wait "$id"
	dsv status --json
	assert "$(jq -c '[.pending, .lost]' <<<"$output")" "[0,0]"
	dsv checkout "$id" out
	cmp ckpt/a out/ckpt/a
	dsv fsck --data
}

@test "a worker keeps the bytes of a state that was considered lost" {
	repo
	dsv config core.localTier "$PWD/tier"
	hold_queue
	put ckpt/a 50000
	tag --async ckpt
	mv tier away
	dsv status
	[[ $output == *"lost 1"* ]]
	mv away tier
	release_queue
	dsv queue --run
	dsv checkout "$id" out
	cmp ckpt/a out/ckpt/a
}

@test "wait without a name tells a job what it has lost" {
	export SLURM_JOB_ID=7
	repo
	dsv config core.localTier "$PWD/tier"
	mkdir -p ".dsv/queue/$(uname -n)"
	hold_queue
	put ckpt/a 50000
	tag --async ckpt
	rm -rf tier
	dsv status
	release_queue
	dsv -4 wait
	SLURM_JOB_ID=8 dsv wait
}

@test "wait and status name the host that alone has a state" {
	[ "$(id -u)" = 0 ] && unshare --uts true ||
		without root "another host name is not permitted"
	repo
	put ckpt/a 1000
	dsv config core.localTier "$PWD/tier"
	dsv config queue.auto false
	id=$(unshare --uts sh -c 'hostname node7; "$@"' - \
		"$program" -q tag --async ckpt)
	mv tier its-disk
	run -1 --separate-stderr "$program" wait --timeout 10ms "$id"
	assert "$stderr" "dsv wait: warning: ${id:0:12} waits on host node7, which\
 alone has its files: run 'dsv wait' there
dsv wait: not durable in time"
	run -0 "$program" status
	[[ $output == *$'\n'"waits on    node7"* ]]
	# Nobody must learn what does not concern them.
	run -0 --separate-stderr "$program" wait
	assert "$stderr" ""
	mv its-disk tier
	unshare --uts sh -c 'hostname node7; "$@"' - "$program" wait
	run -0 --separate-stderr "$program" wait "$id"
	assert "$output$stderr" ""
	run -0 "$program" status
	[[ $output != *waits* ]]
}
