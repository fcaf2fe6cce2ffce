#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Files that somebody has open or mapped for writing while they are tagged.
bats_require_minimum_version 1.5.0

# shellcheck disable=SC2154,SC2314

load helper

teardown() {
	stop_writer
	cd /
	# A worker may still be ending.
	for _ in {1..50}; do
		[ -n "${mounted:-}" ] && ! umount "$mounted" || break
		sleep 0.1
	done
	[ -z "${memory:-}" ] || rm -rf "$memory"
}

# writer HOW FILE: run writer.py until stop_writer.
writer() {
	stop_writer
	rm -f ready
	python3 "$BATS_TEST_DIRNAME/writer.py" "$1" "$2" ready 3>&- &
	writing=$!
	until [ -e ready ]; do sleep 0.01; done
}

stop_writer() {
	[ -n "${writing:-}" ] || return 0
	kill "$writing" && wait "$writing" || :
	writing=
}

# Make a directory in memory, where times do not show stores to a mapping.
in_memory() {
	memory=$(mktemp -d /dev/shm/dsv-test.XXXXXX)
	cd "$memory" || return
}

mount_fs() {
	truncate -s 600M image
	if ! mkfs."$1" -q image || ! mkdir -p mnt || ! mount -o loop image mnt
	then
		without "$1" "no $1 can be mounted here"
	fi
	mounted=$PWD/mnt
	cd mnt || return
}

# Require that HEAD has FILE as it is now, or as it once began.
head_has() {
	"$program" cat "HEAD:$1" >was
	cmp -n "$(stat -c %s was)" was "$1"
}

# Two reads between two stores are equal, which is rare.
check_mapped() {
	local said tries=0

	repo
	put f 8000000
	writer map f
	until said=$("$program" tag "$@" f 2>&1); [ $? = 5 ]; do
		((++tries < 20))
	done
	[[ $said == *"'f' changed while it was read"* ]]
	stop_writer
	tag "$@" f
	dsv wait
	head_has f
	grep -q 'the last' was
}

check_growing() {
	repo
	put d/model 3000000
	put d/log 2000000
	writer append d/log
	for _ in 1 2 3; do
		tag "$@" d
		dsv wait
		head_has d/log
	done
	[ "$(stat -c %s was)" -gt 2000000 ]
	head_has d/model
}

@test "a file that is stored to through a mapping fails the tag, by its name" {
	check_mapped
}

@test "the same in memory, where no time changes" {
	in_memory
	check_mapped
}

@test "the same with --async, which copies" {
	check_mapped --async
}

@test "the same on XFS" {
	mount_fs xfs
	check_mapped
	cd "$mounted"
	mkdir again && cd again
	check_mapped --async
}

@test "the same on btrfs" {
	mount_fs btrfs
	check_mapped
	cd "$mounted"
	mkdir again && cd again
	check_mapped --async
}

@test "a file that is rewritten all the time fails the tag, by its name" {
	repo
	put d/a 100
	put d/f 8000000
	writer rewrite d/f
	dsv -5 tag d
	[[ $stderr == *"'d/f' changed while it was read"* ]]
}

@test "a log that grows fails no tag: it is recorded up to its first length" {
	check_growing
}

@test "the same with --async" {
	check_growing --async
}

@test "a log that grows on XFS is recorded up to its first length" {
	mount_fs xfs
	check_growing
	cd "$mounted"
	mkdir again && cd again
	check_growing --async
}

@test "a log that grows on btrfs is recorded up to its first length" {
	mount_fs btrfs
	check_growing
	cd "$mounted"
	mkdir again && cd again
	check_growing --async
}

@test "a log that grows on FUSE is recorded up to its first length" {
	command -v bindfs >/dev/null ||
		without bindfs "bindfs is not installed"
	mkdir below mnt
	bindfs below mnt || without bindfs "bindfs cannot mount here"
	mounted=$PWD/mnt
	cd mnt
	check_growing
}

@test "ranks that tag together record logs that grow" {
	repo
	for rank in 0 1; do
		put "r$rank/log$rank" 200000
	done
	writer append r0/log0
	RANK=1 WORLD_SIZE=2 "$program" tag --collective --group g r1/. 3>&- &
	RANK=0 WORLD_SIZE=2 tag --collective --group g r0/.
	wait $!
	"$program" cat HEAD:log0 >was
	cmp -n "$(stat -c %s was)" was r0/log0
}

@test "replicas that grow, and replicas that are stored to" {
	repo
	put d/f 8000000
	writer hold d/f
	RANK=0 WORLD_SIZE=1 tag --collective --replicated --group g d
	head_has d/f
	stop_writer
	writer map d/f
	RANK=0 WORLD_SIZE=1 dsv -5 tag --collective --replicated --group h d
	[[ $stderr == *"'d/f' changed while it was read"* ]]
}

# Check whether a tag of f reads it.
tag_reads() {
	need_strace
	strace -f -e trace=pread64 -o calls "$program" tag f
	grep -qE ' = [0-9]{6,}$' calls
}

@test "what is open for writing is recorded, and not remembered" {
	repo
	put f 3000000
	touch -d '1 hour ago' f
	writer hold f
	tag f
	head_has f
	stop_writer
	tag_reads
}

@test "a file that was quiet is remembered" {
	repo
	put f 3000000
	touch -d '1 hour ago' f
	tag_reads
	run ! tag_reads
}

@test "--move leaves a file that somebody has open for writing" {
	repo
	put d/a 5000
	put d/f 5000
	writer hold d/f
	tag --move d
	[[ $stderr == *"'d/f' is not removed: somebody has it open for writing"* ]]
	[ ! -e d/a ]
	head_has d/f
}

@test "--move leaves what was stored to a mapping since" {
	in_memory
	repo
	put d/f 5000000
	writer map d/f
	dsv -5 tag --move d
	[ -e d/f ]
	stop_writer
	tag --move d
	[ ! -e d/f ]
	dsv cat HEAD:d/f
	[[ $output == *"the last"* ]]
}

@test "--async --move copies a file that somebody has open for writing" {
	repo
	put d/a 5000
	put d/f 5000
	writer hold d/f
	tag --async --move d
	dsv wait
	[ ! -e d/a ]
	head_has d/f
}

@test "tag --async --move survives when somebody opens the files" {
	repo
	dsv config queue.auto false
	for round in 1 2 3; do
		put d/f 300 "$round"
		writer open d/f
		tag --async --move d
		stop_writer
		rm -rf d
	done
	dsv wait
	dsv fsck --data
}

@test "a file that has bytes, but no size, is an error that names it" {
	repo
	dsv -5 tag /proc/self/status
	[[ $stderr == *"status' has bytes, but its reported size is 0"* ]]
	put f
	: >empty
	tag f empty
}
