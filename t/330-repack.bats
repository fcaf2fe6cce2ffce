#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
#
# dsv repack: many small segments become few.

load helper

# Tag a small file N times, each in a segment of its own.
tiny_tags() {
	local i

	for ((i = 0; i < $1; i++)); do
		put f 300 "$i"
		"$program" -q tag f
	done
}

segments() { find .dsv/segments -type f ! -name '*.idx' | wc -l; }

@test "repack puts small segments into one; everything is still there" {
	repo
	tiny_tags 12
	assert "$(segments)" 12
	dsv repack
	[[ $output == "repacked 12 segments into 1, "* ]]
	assert "$(segments)" 1
	assert "$(find .dsv/segments -name '*.idx' | wc -l)" 1
	dsv fsck --data
	dsv checkout HEAD~11 out
	put f 300 0
	cmp f out/f
}

@test "repack -n changes nothing; nothing to do is not a failure" {
	repo
	dsv repack
	assert "$output" "repacked 0 segments into 0, 0 B"
	tiny_tags 3
	dsv repack -n --json
	json '(j["segments"], j["made"], j["dry_run"])'
	assert "$result" "(3, 0, True)"
	assert "$(segments)" 3
	dsv repack
	dsv repack
	assert "$output" "repacked 0 segments into 0, 0 B"
	dsv -2 repack HEAD
}

@test "a large segment stays unchanged" {
	repo
	put big 3000000
	tag big
	tiny_tags 2
	before=$(find .dsv/segments -size +2M)
	dsv repack
	assert "$(find .dsv/segments -size +2M)" "$before"
	dsv fsck --data
}

@test "what is pruned keeps its grace, and can be restored" {
	repo
	tiny_tags 4
	pruned=$("$program" rev-parse HEAD~2)
	dsv prune "$pruned"
	dsv repack
	dsv restore "$pruned"
	dsv checkout "$pruned" out
	dsv fsck --data
}

@test "a prune after a repack frees what it should" {
	repo
	tiny_tags 6
	dsv repack
	dsv prune --keep-last 1 --expire=now
	assert "$(sqlite3 .dsv/catalog.db 'SELECT count(*) FROM chunk')" 3
	dsv fsck --data
	dsv checkout HEAD out
	cmp f out/f
}

@test "a segment with wrong bytes stays, the others are repacked" {
	repo
	tiny_tags 4
	victim=$(find .dsv/segments -type f ! -name '*.idx' | head -1)
	chmod u+w "$victim"
	printf X | dd of="$victim" conv=notrunc status=none
	dsv repack
	[ -e "$victim" ]
	assert "$(segments)" 2
	dsv -13 fsck --data
}

@test "prune rewrites a large segment in which no holes can be punched" {
	need_strace
	repo
	put big 160000000
	tag big
	truncate -s 70000000 big
	tag big
	run -0 strace -f -o /dev/null -e trace=fallocate \
		-e inject=fallocate:error=EOPNOTSUPP \
		"$program" prune --expire=now HEAD~1
	[ "$(du -sm .dsv/segments | cut -f1)" -lt 75 ]
	dsv fsck --data
	dsv checkout HEAD out
	cmp big out/big
}

@test "simultaneous tags and repacks lose nothing" {
	repo
	(
		for ((n = 0; n < 15; n++)); do
			"$program" -q repack || exit
		done
	) 3>&- &
	repacks=$!
	tiny_tags 20
	wait "$repacks"
	dsv fsck --data
	dsv repack
	dsv fsck --data
	for n in 0 7 19; do
		dsv checkout "HEAD~$n" "out$n"
		put f 300 $((19 - n))
		cmp f "out$n/f"
	done
}

@test "prune also repacks when it pays" {
	repo
	tiny_tags 270
	dsv prune --keep-last 265 --expire=now
	[ "$(segments)" -lt 20 ]
	dsv fsck --data
}
