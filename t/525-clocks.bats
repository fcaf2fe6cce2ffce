#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Clocks that are wrong or jump, and processes that cannot see one another.
# shellcheck disable=SC2154,SC2030,SC2031,SC2016

load helper
load stop

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	may_stop
	repo
	put big 3000000 one
	tag -q big
	old=$id
}

teardown() {
	end_stopped
}

# at SECONDS ARG...: run dsv with a clock that is so many seconds ahead.
at() {
	local seconds=$1

	shift
	run -0 --separate-stderr env LD_PRELOAD="$build/fault.so" \
		DSV_FAULT_CLOCK="$seconds" "$program" "$@"
}

may_unshare() {
	unshare "$@" true 2>/dev/null ||
		without root "unshare $* is not permitted"
}

years=$((10 * 365 * 86400))

@test "newest is what was committed last, whatever the clock says" {
	at "$years" tag -q -m future big
	at "-$years" tag -q -m past big
	tag -q -m now big
	dsv log --format '%(message)' -n 3
	assert "$output" $'now\npast\nfuture'
	dsv rev-parse HEAD
	assert "$output" "$id"
	dsv fsck --data
}

@test "a clock that jumps ahead takes no segment from a writer" {
	put big 3000000 two
	put junk
	tag -q -b junk junk
	stopped 'fsync:*/segments/??' -- tag -q -b new big
	at "$years" prune --expire=now junk
	go_on
	assert "$status $(cat err)" "0 "
	dsv checkout -q new there
	cmp big there/big
	dsv fsck --data
}

@test "a clock that jumps back frees and sweeps nothing too early" {
	dsv prune "$old" --unsafe-allow-remove-all || dsv prune "$old"
	put junk
	tag -q -b junk junk
	at "-$years" prune junk
	at "-$years" fsck
	dsv restore "$old"
	dsv checkout -q "$old" there
	cmp big there/big
	dsv fsck --data
}

@test "the wait for the guard lock ends even if the clock jumps back" {
	dsv config core.guardLock true
	stopped 'write:*/catalog.db-journal' -- tag -q -b other big
	run -11 timeout 20 env LD_PRELOAD="$build/fault.so" \
		DSV_FAULT_CLOCK=-$years "$program" --lock-wait 1s tag -q big
	[[ $output == *"/guard' is locked by process $stopped on "* ]]
	go_on
	assert "$status" 0
}

@test "a guard lock of another time namespace is not mistaken for a dead one" {
	may_unshare --time --boottime 100000
	dsv config core.guardLock true
	stopped 'write:*/catalog.db-journal' -- tag -q -b other big
	run -11 unshare --time --boottime 100000 \
		"$program" --lock-wait 1s tag -q big
	[[ $output == *"from here it cannot be told whether it lives"* ]]
	go_on
	assert "$status" 0
	dsv fsck --data
}

@test "the guard lock of another PID namespace is broken only in there" {
	may_unshare --pid --mount --fork --mount-proc
	dsv config core.guardLock true
	unshare --pid --mount --fork --mount-proc --kill-child \
		sleep 60 3>&- &
	outer=$!
	pids+=" $outer"
	until inner=$(pgrep -x sleep -P "$outer"); do sleep 0.02; done
	inside=(nsenter -t "$inner" --pid --mount --wd="$PWD")
	stopped 'write:*/catalog.db-journal' "${inside[@]}" -- tag -q -b other big
	# It lives: nobody breaks it, and a process elsewhere cannot know.
	run -11 "${inside[@]}" "$program" --lock-wait 500ms tag -q big
	[[ $output == *"end that process"* ]]
	run -11 "$program" --lock-wait 500ms tag -q big
	[[ $output == *"from here it cannot be told whether it lives"* ]]
	"${inside[@]}" pkill -KILL -x dsv
	# It has ended together with what it runs.
	kill -CONT "$pid" 2>/dev/null || true
	wait "$pid" || true
	# It is dead, which can be proved only in that namespace.
	run -11 "$program" --lock-wait 500ms tag -q big
	[ -e .dsv/guard ]
	run -0 "${inside[@]}" "$program" --lock-wait 5s tag -q big
	[ ! -e .dsv/guard ]
	dsv fsck --data
}

@test "two namespaces that write at once under the guard lock lose nothing" {
	may_unshare --pid --mount --fork --mount-proc
	dsv config core.guardLock true
	for n in 1 2 3; do
		unshare --pid --mount --fork --mount-proc --kill-child sh -c '
			for i in 1 2 3 4 5; do
				for b in a b c; do
					"$0" -q tag -b "$1$b" big >>"$1$b" &
				done
				wait
			done' "$program" "$n" 3>&- &
		pids+=" $!"
	done
	for pid in $pids; do wait "$pid"; done
	assert "$(cat [123][abc] | sort -u | wc -l)" 45
	dsv find --count
	assert "$output" 46
	run ! compgen -G '.dsv/guard*'
	dsv fsck --data
}
