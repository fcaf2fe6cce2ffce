#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input gets a clear line and the right exit status, and changes nothing

load helper

setup() {
	clean_environment
	mkdir -p "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	mounts=()
}

teardown() {
	local mount

	for mount in "${mounts[@]}"; do
		umount -l "$mount"
	done
}

# Print the states, and require that nothing of a failed attempt is visible.
intact() {
	dsv find --count
	assert "$output" "$1"
	dsv fsck --data
}

@test "a state that does not exist exits 4 in every command" {
	repo
	put f
	tag f
	for command in show log checkout fork params prev next rev-parse \
	    'branch b' 'name n' 'scope add s' 'pin' 'attr' 'prune' 'restore'; do
		# shellcheck disable=SC2086
		dsv -4 $command nope
		[[ $stderr == "dsv "*"'nope'"* ]]
		assert "$output" ""
	done
	dsv -4 show 0123456789abcdef
	dsv -4 show "${id:0:63}$([ "${id:63}" = 0 ] && echo 1 || echo 0)"
	dsv -4 merge-base HEAD nope
	dsv -4 cat nope:f
	dsv -4 tag f --parent nope
	intact 1
	dsv name
	assert "$output" ""
}

@test "an ambiguous prefix exits 4 and says so" {
	local i prefix

	repo
	put f
	for i in {1..12}; do "$program" tag f >/dev/null; done
	"$program" find --format '%(id)' >ids
	# No prefix of 4 is shared by chance, so ask for one of 3.
	prefix=$(cut -c1-3 ids | head -n1)
	dsv -4 show "$prefix"
	# Two that share eight digits would take for ever, so make them.
	prefix=$(head -n1 ids | cut -c1-8)
	python3 - "$prefix" <<-'END'
		import sqlite3, sys
		db = sqlite3.connect(".dsv/catalog.db")
		seq, id = db.execute("SELECT seq, id FROM state WHERE seq ="
		    " (SELECT max(seq) - 1 FROM state)").fetchone()
		db.execute("UPDATE state SET id = ? WHERE seq = ?",
		    (bytes.fromhex(sys.argv[1]) + id[4:], seq))
		db.commit()
	END
	dsv -4 show "$prefix"
	[[ $stderr == *"ambiguous"* ]]
}

@test "a branch name with a space or .. exits 2" {
	repo
	put f
	tag f
	for name in 'a b' a..b; do
		dsv -2 branch "$name"
		dsv -2 tag f -b "$name"
		dsv -2 fork HEAD -b "$name"
		dsv -2 branch -m main "$name"
		DSV_BRANCH=$name dsv -2 tag f
	done
	dsv branch
	assert "$output" "* main"
	intact 1
}

@test "a file that vanishes while it is tagged is named; nothing is tagged" {
	repo
	mkdir d
	put d/a
	put d/b
	make_shim 'unlink("d/b")'
	LD_PRELOAD=$PWD/shim.so dsv -5 tag d
	assert "$stderr" "dsv tag: read 'd/b': No such file or directory"
	intact 0
}

# Run CODE when a file is first opened for its first read.
make_shim() {
	[ -n "${DSV_BUILD:-}" ] && skip "not with a sanitizer"
	cat >shim.c <<EOF
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static int done;
ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	ssize_t (*real)(int, void *, size_t, off_t) =
		(ssize_t (*)(int, void *, size_t, off_t))
		dlsym(RTLD_NEXT, "pread64");
	char path[64], to[4096];
	ssize_t n;

	sprintf(path, "/proc/self/fd/%d", fd);
	n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = 0;
	if (!done && strstr(to, "/work/d/a")) {
		done = 1;
		$1;
	}
	return real(fd, buf, len, at);
}
EOF
	cc -shared -fPIC -D_FILE_OFFSET_BITS=64 -Wno-unused-result \
	    -U_FORTIFY_SOURCE -o shim.so shim.c -ldl
}

# It is open for writing all the time: under a lease of ours the shim would
# wait for itself.
@test "a file that gets shorter while it is tagged is named; nothing is tagged" {
	repo
	mkdir d
	put d/b
	put d/a 3000000
	make_shim 'truncate("d/a", 5)'
	exec 4>>d/a
	LD_PRELOAD=$PWD/shim.so dsv -5 tag d
	exec 4>&-
	assert "$stderr" "dsv tag: 'd/a' changed while it was read"
	intact 0
	tag d
	dsv checkout HEAD out
	diff -r d out/d
}

@test "an unreadable file or directory is named; nothing is tagged" {
	repo
	put d/a
	put d/secret
	chmod 0 d/secret
	ordinary_user
	dsv -5 tag d
	assert "$stderr" "dsv tag: read 'd/secret': Permission denied"
	intact 0
	chmod 600 d/secret
	chmod 0 d
	dsv -5 tag d
	[[ $stderr == "dsv tag: "*"'d"*": Permission denied" ]]
	chmod 700 d
	tag d
}

