#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A repository that an enemy has made: dsv refuses clearly, does bounded work,
# and writes nothing outside the directory that was asked for.

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	as=(bounded)
}

# Limit time, files and memory, so that what goes wrong here hurts nobody else.
bounded() {
	(
		ulimit -f 400000
		# A sanitizer reserves terabytes.
		[ "${build##*/}" != build ] || ulimit -v 1000000
		exec timeout -s KILL 30 "$@"
	)
}

forge() {
	python3 "$BATS_TEST_DIRNAME/hostile/forge.py" "$@" >/dev/null
}

# Make a repository with one good state below the forged one.
forged() {
	rm -rf "$BATS_TEST_TMPDIR/work/r" "$BATS_TEST_TMPDIR/work/out"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo r
	put good
	tag good
	forge "$@"
}

# Require that beside the repository there is at most the directory asked for.
nothing_outside() {
	local found

	found=$(find "$BATS_TEST_TMPDIR/work" -mindepth 1 -maxdepth 1 \
	    ! -name r ! -name out)
	assert "$found" ""
	[ -e "$BATS_TEST_TMPDIR/work/out" ] || return 0
	found=$(find "$BATS_TEST_TMPDIR/work/out" -mindepth 1)
	assert "$found" ""
}

# refused NAME TEXT: commands that need that content say TEXT; the others work.
refused() {
	echo "# $1"
	forged content "$1"
	dsv -13 checkout HEAD ../out
	[[ $stderr == "dsv checkout: "*"$2"* ]]
	nothing_outside
	dsv -13 cat HEAD:f
	[[ $stderr == "dsv cat: "*"$2"* ]]
	dsv -13 fsck
	[[ $output$stderr == *"$2"* ]]
	dsv repack
	dsv -13 fsck --repair
	[[ $output$stderr == *"$2"* ]]
	dsv -13 fsck --rebuild
	dsv -13 checkout HEAD ../out
	nothing_outside
	# The good state below it is none the worse.
	dsv cat HEAD~1:good
}

@test "no path of a manifest leads out" {
	local name

	for name in dotdot absolute dotdot-inside dot empty-path double-slash \
	    repository repository-inside empty-link long-path \
	    long-component; do
		refused "$name" "manifest: impossible path"
	done
}

@test "no path leads through a link or a file" {
	local name

	for name in through-link through-file through-link-before; do
		refused "$name" "is below something that is not a directory"
	done
}

@test "a manifest that is not canonical is damage" {
	refused twice "'a' appears twice"
	refused link-twice "'a' appears twice"
	refused unsorted "manifest: not sorted"
	refused raw-control "manifest: impossible line"
	refused nul "manifest: impossible line"
}

@test "sizes and ranges of recipes are not believed" {
	refused size-2^63 "manifest: impossible line"
	refused size-differs "recipe makes 13 bytes, not 7"
	refused size-huge-claimed "recipe makes 13 bytes, not 9223372036854775807"
	refused sizes-overflow "recipe: impossible length"
	refused offset-overflow "recipe: impossible length"
	refused range-outside "recipe: range beyond the end of a chunk"
	refused count "recipe: truncated"
}

@test "an index that lies is damage, and a repair rebuilds it" {
	local name

	while read -r name; do
		echo "# $name"
		forged index "$name"
		dsv -13 fsck
		[[ $output == *"the index of the segment: it is damaged"* ]]
		dsv checkout HEAD ../out
		cmp good ../out/good
		dsv fsck --repair
		dsv fsck --data
	done < <(python3 "$BATS_TEST_DIRNAME/hostile/forge.py" list INDEXES)
}

@test "ten million entries take bounded time and memory" {
	[ "${build##*/}" = build ] || skip "not with a sanitizer"
	forged content ten-million
	# Running out of memory is an error like any other.
	dsv -5 cat HEAD:f
	assert "$stderr" "dsv cat: out of memory"
	# It takes a hundred bytes or so per entry, and no more.
	run -4 --separate-stderr timeout -s KILL 60 "$program" cat HEAD:f
	[[ $stderr == *"no file 'f'"* ]]
	dsv repack
	nothing_outside
}

# fake MADE PATH: make a repository in which the command MADE makes PATH.
fake() {
	echo "# $1 $2"
	cd "$BATS_TEST_TMPDIR/work" || return
	rm -rf r
	repo r
	put good
	tag good
	# shellcheck disable=SC2086
	set -- "$1" $2
	rm -f "$2"
	$1 "$2"
}

