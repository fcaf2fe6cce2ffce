#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What is committed survives kills, faults and power cuts: a sample of what
# make soak tries in full.
# shellcheck disable=SC2154

load helper

setup() {
	clean_environment
	run grep -c __asan_init "$program"
	[ "$output" = 0 ] || skip "a preloaded library comes before ASan"
	faults=$BATS_TEST_DIRNAME/fault/run.py
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
}

survives() {
	run python3 "$faults" --dir "$BATS_TEST_TMPDIR" "$@"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *" 0 not survived"* ]]
}

@test "a kill loses nothing" {
	survives --places 1 --mode kill
	survives --places 3 --mode tear --op tag --op fork
}

@test "a power cut loses nothing whose success was reported" {
	survives --places 1 --mode lose
	survives --places 3 --mode half --op tag --op prune-now
	survives --places 2 --mode later --op tag --op fork --op prune-now
}

@test "a full disk, a quota and an I/O error undo nothing" {
	survives --places 1 --mode full
	survives --places 2 --op tag --op restore --mode EIO --mode ENOSPC --mode EDQUOT
}

@test "short writes and interrupted calls are continued" {
	survives --places 2 --mode short --mode EINTR --op tag --op prune \
		--op checkout
}

@test "the power cut is one: without fsync a state is lost" {
	run python3 "$faults" --dir "$BATS_TEST_TMPDIR" --places 0 \
		--mode lose --op tag --config core.fsync=off
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *"1 kills and faults, 1 not survived"* ]]
}

@test "the power cut is one: a tag that does not sync a segment loses it" {
	run -0 python3 "$faults" --dir "$BATS_TEST_TMPDIR" --places 0 \
		--prove-syncs
	echo "$output"
	last=${lines[-1]}
	run ! grep -E '/segments/../[0-9a-f]{32}\): not seen' <<<"$output"
	[[ $last =~ ^[0-9]+\ syncs\ left\ out,\ ([0-9]+)\ of ]]
	[ "${BASH_REMATCH[1]}" -ge 4 ]
}
