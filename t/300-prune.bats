#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv prune: what is removed, what is kept, and what is freed.
# shellcheck disable=SC2154

load helper

teardown() {
	umount "$BATS_TEST_TMPDIR/work/disk" 2>/dev/null || true
}

# Make a state: its message, then options.  Its file is as large as it is new.
state() {
	put data 300000 "$1"
	tag -q -m "$@" data
}

# Print the messages of the live states, oldest first.
live() {
	"$program" find --sort created --format '%(message)' | xargs
}

states() {
	local i

	repo
	dsv config prune.headGrace 0s
	for i in $(seq "$1"); do
		state "s$i" -a "acc=0.$i" -a "step=$i"
	done
}

@test "prune --keep-last keeps the newest, and the records of all" {
	states 4
	dsv prune --keep-last 2
	assert "$(live)" "s3 s4"
	dsv find --pruned --count
	assert "$output" 4
	dsv fsck --data
}

@test "prune -n says the same and changes nothing" {
	states 3
	dsv prune -n --keep-last 1 --json
	json '[s["action"] for s in j["states"]]'
	assert "$result" "['keep', 'remove', 'remove']"
	json 'j["freed_later"] > 600000 and j["freed_now"] == 0'
	assert "$result" True
	assert "$(live)" "s1 s2 s3"
	dsv prune --keep-last 1 --json
	json '[s["action"] for s in j["states"]]'
	assert "$result" "['keep', 'remove', 'remove']"
}

@test "prune -n and prune agree about the bytes" {
	states 4
	dsv prune -n --keep-last 1 --json
	json 'j["freed_later"]'
	foreseen=$result
	dsv prune --keep-last 1 --json
	json 'j["freed_later"]'
	assert "$result" "$foreseen"
}

@test "prune without a rule is refused" {
	states 2
	dsv -14 prune
	[[ $stderr == *"no rule says what to keep"*"--unsafe-allow-remove-all"* ]]
	assert "$(live)" "s1 s2"
}

@test "a group that would become empty is refused, unless you insist" {
	states 2
	dsv -14 prune --keep-where 'attr.acc > 5'
	[[ $stderr == *"no state of branch main would be left"* ]]
	assert "$(live)" "s1 s2"
	dsv prune --keep-where 'attr.acc > 5' --unsafe-allow-remove-all
	assert "$(live)" ""
	dsv fsck
}

@test "prune --keep-best keeps the best of each branch" {
	states 3
	state w1 -b wide -a acc=0.9
	state w2 -b wide -a acc=0.8
	dsv prune --keep-best max:acc:1
	assert "$(live)" "s3 w1"
}

@test "a branch without the key of --keep-best is left alone: exit 3" {
	states 2
	state w1 -b wide
	state w2 -b wide
	dsv -3 prune --keep-best max:acc:1 --json
	json 'j["left_alone"]'
	assert "$result" "['branch wide']"
	assert "$(live)" "s2 w1 w2"
}

@test "if no state has the key of a rule, the prune is refused" {
	states 2
	dsv -14 prune --keep-best max:ac:1
	[[ $stderr == *"has a numeric attribute 'ac'"*"nothing was removed"* ]]
	dsv -14 prune --keep-last 1 --keep-every stepp:2
	assert "$(live)" "s1 s2"
}

@test "a malformed rule is a usage error" {
	states 1
	dsv -2 prune --keep-best acc:1
	dsv -2 prune --keep-every step:x
	dsv -2 prune --keep-where 'attr.acc >'
	dsv -2 prune --group-by author --keep-last 1
	dsv -4 prune --keep-last 1 --branch none
	dsv -4 prune --keep-last 1 --scope none
}

@test "rules are ORed" {
	states 5
	dsv prune --keep-last 1 --keep-best min:acc:1 --keep-every step:3
	assert "$(live)" "s1 s3 s5"
}

@test "pinned, named states and those of an open scope are kept" {
	states 6
	dsv find --sort created
	mapfile -t ids <<<"$output"
	dsv pin "${ids[0]}"
	dsv name golden "${ids[1]}"
	dsv scope open warmup
	dsv scope add warmup "${ids[2]}"
	dsv prune --keep-last 1
	assert "$(live)" "s1 s2 s3 s6"
	dsv scope close warmup
	dsv prune --keep-last 1
	assert "$(live)" "s1 s2 s6"
}

@test "kept states count" {
	states 4
	dsv pin HEAD
	dsv prune --keep-last 2
	assert "$(live)" "s3 s4"
}

@test "forks are neither counted nor removed" {
	states 2
	dsv fork HEAD -b side
	dsv prune --keep-last 1
	assert "$(live)" "s2"
	dsv find 'kind = "fork"' --count
	assert "$output" 1
}

