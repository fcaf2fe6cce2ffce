#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An enemy has put something in place of records, lines of the journal,
# edges, counts, files and directories: it is named, nobody waits for ever, no
# genuine state is lost, and nothing outside the repository is touched.
# shellcheck disable=SC2154

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work" "$BATS_TEST_TMPDIR/canary/files"
	canary=$BATS_TEST_TMPDIR/canary
	echo precious >"$canary/files/f"
	echo precious >"$canary/00112233445566778899aabbccddeeff"
	cp -r "$canary" "$BATS_TEST_TMPDIR/as-it-was"
	as=(bounded)
}

bounded() {
	(
		ulimit -f 400000
		# A sanitizer reserves terabytes.
		[ "${build##*/}" != build ] || ulimit -v 1000000
		exec timeout -s KILL 10 "$@"
	)
}

untouched() {
	diff -r "$BATS_TEST_TMPDIR/as-it-was" "$canary"
	# Beside the repository there is only what the test asked for.
	assert "$(find "$BATS_TEST_TMPDIR/work" -mindepth 1 -maxdepth 1 \
	    ! -name r ! -name out)" ""
}

# Make two genuine states, $one and $two.
genuine() {
	cd "$BATS_TEST_TMPDIR/work" || return
	rm -rf r out
	repo r
	put good 1000 one
	tag good
	one=$id
	put good 1000 two
	tag good
	two=$id
}

# Require that their bytes have not changed.
kept() {
	dsv cat "$one:good"
	assert "$output" "$(put good 1000 one && cat good)"
	rm -rf ../out
	dsv checkout -q "$two" ../out
	put good 1000 two
	cmp good ../out/good
	untouched
}

sql() {
	python3 - "$1" <<-'END'
	import sqlite3, sys
	sqlite3.connect(".dsv/catalog.db").executescript(sys.argv[1])
	END
}

# ---- Records ----------------------------------------------------------------

# Write a record of these bytes, unknown to the catalog; its id is in $id.
record() {
	id=$(sha256sum <"$1" | cut -d' ' -f1)
	mkdir -p ".dsv/states/${id:0:2}"
	cp "$1" ".dsv/states/${id:0:2}/$id"
}

# Write the record of $one, changed by a command of sed, under its own hash.
edited() {
	echo "# $1"
	genuine
	sed "$1" ".dsv/states/${one:0:2}/$one" >new
	run ! cmp -s new ".dsv/states/${one:0:2}/$one"
	record new
}

# Require that neither fsck nor a rebuild believes it.
not_believed() {
	dsv -13 fsck
	[[ $output == *"record ${id:0:12}: a record of a state that the catalog does not know"* ]]
	dsv -13 fsck --rebuild
	[[ $output == *"record ${id:0:12}: a record of a state that the catalog does not know"* ]]
	assert "$stderr" "dsv fsck: 1 problem"
	dsv -4 checkout "$id" ../out
	assert "$stderr" "dsv checkout: no state '$id'"
	kept
	# And nothing of it stays.
	rm ".dsv/states/${id:0:2}/$id"
	dsv fsck
}

@test "a record that is not a record is not believed" {
	local change

	for change in 's/"kind":"tag"/"kind":7/' \
	    's/"kind":"tag"/"kind":"..\/..\/x"/' \
	    's/"kind":"tag"/"kind":"tag","kind":"fork"/' \
	    's/"content":"/&..\/..\//' \
	    's/"content":"[^"]*"/"content":"\/etc\/passwd"/' \
	    's/"time":[0-9]*/"time":9223372036854775808/' \
	    's/"params":{}/"params":{"..\/a\\u001b":"x"}/' \
	    's/"attrs":{}/"attrs":{"a":{"number":"x"}}/' \
	    's/"dsv":1/"dsv":2/'; do
		edited "$change"
		not_believed
	done
}

@test "a record that is nested 100,000 deep is not believed" {
	genuine
	python3 -c 'print("[" * 100000 + "]" * 100000, end="")' >new
	record new
	not_believed
}

@test "a record of a GiB is not read, one of another hash not believed" {
	genuine
	truncate -s 1G ".dsv/states/${one:0:2}/$one"
	dsv -13 fsck
	[[ $output == "record ${one:0:12}: the state's record does not have its hash"* ]]
	genuine
	cp -f ".dsv/states/${two:0:2}/$two" ".dsv/states/${one:0:2}/$one"
	dsv -13 fsck
	[[ $output == "record ${one:0:12}: the state's record does not have its hash"* ]]
	dsv -13 fsck --rebuild
	[[ $output == *"record ${one:0:12}: the state's record is missing or changed"* ]]
	dsv checkout -q "$two" ../out
	cmp good ../out/good
	untouched
}

