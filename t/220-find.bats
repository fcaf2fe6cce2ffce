#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Searching: t/unit/find_test.c tests the grammar, this file the command

load helper

states() {
	repo
	put f
	tag -b main -p lr=0.1 -a acc=0.5 -s warmup f && a=$id
	tag -b main -p lr=1e-3 -a acc=0.90 -a note=good f && b=$id
	tag -b wide --parent main -a acc=0.95 f && c=$id
	tag -b wide -p lr=0.2 -a acc=nan --name broken f && d=$id
}

# finds WANT ARG...: require the ids WANT, separated by blanks
finds() {
	local want=$1

	shift
	dsv find --format '%(id)' "$@"
	assert "$output" "${want// /$'\n'}"
}

@test "without an expression all states are found, newest first" {
	states
	finds "$d $c $b $a"
	finds "$d $c" -n 2
	dsv find --count
	assert "$output" 4
}

@test "the example of the manual" {
	states
	finds "$c $b" 'attr.acc > 0.8 and (param.lr <= 1e-3 or branch = "wide") and not scope = "warmup"'
}

@test "nan is a text that is never above or below" {
	states
	finds "$d" 'acc = nan'
	finds "$c $b" 'acc > 0.8'
	finds "$c $b $a" 'acc != nan'
}

@test "unset keys: only 'is not set' and 'not' match them" {
	states
	finds "" 'note != good'
	finds "$d $c $a" 'not (note = good)'
	finds "$d $c $a" 'note is not set'
	finds "$b" 'note is set'
	finds "" 'nosuch = 1'
}

@test "--branch, --scope, --descendants-of, --ancestors-of" {
	states
	finds "$b $a" --branch main
	finds "$a" --scope warmup
	finds "$d $c" --descendants-of "$b"
	finds "$b $a" --ancestors-of "$c"
	finds "$b" --ancestors-of "$c" 'acc > 0.8'
	finds "$c" --branch wide --descendants-of "$a" 'acc > 0.8'
	dsv -4 find --branch nosuch
	assert "$stderr" "dsv find: no branch 'nosuch'"
	dsv -4 find --scope nosuch
	dsv -4 find --ancestors-of nosuch
}

@test "--sort: numbers, then the rest, unset last either way" {
	states
	tag -b wide f
	finds "$c $b $a $d $id" --sort -acc
	finds "$a $b $c $d $id" --sort acc
	finds "$c" --sort -acc -n 1
	finds "$b $a $c $d" --sort branch --sort -acc 'acc is set'
}

@test "--exit-code is 1 without a match" {
	states
	dsv find --exit-code 'acc > 0.8'
	dsv -1 find --exit-code 'acc > 8'
	assert "$output" ""
	dsv find 'acc > 8'
}

@test "--json is one array, --jsonl one object per line" {
	states
	dsv find --json 'acc > 0.8'
	json '[s["id"] for s in j] == ["'"$c"'", "'"$b"'"]'
	assert "$result" True
	dsv find --json 'acc > 8'
	assert "$output" "[]"
	dsv find --jsonl 'acc > 0.8'
	assert "${#lines[@]}" 2
}

@test "a syntax error exits 2 and names the column" {
	states
	dsv -2 find 'acc >'
	assert "$stderr" "dsv find: expression, column 6: the expression ends where a value is expected"
	dsv -2 find 'acc > 1 and ('
	dsv -2 find 'note ~ "("'
	[[ $stderr == "dsv find: expression, column 8: "* ]]
	dsv -2 find ''
}

@test "what looks like SQL is a value" {
	states
	finds "" "note = \"' OR '1'='1\""
	finds "" "note = \"x'); DROP TABLE state; --\""
	finds "$d $c $b $a"
}

@test "pruned states are found with --pruned" {
	states
	dsv prune "$a"
	finds "$d $c $b"
	finds "$d $c $b $a" --pruned
	finds "$a" --pruned 'pruned = true'
}

@test "attributes that were added later are found" {
	states
	dsv attr "$a" acc=2 f1:='[1]'
	finds "$a" 'acc > 1'
	finds "$a" 'f1 is set'
	dsv attr "$a" --unset acc
	finds "$d $c $b" 'acc is set'
}

@test "sizes and times" {
	states
	finds "$d $c $b $a" 'size = 100 and size < 1KiB and files = 1'
	finds "$d $c $b $a" 'created > -1h'
	finds "" 'created < "2020-01-31"'
}

@test "a state is not later than the time that is shown for it" {
	local shown

	states
	shown=$("$program" show "$d" --format '%(created)')
	finds "" "created > '$shown'"
	finds "$d $c $b $a" "created <= '$shown'"
	finds "$d $c $b $a" "not created > '$shown'"
	finds "$d" "id = '$d' and created >= '$shown' and created = '$shown'"
	dsv log --all --until "$shown" --format '%(id)'
	assert "${#lines[@]}" 4
}

@test "a regular expression that would take all memory is refused" {
	repo
	put f
	tag -m 'aaa[b]' f
	for text in '((a{1,255}){1,255}){1,255}' 'a{99}{99}' '(a{1,50}b){50}' \
		'[]a]{1000}[^]]{1000}x' 'a{99999999999999999999}' \
		"$(printf '(%.0s' {1..300})"; do
		dsv -2 find "message ~ '$text'"
		[[ $stderr == *"becomes too large a regular expression, with its repetitions written out (at most 2000 parts)"* ]]
	done
	cat >>.dsv/config <<-'END'
		[prune "x"]
		keep-where = message ~ '((a{1,255}){1,255}){1,255}'
	END
	dsv -2 prune -n --policy x
	[[ $stderr == *"becomes too large a regular expression"* ]]
	for text in '(a{1,30}){1,30}' '^a{3}[[]b.$' 'a{1,255}' '[[:alpha:]]{3}' \
		'\(|a{3,}'; do
		dsv find --count "message ~ '$text'"
		assert "$output" 1
	done
}
