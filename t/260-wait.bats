#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Waiting for a state that satisfies an expression

# shellcheck disable=SC2154

load helper

# Wait in the background for $1; the output is in the file "out".
start_wait() {
	"$program" wait --for "$1" --timeout 60s >out 2>err 3>&- &
	pid=$!
}

teardown() {
	[ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true
}

@test "if such states already exist, the newest is printed at once" {
	repo
	put f
	tag f -a acc=0.9
	tag f -a acc=0.8
	dsv wait --for 'acc > 0.5' --timeout 0s
	assert "$output" "$id"
	dsv wait --for 'acc > 0.5' --json
	json 'j["id"], j["attrs"]["acc"]'
	assert "$result" "('$id', 0.8)"
}

@test "it returns when a state appears, not before, and soon" {
	local start

	repo
	put f
	start_wait 'acc > 0.5'
	tag f -a acc=0.1
	sleep 0.5
	kill -0 "$pid"
	tag f -a acc=0.9
	start=$(date +%s%N)
	wait "$pid"
	assert "$(cat out)" "$id"
	[ $(($(date +%s%N) - start)) -lt 3000000000 ]
}

@test "where the kernel does not report changes it looks again" {
	repo
	put f
	echo 'int inotify_init1(int flags) { return flags | -1; }' >deaf.c
	cc -shared -fPIC -o deaf.so deaf.c
	LD_PRELOAD=$PWD/deaf.so start_wait 'acc > 0.5'
	sleep 0.7
	kill -0 "$pid"
	tag f -a acc=0.9
	wait "$pid"
	assert "$(cat out)" "$id"
}

@test "it returns when an attribute is added" {
	repo
	put f
	tag f
	start_wait 'acc > 0.5'
	sleep 0.2
	dsv attr "$id" acc=0.9
	wait "$pid"
	assert "$(cat out)" "$id"
}

@test "on a timeout it exits 1, with nothing on stdout" {
	repo
	dsv -1 wait --for 'acc > 0.5' --timeout 1s
	assert "$output" ""
	assert "$stderr" "dsv wait: no state satisfies the expression yet"
}

@test "an expression that is wrong exits 2 at once, so do operands" {
	repo
	dsv -2 wait --for 'acc >' --timeout 60s
	[[ $stderr == *column* ]]
	dsv -2 wait --for 'acc > 1' HEAD
	dsv -2 wait --for 'acc > 1' --timeout soon
	dsv -10 --repo nothing wait --for 'acc > 1'
}

@test "a signal ends it" {
	local status=0

	repo
	start_wait 'acc > 0.5'
	sleep 0.3
	kill -TERM "$pid"
	wait "$pid" || status=$?
	assert "$status" 130
}

@test "without pending states there is nothing to wait for" {
	repo
	put f
	tag f
	dsv wait --timeout 10s
	dsv wait HEAD
	dsv -4 wait nothing
}
