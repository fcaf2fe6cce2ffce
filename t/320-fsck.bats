#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv fsck: it finds every defect, and names the states concerned.
# shellcheck disable=SC2154

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo
	put big 3000000 one
	put small 1000
	tag -q big small
	one=$id
	put big 3000000 two
	tag -q big small
	two=$id
}

# Print the largest segment of a state's own: the file "big".
segment() {
	sql "SELECT name FROM segment WHERE kind = 1 ORDER BY id LIMIT 1 OFFSET $1"
}

sql() {
	python3 - "$1" <<'END'
import sqlite3, sys
c = sqlite3.connect(".dsv/catalog.db")
for row in c.execute(sys.argv[1]):
    print(*row)
c.commit()
END
}

# found KIND STATE...: the only problems must be of KIND and name these states.
found() {
	local kind=$1

	shift
	json 'sorted(set(p["kind"] for p in j["problems"]))'
	assert "$result" "['$kind']"
	json '" ".join(sorted(set(s for p in j["problems"] for s in p["states"])))'
	assert "$result" "$(printf '%s\n' "$@" | sort | xargs)"
}

file() {
	echo ".dsv/segments/${1:0:2}/$1"
}

@test "a clean repository is clean" {
	dsv fsck --data
	dsv fsck --json
	json 'j["ok"], j["problems"]'
	assert "$result" "(True, [])"
}

@test "a flipped bit is found by --data, with state and file" {
	s=$(file "$(segment 0)")
	chmod u+w "$s"
	printf X | dd of="$s" bs=1 seek=5000 conv=notrunc status=none
	chmod u-w "$s"
	dsv fsck
	dsv -13 fsck --data
	[[ $output == "chunk "*": "*"; files: big (states ${one:0:12})"* ]]
	assert "$stderr" "dsv fsck: 1 problem"
	dsv -13 fsck --data --json
	found chunk "$one"
	[[ $output == *"files: big"* ]]
}

@test "a bad chunk is not relied on, and the right bytes repair it" {
	s=$(file "$(segment 0)")
	chmod u+w "$s"
	printf X | dd of="$s" bs=1 seek=5000 conv=notrunc status=none
	chmod u-w "$s"
	dsv -13 fsck --data --repair
	dsv -13 fsck --json
	found chunk "$one"
	put big 3000000 one
	tag -q big small
	dsv fsck --data
	dsv checkout -q "$one" out
	cmp out/big big
	dsv prune --expire=now "$id"
	dsv fsck --data
	dsv checkout -q "$one" out2
	cmp out2/big big
}

@test "a chunk that was found bad, and is not any more, is used again" {
	s=$(file "$(segment 0)")
	byte=$(dd if="$s" bs=1 skip=5000 count=1 status=none | base64)
	chmod u+w "$s"
	printf X | dd of="$s" bs=1 seek=5000 conv=notrunc status=none
	dsv -13 fsck --data --repair
	base64 -d <<<"$byte" | dd of="$s" bs=1 seek=5000 conv=notrunc \
		status=none
	chmod u-w "$s"
	dsv -13 fsck
	[[ $output == *": it is marked as wrong, and its bytes are right"* ]]
	[[ $output == *"files: big (states ${one:0:12})"* ]]
	dsv fsck --repair
	[[ $output == *"and its bytes are right; files: big (states ${one:0:12}"*", repaired"* ]]
	dsv fsck --data
	dsv checkout -q "$one" out
}

@test "a truncated segment is found" {
	s=$(file "$(segment 1)")
	chmod u+w "$s"
	truncate -s 100000 "$s"
	chmod u-w "$s"
	dsv -13 fsck --json
	found segment "$two"
	[[ $output == *"has 100000 bytes of "*"; files: big"* ]]
	dsv -13 fsck --repair
	[[ $output == *"; tag the right bytes again to heal it"* ]]
}

@test "a missing segment is found" {
	rm "$(file "$(segment 0)")"
	dsv -13 fsck --json
	found segment "$one"
	[[ $output == *"the segment is missing; files: big"* ]]
}