@test "a non-file in place of an index is rebuilt" {
	local made

	for made in mkdir mkfifo 'ln -s /dev/zero' 'ln -s ../elsewhere'; do
		fake "$made" '.dsv/segments/??/*.idx'
		dsv -13 fsck
		[[ $output == *"the index of the segment: it is "* ]]
		dsv fsck --repair
		dsv fsck --data
	done
}

@test "a non-file in place of a record is damage" {
	local made

	for made in mkdir mkfifo 'ln -s /dev/zero' 'ln -s ../../../good'; do
		fake "$made" '.dsv/states/??/*'
		dsv -13 fsck
		[[ $output == "record ${id:0:12}: the state's record "* ]]
		dsv -13 fsck --repair
		dsv -13 fsck --rebuild
	done
}

@test "a non-file in place of the journal is damage" {
	local made

	for made in mkdir mkfifo 'ln -s /dev/zero'; do
		fake "$made" .dsv/journal
		dsv -13 fsck
		[[ $output == "journal journal: it is not a file"* ]]
		dsv -13 fsck --repair
		dsv -13 fsck --rebuild
		assert "$stderr" "dsv fsck: '$PWD/.dsv/journal' is not a file"
	done
}

@test "nothing is appended through a link in place of the journal" {
	echo mine >victim
	fake "ln -s $PWD/victim" .dsv/journal
	dsv tag good
	dsv branch other
	dsv -13 fsck
	[[ $output == *"journal journal: it is not a file"* ]]
	dsv -13 fsck --repair
	dsv -13 fsck --rebuild
	assert "$(cat ../victim)" mine
	# Once it is repaired by hand, what happened meanwhile is written.
	rm .dsv/journal
	dsv branch third
	grep -q '"other"' .dsv/journal
	grep -q '"third"' .dsv/journal
}

@test "nothing is made through a link in place of a lock" {
	repo r
	put good
	mkdir -p ".dsv/queue/$(hostname)"
	ln -s "$PWD/../victim" ".dsv/queue/$(hostname)/lock"
	"$program" config queue.auto false
	"$program" tag --async good >/dev/null 2>&1 || true
	"$program" queue --run >/dev/null 2>&1 || true
	[ ! -e ../victim ]
}

@test "a trigger that somebody has put into the catalog does not run" {
	repo r
	put good
	tag good
	forge sql "CREATE TRIGGER t AFTER INSERT ON state BEGIN
	    UPDATE state SET message = 'forged' WHERE seq = new.seq; END"
	tag good -m mine
	dsv log -n 1 --format '%(message)'
	assert "$output" mine
}

@test "a view in place of a table is damage" {
	repo r
	put good
	tag good
	forge sql "ALTER TABLE name RENAME TO other;
	    CREATE VIEW name AS SELECT * FROM other"
	dsv -13 name
}

# Change dsv's schema by STATEMENTS, and require that fsck says TEXT.
altered() {
	rm -rf r
	repo r
	put good
	tag good
	python3 - "$1" <<-'END'
	import sqlite3, sys
	sqlite3.connect(".dsv/catalog.db").executescript(sys.argv[1])
	END
	dsv -13 fsck
	[[ $output == *"$2"* ]]
	dsv fsck --rebuild
	dsv rev-parse HEAD
	assert "$output" "$id"
	cd ..
}

@test "fsck finds a schema that is not dsv's" {
	altered "CREATE TRIGGER t AFTER INSERT ON state BEGIN SELECT 1; END" \
	    "schema t: the trigger is none of dsv's"
	altered "CREATE VIEW v AS SELECT 1" "schema v: the view is none of dsv's"
	altered "DROP INDEX state_branch" \
	    "schema state_branch: the index is missing"
	altered "DROP INDEX state_branch; CREATE INDEX state_branch ON
	    state (seq)" "schema state_branch: the index is not as dsv makes it"
}

@test "an impossible transaction number is damage" {
	local value

	for value in "'x'" 9223372036854775807 -1; do
		rm -rf ../r r
		repo r
		put good
		tag good
		forge sql "UPDATE meta SET value = $value WHERE key = 'seq'"
		dsv -13 tag good
		[[ $stderr == "dsv tag: '"*"' has no sequence number ('dsv fsck --rebuild' makes the catalog anew)" ]]
		dsv -13 fsck
		[[ $output == *"sequence meta: the number of the last transaction is impossible"* ]]
		cd ..
	done
}

