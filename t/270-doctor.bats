#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
bats_require_minimum_version 1.5.0

load helper

@test "doctor says what the file systems can do and leaves nothing" {
	dsv -q init
	dsv doctor
	[[ $output == *"journal mode       rollback, SQLite"* ]]
	[[ $output == *"locks              fcntl: yes"* ]]
	run ! compgen -G ".dsv/tmp/.dsv-doctor*"
	run ! compgen -G ".dsv-doctor*"
}

@test "doctor --json is an array of name, value, advice" {
	dsv -q init
	dsv doctor --json
	jq -e 'map(select(.name == "guard lock"))[0].value == "not needed"' \
		<<<"$output"
	jq -e 'all(has("name") and has("value") and has("advice"))' <<<"$output"
}

@test "doctor without a repository exits 10" {
	dsv -10 doctor
}