@test "the head of a young branch is kept" {
	states 3
	dsv config --unset prune.headGrace
	dsv prune --keep-where 'attr.step = 1'
	assert "$(live)" "s1 s3"
}

@test "prune --out-of-scope keeps what is in no scope or in an open one" {
	states 2
	state in -s phase
	state also -s other
	state last
	dsv scope close phase
	dsv prune --out-of-scope
	assert "$(live)" "s1 s2 also last"
}

@test "a state in several scopes stays if one of its groups keeps it" {
	repo
	dsv config prune.headGrace 0s
	state a1 -s a
	state ab -s a -s b
	state a2 -s a
	dsv scope close a
	dsv scope close b
	dsv prune --keep-last 1 --group-by scope
	assert "$(live)" "ab a2"
}

@test "selection narrows what the rules see" {
	states 4
	dsv prune --where 'attr.step <= 2' --keep-last 1
	assert "$(live)" "s2 s3 s4"
	state w1 -b wide
	state w2 -b wide
	dsv prune --branch wide --keep-last 1
	assert "$(live)" "s2 s3 s4 w2"
	dsv prune --author nobody --keep-last 1
	assert "$(live)" "s2 s3 s4 w2"
}

@test "a policy has its rules from the configuration" {
	states 5
	dsv config prune.nightly.keep-last 2
	dsv config prune.nightly.keep-best max:acc:1
	dsv prune --policy nightly
	assert "$(live)" "s4 s5"
	dsv -4 prune --policy weekly
}

@test "--keep-within of nothing exits 2 and removes nothing" {
	states 2
	dsv -2 prune --keep-within 0s
	assert "$stderr" "dsv prune: --keep-within: must be longer than 0s"
	dsv config prune.p.keep-within 0d
	dsv -2 prune --policy p
	[[ $stderr == *"keep-within"*"must be longer than 0s"* ]]
}

@test "a policy with a mistyped key removes nothing and names the nearest" {
	states 3
	printf '[prune "night"]\n\tkeep-lats = 1\n' >>.dsv/config
	dsv -2 prune --policy night
	[[ $stderr == *"has no rule 'keep-lats'"*"did you mean 'keep-last'"* ]]
	assert "$(live)" "s1 s2 s3"
	dsv config prune.night2.keep-last many
	dsv -2 prune --policy night2
	assert "$(live)" "s1 s2 s3"
}

@test "a mistyped grace removes nothing and names the nearest" {
	states 2
	for key in grase headgrac keep-last; do
		dsv config "prune.$key" 30d
		dsv -2 prune HEAD
		[[ $stderr == "dsv prune: there is no prune.$key (in '"*"'); "*"nothing was removed" ]]
		dsv -2 prune --keep-last 1 --expire=now
		dsv config --unset "prune.$key"
	done
	dsv config prune.grase 30d
	dsv -2 prune HEAD
	[[ $stderr == *"; did you mean 'grace'? nothing was removed" ]]
	assert "$(live)" "s1 s2"
}

@test "prune REV removes exactly these, and the head steps back" {
	states 4
	dsv prune HEAD HEAD~2
	assert "$(live)" "s1 s3"
	dsv log -n 1 --format '%(message)'
	assert "$output" s3
	dsv -4 checkout main~1 out
	[[ $stderr == *pruned* ]]
}

@test "states and rules together are a usage error" {
	states 2
	dsv -2 prune --keep-last 1 HEAD
}

@test "a pinned state is not pruned by hand either" {
	states 2
	dsv pin HEAD
	dsv -14 prune HEAD
	[[ $stderr == *"is pinned"*unpin* ]]
	dsv unpin HEAD
	dsv prune HEAD
	assert "$(live)" "s1"
}

@test "prune --expire=now frees the bytes at once, and only those" {
	states 3
	before=$(du -s .dsv/segments | cut -f1)
	dsv prune --expire=now HEAD~1 --json
	json 'j["freed_now"] >= 290000 and j["freed_later"] == 0'
	assert "$result" True
	after=$(du -s .dsv/segments | cut -f1)
	[ $((before - after)) -ge 290 ]
	dsv fsck --data
	dsv checkout -q HEAD out
	cmp out/data data
}

@test "bytes that another state has stay" {
	repo
	put a 2000000
	put b 2000000
	tag a b
	first=$id
	put c 2000000
	tag a c
	dsv prune --expire=now "$first"
	dsv fsck --data
	dsv checkout -q HEAD out
	cmp out/a a
	cmp out/c c
	[ "$(du -s .dsv/segments | cut -f1)" -lt 4500 ]
}