@test "the last state's record is lost: its branch stays where there is one" {
	genuine
	rm ".dsv/states/${two:0:2}/$two"
	sed -i 1d .dsv/journal
	rm .dsv/catalog.db
	dsv -13 fsck --rebuild
	[[ $output == *"record ${two:0:12}: the state's record is missing or changed"* ]]
	dsv log --all --format '%(id)'
	assert "$output" "$one"
	genuine
	rm ".dsv/states/${two:0:2}/$two" .dsv/catalog.db
	dsv -13 fsck --rebuild
	assert "$stderr" "dsv fsck: 1 record is lost"
	dsv rev-parse HEAD
	assert "$output" "$one"
	dsv fsck
}

@test "the paths of a forged state with a genuine record are only names" {
	genuine
	python3 "$BATS_TEST_DIRNAME/hostile/forge.py" record \
	    '{"author":"../../x","host":"/etc","message":"../y"}' >/dev/null
	dsv fsck
	dsv fsck --rebuild
	dsv show HEAD
	kept
}

# ---- The journal ------------------------------------------------------------

# Print a line as an enemy may write it, with its hash: line SEQ JSON
line() {
	printf '%s %s %s\n' "$1" \
	    "$(printf '%s %s' "$1" "$2" | sha256sum | cut -d' ' -f1)" "$2" \
	    >>.dsv/journal
}

# told SEQ OPERATION TEXT: require that fsck names the line, and that a rebuild
# says TEXT and ignores it.  ONE is the first state.
told() {
	echo "# $1 $2"
	genuine
	line "$1" '{"ops":[{'"${2//ONE/$one}"'}],"time":1}'
	dsv -13 fsck
	[[ $output == *"journal transaction $1: no transaction has had that number"* ]]
	dsv fsck --rebuild
	# shellcheck disable=SC2053	# a pattern
	[[ $output == *"transaction $1: "$3* ]]
	dsv log --all --format '%(id)'
	assert "$output" "$two"$'\n'"$one"
	dsv branch --json
	json 'j[0]["name"], len(j)'
	assert "$result" "('main', 1)"
	kept
}

@test "lines that say something impossible are reported" {
	local nowhere

	nowhere=$(printf 'a%.0s' {1..64})
	told 3 '"head":"'"$nowhere"'","name":"main","op":"branch"' \
	    "branch 'main' is moved to something that is not a state"
	told 3 '"head":"ONE","name":"-rf","op":"branch"' \
	    "'-rf' is not a valid branch name"
	told 3 '"head":"ONE","name":"a\u001b[31m","op":"branch"' \
	    "*31m' is not a valid branch name"
	told 3 '"branch":"../x","id":"ONE","op":"state"' \
	    "'../x' is not a valid branch name"
	told 3 '"author":"eve","op":"attr","set":{"a\u001b[31m":"x"},"state":"ONE","unset":[]' \
	    "malformed key"
}

@test "a line of JSON nested 100,000 deep is reported" {
	genuine
	line 3 "$(python3 -c 'print("[" * 100000 + "]" * 100000)')"
	dsv -13 fsck
	dsv fsck --rebuild
	[[ $output == *"journal transaction 3: its line is not JSON"* ]]
	kept
}

@test "an impossible number is reported, and what is committed later stays" {
	local number

	# After 2^52 - 1, the next ones were once too high to be believed.
	for number in 4503599627370495 4503599627370496 900000000000000000 0; do
		genuine
		line $number '{"ops":[{"head":"'"$one"'","name":"main","op":"branch"}],"time":1}'
		dsv -13 fsck
		[[ $output == *"transaction $number: no transaction has had that number"* ]]
		dsv -13 fsck --rebuild
		assert "$stderr" "dsv fsck: 1 problem"
		dsv attr "$two" note=mine
		tag good
		dsv -13 fsck --rebuild
		dsv attr "$two"
		assert "$output" note=mine
		dsv log --format '%(id)'
		assert "$output" "$id"$'\n'"$two"$'\n'"$one"
		dsv find --ancestors-of HEAD
		kept
	done
	# 2^63 is not a number at all.
	genuine
	line 9223372036854775808 '{"ops":[],"time":1}'
	dsv fsck
	dsv fsck --rebuild
	kept
}