@test "what a missing or truncated segment held is not relied on" {
	rm "$(file "$(segment 0)")"
	s=$(file "$(segment 1)")
	chmod u+w "$s"
	truncate -s 100000 "$s"
	dsv -13 fsck --repair
	dsv -13 fsck
	tag -q big small
	put big 3000000 one
	tag -q big small
	dsv fsck --data
	dsv checkout -q "$one" out
	cmp out/big big
	dsv checkout -q "$two" out2
}

@test "a tag stores again what has vanished under it, without any fsck" {
	rm "$(file "$(segment 1)")"
	tag -q big small
	dsv fsck --data
	dsv checkout -q "$two" out
	cmp out/big big
	for s in $(sql "SELECT substr(name, 1, 2) || '/' || name FROM segment
		WHERE kind = 2"); do
		s=.dsv/segments/$s
		chmod u+w "$s"
		truncate -s 10 "$s"
	done
	tag -q big small
	dsv checkout -q "$id" out2
	cmp out2/small small
	dsv prune --expire=now "$two"
	dsv checkout -q "$id" out3
	cmp out3/big big
	rm -f .dsv/tmp/statcache-*	# none on tmpfs
	find .dsv/segments -type f ! -name '*.idx' -delete
	tag -q big small
	dsv checkout -q "$id" out4
	cmp out4/big big
}

@test "a missing catalog: exit 13, and how to rebuild it" {
	rm .dsv/catalog.db
	dsv -13 log
	[[ $stderr == *"/catalog.db' is missing ('dsv fsck --rebuild' "* ]]
	dsv fsck --rebuild
	dsv log
}

@test "a missing index is found, and repaired" {
	rm "$(file "$(segment 0)").idx"
	dsv -13 fsck --json
	found index
	dsv fsck --repair
	dsv fsck --data
}

@test "a stale or damaged index is found, and repaired" {
	a=$(file "$(segment 0)").idx
	b=$(file "$(segment 1)").idx
	cp -fp "$b" "$a"
	dsv -13 fsck --json
	found index
	dsv fsck --repair
	dsv fsck
	chmod u+w "$b"
	printf X | dd of="$b" bs=1 seek=20 conv=notrunc status=none
	dsv -13 fsck
	dsv fsck --repair
	dsv fsck
	[ -n "$(ls .dsv/quarantine)" ]
}

# Make the index of "one"'s segment say what it said before some was freed.
stale_index() {
	s=$(file "$(segment 0)")
	put part 600000
	tail -c +600001 big >>part
	cp -p "$s.idx" old.idx
	mv part big
	dsv prune --expire=now "$two"
	put big 3000000 one
	{ head -c 1500000 big; put tail 1500000; cat tail; } >new
	mv new big
	tag -q big
	dsv prune --expire=now "$one"
	run ! cmp -s "$s.idx" old.idx
	cp -fp old.idx "$s.idx"
}

@test "an index that names what was freed is found, and repaired" {
	stale_index
	dsv -13 fsck --json
	found index
	[[ $output == *"it names bytes that were freed"* ]]
	dsv -13 fsck
	assert "$stderr" "dsv fsck: 1 problem"
	dsv fsck --repair
	run ! cmp -s "$s.idx" old.idx
	dsv fsck --data
}

@test "a rebuild does not rely on an index that names what was freed" {
	stale_index
	rm .dsv/catalog.db
	dsv -13 fsck --rebuild
	[[ $output == *"it names bytes that were freed"* ]]
	put big 3000000 one
	tag -q big
	dsv checkout -q HEAD out
	cmp out/big big
	dsv fsck --repair
	dsv fsck --data
}

@test "a bad chunk stays bad when the catalog is rebuilt" {
	s=$(file "$(segment 0)")
	cp -p "$s" right
	chmod u+w "$s"
	printf X | dd of="$s" bs=1 seek=5000 conv=notrunc status=none
	chmod u-w "$s"
	dsv -13 fsck --data --repair
	cp -r . ../copy
	dsv -13 fsck --rebuild --json
	found chunk "$one"
	put big 3000000 one
	tag -q big small
	dsv checkout -q HEAD out
	cmp out/big big
	dsv fsck --data
	# The segment comes back from a backup.
	cd ../copy
	mv -f right "$s"
	dsv fsck --rebuild
	dsv fsck --data
}

@test "a missing record is found" {
	rm ".dsv/states/${one:0:2}/$one"
	dsv -13 fsck --json
	found record "$one"
	[[ $output == *"record is missing"* ]]
}

@test "an edited record is found" {
	r=.dsv/states/${one:0:2}/$one
	chmod u+w "$r"
	sed -i 's/"kind":"tag"/"kind":"fork"/' "$r"
	dsv -13 fsck --json
	found record "$one"
	[[ $output == *"does not have its hash"* ]]
}

@test "a row that differs from the record is found" {
	cp .dsv/catalog.db as-it-was
	for change in "message = 'x'" "author = 'eve'" "host = 'x'" \
	    'created = created + 1' "kind = 'fork'"; do
		sql "UPDATE state SET $change WHERE seq = 2"
		dsv -13 fsck --json
		found record "$two"
		[[ $output == *"record and catalog differ"* ]]
		dsv fsck --rebuild
		dsv fsck
		cp as-it-was .dsv/catalog.db
	done
}

@test "the last record is repaired, since the outbox has it" {
	rm ".dsv/states/${two:0:2}/$two"
	dsv fsck --repair
	dsv fsck
	[ -e ".dsv/states/${two:0:2}/$two" ]
	tag -q big small
	r=.dsv/states/${id:0:2}/$id
	cp -p "$r" right
	chmod u+w "$r"
	echo x >"$r"
	dsv -13 fsck
	dsv branch x
	cmp "$r" right
	dsv fsck
}

@test "a record that the catalog does not know is found" {
	x=$(printf x | sha256sum | cut -c1-64)
	mkdir -p ".dsv/states/${x:0:2}"
	printf x >".dsv/states/${x:0:2}/$x"
	dsv -13 fsck --json
	found record
}

@test "wrong counts are found, and repaired" {
	sql "UPDATE manifest SET refs = refs + 1"
	sql "UPDATE recipe SET refs = refs - 1"
	dsv -13 fsck --json
	found count "$one" "$two"
	[[ $output == *"the recipe counts "*"; files: big"* ]]
	[[ $output == *"; files: small"* ]]
	dsv fsck --repair
	dsv fsck
}

@test "a state that claims to be larger or smaller is found, and repaired" {
	sql "UPDATE state SET size = size + 1 WHERE seq = 2"
	dsv -13 fsck --json
	found state "$two"
	dsv fsck --repair
	dsv fsck
	sql "UPDATE state SET files = 7 WHERE seq = 1"
	dsv -13 fsck
	[[ $output == *" bytes in 2 files, which the catalog does not say"* ]]
	dsv fsck --repair
	dsv show --json "$one"
	json 'j["files"]'
	assert "$result" 2
}

@test "parameters that were changed in the catalog are found" {
	tag -q -p lr=0.1 -p n=2 big
	three=$id
	dsv fsck
	sql "UPDATE param SET number = 0.2, text = '0.2' WHERE text = '0.1'"
	dsv -13 fsck --json
	found parameters "$three"
	dsv fsck --rebuild
	dsv params "$three" --json
	[[ $output == *'"lr":0.1'* ]]
	sql "UPDATE state SET params = 1 WHERE seq = 3"
	dsv -13 fsck --json
	found record "$three"
}

@test "an impossible name is found" {
	sql "UPDATE branch SET name = '../x'"
	dsv -13 fsck --json
	found branch "$two"
	[[ $output == *"no branch may be called that"* ]]
	dsv fsck --rebuild
	dsv branch
	[[ $output == *main* ]]
}

@test "a lost link from segment to recipe is found, and repaired" {
	sql "DELETE FROM recipe_segment"
	dsv -13 fsck --json
	found link "$one" "$two"
	[[ $output == *"; files: big"* ]]
	dsv fsck --repair
	dsv fsck
	dsv prune --expire=now "$one"
	dsv fsck --data
}

@test "a dangling branch is found, and repaired" {
	sql "UPDATE branch SET head = 999"
	dsv -13 fsck --json
	found branch
	dsv fsck --repair
	dsv fsck
	dsv rev-parse main
	assert "$output" "$two"
}

@test "a chunk that is needed and missing is found" {
	sql "DELETE FROM chunk WHERE segment = (SELECT id FROM segment
		WHERE name = '$(segment 0)')"
	dsv -13 fsck --json
	found chunk "$one"
}

