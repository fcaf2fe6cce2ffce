#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Prune beside readers and writers: at the worst moments, and at random.
# shellcheck disable=SC2154,SC2030,SC2031

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	run grep -c __asan_init "$program"
	[ "$output" = 0 ] || skip "a preloaded library comes before ASan"
	repo
	put other
	tag -q -b main other
	put big 3000000 one
	tag -q -b old big
	old=$id
}

teardown() {
	[ -z "${pid:-}" ] || kill -KILL "$pid" 2>/dev/null || true
}

# stopped CALL:GLOB ARG...: dsv in the background, stopped before its first
# such call; go_on lets it end, its status in $status.
stopped() {
	local match=$1

	shift
	LD_PRELOAD=$build/fault.so DSV_FAULT_ROOT=$PWD DSV_FAULT_DO=stop \
		DSV_FAULT_AT=1 DSV_FAULT_MATCH=$match \
		"$program" "$@" >out 2>err 3>&- &
	pid=$!
	for ((i = 0; i < 500; i++)); do
		[[ $(ps -o stat= -p "$pid") == T* ]] && return
		sleep 0.02
	done
	return 1
}

go_on() {
	kill -CONT "$pid"
	status=0
	wait "$pid" || status=$?
	pid=
}

is_big() {
	rm -rf there
	dsv checkout "$1" there
	cmp big there/big
}

@test "what a tag relies on is freed before it commits: it is stored again" {
	stopped 'reopen:*/catalog.db' tag -q -b new big
	dsv prune --expire=now "$old"
	go_on
	assert "$status $(cat err)" "0 "
	is_big "$(cat out)"
	dsv fsck --data
}

@test "what a tag relies on is condemned: the tag brings it back" {
	dsv prune "$old"
	stopped 'reopen:*/catalog.db' tag -q -b new big
	go_on
	assert "$status $(cat err)" "0 "
	dsv prune --expire=now main --unsafe-allow-remove-all || true
	is_big "$(cat out)"
	dsv fsck --data
}

@test "segments that were swept from a writer that slept are stored again" {
	put big 3000000 two
	stopped 'fsync:*/segments/??' tag -q -b new big
	find .dsv/segments -type f -exec touch -d '9 days ago' {} +
	put junk
	tag -q -b junk junk
	dsv prune --expire=now junk
	go_on
	assert "$status $(cat err)" "0 "
	is_big "$(cat out)"
	dsv fsck --data
}

@test "a checkout whose state is freed is right or fails whole" {
	stopped 'write:*/.dsv-tmp-*' checkout "$old" there
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
	stopped 'write:*/catalog.db' tag -q other
	[ -e .dsv/guard ]
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	dsv --lock-wait 5s tag -q other
	[ ! -e .dsv/guard ]
	dsv fsck --data
}

@test "the guard lock of one that is alive is waited for: 11" {
	dsv config core.guardLock true
	stopped 'write:*/catalog.db-journal' tag -q other
	dsv -11 --lock-wait 1s tag -q other
	[[ $stderr == "dsv tag: '"*"/guard' is locked by process $pid on "* ]]
	go_on
	assert "$status" 0
	dsv fsck --data
}

@test "many at once lose and double nothing" {
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