@test "of two lines with one number the first counts, and both are reported" {
	genuine
	line 1 '{"ops":[{"head":"","name":"main","op":"branch"}],"time":1}'
	dsv -13 fsck
	[[ $output == *"journal transaction 1: it has two lines that differ"* ]]
	dsv -13 fsck --rebuild
	dsv rev-parse HEAD
	assert "$output" "$two"
	kept
}

@test "a torn or edited line is reported, and its state is found again" {
	genuine
	sed -i '1s/main/maim/' .dsv/journal
	dsv -13 fsck
	[[ $output == "journal transaction 1: its line is missing in the journal; line 1 is torn or changed"* ]]
	dsv -13 fsck --rebuild
	kept
	genuine
	sed -i '1s/.\{20\}$//' .dsv/journal
	dsv -13 fsck
	[[ $output == *"line 1 is torn or changed"* ]]
	dsv -13 fsck --rebuild
	kept
}

@test "what a forged line prunes or forgets can be restored" {
	local op='"author":"eve","heads":[],"op":"prune","rule":"x"'

	genuine
	dsv pin "$two"
	line 4 '{"ops":[{'"$op"',"forget":false,"states":["'"$two"'"]}],"time":1}'
	dsv -13 fsck
	dsv fsck --rebuild
	dsv restore "$two"
	kept
	genuine
	line 3 '{"ops":[{'"$op"',"forget":true,"states":["'"$two"'"]}],"time":1}'
	dsv -13 fsck
	dsv -13 fsck --rebuild
	[[ $output == *"record ${two:0:12}: the record of a state that was forgotten"* ]]
	# No repair removes the record for good.
	dsv fsck --repair
	[ ! -e ".dsv/states/${two:0:2}/$two" ]
	mv ".dsv/quarantine/$two"-* ".dsv/states/${two:0:2}/$two"
	sed -i '$d' .dsv/journal
	dsv -13 fsck --rebuild
	kept
}

# ---- Edges ------------------------------------------------------------------

@test "a cycle in the catalog ends every walk, and fsck names it" {
	local command again="a state comes before its parent ('dsv fsck --rebuild' makes the catalog anew)"

	genuine
	tag good
	sql "INSERT INTO edge VALUES (1, 0, 2)"
	for command in log 'log --graph' 'log --oneline --all' \
	    'bisect start HEAD HEAD~2' 'rev-parse HEAD~5'; do
		# shellcheck disable=SC2086
		dsv -13 $command
		[[ $stderr == "dsv "*": $again" ]]
	done
	for command in "next $one" "prev $two" "prune --dry-run --keep-last 1" \
	    'find --ancestors-of HEAD' "find --descendants-of $one" \
	    "show HEAD" "merge-base HEAD $two" "merge-base $one HEAD"; do
		# shellcheck disable=SC2086
		dsv $command
	done
	dsv -13 fsck
	[[ $output == *"edge row 1: a parent is newer than its child (states ${one:0:12})"* ]]
	[[ $output == *"edge row 1: its generation is not above its parent's (states ${one:0:12})"* ]]
	dsv -13 fsck --repair
	dsv fsck --rebuild
	dsv log
	kept
	# This state is its own parent.
	sql "INSERT INTO edge VALUES (2, 1, 2)"
	dsv -13 log
	[[ $stderr == "dsv log: $again" ]]
	dsv -13 fsck
	[[ $output == *"edge row 2: a parent is newer than its child"* ]]
}

@test "a parameter without a value is reported" {
	genuine
	tag --param x=1 good
	sql "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET
		sql = replace(sql, 'TEXT NOT NULL', 'TEXT') WHERE name = 'param';
		PRAGMA writable_schema = RESET; UPDATE param SET text = NULL"
	dsv -13 fsck
	[[ $output == *"parameters "*": they do not have their hash ('dsv fsck --rebuild' makes the catalog anew) (states ${id:0:12})"* ]]
	dsv -13 fsck --json
	json '[p.get("hint") for p in j["problems"]
		if p["message"] == "they do not have their hash"]'
	assert "$result" "[\"'dsv fsck --rebuild' makes the catalog anew\"]"
	dsv -13 show HEAD
	dsv fsck --rebuild
	dsv show HEAD
	kept
}