@test "a chunk that is needed and condemned is found, and repaired" {
	sql "UPDATE chunk SET status = 1, since = 1"
	dsv -13 fsck --json
	found chunk "$one" "$two"
	[[ $output == *"it is needed, and condemned; files: big"* ]]
	dsv fsck --repair
	dsv fsck --data
}

@test "a missing parent is found" {
	sql "DELETE FROM edge"
	dsv -13 fsck --json
	found record "$two"
	sql "INSERT INTO edge VALUES ((SELECT max(seq) FROM state), 0, 999)"
	dsv -13 fsck --json
	[[ $output == *"a parent is missing"* ]]
}

@test "a torn and a changed line of the journal are found" {
	cp .dsv/journal journal
	# A crash leaves it like this; the next writer writes it again.
	truncate -s -10 .dsv/journal
	dsv fsck
	truncate -s -$(($(tail -n 1 journal | wc -c) + 10)) .dsv/journal
	dsv -13 fsck --json
	found journal
	cp journal .dsv/journal
	sed -i '1s/main/maim/' .dsv/journal
	dsv -13 fsck
	[[ $output == "journal transaction 1: its line is missing in the"* ]]
	[[ $output == *" journal; line 1 is torn or changed"$'\n'* ]]
	tag -q big small
	sed -i '1,2s/^/x/' .dsv/journal
	dsv -13 fsck --repair
	[[ $output == "journal transactions 1 to 2: their lines are missing"* ]]
}

