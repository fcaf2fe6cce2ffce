#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Commands that dsv runs because the user's configuration says so

# shellcheck disable=SC2016,SC2154

load helper

hook() {
	dsv config --user "hook.$1.command" "$2"
}

@test "pre-tag and post-tag know the paths, the branch and the state" {
	repo
	put f
	put g
	hook pre-tag 'echo "$DSV_HOOK $0 $* $DSV_BRANCH ${DSV_STATE-none}"'
	hook post-tag 'echo "$DSV_HOOK $0 $* $DSV_BRANCH $DSV_STATE $DSV_REPO"'
	tag f g -b other
	assert "$stderr" "pre-tag dsv-pre-tag f g other none
post-tag dsv-post-tag f g other $id $PWD/.dsv"
}

@test "a pre-tag that fails refuses: exit 14, nothing tagged" {
	repo
	put f
	hook pre-tag 'exit 3'
	dsv -14 tag f
	assert "$output" ""
	assert "$stderr" "dsv tag: hook pre-tag: 'exit 3' ended with status 3"
	dsv find
	assert "$output" ""
}

@test "a post-tag that fails is a warning" {
	repo
	put f
	hook post-tag 'kill -TERM $$'
	tag f
	assert "$stderr" "dsv tag: warning: hook post-tag: 'kill -TERM \$\$'\
 ended with status 143"
}

@test "hooks of the repository's own configuration do not run" {
	repo
	put f
	dsv config --repo hook.pre-tag.command 'touch ran; exit 1'
	dsv config --repo hook.post-tag.command 'touch ran'
	tag f
	assert "$stderr" ""
	[ ! -e ran ]
}

@test "commands that a hook runs have no hooks" {
	repo
	put f
	hook post-tag 'dsv tag f -m again && dsv attr "$DSV_STATE" seen=1'
	tag f
	dsv find --count
	assert "$output" 2
	dsv show --format '%(attr:seen)' "$id"
	assert "$output" 1
}

@test "post-fork gets state and branch" {
	repo
	put f
	tag f -p lr=1
	hook post-fork 'echo "$DSV_BRANCH $DSV_STATE"'
	dsv fork HEAD -b x
	assert "$stderr" "$output"
}

@test "pre-prune and post-prune read the ids; -n runs neither" {
	local a

	repo
	put f
	tag f
	a=$id
	tag f
	hook pre-prune 'sed "s/^/pre /" >>log'
	hook post-prune 'sed "s/^/post /" >>log'
	dsv prune -n --keep-last 1
	[ ! -e log ]
	dsv prune --keep-last 1
	assert "$(cat log)" "pre $a
post $a"
	dsv prune --keep-last 1
	assert "$(wc -l <log)" 2
}

@test "a pre-prune that fails refuses: exit 14, nothing removed" {
	repo
	put f
	tag f
	tag f
	hook pre-prune 'false'
	dsv -14 prune HEAD~1
	assert "$stderr" "dsv prune: hook pre-prune: 'false' ended with status 1"
	dsv find --count
	assert "$output" 2
}

@test "a refusal of prune itself comes before the hook" {
	repo
	put f
	tag f
	hook pre-prune 'touch ran'
	dsv -14 prune
	[ ! -e ran ]
}

# Let three ranks tag their own files in one group.
three_ranks() {
	local i

	for i in 0 1 2; do
		"$program" tag --collective --group "$1" --rank $i --ranks 3 \
			f$i 3>&- >out.$i 2>err.$i &
	done
	wait
}

@test "in a collective tag the hooks run once, for rank 0" {
	repo
	put f0; put f1; put f2
	hook pre-tag 'echo "pre $*" >>ran'
	hook post-tag 'echo "post $DSV_STATE" >>ran'
	three_ranks one
	assert "$(cat ran)" "pre f0"$'\n'"post $(cat out.2)"
}

@test "a failing pre-tag of rank 0 refuses for all, and nobody has to wait" {
	repo
	put f0; put f1; put f2
	hook pre-tag false
	three_ranks one
	[[ $(cat err.0) == "dsv tag: hook pre-tag: 'false' ended with status 1" ]]
	[[ $(cat err.1) == *"hook pre-tag: 'false' ended with status 1"* ]]
	dsv find --count
	assert "$output" 0
}
