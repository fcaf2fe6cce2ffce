#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# File systems that clone: a loop mount of each, if run as root.
bats_require_minimum_version 1.5.0

load helper
load stop

# mount_fs TYPE: go to a new file system of that type.
mount_fs() {
	local image=$BATS_TEST_TMPDIR/image

	truncate -s 600M "$image"
	if ! mkfs."$1" -q "$image" || ! mkdir -p mnt ||
	    ! mount -o loop "$image" mnt; then
		without "$1" "no $1 can be mounted here"
	fi
	mounted=$PWD/mnt
	cd mnt || return
}

teardown() {
	end_stopped
	cd /
	[ -z "${mounted:-}" ] || umount "$mounted"
}

used() {
	sync -f .
	df -B1 --output=used . | tail -n 1
}

# Write a file of large tensors; frozen ones are the same for every SEED.
model() {
	python3 - "$1" "$2" <<-'END'
		import json, random, struct, sys
		name, seed = sys.argv[1], int(sys.argv[2])
		size, header, body = 8 << 20, {}, []
		for i in range(8):
		    header[f"w{i}"] = {"dtype": "F32", "shape": [size // 4],
		        "data_offsets": [i * size, (i + 1) * size]}
		    body.append(random.Random(i if i < 6 else 100 * seed + i)
		        .randbytes(size))
		text = json.dumps(header).encode()
		text += b" " * (-len(text) % 8)
		with open(name, "wb") as f:
		    f.write(struct.pack("<Q", len(text)) + text + b"".join(body))
	END
}

check_fs() {
	local before after

	mount_fs "$1"
	repo
	model m 1
	before=$(used)
	tag m
	after=$(used)
	# A clone shares its 64 MiB with the file.
	[ $((after - before)) -lt 8000000 ]
	dsv fsck --data

	# Six of eight tensors are known: their places are holes.
	model m2 2
	mv m2 m
	tag m
	dsv fsck --data
	dsv status --json
	json 'j["stored"] < 90 << 20'
	assert "$result" True

	before=$(used)
	dsv checkout --link reflink HEAD out
	after=$(used)
	cmp m out/m
	[ $((after - before)) -lt 8000000 ]

	# What is freed does not change what was cloned.
	dsv prune --expire=now HEAD~1
	cmp m out/m
	dsv fsck --data
	dsv checkout --link copy HEAD copy
	cmp m copy/m
}

@test "on XFS states are cloned in and out" {
	check_fs xfs
}

@test "a reflink of a state that is freed is right or fails as a whole" {
	local call

	may_stop
	mount_fs xfs
	repo
	dsv config prune.headGrace 0s
	for call in 'open:*/.dsv-tmp-*' 'rename:*/there/big'; do
		put big 3000000 "$call"
		tag big
		cp big right
		put big 3000000 other
		dsv tag big
		stopped "$call" -- checkout --link reflink "$id" there
		dsv prune --expire=now "$id"
		go_on
		echo "# $call: $status $(cat err)"
		if [ "$status" = 0 ]; then
			cmp right there/big
		else
			assert "$status" 4
			[[ $(cat err) == "dsv checkout: "*"was pruned at "* ]]
			[ ! -e there/big ]
		fi
		dsv fsck --data
		rm -rf there
	done
}

@test "on btrfs states are cloned in and out" {
	check_fs btrfs
}

@test "tag --async on a file system that clones waits for no copy" {
	mount_fs xfs
	repo
	model m 1
	cp m before
	tag --async m
	model m 2
	dsv wait "$id"
	dsv checkout --force "$id" .
	cmp before m
	dsv fsck --data
}

@test "a file that is already known leaves no segment" {
	mount_fs xfs
	repo
	model m 1
	tag m
	before=$(find .dsv/segments -size +1M | wc -l)
	cp --reflink=never m other
	tag other
	assert "$(find .dsv/segments -size +1M | wc -l)" "$before"
	dsv fsck --data
}