@test "truncated safetensors are stored byte for byte, as opaque" {
	local n

	repo
	mkdir d
	python3 - <<'EOF'
import json, struct
head = json.dumps({"w": {"dtype": "F32", "shape": [1000, 1000],
    "data_offsets": [0, 4000000]}}).encode()
data = struct.pack("<Q", len(head)) + head + bytes(range(250)) * 16000
for n in (0, 1, 7, 8, 20, len(head) + 8, 2000000, len(data) - 1, len(data)):
    open(f"d/{n}.safetensors", "wb").write(data[:n])
EOF
	tag d
	dsv checkout HEAD out
	diff -r d out/d
	dsv show --tensors --json
	json '[t["name"] for t in j["tensors"]]'
	assert "$result" "['w']"
}

# Make files whose headers claim more than there is, one of each format.
claim() {
	python3 - "$1" <<-'END'
	import json, os, struct, sys, zipfile
	top = sys.argv[1]
	def put(name, *parts, size=0):
	    with open(os.path.join(top, name), "wb") as f:
	        for p in parts: f.write(p)
	        if size: f.truncate(size)
	def tensors(items):
	    h = json.dumps(items).encode()
	    return struct.pack("<Q", len(h)) + h
	u8 = lambda a, b: {"dtype": "U8", "shape": [b - a], "data_offsets": [a, b]}
	put("4g.safetensors", struct.pack("<Q", 4 << 30), b"{", size=5 << 30)
	put("deep.safetensors", struct.pack("<Q", 9 << 20), b'{"a":' + b"[" * (9 << 20))
	put("many.safetensors", tensors({str(i): u8(0, 0) for i in range(400000)}))
	put("over.safetensors", tensors({str(i): u8(0, 1 << 20) for i in range(9)}), size=2 << 20)
	put("huge.safetensors", tensors({"a": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 1 << 62]}}))
	put("a.gguf", b"GGUF", struct.pack("<IQQ", 3, 10000000, 0), size=1 << 20)
	put("b.gguf", b"GGUF", struct.pack("<IQQQ", 3, 1, 1, 1 << 63), size=1 << 20)
	npy = b"\x93NUMPY\x02\x00"
	put("4g.npy", npy, struct.pack("<I", 0xffffffff), b"{", size=5 << 30)
	h = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }\n" % (1 << 62, 1 << 62)
	put("shape.npy", npy, struct.pack("<I", len(h)), h)
	# A directory of 10 million entries, of 4 GiB; entries that overlap.
	end = lambda n, size, at: struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, n, n, size, at, 0)
	put("many.pt", b"PK\x03\x04" + bytes(60), end(0xffff, 0xffffffff, 0))
	put("zip64.pt", b"PK\x03\x04" + bytes(60), struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 10000000, 10000000, 4 << 30, 0), struct.pack("<4sIQI", b"PK\x06\x07", 0, 64, 1), end(0xffff, 0xffffffff, 0xffffffff))
	with zipfile.ZipFile(os.path.join(top, "bomb.pt"), "w") as z:
	    z.writestr("a/data.pkl", b"\x80\x02" + b"(" * 1000000 + b"]" * 1000000 + b".")
	    z.writestr("a/data/0", bytes(100))
	with zipfile.ZipFile(os.path.join(top, "long.pt"), "w") as z:
	    z.writestr("a/data.pkl", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".")
	    z.writestr("a/data/0", bytes(100))
	# A correct array beside one that claims too much; the same directories.
	def npz(name, *arrays):
	    with zipfile.ZipFile(os.path.join(top, name), "w") as z:
	        for i, a in enumerate(arrays): z.writestr(f"{i}.npy", a)
	one = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n"
	right = npy + struct.pack("<I", len(one)) + one + b"x"
	npz("4g.npz", right, npy + struct.pack("<I", 0xffffffff) + b"{")
	npz("shape.npz", right, npy + struct.pack("<I", len(h)) + h)
	npz("over.npz", *[right] * 9)
	with open(os.path.join(top, "over.npz"), "r+b") as f:
	    b = f.read()
	    at = b.index(b"PK\x01\x02")
	    for _ in range(9):
	        f.seek(at + 42)
	        f.write(struct.pack("<I", 0))
	        at = b.find(b"PK\x01\x02", at + 4)
	for name in "many", "zip64":
	    with open(os.path.join(top, name + ".pt"), "rb") as f: put(name + ".npz", f.read())
	END
}

