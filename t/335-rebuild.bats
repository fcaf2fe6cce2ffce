#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv fsck --rebuild: the catalog made anew says what it said.
# shellcheck disable=SC2154

load helper

# All that dsv tells of the repository.
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
	dump >before
}

compare() {
	dump >after
	diff before after
}

@test "the rebuilt catalog compares equal, the old one is moved aside" {
	cp .dsv/catalog.db old
	dsv fsck --rebuild
	cmp old .dsv/catalog.db.damaged-*[0-9]
	compare
	dsv fsck --data
}

@test "a missing catalog is made anew" {
	rm .dsv/catalog.db
	dsv fsck --rebuild
	compare
	tag -q big
	dsv fsck --data
}

@test "a catalog of garbage is made anew, and kept" {
	printf 'garbage, no database' >.dsv/catalog.db
	dsv -13 log
	dsv fsck --rebuild
	compare
	assert "$(cat .dsv/catalog.db.damaged-*[0-9])" "garbage, no database"
}

@test "torn and repeated lines of the journal are passed over" {
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
