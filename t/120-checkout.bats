#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv checkout, cat

load helper

# Make a state of ckpt/a, ckpt/b/c.
state() {
	repo
	put ckpt/a 3000000
	put ckpt/b/c
	tag ckpt "$@"
}

@test "checkout writes the files into DIR, which it creates" {
	state
	dsv checkout HEAD some/where
	assert "$output" ""
	assert "$stderr" "${id:0:12}: 2 files, 2.9 MiB, to 'some/where'"
	diff -r ckpt some/where/ckpt
	assert "$(ls -A some/where)" ckpt
	dsv -4 checkout nope other
	[ ! -e other ]
}

@test "without DIR the files are written here" {
	state
	mv ckpt before
	dsv checkout HEAD
	diff -r before ckpt
	dsv -q checkout HEAD
	assert "$stderr" ""
}

@test "existing files that are the same stay untouched" {
	local before

	state
	before=$(stat -c '%i %Y %Z' ckpt/a ckpt/b/c)
	dsv checkout HEAD
	assert "$(stat -c '%i %Y %Z' ckpt/a ckpt/b/c)" "$before"
}

@test "a differing file is never overwritten: exit 14, nothing written" {
	state
	dsv checkout HEAD out
	rm out/ckpt/a
	echo mine >out/ckpt/b/c
	dsv -14 checkout HEAD out
	assert "$stderr" "dsv checkout: 'out/ckpt/b/c' differs from what is to\
 be written, is there and would be overwritten; nothing was written\
 (--force overwrites)"
	[ ! -e out/ckpt/a ]
	assert "$(cat out/ckpt/b/c)" mine
	dsv checkout --force HEAD out
	diff -r ckpt out/ckpt
}

@test "one byte, the length or the executable bit makes a difference" {
	state
	dsv checkout HEAD out
	printf X | dd of=out/ckpt/a bs=1 seek=2999999 conv=notrunc status=none
	dsv -14 checkout HEAD out
	dsv checkout --force HEAD out
	printf X >>out/ckpt/a
	dsv -14 checkout HEAD out
	dsv checkout --force HEAD out
	chmod +x out/ckpt/a
	dsv -14 checkout HEAD out
	dsv checkout --force HEAD out
	[ ! -x out/ckpt/a ]
}

@test "files that belong to no state stay" {
	state
	put out/ckpt/other
	put out/more
	dsv checkout HEAD out
	assert "$(cd out && find . -type f | sort | xargs)" \
	    "./ckpt/a ./ckpt/b/c ./ckpt/other ./more"
}

@test "not even --force removes a directory, or leaves half" {
	state
	mkdir -p out/ckpt/b/c
	put out/ckpt/a 5
	dsv -14 checkout HEAD out
	dsv -14 checkout --force HEAD out
	assert "$stderr" "dsv checkout: 'out/ckpt/b/c' is a directory; nothing\
 was written (move it away)"
	assert "$(stat -c %s out/ckpt/a)" 5
	[ -d out/ckpt/b/c ]
}

@test "a file in place of a directory: exit 14, nothing written" {
	state
	put out/ckpt/b
	dsv -14 checkout --force HEAD out
	assert "$stderr" "dsv checkout: 'out/ckpt/b/c' goes through a link or a\
 file; nothing was written (move it away)"
	[ ! -e out/ckpt/a ]
	mkdir -p e/empty
	tag e
	put out2/e/empty
	dsv -14 checkout HEAD out2
	dsv checkout --force HEAD out2
	[ -d out2/e/empty ]
}

@test "links in DIR do not lead outside, with and without --force" {
	state
	mkdir -p out/ckpt outside
	ln -s ../../outside out/ckpt/b
	dsv -14 checkout HEAD out
	dsv -14 checkout --force HEAD out
	assert "$stderr" "dsv checkout: 'out/ckpt/b/c' goes through a link or a\
 file; nothing was written (move it away)"
	assert "$(ls -A outside)" ""
	rm out/ckpt/b
	put outside/c
	mkdir out/ckpt/b
	ln -s ../../../outside/c out/ckpt/b/c
	dsv -14 checkout HEAD out
	dsv checkout --force HEAD out
	assert "$(cat outside/c)" "$(seq -f 'outside/c %.0f' 26 | head -c 100)"
	[ ! -L out/ckpt/b/c ]
}

@test "DIR itself may be a link" {
	state
	mkdir real
	ln -s real out
	dsv checkout HEAD out
	diff -r ckpt real/ckpt
}

@test "links are written as links" {
	repo
	put d/w
	ln -s w d/latest
	ln -s /nowhere d/abs
	tag d
	dsv checkout HEAD out
	assert "$(readlink out/d/latest) $(readlink out/d/abs)" "w /nowhere"
	dsv checkout HEAD out
	ln -sfn other out/d/latest
	dsv -14 checkout HEAD out
	dsv checkout --force HEAD out
	assert "$(readlink out/d/latest)" w
}

