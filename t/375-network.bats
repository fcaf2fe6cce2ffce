#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A simulated network file system: one directory that two FUSE mounts show, each
# with a cache of its own, and no lock that both know.
bats_require_minimum_version 1.5.0

load helper
load stop

mount_two() {
	mkdir -p back a b
	for m in a b; do
		if ! timeout 10 bindfs back "$m"; then
			without bindfs "no bindfs can be mounted here"
		fi
		mounted+=("$PWD/$m")
	done
}

setup() {
	clean_environment
	mounted=()
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
}

teardown() {
	end_stopped
	wait
	cd /
	for m in "${mounted[@]}"; do
		umount "$m" || umount -l "$m"
	done
}

@test "writers on two mounts lose nothing, and wait for no cache" {
	local i

	mount_two
	repo a
	dsv doctor --json
	json '[i["value"] for i in j if i["name"] == "guard lock"][0]'
	assert "$result" used
	json '[i["advice"] for i in j if i["name"] == "guard lock"][0]'
	assert "$result" None
	cd ..
	for i in {1..5}; do
		put "a/fa$i" 5000
		put "b/fb$i" 5000
		(cd a && exec "$program" -q tag -b "a$i" "fa$i") &
		(cd b && exec "$program" -q tag -b "b$i" "fb$i") &
	done
	wait
	sleep 1.5
	cd a
	dsv find --count
	assert "$output" 10
	dsv fsck --data
}

@test "ranks on two mounts make one state" {
	local r m

	mount_two
	repo a
	cd ..
	for r in 0 1 2 3; do
		m=a
		[ $((r % 2)) = 0 ] || m=b
		put "$m/r$r/f" 5000 "$r"
		(cd "$m" && exec timeout 30 "$program" tag --collective \
			--group g --rank "$r" --ranks 4 "r$r") >"out.$r" &
	done
	wait
	assert "$(cat out.? | sort -u | wc -l)" 1
	[[ $(cat out.0) =~ ^[0-9a-f]{64}$ ]]
	cd a
	dsv fsck --data
}

@test "a host that sees an old catalog does not write to it" {
	mount_two
	repo a
	put f
	tag f
	# The next change has been made, elsewhere.
	n=$(od -An -tu4 --endian=big -j24 -N4 .dsv/catalog.db)
	touch ".dsv/turns/$((n + 1))" ".dsv/turns/$((n + 1)).done"
	put f 200
	dsv -11 --lock-wait 1s tag f
	[[ $stderr == *"still sees what was before"* ]]
	rm ".dsv/turns/$((n + 1)).done"
	# Its maker was killed.
	dsv --lock-wait 1s tag f
	dsv fsck --data
}

@test "a host that sees an old catalog does not take a killed maker's turn" {
	mount_two
	repo a
	put f
	tag f
	cp .dsv/catalog.db ../old
	n=$(od -An -tu4 --endian=big -j24 -N4 .dsv/catalog.db)
	put f 200
	tag f
	# Its maker was killed after the commit, and the next writer saw that.
	rm ".dsv/turns/$((n + 1)).done"
	put f 300
	tag f
	[ -e ".dsv/turns/$((n + 1)).done" ]
	cat ../old >.dsv/catalog.db
	dsv -11 --lock-wait 1s tag f
	[[ $stderr == *"(only then remove '$PWD/.dsv/turns')" ]]
	rm -r .dsv/turns
	dsv branch x
}

@test "a host that sees a catalog from before a rebuild does not write" {
	mount_two
	repo a
	put f
	tag f
	tag f
	cp .dsv/catalog.db ../old
	dsv fsck --rebuild
	tag f
	cp .dsv/catalog.db ../new
	cat ../old >.dsv/catalog.db
	dsv -11 --lock-wait 1s tag f
	cat ../new >.dsv/catalog.db
	tag f
	dsv find --count
	assert "$output" 4
	dsv fsck --data
}

@test "a migration waits for its turn like every writer" {
	local next=$BATS_TEST_DIRNAME/../build/t/dsv-next

	[ -x "$next" ] || skip "build/t/dsv-next is missing: make tests"
	mount_two
	repo a
	put f
	tag f
	n=$(od -An -tu4 --endian=big -j24 -N4 .dsv/catalog.db)
	touch ".dsv/turns/$((n + 1))" ".dsv/turns/$((n + 1)).done"
	run -11 "$next" --lock-wait 1s log
	[[ $output == *"still sees what was before"* ]]
	rm ".dsv/turns/$((n + 1))"*
	run -0 "$next" log
	[ -e ".dsv/turns/$((n + 1)).done" ]
	run -0 "$next" fsck --data
	dsv -10 log
	[[ $stderr == *"was made by a newer dsv"* ]]
}

@test "fsck does not mistake what another host is changing for damage" {
	local i writers=()

	mount_two
	repo a
	for i in 1 2; do
		mkdir "../b/w$i"
		(cd "../b/w$i" && for n in {1..40}; do
			head -c 30000 /dev/urandom >f &&
				"$program" -q tag -b "x$i" . >/dev/null
		done) &
		writers+=($!)
	done
	(cd ../b && while kill -0 "${writers[@]}"; do
		"$program" -q prune --expire=now --keep-last=2
		sleep 0.2
	done) >/dev/null 2>&1 &
	while kill -0 "${writers[@]}" 2>/dev/null; do
		dsv -q fsck --data --repair
	done
	wait
	dsv fsck --data
}

@test "the journal of a killed writer is rolled back after five seconds" {
	local start

	may_stop
	mount_two
	repo a
	put f
	tag f
	stopped 'write:*/catalog.db' -- -q attr HEAD n=1
	kill -KILL "$stopped"
	wait "$pid" || :
	start=$SECONDS
	dsv log
	# Not earlier: the host may remember a journal that a commit has ended.
	[ $((SECONDS - start)) -ge 5 ]
	dsv attr HEAD n=2
	dsv fsck --data
}

@test "what the kernel remembers of the catalog is dropped before it is read" {
	need_strace
	mount_two
	repo a
	put f
	tag f
	strace -y -e trace=fadvise64 -o ../trace "$program" log >/dev/null
	grep -q 'catalog.db>, 0, 0, POSIX_FADV_DONTNEED' ../trace
}

@test "a kill, a power cut and a rebuild lose nothing on FUSE" {
	may_stop
	mount_two
	run -0 python3 "$BATS_TEST_DIRNAME/fault/run.py" --dir "$PWD/a" \
		--places 2 --op tag --op rebuild --mode kill --mode lose
	[[ $output == *" 0 not survived"* ]]
}

@test "names for changes need no more files after 256 of them" {
	local i

	mount_two
	repo a
	put f
	tag f
	for ((i = 0; i < 260; i++)); do
		"$program" -q attr HEAD "n=$i" || return
	done
	assert "$(find .dsv/turns -type f | wc -l)" 512
	stopped 'write:*/catalog.db' -- -q attr HEAD n=1
	[ "$(find .dsv/turns -type f | wc -l)" -le 511 ]
	go_on
	assert "$status" 0
}

@test "a file of the queue that somebody is reading is still removed" {
	mount_two
	repo a
	dsv config queue.auto false
	put d/f
	dsv tag --async d
	exec 7<"$(find .dsv/queue -name f)"
	"$program" queue --run >out 2>&1 7<&- &
	sleep 0.3
	exec 7<&-
	wait $!
	assert "$(cat out)" "stored 1 state"
	assert "$(find .dsv/queue -type f)" "$(find .dsv/queue -name lock)"
}
