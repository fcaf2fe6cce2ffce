#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How states are named: revisions, names, neighbours

load helper

# Make main: a - b - c, side: b - d; the ids are in $a ... $d
history() {
	repo
	put f
	tag -b main -p lr=0.1 -a acc=0.5 -m first f && a=$id
	tag -b main -a acc=0.9 --name best f && b=$id
	tag -b main -a acc=0.7 -a note=x f && c=$id
	tag -b side --parent best -a acc=0.95 f && d=$id
}

is_rev() {
	dsv rev-parse "$1"
	assert "$output" "$2"
}

no_rev() {
	dsv -4 rev-parse "$1"
	assert "$output" ""
	assert "$stderr" "dsv rev-parse: $2"
}

@test "HEAD, @, branches, names, ids and prefixes" {
	history
	is_rev HEAD "$c"
	is_rev @ "$c"
	is_rev main "$c"
	is_rev side "$d"
	is_rev best "$b"
	is_rev "$a" "$a"
	is_rev "${a:0:20}" "$a"
	is_rev "${a:0:12}" "$a"
}

@test "several revisions, one id per line" {
	history
	dsv rev-parse main side
	assert "$output" "$c"$'\n'"$d"
}

@test "steps to ancestors" {
	history
	is_rev HEAD~0 "$c"
	is_rev HEAD~ "$b"
	is_rev HEAD~2 "$a"
	is_rev main^ "$b"
	is_rev main^^ "$a"
	is_rev side~1^1 "$a"
	is_rev "@~1" "$b"
	no_rev HEAD~3 "no state 'HEAD~3': the history is 3 states long"
	no_rev HEAD^2 "no state 'HEAD^2': it has 1 parent there"
}

@test "the second parent of a merge" {
	history
	tag -b main --parent main --parent side f
	is_rev HEAD^2 "$d"
	is_rev HEAD^1 "$c"
	is_rev HEAD^2~1 "$b"
}

@test "max: and min: of the current branch, of another, of all" {
	history
	is_rev max:acc "$b"
	is_rev min:acc "$a"
	is_rev max:acc@side "$d"
	is_rev 'max:acc@*' "$d"
	is_rev max:acc~1 "$a"
	no_rev max:nosuch "'max:nosuch': no live state there has that attribute as a number"
	no_rev max:ac "'max:ac': no live state there has that attribute as a number (did you mean 'acc'?)"
	no_rev max:note "'max:note': no live state there has that attribute as a number"
	dsv -4 rev-parse max:acc@nosuch
	[[ $stderr == *"'nosuch'"* ]]
	dsv -2 rev-parse max:
}

@test "among equals the newest is the best" {
	history
	tag -b main -a acc=0.90 f
	is_rev max:acc "$id"
}

@test "a wrong name is reported with the nearest one" {
	history
	no_rev mian "no branch, name or state 'mian' (did you mean 'main'?)"
	no_rev bset~1 "no branch, name or state 'bset' (did you mean 'best'?)"
	no_rev xyzzy "no branch, name or state 'xyzzy'"
	no_rev abc "no branch, name or state 'abc'"
	no_rev 0000000000000000000000000000000000000000000000000000000000000000 \
		"no state '0000000000000000000000000000000000000000000000000000000000000000'"
}

@test "something that is not a revision at all exits 2" {
	history
	dsv -2 rev-parse ''
	dsv -2 rev-parse '~1'
	dsv -2 rev-parse 'HEAD~x'
	dsv -2 rev-parse 'HEAD^-1'
	dsv -2 rev-parse 'HEAD~99999999999999999999'
}

@test "HEAD of a branch without states is not found" {
	repo
	no_rev HEAD "'HEAD': the branch has no state yet"
	no_rev HEAD~2 "'HEAD~2': the branch has no state yet"
}

@test "names win over prefixes of ids" {
	history
	dsv name "${a:0:6}" "$b"
	is_rev "${a:0:6}" "$b"
	is_rev "${a:0:7}" "$a"
}

@test "impossible names exit 2" {
	local name

	history
	for name in 'a b' .hidden -x 'a..b' HEAD 'a~1' 'a:b' "$a"; do
		dsv -2 name -- "$name" "$b"
	done
}

@test "next, prev and merge-base" {
	history
	dsv next "$b"
	assert "$output" "$c"$'\n'"$d"
	dsv next "$d"
	assert "$output" ""
	dsv prev "$d"
	assert "$output" "$b"
	dsv prev "$a"
	assert "$output" ""
	dsv merge-base main side
	assert "$output" "$b"
	dsv merge-base main "$a"
	assert "$output" "$a"
	dsv merge-base main main
	assert "$output" "$c"
	tag -b lonely f
	dsv -4 merge-base main lonely
	[[ $stderr == *"no common ancestor" ]]
}

@test "log: newest first, ranges, limits" {
	history
	dsv log --format '%(id)'
	assert "$output" "$c"$'\n'"$b"$'\n'"$a"
	dsv log --format '%(id)' best..main
	assert "$output" "$c"
	dsv log --format '%(id)' main..side
	assert "$output" "$d"
	dsv log --format '%(id)' best..
	assert "$output" "$c"
	dsv log --format '%(id)' main..main
	assert "$output" ""
	dsv log --format '%(id)' -n 1
	assert "$output" "$c"
	dsv log --format '%(id)' --all
	assert "$output" "$d"$'\n'"$c"$'\n'"$b"$'\n'"$a"
	dsv log --format '%(id)' main side
	assert "$output" "$d"$'\n'"$c"$'\n'"$b"$'\n'"$a"
	dsv -4 log nosuch
}

@test "log --first-parent leaves merged lines out" {
	history
	tag -b main --parent main --parent side f
	dsv log --format '%(id)' --first-parent
	assert "$output" "$id"$'\n'"$c"$'\n'"$b"$'\n'"$a"
	dsv log --format '%(id)'
	assert "$output" "$id"$'\n'"$d"$'\n'"$c"$'\n'"$b"$'\n'"$a"
}

@test "log of an empty repository is empty" {
	repo
	dsv log
	assert "$output" ""
}
