#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The fields of each command's JSON, as the contract names them

load helper

command -v jq >/dev/null && have_jq=1

setup() {
	clean_environment
	[ -n "${have_jq:-}" ] || skip "no jq"
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo
	put ckpt/w
	tag ckpt -p lr=1e-3 -a acc=0.9 -s warm --name first --pin -m hello
	first=$id
}

# Require that the jq FILTER holds for $output.
holds() {
	jq -e "$1" <<<"$output" >/dev/null && return
	jq . <<<"$output"
	return 1
}

state_fields='(.id | test("^[0-9a-f]{64}$")) and (.parents | type == "array")
and .kind == "tag" and .branch == "main" and .name == "first"
and .message == "hello" and (.author | type == "string")
and (.host | type == "string")
and (.created | test("^[0-9-]{10}T[0-9:]{8}Z$"))
and (.content | test("^[0-9a-f]{64}$")) and .files == 1 and .size == 100
and (.stored | type == "number") and .scopes == ["warm"] and .pinned == true
and .pruned == false and .pending == false and .params == {"lr": 0.001}
and .attrs == {"acc": 0.9} and has("job")'

@test "a state has the fields of format strings, wherever it is printed" {
	dsv show --json
	holds "$state_fields"
	dsv log --json
	holds ".[0] | $state_fields"
	dsv find --json
	holds ".[0] | $state_fields"
	dsv log --jsonl
	holds "$state_fields"
	dsv find --jsonl
	holds "$state_fields"
}

@test "show has entries, with --tensors tensors" {
	ln -s w ckpt/l
	mkdir ckpt/e
	chmod +x ckpt/w
	tag ckpt
	dsv show --json
	holds '.entries == [
	    {path: "ckpt/e", type: "dir", size: 0, executable: false,
	     target: null},
	    {path: "ckpt/l", type: "link", size: 0, executable: false,
	     target: "w"},
	    {path: "ckpt/w", type: "file", size: 100, executable: true,
	     target: null}] and (has("tensors") | not)'
	dsv show --json --tensors
	holds '.tensors == []'
}

@test "an empty list is one empty array, or no line" {
	dsv find --json 'attr.acc > 5'
	assert "$output" "[]"
	dsv find --jsonl 'attr.acc > 5'
	assert "$output" ""
	dsv job list --json
	assert "$output" "[]"
}

@test "fork is an array of branch, id, job" {
	dsv fork HEAD --json
	holds 'length == 1 and .[0].branch == "main-1" and .[0].job == null and
	    (.[0].id | length == 64)'
}

@test "branch is an array of name, head, current" {
	dsv switch -c empty
	dsv branch --json
	holds ". == [{name: \"empty\", head: null, current: true},
	    {name: \"main\", head: \"$first\", current: false}]"
	dsv branch --jsonl
	assert "${#lines[@]}" 2
}

@test "status has its fields" {
	dsv status --json
	holds '.branch == "main" and .states == 1 and .size == 100 and
	    .stored > 0 and .pending == 0 and .lost == 0 and
	    .scopes_open == 1 and .jobs == 0'
}

@test "prune has states with action and reasons, and bytes" {
	tag ckpt
	tag ckpt
	dsv prune -n --keep-last 1 --json
	holds '.states | length == 3'
	holds 'all(.states[]; (.id | length == 64) and
	    (.action == "keep" or .action == "remove") and
	    (.reasons | type == "array"))'
	holds '[.states[] | select(.action == "remove")] | length == 1'
	holds '(.freed_now | type == "number") and
	    (.freed_later | type == "number")'
}

@test "fsck has ok and problems with kind, object, states, message" {
	dsv fsck --json
	holds '.ok == true and .problems == []'
	tag ckpt
	rm .dsv/states/*/"$first"
	dsv -13 fsck --json
	holds '.ok == false and (.problems | length > 0) and
	    all(.problems[]; (.kind | type == "string") and
	    (.object | type == "string") and (.states | type == "array") and
	    (.message | type == "string"))'
}

@test "job list has its fields" {
	SLURM_JOB_ID=12 SLURM_ARRAY_JOB_ID=10 SLURM_ARRAY_TASK_ID=3 \
	    SLURM_CLUSTER_NAME=c dsv tag ckpt
	dsv job list --json
	holds '.[0] | . as $j | .id == "10_3" and
	    .cluster == "c" and .branch == "job-10.3" and
	    all(("id", "array_task", "cluster", "state", "branch", "fork",
	    "params", "nodes", "exit", "signal", "submitted", "started",
	    "ended", "attempt"); . as $k | $j | has($k))'
	dsv show job-10.3 --json
	holds '.job.id == "10_3"'
}

@test "attr, params, name, scope, config, du print JSON" {
	dsv attr HEAD --json
	holds '. == {acc: 0.9}'
	dsv attr HEAD --history --json
	holds '.[0].key == "acc" and .[0].value == 0.9 and
	    .[0].unset == false and (.[0].time | endswith("Z"))'
	dsv params --json
	holds '. == {lr: 0.001}'
	dsv params HEAD lr --json
	assert "$output" 1e-3
	dsv name --json
	holds ". == [{name: \"first\", id: \"$first\"}]"
	dsv scope list --json
	holds '.[0].name == "warm" and .[0].open and .[0].states == 1'
	dsv config prune.grace 1d
	dsv config --list --json
	holds '.[0].key == "prune.grace" and .[0].value == "1d"'
	dsv du --json
	holds '.[0].branch == "main" and .[0].states == 1'
}

@test "with --jsonl every list is its elements, one per line" {
	local command list

	tag ckpt
	while read -r command; do
		dsv $command --json
		list=$(jq -c '.[]' <<<"$output")
		dsv $command --jsonl
		assert "$(jq -c . <<<"$output")" "$list"
		assert "${#lines[@]}" "$(wc -l <<<"$list")"
	done <<-end
		log
		find
		branch
		name
		scope list
		rev-parse HEAD main
		next first
		prev HEAD
		merge-base HEAD first
		attr first --history
		du
	end
	dsv --jsonl rev-parse HEAD
	assert "$output" "\"$id\""
	dsv find --jsonl 'acc > 1'
	assert "$output" ""
	dsv fork HEAD --sweep +a=1,2 --jsonl
	assert "$(jq -c keys_unsorted <<<"${lines[1]}")" '["branch","id","job"]'
}

@test "a document is one line that ends with a newline" {
	local command

	for command in "show" "status" "params HEAD lr" "show --jsonl"; do
		"$program" $command --json >out
		assert "$(wc -l <out)" 1
	done
}

@test "paths that are not UTF-8 have their other bytes as \\xNN" {
	put ckpt/$'a\xff'
	tag ckpt
	dsv show --json
	holds '.entries[0].path | ascii_downcase == "ckpt/a\\xff"'
}

@test "errors are one JSON object on stderr, with code and name" {
	dsv -4 show nope --json
	output=$stderr
	holds '.error | .code == 4 and .name == "not-found" and
	    (.message | type == "string")'
	dsv -14 branch main --json
	output=$stderr
	holds '.error.code == 14'
	dsv -2 find --json 'attr.acc >'
	output=$stderr
	holds '.error.code == 2 and (.error.message | test("column"))'
}
