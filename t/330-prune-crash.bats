#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A prune and a restore that are killed at their k-th call that changes a file.
# shellcheck disable=SC2154

load helper

calls=write,pwrite64,fsync,fdatasync,rename,unlink,fallocate,chmod,ftruncate

setup() {
	local number

	clean_environment
	need_strace
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo r
	dsv config prune.headGrace 0s
	put base 1500000 base
	for number in 1 2 3 4; do
		put own 300000 "own$number"
		tag -q base own
	done
	last=$id
}

# killed STEP ARG...: kill dsv ARG... at every STEP-th call.  Each time all must
# be whole, what is kept must exist, and the command can be run again.
killed() {
	local step=$1 k=1

	shift
	while :; do
		rm -rf ../copy
		cp -a . ../copy
		cd ../copy || return
		run strace -f -o /dev/null -e trace=$calls \
			-e "inject=$calls:signal=KILL:when=$k" "$program" "$@"
		points=$k
		[ "$status" = 137 ] || break
		dsv fsck --data
		dsv checkout -q "$last" out
		cmp out/own own
		cmp out/base base
		dsv "$@"
		dsv fsck --data
		dsv config prune.grace 0s
		dsv prune --keep-last 1
		dsv fsck --data
		[ "$(du -s .dsv/segments | cut -f1)" -lt 2000 ]
		cd ../r || return
		k=$((k + step))
	done
	[ "$status" = 0 ]
}

@test "a prune that is killed anywhere loses nothing and can be run again" {
	killed 9 prune --expire=now --keep-last 2
	[ "$points" -gt 40 ]
}

@test "a restore that is killed anywhere loses nothing and can be run again" {
	dsv prune HEAD~1
	dsv rev-parse HEAD~1
	killed 8 restore "$output"
	[ "$points" -gt 8 ]
}