@test "no temporary file stays behind" {
	state
	dsv checkout HEAD out
	assert "$(find out -name '.dsv*')" ""
	assert "$(ls -A .dsv/tmp | grep -v ^statcache-)" ""
}

@test "a checkout that is killed leaves whole files only" {
	local pid

	repo
	mkdir d
	head -c 60M /dev/urandom >d/a
	cp d/a d/b
	echo >>d/b
	tag d
	"$program" -q checkout --link copy HEAD out 3>&- &
	pid=$!
	sleep 0.05
	kill -9 "$pid" || true
	wait "$pid" || true
	for f in a b; do
		[ ! -e "out/d/$f" ] || cmp "d/$f" "out/d/$f"
	done
	dsv checkout HEAD out
	cmp d/a out/d/a
}

@test "--path selects a part: by component, or with a slash by path" {
	state
	dsv checkout HEAD o1 --path a
	assert "$(cd o1 && find . -type f)" ./ckpt/a
	dsv checkout HEAD o2 --path b
	assert "$(cd o2 && find . -type f)" ./ckpt/b/c
	dsv checkout HEAD o3 --path ckpt/b
	assert "$(cd o3 && find . -type f)" ./ckpt/b/c
	dsv checkout HEAD o4 --path 'ckpt/*' --path a
	diff -r ckpt o4/ckpt
	dsv -4 checkout HEAD o5 --path b/c
	assert "$stderr" \
	    "dsv checkout: the state has no file that matches 'b/c'"
	dsv -4 checkout HEAD o5 --path nope
	[ ! -e o5 ]
}

@test "--path means what --exclude of a tag means" {
	local p

	state
	for p in ckpt/b/ ./ckpt/b /ckpt/b b/ '**/b' 'ckpt/b/*' 'c*t/b/'; do
		rm -rf out
		dsv checkout HEAD out --path "$p"
		assert "$(cd out && find . -type f)" ./ckpt/b/c
	done
	dsv checkout HEAD all --path .
	diff -r ckpt all/ckpt
	dsv -4 checkout HEAD none --path a/
	dsv -4 checkout HEAD none --path /b
	dsv -4 checkout HEAD none --path ''
	[ ! -e none ]
}

@test "a --path that matches nothing, beside one that does, is reported" {
	state
	dsv checkout HEAD out --path a --path nope --path ckpt/a
	assert "$(cd out && find . -type f)" ./ckpt/a
	[[ $stderr == "dsv checkout: warning: no file matches 'nope'"$'\n'* ]]
}

@test "--path ignores what differs elsewhere" {
	state
	put out/ckpt/a 5
	dsv checkout HEAD out --path ckpt/b
	dsv -14 checkout HEAD out --path ckpt
	assert "$(stat -c %s out/ckpt/a)" 5
}

@test "--if-any of an empty branch writes nothing and exits 0" {
	repo
	put f
	dsv -4 checkout HEAD out
	for rev in HEAD @ main max:acc min:acc max:acc@main 'max:acc@*'; do
		dsv checkout --if-any "$rev" out
		assert "$output$stderr" ""
	done
	dsv checkout --if-any -b new HEAD out
	SLURM_JOB_ID=7 dsv checkout --if-any HEAD out
	tag f
	dsv switch -c empty
	dsv checkout --if-any empty out
	dsv checkout --if-any max:acc@main out
	[ ! -e out ]
	dsv checkout --if-any HEAD out --json
	json 'j["id"], j["files"]'
	assert "$result" "(None, 0)"
}

@test "--if-any of an unknown REV exits 4" {
	repo
	put f
	tag f
	dsv -4 checkout --if-any nope out
	dsv -4 checkout --if-any deadbeef out
	dsv -4 checkout --if-any HEAD~5 out
	dsv -4 checkout --if-any main:f out
	dsv -2 checkout --if-any max:acc@ out || dsv -4 checkout max:acc@ out
	dsv checkout --if-any HEAD out
	[ -e out/f ]
}

@test "a pruned state's files: exit 4, saying when and by what; --nearest" {
	local first

	repo
	put f
	tag f
	first=$id
	put f 200
	tag f
	tag f -m head
	dsv prune HEAD~1
	dsv -4 checkout HEAD~1 out
	[[ $stderr == "dsv checkout: "*" was pruned at "*" (by hand)" ]]
	dsv checkout --nearest HEAD~1 out
	assert "${stderr%%$'\n'*}" "dsv checkout: warning: the bytes of\
 'HEAD~1' are not here: using its nearest ancestor ${first:0:12}"
	assert "$(stat -c %s out/f)" 100
	dsv checkout --nearest HEAD out --force
	assert "$(stat -c %s out/f)" 200
	dsv prune HEAD~2
	dsv -4 checkout --nearest HEAD~1 out
}

