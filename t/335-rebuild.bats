#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv fsck --rebuild: the rebuilt catalog says what the old one said.
# shellcheck disable=SC2154

load helper
load stop

# Print everything that dsv says about the repository.
dump() {
	"$program" find --json --pruned || return
	"$program" log --all --json || return
	"$program" branch --json || return
	"$program" name --json || return
	"$program" scope list --json || return
	"$program" job list --json || return
	"$program" status --json || return
	for id in $(cat ids); do
		"$program" attr --history "$id" --json || return
	done
}

# Make two async tags that no worker has stored: one is pending, one lost.
two_captures() {
	dsv config queue.auto false
	put small 1000 pending
	dsv tag --async -b pending small
	dsv config core.localTier "$PWD/tier"
	dsv tag --async -b lost small
	rm -r tier
	dsv status
	[[ $output == *"lost 1"* ]]
}

# Make three jobs: one waits, one has run from a fork, one has tagged.
three_jobs() {
	local ticket

	dsv job prepare --fork HEAD --set lr=0.5
	ticket=$("$program" job prepare --fork "$first" --porcelain |
		tr '\0' '\n' | sed -n 's/^TICKET=//p')
	SLURM_JOB_ID=99 dsv job start --ticket "$ticket"
	SLURM_JOB_ID=99 dsv job finish --ticket "$ticket" --status 256
	SLURM_JOB_ID=100 tag -q small
}

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	repo
	: >ids
	put big 3000000 one
	put small 1000
	for i in 1 2 3 4 5 6; do
		put small 1000 "$i"
		tag -q big small -m "epoch $i" -a "acc=0.$i" -p lr=0.10
		echo "$id" >>ids
	done
	first=$(head -1 ids)
	dsv attr HEAD note=good acc=1e-3
	dsv attr HEAD --unset note
	dsv pin "$(sed -n 2p ids)"
	dsv scope open s
	dsv scope add s "$first"
	dsv scope open t
	dsv scope close t
	dsv name start "$first"
	dsv branch side "$first"
	dsv branch gone
	dsv branch -d gone
	dsv branch -m side aside
	dsv fork HEAD -b other --set lr=0.2
	put big 3000000 two
	tag -q big small -b new --async
	echo "$id" >>ids
	dsv wait
	dsv prune "$(sed -n 3p ids)"
	dsv prune --expire=now "$(sed -n 4p ids)"
	dsv prune "$(sed -n 6p ids)"
	dsv restore "$(sed -n 6p ids)"
	dsv prune --expire=now --forget "$(sed -n 5p ids)"
	sed -i 5d ids
	three_jobs
	two_captures
	dump >before
	cp .dsv/catalog.db old
}

teardown() {
	end_stopped
}

# Compare row by row, and by what dsv prints.
compare() {
	python3 "$BATS_TEST_DIRNAME/fault/compare.py" old .dsv/catalog.db
	dump >after
	diff before after
}

@test "the rebuilt catalog compares equal, and the old one is moved aside" {
	dsv fsck --rebuild
	[[ $output == *" states, "*": clean" ]]
	assert "${#lines[@]}" 1
	cmp old .dsv/catalog.db.damaged-*[0-9]
	compare
	dsv fsck --data
}

@test "what was moved aside is not overwritten, even if the clock stops" {
	may_stop
	at() {
		run -0 --separate-stderr env LD_PRELOAD="$build/fault.so" \
			DSV_FAULT_CLOCK="=2000000000" "$program" "$@"
	}
	at fsck --rebuild
	dsv attr HEAD x=1
	cp .dsv/catalog.db second
	at fsck --rebuild
	cmp old .dsv/catalog.db.damaged-2000000000000000000
	cmp second .dsv/catalog.db.damaged-2000000000000000001
	assert "$(compgen -G '.dsv/*damaged*' | wc -l)" 2
}

@test "a missing catalog is rebuilt" {
	rm .dsv/catalog.db
	dsv fsck --rebuild
	compare
	tag -q big
	dsv fsck --data
}

@test "a catalog of garbage is rebuilt, and the garbage is kept" {
	printf 'garbage, no database' >.dsv/catalog.db
	dsv -13 log
	dsv fsck --rebuild
	compare
	assert "$(cat .dsv/catalog.db.damaged-*[0-9])" "garbage, no database"
}

@test "torn and repeated lines of the journal are skipped" {
	cat .dsv/journal .dsv/journal >j
	printf '999 abcdef' >>j
	cp j .dsv/journal
	rm .dsv/catalog.db
	dsv -13 fsck --rebuild
	compare
}

@test "a record without a line is found, on the branch it continues" {
	tag -q big -m last
	sed -i '$d' .dsv/journal
	rm .dsv/catalog.db
	dsv fsck --rebuild
	[[ $output == *"no line of the journal speaks of it"* ]]
	dsv rev-parse main
	assert "$output" "$id"
}

@test "without a journal every record is still found" {
	rm .dsv/journal .dsv/catalog.db
	dsv -13 fsck --rebuild
	for id in $(cat ids); do dsv rev-parse "$id"; done
}

@test "an edited record is not believed" {
	r=.dsv/states/${first:0:2}/$first
	chmod u+w "$r"
	sed -i 's/epoch 1/EPOCH 1/' "$r"
	rm .dsv/catalog.db
	dsv -13 fsck --rebuild
	[[ $output == *"record"*"missing or changed"* ]]
	dsv show HEAD
}