@test "headers that claim too much cost neither memory nor time" {
	repo
	mkdir d
	claim d
	# A sanitizer needs terabytes of addresses.
	grep -q __asan_init "$program" || ulimit -v 300000
	timeout 20 "$program" -q tag d
	timeout 20 "$program" show --tensors
	dsv checkout --path '*.pt' --path '*.npz' --path '[mo]*.safetensors' \
	    HEAD out
	for file in {many,over}.safetensors {bomb,zip64}.pt \
	    {4g,shape,over,many,zip64}.npz; do
		cmp "d/$file" "out/d/$file"
	done
}

@test "a newer format exits 10" {
	repo
	put f
	tag f
	sed -i 's/^dsv-repository .*/dsv-repository 2/' .dsv/format
	dsv -10 log
	assert "$stderr" "dsv log: '$PWD/.dsv/format' has format 2, this dsv\
 knows 1: use a newer one"
	dsv -10 tag f
}

@test "an unknown incompatible feature exits 10, a compatible one does not" {
	repo
	put f
	sed -i 's/^incompatible.*/incompatible warp/' .dsv/format
	dsv -10 tag f
	assert "$stderr" "dsv tag: '$PWD/.dsv/format' needs the feature 'warp',\
 unknown to this dsv: use a newer one"
	sed -i 's/^incompatible.*/incompatible/; s/^compatible.*/compatible x/' \
	    .dsv/format
	tag f
}

@test "a catalog of a newer dsv exits 10" {
	repo
	python3 - <<'EOF'
import sqlite3
c = sqlite3.connect(".dsv/catalog.db")
c.execute("PRAGMA user_version = 1000000")
EOF
	dsv -10 log
	[[ $stderr == "dsv log: "*newer* ]]
}

@test "a file that is not a catalog exits 13" {
	repo
	seq 10000 >.dsv/catalog.db
	dsv -13 log
	[[ $stderr == "dsv log: "*"catalog.db"* ]]
}

@test "another owner's repository exits 14 until it is trusted" {
	[ "$EUID" = 0 ] || without root "needs root"
	repo
	put f
	tag f
	ordinary_user
	chown -R 0 .dsv
	dsv -14 log
	assert "$stderr" "dsv log: repository '$PWD/.dsv' belongs to another\
 user (to trust it: dsv config --user safe.repository '$PWD/.dsv')"
	dsv config --user safe.repository "$PWD/.dsv"
	dsv log --oneline
	assert "${#lines[@]}" 1
	dsv config --user --unset safe.repository
	as=()
	chown -R 65534 .dsv
	dsv -14 log
	dsv config --user safe.repository "$PWD"
	dsv log
	dsv config --user safe.repository "$PWD/other"
	dsv -14 log
	dsv config --user safe.repository '*'
	dsv log
}

@test "a repository cannot declare itself safe" {
	[ "$EUID" = 0 ] || without root "needs root"
	repo
	printf '[safe]\nrepository = *\n' >.dsv/config
	chown -R 65534 .dsv
	dsv -14 log
}

# Run everything that only reads.
reading() {
	local command

	for command in log show 'find attr.acc>0' 'rev-parse HEAD' 'prev HEAD' \
	    'next HEAD~1' 'merge-base HEAD HEAD~1' 'cat HEAD:f' branch name \
	    'scope list' 'attr HEAD' params status du 'config --list' \
	    'job list' 'log --graph --all --json' 'prune -n --keep-last 1' \
	    fsck 'checkout HEAD '"$BATS_TEST_TMPDIR/out"; do
		# shellcheck disable=SC2086
		dsv $command
		assert "$stderr" "" || [[ $command == checkout* ]] ||
		    [[ $command == prune* ]]
		rm -rf "$BATS_TEST_TMPDIR/out"
	done
}

@test "in a repository without write permission everything that reads works" {
	repo
	put f
	tag f -a acc=1
	tag f
	ordinary_user
	chmod -R a-w .dsv
	chmod a+rwx "$BATS_TEST_TMPDIR"
	reading
	dsv -5 tag f
	[[ $stderr == "dsv tag: write '"*"': Permission denied" ]]
	dsv -5 branch x
	dsv -5 fork HEAD
	dsv -5 attr HEAD a=1
	find .dsv ! -path '*/segments/*/*' -exec chmod u+w {} +
	intact 2
}

@test "on a read-only file system everything that reads works" {
	[ "$EUID" = 0 ] || without root "needs root"
	repo
	put f
	tag f -a acc=1
	tag f
	mount --bind . . && mounts+=("$PWD") || without root "cannot mount"
	mount -o remount,ro,bind "$PWD"
	cd "$PWD"
	reading
	dsv -5 tag f
	assert "$stderr" "dsv tag: write '$PWD/.dsv': Read-only file system"
	dsv -5 branch x
	[[ $stderr == *"Read-only file system" ]]
}

