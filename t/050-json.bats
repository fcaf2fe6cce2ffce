#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The JSON that scripts are written against, command by command

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo
	put f 100
	tag f -m one -p lr=0.1 -a acc=0.5
}

# Require that the first object has these keys, in any order.
has() {
	json "set('$1'.split()) - set(j[0] if isinstance(j, list) else j)"
	assert "$result" "set()"
}

@test "fork: an array of branch, id, job" {
	dsv fork HEAD -b b1 --json
	json '[sorted(x) for x in j], j[0]["branch"], j[0]["job"]'
	assert "$result" "([['branch', 'id', 'job']], 'b1', None)"
}

@test "fork with a command: JSON on stderr, stdout is the command's" {
	dsv -5 fork HEAD -b b1 --json -- sh -c 'echo $DSV_BRANCH; exit 5'
	assert "$output" b1
	output=$stderr json 'j[0]["branch"]'
	assert "$result" b1
}

@test "branch: name, head, current" {
	dsv branch --json
	json 'j == [{"name": "main", "head": "'"$id"'", "current": True}]'
	assert "$result" True
	dsv branch --jsonl
	assert "${#lines[@]}" 1
}

@test "prune: states with action and reasons, freed_now, freed_later" {
	put f 5000 other
	tag f
	dsv prune --keep-last 1 -n --json
	has "states freed_now freed_later"
	json '[(s["action"], type(s["reasons"])) for s in j["states"]]'
	assert "$result" "[('keep', <class 'list'>), ('remove', <class 'list'>)]"
	json 'type(j["freed_now"]), j["freed_later"] > 0'
	assert "$result" "(<class 'int'>, True)"
}

@test "status: branch, sizes in bytes, counts" {
	dsv status --json
	has "branch states size stored pending lost scopes_open jobs"
	json 'j["branch"], j["states"], j["size"], j["jobs"]'
	assert "$result" "('main', 1, 100, 0)"
}

@test "du: one object for each branch, author or scope" {
	dsv du --json
	json 'j[0]["branch"], j[0]["states"], j[0]["size"]'
	assert "$result" "('main', 1, 100)"
	dsv du --by author --json
	has "author states size stored"
	dsv -2 du --by weather
}

@test "fsck: ok and problems" {
	dsv fsck --json
	json 'j["ok"], j["problems"]'
	assert "$result" "(True, [])"
}

@test "next, prev, merge-base, rev-parse: an array of ids" {
	local first=$id

	tag f -m two
	dsv next HEAD~1 --json
	assert "$output" "[\"$id\"]"
	dsv prev HEAD --json
	assert "$output" "[\"$first\"]"
	dsv merge-base HEAD HEAD~1 --json
	assert "$output" "[\"$first\"]"
	dsv rev-parse HEAD HEAD~1 --json
	assert "$output" "[\"$id\",\"$first\"]"
	dsv next HEAD --json
	assert "$output" "[]"
}

@test "rev-parse prints all or nothing" {
	dsv -4 rev-parse HEAD nope
	assert "$output" ""
	[[ $stderr == *"'nope'"* ]]
}

@test "name, scope, config: arrays of objects" {
	dsv name best
	dsv name --json
	json 'j == [{"name": "best", "id": "'"$id"'"}]'
	assert "$result" True
	dsv scope open warm
	dsv scope add warm HEAD
	dsv scope list --json
	json '[(s["name"], s["open"], s["states"], s["closed"]) for s in j]'
	assert "$result" "[('warm', True, 1, None)]"
	dsv config prune.grace 2d
	dsv config --list --json
	json '[(c["key"], c["value"]) for c in j if c["key"] == "prune.grace"]'
	assert "$result" "[('prune.grace', '2d')]"
}

@test "attr and params: an object; numbers keep their text" {
	dsv attr HEAD loss=1e-3 'x:=[1,"2"]' done=true
	dsv attr HEAD --json
	assert "$output" '{"acc":0.5,"done":true,"loss":1e-3,"x":[1,"2"]}'
	dsv attr HEAD --history --json
	json '[(c["key"], c["unset"]) for c in j][0], "time" in j[0]'
	assert "$result" "(('acc', False), True)"
	dsv params --json
	assert "$output" '{"lr":0.1}'
	dsv params HEAD lr --json
	assert "$output" 0.1
}

@test "tag: the new state; find --count: a number" {
	dsv tag f -m two --json
	json 'j["message"], len(j["parents"]), j["kind"]'
	assert "$result" "('two', 1, 'tag')"
	dsv find --count --json
	assert "$output" '{"count":2}'
	dsv find --count
	assert "$output" 2
}

@test "job list: an empty array without jobs" {
	dsv job list --json
	assert "$output" "[]"
	dsv job list
	assert "$output" ""
}

@test "paths that are not UTF-8 have their bytes escaped" {
	mkdir d
	echo x >d/$'a\xff'
	tag d
	dsv show --json
	json 'j["entries"][0]["path"]'
	assert "$result" 'd/a\xff'
	dsv show
	[[ $output == *'d/a\xff'* ]]
}

@test "find without a terminal prints full ids, one per line" {
	tag f -m two
	dsv find
	assert "${#lines[@]}" 2
	assert "${lines[0]}" "$id"
	dsv find 'acc > 5'
	assert "$output" ""
	dsv -1 find --exit-code 'acc > 5'
	assert "$stderr" ""
}
