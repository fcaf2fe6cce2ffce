#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Prune beside readers and writers, at the worst moments and at random.
# shellcheck disable=SC2154,SC2030,SC2031

load helper
load stop

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	may_stop
	repo
	put other
	tag -q -b main other
	put big 3000000 one
	tag -q -b old big
	old=$id
}

teardown() {
	end_stopped
}

is_big() {
	rm -rf there
	dsv checkout "$1" there
	cmp big there/big
}

@test "if what a tag relies on is freed before it commits, it is stored again" {
	stopped 'reopen:*/catalog.db' -- tag -q -b new big
	dsv prune --expire=now "$old"
	go_on
	assert "$status $(cat err)" "0 "
	is_big "$(cat out)"
	dsv fsck --data
}

@test "if what a tag relies on is condemned, the tag brings it back" {
	dsv prune "$old"
	stopped 'reopen:*/catalog.db' -- tag -q -b new big
	go_on
	assert "$status $(cat err)" "0 "
	dsv prune --expire=now main --unsafe-allow-remove-all || true
	is_big "$(cat out)"
	dsv fsck --data
}

@test "segments that were swept from a writer that slept are stored again" {
	put big 3000000 two
	stopped 'fsync:*/segments/??' -- tag -q -b new big
	find .dsv/segments -type f -exec touch -d '9 days ago' {} +
	put junk
	tag -q -b junk junk
	dsv prune --expire=now junk
	go_on
	assert "$status $(cat err)" "0 "
	is_big "$(cat out)"
	dsv fsck --data
}

@test "a checkout whose state is freed is right or fails as a whole" {
	stopped 'write:*/.dsv-tmp-*' -- checkout "$old" there
	dsv prune --expire=now "$old"
	go_on
	if [ "$status" = 0 ]; then
		cmp big there/big
	else
		[ ! -e there/big ]
		[ "$(wc -l <err)" = 1 ]
	fi
	dsv fsck --data
}

@test "the guard lock of a killed command is broken" {
	dsv config core.guardLock true
	stopped 'write:*/catalog.db' -- tag -q other
	[ -e .dsv/guard ]
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	dsv --lock-wait 5s tag -q other
	[ ! -e .dsv/guard ]
	dsv fsck --data
}

@test "the guard lock goes even if unlink fails or its owner's file is gone" {
	dsv config core.guardLock true
	DSV_FAULT_ROOT=$PWD DSV_FAULT_MATCH='unlink:*/guard' DSV_FAULT_AT=1 \
		DSV_FAULT_DO=EIO LD_PRELOAD=$build/fault.so \
		"$program" -q tag other
	[ ! -e .dsv/guard ]
	stopped 'write:*/catalog.db' -- tag -q other
	[ -e .dsv/guard ]
	# A prune whose clock is ahead would do this.
	rm .dsv/guard.own.*
	go_on
	assert "$status" 0
	[ ! -e .dsv/guard ]
}

@test "the guard lock of a live process is waited for: exit 11" {
	dsv config core.guardLock true
	stopped 'write:*/catalog.db-journal' -- tag -q other
	dsv -11 --lock-wait 1s tag -q other
	[[ $stderr == "dsv tag: '"*"/guard' is locked by process $pid on "* ]]
	go_on
	assert "$status" 0
	dsv fsck --data
}

@test "many at once lose nothing and duplicate nothing" {
	run python3 "$BATS_TEST_DIRNAME/fault/soak.py" --seconds 8 \
		--writers 24 --ranks 8 --dir "$BATS_TEST_TMPDIR"
	echo "$output"
	[ "$status" = 0 ]
}

@test "writers are killed while they have the lock: nobody else notices" {
	run python3 "$BATS_TEST_DIRNAME/fault/soak.py" --seconds 6 \
		--writers 24 --ranks 4 --guard --kill --dir "$BATS_TEST_TMPDIR"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *" killed,"* ]]
}
