#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Format strings, and states as JSON

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo
	put f 100
	tag f -m "first" -p lr=1e-3 -p opt=sgd -a acc=0.90 -s warm --name best
}

@test "every field of the contract is known" {
	local field

	for field in id id:short parents kind branch name message author \
	    host created created:relative created:unix content files size \
	    stored scopes pinned pruned pending param:lr attr:acc job.id \
	    job.state job.nodes job.exit; do
		dsv log --format "[%($field)]"
		[[ $output == "["*"]" ]]
	done
}

@test "fields print what was given" {
	dsv log --format '%(kind) %(branch) %(name) %(files) %(size)'
	assert "$output" "tag main best 1 100"
	dsv log --format '%(param:lr)|%(param:opt)|%(attr:acc)|%(scopes)'
	assert "$output" "1e-3|sgd|0.90|warm"
	dsv log --format '%(id) %(id:short)'
	assert "$output" "$id ${id:0:12}"
	dsv log --format '%(pinned) %(pruned) %(pending)'
	assert "$output" "false false false"
}

@test "times are RFC 3339, relative, or a number" {
	dsv log --format '%(created)'
	[[ $output =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
	dsv log --format '%(created:unix)'
	[[ $output =~ ^[0-9]{10}$ ]]
	dsv log --format '%(created:relative)'
	[[ $output == *ago || $output == *now ]]
}

@test "a field that is not set prints nothing" {
	dsv log --format '<%(param:nope)%(attr:lr)%(job.id)%(job.exit)>'
	assert "$output" "<>"
	dsv log --format '<%(parents)>'
	assert "$output" "<>"
}

@test "%% %n %t are a percent sign, a newline, a tab" {
	dsv log --format 'a%%b%nc%td'
	assert "$output" $'a%b\nc\td'
}

@test "an unknown field exits 2 and is named" {
	dsv -2 log --format '%(nope)'
	assert "$stderr" "dsv log: --format: unknown field 'nope'"
	dsv -2 find --format '%(param:)'
	assert "$stderr" "dsv find: --format: unknown field 'param:'"
	dsv -2 show --format '%x'
	assert "$stderr" "dsv show: --format: unknown '%x'"
	dsv -2 log --format '100%'
	assert "$stderr" "dsv log: --format: '%' at the end; write '%%'"
	dsv -2 log --format '%(id'
	assert "$stderr" "dsv log: --format: '(id' has no ')'"
}

@test "show and find take formats too" {
	dsv show --format '%(name)'
	assert "$output" best
	dsv find --format '%(name)' 'lr < 1'
	assert "$output" best
}

@test "a state as JSON has the fields of formats" {
	dsv show --json
	json 'all(k in j for k in """id parents kind branch name message
	    author host created content files size stored scopes pinned
	    pruned pending params attrs job entries""".split())'
	assert "$result" True
	json 'j["params"], j["attrs"], j["scopes"], j["parents"], j["job"]'
	assert "$result" \
	    "({'lr': 0.001, 'opt': 'sgd'}, {'acc': 0.9}, ['warm'], [], {})"
	[[ $output == *'"lr":1e-3'* ]]
	json '[sorted(e) for e in j["entries"]], j["entries"][0]["path"]'
	assert "$result" \
	    "([['executable', 'path', 'size', 'target', 'type']], 'f')"
}

@test "a list as JSON is one array, as JSONL one object per line" {
	tag f -m second
	dsv log --json
	json 'len(j), j[0]["message"], j[0]["parents"] == [j[1]["id"]]'
	assert "$result" "(2, 'second', True)"
	dsv log --jsonl
	assert "${#lines[@]}" 2
	output=${lines[1]} json 'j["message"]'
	assert "$result" first
	dsv find --json 'acc > 5'
	json j
	assert "$result" "[]"
}
