#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The fuzzers accept their first inputs; make fuzz continues from there.

load helper

# seeds TARGET AT-LEAST
seeds() {
	/usr/bin/python3 "$BATS_TEST_DIRNAME/fuzz/seeds.py" "$1" seeds
	[ "$(find seeds -type f | wc -l)" -ge "$2" ]
	run -0 "$build/t/fuzz/fuzz_$1_seeds" seeds/*
	assert "$output" ""
}

@test "files of all formats" {
	seeds format 11
}

@test "lines of the journal" {
	seeds journal 3
}

@test "recipes, manifests and indexes, good and forged" {
	seeds store 60
}

@test "expressions, assignments, sweeps and durations" {
	seeds text 15
}