@test "a process that has the old catalog open commits to the new one" {
	put big 3000000 three
	may_stop
	stopped 'fsync:*/segments/??' -- tag -q big
	dsv fsck --rebuild
	go_on
	assert "$status $(cat err)" "0 "
	dsv rev-parse HEAD
	assert "$output" "$(cat out)"
	dsv checkout "$output" there
	cmp big there/big
	dsv fsck --data
}

@test "a process that waits for the old catalog's lock commits to the new one" {
	may_stop
	stopped 'rename:*/catalog.db' -- fsck --rebuild
	"$program" tag -q small >waiting 2>&1 3>&- &
	waiter=$!
	sleep 0.5
	[ ! -s waiting ]
	go_on
	assert "$status $(cat err)" "0 "
	wait "$waiter"
	dsv rev-parse HEAD
	assert "$output" "$(cat waiting)"
	dsv fsck --data
}

@test "a rebuild waits for a writer: exit 11" {
	may_stop
	stopped 'write:*/catalog.db' -- tag -q small
	dsv -11 --lock-wait 300ms fsck --rebuild
	[[ $stderr == *"catalog.db' is locked by another command"* ]]
	run ! compgen -G '.dsv/catalog.db.damaged-*'
	go_on
	assert "$status" 0
	dsv fsck --rebuild
	dsv fsck --data
}

@test "one of two rebuilds of a lost catalog waits, and says so" {
	rm .dsv/catalog.db
	may_stop
	stopped 'rename:*/catalog.db' -- fsck --rebuild
	"$program" fsck --rebuild >waiting 2>&1 3>&- &
	waiter=$!
	sleep 0.5
	go_on
	assert "$status $(cat err)" "0 "
	wait "$waiter" || status=$?
	assert "$status" 11
	[[ $(cat waiting) == *"another command has rebuilt the catalog"* ]]
	compare
}

@test "a killed rebuild leaves the old catalog, and nothing permanent" {
	may_stop
	stopped 'rename:*/catalog.db' -- fsck --rebuild
	kill -KILL "$pid"
	wait "$pid" || true
	pid=
	compare
	find .dsv/tmp -exec touch -d '3 days ago' {} +
	dsv prune --expire=now "$first"
	run ! compgen -G '.dsv/tmp/catalog*'
}

@test "numbers whose lines are lost are not reused" {
	tag -q small
	sed -i '$d' .dsv/journal
	rm ".dsv/states/${id:0:2}/$id"
	python3 - <<'END'
import sqlite3
db = sqlite3.connect(".dsv/catalog.db")
db.execute("DELETE FROM outbox")
db.commit()
print(*db.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone(),
      file=open("number", "w"))
END
	dsv -13 fsck --rebuild
	tag -q small
	run -0 tail -n 1 .dsv/journal
	[ "${output%% *}" -gt "$(cat number)" ]
}

# Print a journal line as an enemy may write it, with its hash: line SEQ JSON
line() {
	printf '%s %s %s\n' "$1" \
		"$(printf '%s %s' "$1" "$2" | sha256sum | cut -d' ' -f1)" "$2"
}

@test "names from the journal are believed only if they are valid" {
	n=$(tail -n 1 .dsv/journal | cut -d' ' -f1)
	for op in '"name":"../../x","op":"branch","head":""' \
		'"from":"main","to":"HEAD","op":"branch-rename"' \
		'"name":"a\u001b[2J","op":"scope-open"' \
		'"name":"-rf","op":"name","state":"'"$first"'"'; do
		n=$((n + 1))
		line "$n" '{"ops":[{'"$op"'}],"time":1}' >>.dsv/journal
	done
	dsv fsck --rebuild
	run -0 grep -c "not a valid\|called HEAD" <<<"$output"
	assert "$output" 4
	dump >after
	diff before after
}

@test "a branch on a pruned state steps back as its prune would move it" {
	id=$(sed -n 4p ids)
	alive=$(sed -n 2p ids)
	n=$(tail -n 1 .dsv/journal | cut -d' ' -f1)
	line $((n + 1)) '{"ops":[{"head":"'"$id"'","name":"x","op":"branch"}],"time":1}' \
		>>.dsv/journal
	sqlite3 .dsv/catalog.db "INSERT INTO branch (name, head) SELECT 'x', seq
		FROM state WHERE hex(id) = upper('$id'); UPDATE meta SET value =
		value + 1 WHERE key = 'seq'"
	dsv -13 fsck
	[[ $output == *"branch x: its head is a pruned state"* ]]
	dsv fsck --repair
	dsv rev-parse x
	assert "$output" "$alive"
	dsv fsck --rebuild
	dsv rev-parse x
	assert "$output" "$alive"
	dsv fsck
}

@test "a process that waits for a state sees the new catalog" {
	"$program" wait --for 'found = 1' --timeout 20s >waiting 2>&1 3>&- &
	waiter=$!
	sleep 0.3
	dsv fsck --rebuild
	dsv attr "$first" found=1
	wait "$waiter"
	[[ $(cat waiting) == *"${first:0:12}"* ]]
}

@test "a catalog that merely cannot be read is not replaced" {
	mv .dsv/catalog.db old
	mkdir .dsv/catalog.db
	dsv -5 fsck --rebuild
	[[ $stderr == *"catalog.db'"*"(to do without what is in it, move it away)" ]]
	rmdir .dsv/catalog.db
	dsv fsck --rebuild
	compare
}

@test "a database without our tables is rebuilt" {
	python3 - <<'END'
import sqlite3
db = sqlite3.connect(".dsv/catalog.db")
db.execute("DROP TABLE meta")
db.commit()
END
	dsv -13 attr HEAD x=1
	dsv fsck --rebuild
	compare
}