@test "impossible rows of chunks are reported, and a rebuild is right" {
	genuine
	sql "UPDATE chunk SET offset = 9223372036854775807 WHERE length >=
		(SELECT max(length) FROM chunk)"
	dsv -13 fsck
	[[ $output == *"the segment has "*" bytes of 92233720"* ]]
	# This hash, of what was found bad in the old catalog, is too long.
	sql "INSERT INTO chunk SELECT zeroblob(33), segment, 0, length, stored,
		encoding, base, crc, 2, NULL FROM chunk LIMIT 1"
	dsv fsck --rebuild
	kept
}

# ---- Prune ------------------------------------------------------------------

@test "a prune of forged content frees nothing of genuine states" {
	local change forged

	for change in "UPDATE manifest SET refs = 0" "UPDATE manifest SET refs = 1" \
	    "UPDATE manifest SET refs = -9223372036854775808" \
	    "UPDATE recipe SET refs = 0" "UPDATE recipe SET refs = 1 << 62" \
	    "DELETE FROM recipe_segment" "DELETE FROM manifest_segment" \
	    "UPDATE recipe_segment SET segment = 1" \
	    "UPDATE chunk SET length = 1, stored = 1" \
	    "UPDATE state SET size = 9223372036854775807, files = -1"; do
		echo "# $change"
		genuine
		tag good
		forged=$id
		sql "$change"
		dsv -13 fsck
		run bounded "$program" prune --expire=now "$forged"
		echo "# $status $output"
		[ "$status" -lt 128 ]
		dsv fsck --rebuild
		kept
	done
}

@test "a forged recipe that names chunks of others frees none of them" {
	local forged

	genuine
	python3 - "$BATS_TEST_DIRNAME/hostile" <<-'END'
	import sys
	sys.path.insert(0, sys.argv[1])
	import forge
	chunk = forge.connect().execute("SELECT hash, length FROM chunk"
	    " ORDER BY length DESC").fetchone()
	text = forge.recipe(chunk[1], [(chunk[0], 0, chunk[1])])
	forge.CONTENTS["theirs"] = lambda: forge.one(text, chunk[1])
	forge.content("theirs")
	END
	dsv rev-parse HEAD
	forged=$output
	dsv prune --expire=now "$forged"
	[[ $output == "removed 1 state of 1; "* ]]
	kept
	dsv prune --expire=now --keep-last 2
	kept
	dsv fsck --data
}

# ---- Files and directories --------------------------------------------------

# fake MADE PATH: let the command MADE make PATH of the repository.
fake() {
	echo "# $1 $2"
	genuine
	rm -rf "$2"
	$1 "$2"
}

@test "a non-file in place of the catalog is moved aside" {
	local made file

	for made in mkfifo "ln -s $canary/files/f"; do
		for file in catalog.db catalog.db-journal catalog.db-wal; do
			fake "$made" ".dsv/$file"
			for command in log 'tag good' fsck; do
				# shellcheck disable=SC2086
				dsv -13 $command
				[[ $stderr == *"/.dsv/$file' is not a file ('dsv fsck --rebuild' makes the catalog anew)" ]]
			done
			dsv fsck --rebuild
			tag good
			dsv fsck
			kept
		done
	done
}

@test "a non-file in place of a segment is named, not punched" {
	local made segment three

	for made in mkfifo 'ln -s /dev/zero' "ln -s $canary/files/f"; do
		genuine
		put big 3000000 one
		tag big
		three=$id
		segment=$(find .dsv/segments -size 3000000c)
		# The second shares a part, so some of the first is punched.
		{ put part 600000 x; cat part; tail -c +600001 big; } >new
		mv new big
		tag big
		rm -f "$segment"
		$made "$segment"
		dsv -13 fsck
		[[ $output == "segment $(basename "$segment" | cut -c1-12): the segment has 0 bytes of 3000000; files: big"* ]]
		dsv -13 fsck --data
		dsv -13 checkout "$three" ../out
		[[ $stderr == *"/${segment##*/}' is not a file" ]]
		dsv prune --expire=now "$three"
		dsv -13 fsck --repair
		kept
	done
}