@test "a torn line that was written again is not a defect" {
	printf '7 abc' >>.dsv/journal
	put more
	tag more
	dsv fsck
}

@test "an orphan is found once no writer owns it, and swept" {
	x=00112233445566778899aabbccddeeff
	mkdir -p .dsv/segments/00
	cp "$(file "$(segment 0)")" "$(file $x)"
	dsv fsck
	chmod u+w "$(file $x)"
	touch -d '2 hours ago' "$(file $x)"
	dsv fsck
	touch -d '2 days ago' "$(file $x)"
	dsv -13 fsck --json
	found orphan
	dsv fsck --repair
	[ ! -e "$(file $x)" ]
	dsv fsck --data
}

@test "a mode that lets others write is found, and repaired" {
	s=$(file "$(segment 0)")
	chmod 666 "$s" .dsv/catalog.db
	dsv -13 fsck --json
	found mode
	dsv fsck --repair
	[[ $output == *": somebody may write to it (mode 0666), repaired"* ]]
	[[ $output == *"catalog.db: others may write to it (mode 0666)"* ]]
	dsv fsck
	[ ! -w "$s" ] || [ "$(id -u)" = 0 ]
	for f in .dsv .dsv/{format,journal,states,segments,heads,tmp} \
	    "$s.idx" "${s%/*}" ".dsv/states/${one:0:2}"{,"/$one"}; do
		echo "# $f"
		mode=$(stat -c %a "$f")
		chmod o+w "$f"
		dsv -13 fsck
		assert "${#lines[@]} $stderr" "2 dsv fsck: 1 problem"
		[[ $output == "mode "*" may write to it (mode "* ]]
		dsv fsck --repair
		assert "$(stat -c %a "$f")" "$mode"
	done
}

@test "a group may write to what is in a directory it may write to" {
	rm -r .dsv
	umask 002
	dsv init
	tag big
	dsv fsck
	chmod g-w .dsv
	dsv -13 fsck
	[[ $output == *"mode journal: others may write to it (mode 0664)"* ]]
}

@test "a chunk that is stored twice: the one that counts is kept" {
	x=00112233445566778899aabbccddeeff
	mkdir -p .dsv/segments/00
	cp "$(file "$(segment 0)")" "$(file $x)"
	cp "$(file "$(segment 0)").idx" "$(file $x).idx"
	sql "INSERT INTO segment (name, kind) VALUES ('$x', 1)"
	dsv fsck --data
	dsv fsck --rebuild
	dsv fsck --data
	dsv prune --expire=now "$two"
	dsv checkout -q "$one" out
	dsv fsck --data
}