@test "a tag onto this line of what another state filled exits 14" {
	local first

	state
	first=$id
	tag ckpt
	dsv checkout "$first" out
	dsv -14 tag out
	assert "$stderr" "dsv tag: 'out' was checked out from ${first:0:12},\
 which is not the head of 'main' (fork it with 'dsv fork ${first:0:12}', start a\
 branch with '--parent ${first:0:12} -b NEW', or insist with '--parent HEAD')"
	dsv -14 tag out/.
	dsv -14 tag out/ckpt
	dsv -14 tag out/ckpt/a
	(cd out && dsv -14 tag .)
	put elsewhere
	tag elsewhere
}

@test "each of the ways that the message names works" {
	local first

	state
	first=$id
	tag ckpt
	dsv checkout "$first" out
	tag out --parent "$first" -b new1
	dsv checkout "$first" out2
	tag out2 --parent HEAD
	dsv checkout "$first" out3
	dsv fork "$first" -b new2
	dsv -14 tag out3 -b new2
	dsv checkout new2 out3
	tag out3 -b new2
}

@test "a tag of what the head filled continues, again and again" {
	state
	dsv checkout HEAD out
	tag out
	put out/new
	tag out
	tag out/ckpt
	tag out/.
	dsv checkout --force HEAD
	tag out
	put f
	tag f
	dsv -14 tag out
}

@test "what was made beside the files of a checkout belongs to no state" {
	local first

	state
	first=$id
	tag ckpt
	dsv checkout "$first"
	put logs/x
	tag logs
	dsv -14 tag ckpt
	dsv checkout main
	tag ckpt
	tag logs
	tag ckpt
}

@test "a new directory in place of the old one is not a checkout" {
	local first

	state
	first=$id
	tag ckpt
	dsv checkout "$first" out
	rm -r out
	sleep 0.05
	cp -r ckpt out
	tag out
}

@test "--link says how; a wrong one exits 2" {
	state
	dsv checkout --link copy HEAD o1
	dsv checkout --link auto HEAD o2
	diff -r o1 o2
	dsv -2 checkout --link hard HEAD o3
	assert "$stderr" "dsv checkout: --link: 'hard' is not auto, reflink\
 or copy"
	"$program" -q checkout --link reflink HEAD o3 ||
	    dsv -5 checkout --link reflink HEAD o4
}

@test "--rank of a state that is not collective exits 4" {
	state
	dsv -4 checkout --rank 0 HEAD out
	assert "$stderr" "dsv checkout: the state has no part of rank 0"
}

@test "a DIR that cannot be written exits 5 and names it" {
	state
	put file
	dsv -5 checkout HEAD file
	assert "$stderr" \
	    "dsv checkout: make directory 'file': Not a directory"
	mkdir out
	chmod 555 out
	ordinary_user
	dsv -5 checkout HEAD out
	assert "$stderr" "dsv checkout: make the directory of 'out/ckpt/a':\
 Permission denied"
}

@test "--json says what was written" {
	state
	dsv checkout HEAD out --json
	json 'j["id"] == "'"$id"'", j["dir"], j["files"], j["size"]'
	assert "$result" "(True, 'out', 2, 3000100)"
}

@test "checkout changes neither branch nor HEAD" {
	local before

	state
	dsv fork HEAD -b side
	before=$("$program" branch -v)
	dsv checkout side out
	assert "$("$program" branch -v)" "$before"
}

@test "cat writes a file's bytes, and works on files only" {
	state
	"$program" cat HEAD:ckpt/a | cmp - ckpt/a
	dsv -4 cat HEAD:ckpt/nope
	mkdir ckpt/empty
	ln -s a ckpt/link
	tag ckpt
	dsv -4 cat HEAD:ckpt
	dsv -4 cat HEAD:ckpt/empty
	dsv -4 cat HEAD:ckpt/link
	dsv -4 cat nope:ckpt/a
	dsv -2 cat HEAD
}

@test "nothing is written into a repository, by whatever name" {
	repo
	put f
	tag f
	ln -s .dsv link
	"$program" -q init sub
	for dir in .dsv .dsv/ .dsv/x/y link link/states .dsv/jobs \
		sub/.dsv/jobs/a/../b/c new/../.dsv; do
		dsv -14 checkout HEAD "$dir"
		[[ $stderr == "dsv checkout: '$dir' "*" a repository" ]]
		dsv -14 fork HEAD -b x --to "$dir"
		dsv -14 job prepare --fork HEAD --to "$dir/%j"
	done
	[ ! -e new ]
	dsv -2 diff HEAD --dir link
	(cd .dsv && dsv -14 checkout HEAD)
	assert "$(find .dsv sub/.dsv -name f)" ""
	dsv -4 rev-parse x
	dsv fork HEAD -- sh -c 'cd "$DSV_CHECKOUT" && "$0" checkout HEAD again &&
		"$0" tag again' "$program"
}