@test "a link in place of a directory of the repository is refused" {
	local dir

	for dir in states segments heads intake queue jobs tmp turns; do
		fake "ln -s $canary" ".dsv/$dir"
		touch -h -d '9 days ago' "$canary"/* "$canary/files/f"
		for command in log 'tag good' 'prune --expire=now --keep-last 1' \
		    'fsck --repair' 'fsck --rebuild'; do
			# shellcheck disable=SC2086
			dsv -13 $command
			assert "$stderr" "dsv ${command%% *}: '$PWD/.dsv/$dir/' is a link"
		done
		untouched
	done
}

@test "nothing is written through a link in place of a directory in it" {
	local dir index byte

	for dir in segments states queue quarantine; do
		genuine
		dsv config queue.auto false
		index=$(find .dsv/segments -name '*.idx' | head -n 1)
		echo x >>"$index"
		case $dir in
		queue) ln -s "$canary" ".dsv/queue/$(uname -n)" ;;
		quarantine) ln -s "$canary" .dsv/quarantine ;;
		*)
			for byte in {0..255}; do
				ln -sn "$canary" \
					".dsv/$dir/$(printf %02x "$byte")" ||
					:
			done 2>/dev/null
			;;
		esac
		put good 1000 three
		case $dir in
		queue) dsv -13 tag --async good ;;
		quarantine) dsv -13 fsck --repair ;;
		segments)
			# One in a hundred finds that a directory is not one.
			dsv -13 tag good || {
				put good 1000 four
				dsv -13 tag good
			}
			;;
		states) dsv tag good ;;	# committed: a warning
		esac
		[[ $stderr == *"/.dsv/$dir"*"/' is a link"* ]]
		untouched
	done
}

@test "through a link in place of segments/ab nothing is freed" {
	genuine
	mv "$(dirname "$(find .dsv/segments -name '*.idx' | head -n 1)")" dir
	dir=$(find dir -type f | head -n 1)
	dir=.dsv/segments/$(basename "$dir" | cut -c1-2)
	cp -r dir "$canary/segments"
	cp -r dir "$BATS_TEST_TMPDIR/as-it-was/segments"
	ln -s "$canary/segments" "$dir"
	dsv prune --expire=now "$one"
	dsv prune --expire=now --unsafe-allow-remove-all
	untouched
}

# Write an entry of the queue that says where its files are: entry DIR NAME
entry() {
	local queue

	queue=.dsv/queue/$(uname -n)
	mkdir -p "$queue"
	printf '{"dir":"%s","shared":%s}' "$1" "${3:-false}" >"$queue/$2.json"
	touch -d '9 days ago' "$queue/$2.json"
}

@test "an entry of the queue does not lead to the files of others" {
	local name dir

	name=$(printf 'ab%.0s' {1..32})
	touch -d '9 days ago' "$canary" "$canary/files"
	for dir in "$canary" "$canary/files" "$canary/dsv-${name:0:32}/.." /; do
		genuine
		entry "$dir" "$name"
		dsv queue --run
		dsv wait
		dsv prune --expire=now "$one"
		untouched
	done
	# This one is named like ours, but is a link.
	genuine
	entry "$PWD" "$name" true
	ln -s "$canary" ".dsv/queue/$(uname -n)/${name:0:32}"
	dsv prune --expire=now "$one"
	untouched
}

@test "a pending state does not take in the files of others" {
	local name

	genuine
	dsv config queue.auto false
	tag --async good
	name=$(basename .dsv/queue/*/*.json .json)
	entry "$canary" "$name"
	dsv queue --run
	dsv -4 cat "$id:f"
	genuine
	dsv config queue.auto false
	tag --async good
	rm -r .dsv/queue/*/*/files
	ln -s "$canary/files" "$(echo .dsv/queue/*/"${name:0:0}"*/)files"
	dsv queue --run
	dsv -4 cat "$id:f"
	kept
}

@test "a FIFO or a link in place of an entry of the queue is skipped" {
	local made file

	for made in mkfifo 'ln -s /dev/zero' "ln -s $canary/files/f"; do
		genuine
		dsv config queue.auto false
		tag --async good
		file=$(echo .dsv/queue/*/*.json)
		rm "$file"
		$made "$file"
		dsv queue
		dsv queue --run
		dsv -4 cat "$id:good"
		kept
	done
}

@test "a generation that cannot be is damage, and no number overflows" {
	genuine
	for value in 9223372036854775807 -5; do
		sqlite3 .dsv/catalog.db "UPDATE state SET generation = $value"
		dsv -13 tag good
		assert "$stderr" "dsv tag: a parent's generation is impossible (see 'dsv fsck')"
		dsv -13 fork HEAD
	done
}