@test "a full disk: exit 15, nothing half-committed; with space it works" {
	[ "$EUID" = 0 ] || without root "needs root"
	mkdir small
	mount -t tmpfs -o size=12M tmpfs small && mounts+=("$PWD/small") ||
	    without root "cannot mount"
	put f 1000
	head -c 20M /dev/urandom >large
	"$program" -q init small
	cd small
	tag ../f
	dsv -15 tag ../large
	[[ $stderr == "dsv tag: "*"No space left on device"* ]]
	intact 1
	head -c 8M /dev/urandom >ballast
	head -c 6M /dev/urandom >../medium
	dsv -15 tag ../medium
	rm ballast
	intact 1
	tag ../medium
	dsv cat HEAD:medium >/dev/null
	"$program" cat HEAD:medium | cmp - ../medium
	intact 2
}

@test "a disk that is full to the last byte: exit 15, and prune frees space" {
	[ "$EUID" = 0 ] || without root "needs root"
	mkdir small
	mount -t tmpfs -o size=12M tmpfs small && mounts+=("$PWD/small") ||
	    without root "cannot mount"
	head -c 6M /dev/urandom >a
	put f
	"$program" -q init small
	cd small
	tag ../a
	tag ../f
	dd if=/dev/zero of=ballast bs=64k 2>/dev/null || true
	head -c 200000 /dev/urandom >../g
	dsv -15 tag ../g
	dsv -15 checkout HEAD~1 out
	assert "$(ls -A out)" ""
	dsv log --oneline
	assert "${#lines[@]}" 2
	dsv prune --expire=now HEAD~1
	tag ../f
	rm ballast
	intact 2
}

@test "a checkout onto a full disk: exit 15, no half-written file" {
	[ "$EUID" = 0 ] || without root "needs root"
	repo
	head -c 6M /dev/urandom >f
	tag f
	mkdir small
	mount -t tmpfs -o size=2M tmpfs small && mounts+=("$PWD/small") ||
	    without root "cannot mount"
	dsv -15 checkout HEAD small
	assert "$(ls -A small)" ""
}

@test "damaged bytes exit 13 and write no file" {
	local segment

	repo
	put f 3000000
	tag f
	segment=$(find .dsv/segments -type f ! -name '*.idx' -size +1000k)
	chmod u+w "$segment"
	printf XXXX | dd of="$segment" bs=1 seek=1000000 conv=notrunc \
	    status=none
	dsv -13 checkout --link copy HEAD out
	[ ! -e out/f ]
	dsv -13 cat HEAD:f
	dsv -13 fsck --data
	dsv log
}

@test "a segment that is gone exits 13" {
	repo
	put f 3000000
	tag f
	find .dsv/segments -type f ! -name '*.idx' -size +1000k -delete
	dsv -13 checkout HEAD out
	dsv -13 fsck
	dsv log
}

@test "a killed tag leaves nothing visible, and the next works" {
	local pid i

	repo
	head -c 40M /dev/urandom >f
	for i in 0.02 0.05 0.1 0.15; do
		"$program" -q tag f >/dev/null 3>&- &
		pid=$!
		sleep "$i"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	dsv fsck --data
	tag f
	"$program" cat HEAD:f | cmp - f
}

@test "Ctrl-C stops a tag: exit 130, nothing tagged" {
	repo
	head -c 60M /dev/urandom >f
	run -130 --separate-stderr timeout -s INT --preserve-status 0.03 \
	    "$program" tag f
	assert "$output" ""
	intact 0
}

@test "a lock that is held too long exits 11" {
	local pid

	repo
	put f
	python3 -c '
import sqlite3, time
c = sqlite3.connect(".dsv/catalog.db", isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("held", "w").close()
time.sleep(20)' 3>&- &
	pid=$!
	until [ -e held ]; do sleep 0.02; done
	dsv -11 --lock-wait 100ms tag f || dsv -11 tag --lock-wait 100ms f
	dsv log -h
	kill "$pid"
	wait "$pid" || true
	tag f
}

@test "a file larger than ulimit -f allows is an error and kills nothing" {
	repo
	put big 200000
	run -5 --separate-stderr bash -c "ulimit -f 50; '$program' tag big"
	[[ $stderr == "dsv tag: "*": File too large" ]]
	dsv fsck
	dsv tag big
}

@test "too few file descriptors are told as that, and harm nothing" {
	repo
	put f
	tag f
	for limit in 5 6 7 8 9; do
		for command in 'tag f' 'checkout HEAD out' log fsck repack \
			'fsck --rebuild'; do
			rm -rf out
			# shellcheck disable=SC2086
			run bash -c "exec >/dev/null 2>err 3>&- 4>&-; ulimit -n $limit; exec $program $command"
			output=$(<err)
			[ "$status" = 0 ] || [[ $status == 5 && $output == *"Too many open files"* ]]
		done
	done
	dsv fsck --data
}
