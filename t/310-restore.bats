#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv restore: undoing a prune within its grace period.
# shellcheck disable=SC2154

load helper

states() {
	local number

	repo
	dsv config prune.headGrace 0s
	for number in $(seq "$1"); do
		put data 300000 "s$number"
		tag -q -m "s$number" data
		ids[number]=$id
	done
}

newest() {
	"$program" rev-parse main
}

@test "restore brings bytes, record and branch back" {
	states 2
	dsv prune HEAD
	assert "$(newest)" "${ids[1]}"
	dsv -4 checkout "${ids[2]}" out
	dsv restore "${ids[2]}"
	assert "$(newest)" "${ids[2]}"
	dsv checkout -q "${ids[2]}" out
	cmp out/data data
	dsv fsck --data
}

@test "a branch that has moved on stays where it is" {
	states 2
	dsv prune HEAD
	put data 1000 new
	tag data
	dsv restore "${ids[2]}"
	assert "$(newest)" "$id"
	dsv fsck
}

@test "heads come back one by one, in either order" {
	states 3
	dsv prune "${ids[3]}"
	dsv prune "${ids[2]}"
	assert "$(newest)" "${ids[1]}"
	dsv restore "${ids[3]}"
	assert "$(newest)" "${ids[3]}"
	dsv restore "${ids[2]}"
	assert "$(newest)" "${ids[3]}"
	dsv fsck --data
}

@test "restore of a live state changes nothing" {
	states 1
	dsv restore HEAD
	assert "$(newest)" "${ids[1]}"
}

@test "what was freed cannot be restored: exit 4" {
	states 2
	dsv prune --expire=now "${ids[1]}"
	dsv -4 restore "${ids[1]}"
	[[ $stderr == *"its bytes are freed"* ]]
	dsv fsck --data
}

@test "what was forgotten cannot be restored, even if its bytes exist: 4" {
	states 2
	dsv prune --forget "${ids[1]}"
	dsv -4 restore "${ids[1]}"
	assert "$stderr" "dsv restore: state ${ids[1]:0:12} was pruned and its record dropped; it cannot be restored"
}

@test "restored bytes are not freed by a later prune" {
	states 3
	dsv prune "${ids[1]}"
	dsv restore "${ids[1]}"
	dsv config prune.grace 0s
	dsv prune "${ids[2]}"
	dsv fsck --data
	put data 300000 s1
	dsv checkout -q "${ids[1]}" out
	cmp out/data data
}

@test "all that a prune by rules removed comes back" {
	states 4
	dsv prune --keep-last 1
	dsv restore "${ids[@]:1:3}"
	dsv find --count
	assert "$output" 4
	dsv fsck --data
}

@test "nothing is made to point at a pruned state, or to keep it" {
	states 3
	dsv prune "${ids[2]}"
	dsv scope open run
	dsv show "${ids[2]}"
	when=$(sed -n 's/^Pruned: *\([^ ,]*\).*/\1/p' <<<"$output")
	for args in "branch x" "branch -f main" "name x" "name -f x" "pin" \
		"pin main" "scope add run"; do
		# shellcheck disable=SC2086
		dsv -4 $args "${ids[2]}"
		[[ $stderr == *": state ${ids[2]:0:12} was pruned at $when (by hand) ('dsv restore' brings it back within its grace)" ]]
		dsv fsck
	done
	assert "$(newest)" "${ids[3]}"
	dsv find 'pinned = true'
	assert "$output" ""
	dsv restore "${ids[2]}"
	dsv branch x "${ids[2]}"
}

@test "what is known of a pruned state is still changed" {
	states 2
	dsv scope open run
	dsv scope add run "${ids[1]}"
	dsv scope close run
	dsv prune "${ids[1]}"
	dsv attr "${ids[1]}" why=nan
	dsv tag -q --parent "${ids[1]}" -b other data
	dsv scope rm run "${ids[1]}"
	dsv unpin "${ids[1]}"
	dsv fsck
}

@test "a state whose record is dropped is no state to point at" {
	states 2
	dsv prune --forget "${ids[1]}"
	dsv -4 branch x "${ids[1]}"
	[[ $stderr == *"(by hand), and its record dropped" ]]
	dsv fsck
}