@test "what is freed is stored again as new" {
	states 2
	dsv prune --expire=now HEAD~1
	state s1
	dsv fsck --data
	dsv checkout -q HEAD out
	cmp out/data data
}

@test "a chunk that is condemned comes back with a new state" {
	states 2
	dsv prune HEAD~1
	state s1
	dsv config prune.grace 0s
	dsv prune --keep-last 9
	dsv fsck --data
	dsv checkout -q HEAD out
	cmp out/data data
}

@test "bytes are freed when the grace is over, by the next prune" {
	states 2
	dsv prune HEAD~1
	dsv prune --keep-last 9 --json
	json 'j["freed_now"]'
	assert "$result" 0
	dsv config prune.grace 0s
	dsv prune --keep-last 9 --json
	json 'j["freed_now"] >= 290000'
	assert "$result" True
	dsv fsck --data
}

@test "prune --forget keeps the lineage connected" {
	states 3
	dsv rev-parse HEAD~2
	oldest=$output
	dsv rev-parse HEAD~1
	middle=$output
	dsv prune --forget HEAD~1
	dsv log --format '%(message) %(parents)'
	assert "${lines[0]}" "s3 $oldest"
	assert "${#lines[@]}" 2
	[ ! -e ".dsv/states/${middle:0:2}/$middle" ]
	dsv find --pruned --count
	assert "$output" 2
	dsv fsck
}

@test "a state that a waiting job holds is kept" {
	states 3
	dsv job prepare --fork HEAD~1
	dsv prune --keep-last 1
	assert "$(live)" "s2 s3"
	dsv -14 prune HEAD~1
	[[ $stderr == *"held by a waiting or running job"* ]]
}

@test "prune by rules with nothing to remove is fine" {
	states 1
	dsv prune --keep-last 3
	repo ../empty
	dsv prune --keep-last 3
}

@test "--expire=now also ends the grace of earlier prunes" {
	states 3
	dsv rev-parse HEAD~1
	middle=$output
	dsv prune "$middle" HEAD~2
	dsv prune --expire=now "$middle" --json
	json 'j["freed_now"] >= 290000 and j["freed_later"] == 0'
	assert "$result" True
	dsv -4 restore "$middle"
	dsv restore HEAD~2
	dsv fsck --data
}

@test "a full disk can be pruned" {
	mkdir disk
	mount -t tmpfs -o size=8m tmpfs disk 2>/dev/null || without root "no mount"
	repo disk
	dsv config prune.headGrace 0s
	put ../data 2500000 one
	tag -q ../data
	put ../data 2500000 two
	tag -q ../data
	dd if=/dev/zero of=fill bs=4k 2>/dev/null || true
	put ../data 2500000 three
	dsv -15 tag ../data
	dsv prune --keep-last 1 --expire=now
	dsv fsck --data
	rm fill
	tag -q ../data
	dsv fsck --data
	cd ..
	umount disk
}

@test "an interrupted prune is finished by the next command" {
	states 4
	for point in 1 2 3 4 5 6 8 10 12 15 20; do
		state "x$point"
		timeout -s KILL "0.0$((point + 10))" "$program" prune \
			--expire=now --keep-last 1 >/dev/null 2>&1 || true
		dsv prune --keep-last 1 --expire=now
		dsv fsck --data
	done
	dsv config prune.grace 0s
	dsv prune --keep-last 1
	[ "$(du -s .dsv/segments | cut -f1)" -lt 400 ]
}

@test "bytes that a prune frees under a reader: exit 4, pruned" {
	repo
	put data 8000000
	tag -q data
	mkfifo pipe
	DSV_LOCK_WAIT=5s "$program" cat HEAD:data >pipe 2>error &
	reader=$!
	exec 7<pipe
	head -c 1000 <&7 >/dev/null
	"$program" prune -q --expire=now HEAD
	cat <&7 >/dev/null
	exec 7<&-
	wait "$reader" || status=$?
	assert "$status" 4
	[[ $(<error) == "dsv cat: state ${id:0:12} was pruned at "*" (by hand)" ]]
	dsv fsck --data
}

@test "what is pruned by hand is reported as such" {
	repo
	put data
	tag -q data
	dsv prune --json -n HEAD
	json '[s["reasons"] for s in j["states"]]'
	assert "$result" "[['by hand']]"
}

@test "-q says nothing but what -n would do" {
	repo
	put f 10
	for n in 1 2 3; do
		tag f -m "$n"
	done
	dsv prune -n -q --keep-last 2
	[[ $output == *"would remove 1 state of 3"* ]]
	dsv prune -q --keep-last 2
	assert "$output" ""
	dsv prune --keep-last 1
	[[ $output == "removed 1 state of 2"* ]]
}