@test "chunks that overlap are found" {
	sql "UPDATE chunk SET offset = offset - 1 WHERE offset > 0 AND segment =
		(SELECT id FROM segment WHERE name = '$(segment 0)')"
	dsv -13 fsck --json
	json '{p["kind"] for p in j["problems"]} >= {"chunk"}'
	assert "$result" True
	[[ $output == *"it overlaps another"* ]]
}

@test "something that is not a file is not waited for" {
	rm ".dsv/states/${one:0:2}/$one"
	mkfifo ".dsv/states/${one:0:2}/$one"
	run -13 timeout 10 "$program" fsck
	[[ $output == *"record ${one:0:12}: "*"(states ${one:0:12})"* ]]
	s=$(file "$(segment 1)")
	mv "$s" keep
	mkfifo "$s"
	run -13 timeout 10 "$program" fsck --data
	[[ $output == *"segment "*"; files: big (states ${two:0:12})"* ]]
	run -13 timeout 10 "$program" checkout "$two" out
	mv .dsv/journal j
	mkfifo .dsv/journal
	run -13 timeout 10 "$program" fsck
	[[ $output == *"journal: it is not a file"* ]]
	rm .dsv/format
	mkfifo .dsv/format
	run -13 timeout 10 "$program" log
	[[ $output == *"/format' is not a file"* ]]
}

@test "--data=5% reads less than all" {
	dsv fsck --data=5% --json
	json 'j["data_bytes"] < 3000000'
	assert "$result" True
	dsv -2 fsck --data=500%
	assert "$stderr" "dsv fsck: --data=500% is not a percentage"
}

@test "--data=50% reads a share, and finds what is in it" {
	for f in {1..40}; do put "many/$f" 1000 "$f"; done
	tag many
	dsv fsck --data --json
	json 'j["data_bytes"]'
	all=$result
	dsv fsck --data=50% --json
	json "0 < j['data_bytes'] < $all"
	assert "$result" True
	for s in .dsv/segments/*/*[0-9a-f]; do
		[[ $s == *.idx ]] && continue
		chmod u+w "$s"
		size=$(stat -c %s "$s")
		head -c "$size" /dev/urandom | dd of="$s" conv=notrunc status=none
		chmod u-w "$s"
	done
	dsv -13 fsck --data=50%
	[[ $output == *"has wrong bytes"* ]]
}

@test "data that cannot be read is not considered clean" {
	s=$(file "$(segment 0)")
	ordinary_user
	chmod 0 "$s"
	dsv -5 fsck --data
	[[ $stderr == *"open '"*"$s': Permission denied" ]]
}

@test "without --repair problems are only reported: nothing is written" {
	sql "UPDATE recipe SET refs = 7"
	cp .dsv/catalog.db copy
	dsv -13 fsck
	cmp copy .dsv/catalog.db
	dsv fsck --repair
}

@test "a damaged manifest is found, and its state is not pruned: exit 3" {
	m=$(sql "SELECT s.name, c.offset FROM manifest m JOIN chunk c ON
		c.hash = m.hash JOIN segment s ON s.id = c.segment
		ORDER BY m.id LIMIT 1")
	s=$(file "${m% *}")
	chmod u+w "$s"
	printf XXXX | dd of="$s" bs=1 seek="${m#* }" conv=notrunc status=none
	chmod u-w "$s"
	dsv -13 fsck --json
	[[ $output == *"$one"* ]]
	dsv -3 prune "$one"
	[[ $stderr == *"were not pruned"* ]]
}

@test "a damaged catalog is reported, not touched" {
	cp .dsv/catalog.db copy
	printf XXXXXXXX | dd of=.dsv/catalog.db bs=1 conv=notrunc status=none
	cp .dsv/catalog.db damaged
	dsv -13 fsck
	cmp .dsv/catalog.db damaged
	cp copy .dsv/catalog.db
	dsv fsck
}

@test "an index that is right is not replaced by a row that is wrong" {
	sql "UPDATE chunk SET crc = crc + 1 WHERE hash IN
		(SELECT hash FROM chunk ORDER BY length DESC LIMIT 1)"
	dsv -13 fsck
	[[ $output == *"it does not say what the catalog says"* ]]
	dsv -13 fsck --repair
	[[ $output == *"the bytes are not what the catalog says ('dsv fsck --rebuild' "* ]]
	dsv fsck --rebuild
	dsv fsck --data
	dsv cat "$two:big"
}