@test "an impossible state number is damage" {
	repo r
	put good
	tag good
	forge sql "UPDATE state SET seq = -5; UPDATE branch SET head = -5"
	dsv -13 tag good
	assert "$stderr" "dsv tag: the head of branch 'main' is not a state (see 'dsv fsck')"
	dsv -13 log
	dsv -13 fsck
	[[ $output == *"state ${id:0:12}: its number is impossible"* ]]
	dsv fsck --rebuild
	dsv rev-parse HEAD
	assert "$output" "$id"
}

# Require that only line feeds of all control bytes, C1, bidi reach a terminal.
clean_tty() {
	TERM=xterm NO_COLOR=1 DSV_PROGRESS=0 \
		script -qc "$program --no-pager $1" /dev/null >tty </dev/null
	sed 's/\r$//' tty >text
	[ -s text ]
	run ! grep -nP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' text
}

@test "control bytes of names and messages never reach a terminal" {
	local nasty=$'\e[31mRED\a\302\2331m\r\342\200\256\342\201\246'
	local command

	as=()
	repo
	put f
	tag -m "msg $nasty" -a "k=$nasty" -p "p=$nasty" f
	mkdir d
	put "d/p$nasty"
	tag -m two d
	for command in log 'log --oneline' 'log --graph' 'show HEAD~1' show \
	    'find kind=tag' 'diff HEAD~1 HEAD' 'params HEAD~1' 'attr HEAD~1' \
	    fsck status branch 'prune -n --keep-last 1' "show 'x$nasty'" \
	    "tag 'gone$nasty'" "find 'x$nasty'" "checkout 'HEAD~$nasty' out" \
	    "-b 'b$nasty' tag f" 'checkout HEAD out'; do
		echo "# $command"
		clean_tty "$command"
	done
	rm .dsv/segments/*/*
	clean_tty fsck
}

@test "control bytes in any text of the catalog never reach a terminal" {
	local nasty=$'\e[31mRED\a\302\2331m\r\342\200\256' command

	as=()
	repo
	put f
	SLURM_JOB_ID=7 SLURM_JOB_NODELIST="n1$nasty" tag -b main f
	dsv fork HEAD -b other
	dsv job list
	[[ $output == *' n1\x1b[31mRED'* ]]
	sqlite3 .dsv/catalog.db "UPDATE job SET job_id = job_id || '$nasty',
		state = state || '$nasty', cluster = 'c$nasty';
		UPDATE state SET kind = kind || '$nasty',
		author = '$nasty', host = '$nasty', pruned_by = '$nasty';
		UPDATE branch SET name = name || '$nasty' WHERE name <> 'main'"
	for command in 'job list' 'log --all' 'log --all --oneline' find \
		'log --all --graph' 'log --all --dot' show branch status \
		'find --format %(kind)%(job.id)%(job.state)' fsck \
		"job start --ticket '$nasty'" 'du --by branch'; do
		echo "# $command"
		clean_tty "$command"
	done
}

@test "no code is loaded that OPENSSL_CONF names" {
	repo
	cat >evil.c <<-'C'
		#include <stdio.h>
		#include <stdlib.h>
		__attribute__((constructor)) static void go(void)
		{
			FILE *f = fopen(getenv("EVIL_OUT"), "a");

			if (f)
				fclose(f);
		}
		int OSSL_provider_init(void *h, void *i, void **o, void **p)
		{
			return !h + !i + !o + !p > 4;
		}
	C
	cc -shared -fPIC -o evil.so evil.c
	printf '%s\n' 'openssl_conf = a' '[a]' 'providers = b' '[b]' 'evil = c' \
		'[c]' "module = $PWD/evil.so" 'activate = 1' >evil.cnf
	export OPENSSL_CONF=$PWD/evil.cnf EVIL_OUT=$PWD/evil.out
	put f 3000000
	dsv tag f
	dsv checkout HEAD out
	dsv fsck --data
	dsv fsck --rebuild
	dsv prune --keep-last 1
	dsv doctor
	[ ! -e evil.out ]
	if command -v openssl >/dev/null; then
		openssl dgst -sha256 f >/dev/null 2>&1 || true
		[ -e evil.out ]
	fi
}
