#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# dsv tag

load helper

paths() {
	dsv show --json "${1:-HEAD}"
	json '" ".join(e["path"] for e in j["entries"])'
}

@test "tag prints the full id, which is HEAD" {
	repo
	put f
	tag f -m first
	dsv rev-parse HEAD main "${id:0:12}"
	assert "$output" "$id"$'\n'"$id"$'\n'"$id"
	dsv -2 tag
	assert "$stderr" "dsv tag: missing operand; see 'dsv tag -h'"
}

@test "each PATH is recorded under its last component" {
	repo
	put runs/7/ckpt/w
	put log
	tag runs/7/ckpt ./log
	paths
	assert "$result" "ckpt/w log"
	tag runs/7/ckpt/ runs//7/
	paths
	assert "$result" "7/ckpt/w ckpt/w"
	cd runs/7/ckpt
	tag ..
	paths
	assert "$result" "7/ckpt/w"
}

@test "DIR/. and . are recorded under their contents, without .dsv" {
	repo
	put a/b/c
	put a/d
	tag a/.
	paths
	assert "$result" "b/c d"
	tag .
	paths
	assert "$result" "a/b/c a/d"
	cd a
	tag ./
	paths
	assert "$result" "b/c d"
}

@test "two equal components exit 2 and tag nothing" {
	repo
	put a/x
	put b/x
	dsv -2 tag a/x b/x
	assert "$stderr" \
	    "dsv tag: 'a/x' and 'b/x' would both be recorded as 'x'"
	dsv -2 tag a b a/
	assert "$stderr" "dsv tag: 'a' and 'a/' would both be recorded as 'a'"
	dsv -4 rev-parse HEAD
}

@test "contents that meet exit 2 and tag nothing" {
	repo
	put a/x
	put b/x
	dsv -2 tag a/. b/.
	assert "$stderr" \
	    "dsv tag: 'a/./x' and 'b/./x' would both be recorded as 'x'"
	dsv -2 tag . a
	assert "$stderr" \
	    "dsv tag: './a/x' and 'a/x' would both be recorded as 'a/x'"
	put c/x/y
	dsv -2 tag a/. c/.
	[[ $stderr == *"'a/./x' and 'c/./x/y' would both be recorded as 'x'" ]]
	put d/z
	tag a/. d/.
	paths
	assert "$result" "x z"
	dsv -4 rev-parse HEAD~1
}

@test "a PATH that does not exist exits 4 and tags nothing" {
	repo
	put f
	dsv -4 tag f gone
	assert "$stderr" "dsv tag: 'gone': no such file or directory"
	ln -s nowhere l
	dsv -4 tag l
	assert "$stderr" "dsv tag: 'l': no such file or directory"
	dsv -4 rev-parse HEAD
}

@test "a link named as PATH is followed, inside links stay links" {
	repo
	put real/w
	ln -s real latest
	ln -s w real/alias
	tag latest
	dsv show --json
	json '[(e["path"], e["type"], e["target"]) for e in j["entries"]]'
	assert "$result" \
"[('latest/alias', 'link', 'w'), ('latest/w', 'file', None)]"
	assert "$stderr" ""
	ln -s real/w one
	tag one
	dsv cat HEAD:one
	assert "$output" "$(cat real/w)"
}

@test "a link that leads outside is recorded with a warning" {
	local target

	repo
	mkdir d
	put outside
	for target in /etc/passwd ../outside ../../gone; do
		ln -sfn "$target" d/l
		tag d
		assert "$stderr" "dsv tag: warning: the link 'd/l' leads\
 outside, to '$target': the link is recorded, not what it leads to"
	done
	ln -sfn gone d/l
	tag d
	assert "$stderr" ""
}

@test ".dsv is skipped at any depth, and cannot be named" {
	repo
	mkdir -p sub
	"$program" -q init sub
	put sub/f
	tag sub
	paths
	assert "$result" sub/f
	dsv -2 tag .dsv
	assert "$stderr" "dsv tag: '.dsv' is a repository"
	dsv -2 tag sub/.dsv/.
	for path in .dsv/states .dsv/catalog.db sub/.dsv/segments/. link alias; do
		ln -sfn .dsv/states link
		ln -sfn "$PWD" alias
		dsv -2 tag "${path/#alias/alias/.dsv/format}"
		[[ $stderr == *"' lies in a repository" ]]
	done
	cd .dsv/states
	dsv -2 tag .
}

@test "sockets, devices and fifos are refused and named" {
	repo
	put d/f
	mkfifo d/pipe
	dsv -14 tag d
	assert "$stderr" "dsv tag: 'd/pipe' is a fifo: only files,\
 directories and links can be tagged (--exclude leaves it out)"
	tag d --exclude pipe
	rm d/pipe
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("d/s")'
	dsv -14 tag d
	[[ $stderr == *"'d/s' is a socket: "* ]]
	dsv -14 tag /dev/null
	[[ $stderr == *"'/dev/null' is a device: "* ]]
}

@test "--exclude matches the last component, or with a slash the path" {
	repo
	put d/a.tmp
	put d/b
	put d/cache/x
	put d/keep/cache.d/y
	tag d --exclude '*.tmp' --exclude cache
	paths
	assert "$result" "d/b d/keep/cache.d/y"
	tag d --exclude 'd/keep/*'
	paths
	assert "$result" "d/a.tmp d/b d/cache/x d/keep"
	tag d --exclude 'keep/cache.d'
	paths
	assert "$result" "d/a.tmp d/b d/cache/x d/keep/cache.d/y"
}

@test "--exclude: a slash at the end is for directories, ./ is nothing" {
	local p

	repo
	put run/cache/big
	put run/w
	put run/sub/cache
	for p in cache/ run/cache/ ./run/cache run//cache/. /run/cache \
	    '**/run/cache' "$PWD/run/cache" "$PWD/run/cache/"; do
		tag --exclude "$p" run
		assert "$stderr" ""
		paths
		assert "$result" "run/sub/cache run/w"
	done
	tag --exclude cache run
	paths
	assert "$result" "run/sub run/w"
}

@test "--exclude of an absolute path is for what is there, by any link" {
	mkdir real
	ln -s real link
	cd link || return
	repo
	put a/x
	put b/x
	put b/y
	tag --exclude "$PWD/b/x" a/. b/y b
	paths
	assert "$result" "b/y x y"
	tag --exclude "$PWD/a/*" a
	[[ $stderr == *"warning: no file is left to tag: "* ]]
	paths
	assert "$result" "a"
}

@test "--exclude that excludes nothing says so" {
	repo
	put d/a
	put d/b.tmp
	tag --exclude a/ --exclude '*.tmp' --exclude /d/b.tmp d
	assert "$stderr" "dsv tag: warning: 'a/' excludes nothing"
	paths
	assert "$result" "d/a"
	tag --exclude '' d
	assert "$stderr" "dsv tag: warning: '' excludes nothing"
}

@test "--exclude: * is within a name, and across them when there is a slash" {
	repo
	put d/ab/cx
	put d/ax
	tag --exclude 'a*x' d
	paths
	assert "$result" "d/ab/cx"
	tag --exclude 'd/a*x' d
	paths
	assert "$result" "d/ab"
}

@test "empty directories and the executable bit are content" {
	repo
	mkdir -p d/empty
	put d/run
	chmod 750 d/run
	put d/data
	tag d
	dsv show --json
	json '[(e["path"], e["type"], e["executable"], e["size"])
	    for e in j["entries"]]'
	assert "$result" "[('d/data', 'file', False, 100),\
 ('d/empty', 'dir', False, 0), ('d/run', 'file', True, 100)]"
	dsv checkout HEAD out
	[ -x out/d/run ] && [ ! -x out/d/data ] && [ -d out/d/empty ]
}

@test "times, owners and other modes are not content" {
	local first

	repo
	put d/f
	tag d
	first=$id
	touch -d 2001-01-01 d/f
	chmod 600 d/f
	tag d
	dsv show --json HEAD
	json 'j["content"]'
	assert "$(dsv show --json "$first" >/dev/null
	    json 'j["content"]'; echo "$result")" "$result"
	chmod 700 d/f
	tag d
	dsv show --json HEAD
	old=$result
	json 'j["content"]'
	[ "$result" != "$old" ]
}

@test "names that are not UTF-8, or strange, survive" {
	local name

	repo
	for name in $'\xff' $'a\nb' ' ' '*' '-x' "'" '\' 'é'; do
		put "d/$name"
	done
	tag d
	dsv checkout HEAD out
	diff -r d out/d
	assert "$(ls out/d | wc -c)" "$(ls d | wc -c)"
	dsv show --json
	[[ $output == *'"path":"d/\\xFF"'* || $output == *'"path":"d/\\xff"'* ]]
}

@test "files of 0 bytes, 1 byte and several chunks survive" {
	repo
	mkdir d
	: >d/zero
	printf x >d/one
	put d/large 9000000
	truncate -s 20M d/sparse
	tag d
	dsv checkout HEAD out
	diff -r d out/d
}

@test "--exclude that leaves no file says so" {
	repo
	put d/a
	put d/b
	tag --exclude a d
	assert "$stderr" ""
	tag --exclude '*' -m none d
	[[ $stderr == *"warning: no file is left to tag: '*' has all excluded"* ]]
}

@test "progress says out of how many bytes; cat shows none amid its output" {
	command -v script >/dev/null || skip "no script"
	repo
	put d/a 9000000
	run script -qec "$program tag d" /dev/null
	[[ $output == *"of 8.6 MiB"* ]]
	run script -qec "$program checkout HEAD out" /dev/null
	[[ $output == *"of 8.6 MiB"* ]]
	# It does not appear amid output.
	run script -qec "$program cat HEAD:d/a | head -n 1" /dev/null
	assert "${output%$'\r'}" "d/a 1"
}

@test "holes are not read, and are the same as the zeros they stand for" {
	local content

	repo
	mkdir -p a/d b/d
	truncate -s 60M a/d/f
	put data 9000000
	dd if=data of=a/d/f bs=1000 seek=9001 conv=notrunc status=none
	printf x | dd of=a/d/f bs=1 seek=40000001 conv=notrunc status=none
	cp --sparse=never a/d/f b/d/f
	# The first of a safetensors file's two tensors is a hole.
	python3 - a/d/t b/d/t <<-'END'
		import json, struct, sys
		n = 12 << 20
		head = json.dumps({k: {"dtype": "U8", "shape": [n],
			"data_offsets": [i * n, (i + 1) * n]}
			for i, k in enumerate("ab")}).encode()
		for path, hole in zip(sys.argv[1:], (True, False)):
		    with open(path, "wb") as f:
		        f.write(struct.pack("<Q", len(head)) + head)
		        f.seek(n, 1) if hole else f.write(bytes(n))
		        f.write(b"b" * n)
	END
	[ "$(du -k a/d/t | cut -f1)" -lt 13000 ] || skip "no holes here"
	tag a/d
	dsv show --format '%(content)'
	content=$output
	tag -m again b/d
	dsv show --format '%(content)'
	assert "$output" "$content"
	dsv checkout HEAD out
	diff -r a/d out/d
	# There is nothing to read in a file of 64 GiB.
	truncate -s 64G a/d/f
	timeout 20 "$program" -q tag -m hole a/d
}

@test "a hole costs no memory, whatever its size" {
	local shm

	[ "$(stat -fc %T /dev/shm)" = tmpfs ] || skip "no tmpfs"
	# Other file systems end at 16T or less.
	shm=$(mktemp -d /dev/shm/dsv-hole.XXXXXX)
	put "$BATS_TEST_TMPDIR/g" 100000
	cp "$BATS_TEST_TMPDIR/g" "$shm/f"
	truncate -s 8191P "$shm/f"
	cd "$shm"
	repo
	run -0 bash -c "ulimit -v 400000; exec timeout 60 $program -q tag f"
	dsv checkout -q HEAD out
	assert "$(stat -c %s out/f)" $((8191 << 50))
	cmp -n 100000 "$BATS_TEST_TMPDIR/g" out/f
	cd "$BATS_TEST_TMPDIR"
	rm -r "$shm"
}

@test "the branch head is the parent" {
	local first

	repo
	put f
	tag f
	first=$id
	tag f
	dsv prev HEAD
	assert "$output" "$first"
	dsv prev "$first"
	assert "$output" ""
}

@test "-b tags on another branch, created if new, without a parent" {
	repo
	put f
	tag f -p lr=1
	tag f -b other -m x
	dsv prev other
	assert "$output" ""
	dsv params other
	assert "$output" ""
	dsv branch
	assert "$output" $'* main\n  other'
	tag f -b other
	dsv rev-parse other~1
	dsv -2 tag f -b 'two words'
	dsv -2 tag f -b a..b
}

@test "--parent starts a new branch from there, with its parameters" {
	local first

	repo
	put f
	tag f -p lr=1
	first=$id
	tag f -p lr=2
	tag f -b side --parent "$first" -p wd=3
	dsv prev side
	assert "$output" "$first"
	dsv params side
	assert "$output" $'lr=1\nwd=3'
}

@test "--parent of a branch with a head includes it, else exit 14" {
	local main

	repo
	put f
	tag f -p a=1
	main=$id
	tag f -b side -p a=2
	dsv -14 tag f --parent side
	assert "$stderr" "dsv tag: branch 'main' has a head that is not among\
 the parents (add '--parent HEAD', or start a new branch with -b)"
	tag f --parent HEAD --parent side
	dsv show --json
	json 'j["parents"] == ["'"$main"'", "'"$(
	    "$program" rev-parse side)"'"], j["params"]'
	assert "$result" "(True, {'a': 1})"
	dsv -2 tag f --parent HEAD --parent main
	assert "$stderr" "dsv tag: parent 'main' is given twice"
	dsv -4 tag f --parent nope
}

@test "parameters are inherited, -p changes, --unset-param removes" {
	repo
	put f
	tag f -p lr=1e-3 -p wd=0 -p opt=adam
	tag f -p lr=0.01 --unset-param wd
	dsv params HEAD
	assert "$output" $'lr=0.01\nopt=adam'
	dsv params HEAD~1
	assert "$output" $'lr=1e-3\nopt=adam\nwd=0'
	dsv -4 tag f --unset-param nope
	assert "$stderr" "dsv tag: there is no parameter 'nope' to unset"
	tag f
	dsv params
	assert "$output" $'lr=0.01\nopt=adam'
}

@test "-p splits at the first =" {
	repo
	put f
	tag f -p 'a=b=c' -p 'empty=' -p 'x==1'
	dsv params
	assert "$output" $'a=b=c\nempty=\nx==1'
	dsv -2 tag f -p novalue
	assert "$stderr" "dsv tag: 'novalue' has no '=' (KEY=VALUE)"
	dsv -2 tag f -p '=1'
	dsv -2 tag f -p '1k=1'
	dsv -2 tag f -p 'k k=1'
}

@test "--params-from replaces what was inherited, -p changes single ones" {
	repo
	put f
	tag f -p old=1 -p lr=1
	echo '{"lr": 1e-3, "opt": {"name": "adam", "betas": [0.9, 0.99]},
	    "amp": true, "w": null, "n": NaN, "i": Infinity, "m": -Infinity,
	    "big": 12345678901234567890123, "t": 0.10, "e": {}, "s": "1"}' >p
	tag f --params-from p -p opt.name=sgd
	dsv params
	assert "$output" 'amp=true
big=12345678901234567890123
e={}
i=inf
lr=1e-3
m=-inf
n=nan
opt.betas=[0.9,0.99]
opt.name=sgd
s=1
t=0.10
w=null'
	dsv params --format json
	json 'type(j["s"]).__name__, j["w"], j["e"], j["opt.betas"]'
	assert "$result" "('str', None, {}, [0.9, 0.99])"
}

@test "--params-from - is stdin, --attrs-from adds attributes" {
	repo
	put f
	run -0 --separate-stderr "$program" tag f --params-from - \
	    <<<'{"a": {"b": 1}}'
	dsv params
	assert "$output" "a.b=1"
	echo '{"acc": 0.93, "m": {"loss": 2e-1}}' >a
	tag f --attrs-from a -a acc=0.95
	dsv attr HEAD
	assert "$output" $'acc=0.95\nm.loss=2e-1'
	dsv -2 tag f --params-from - --attrs-from -
}

@test "--params-from of something that is not a JSON object exits 2" {
	local text

	repo
	put f
	for text in '[1]' '{' '{"a":1,"a":2}' '{"a b":1}' '1' '' '{"a":01}' \
	    '{"a":+1}' '{"a":.5}' '{"a":nan}' '{"a":1}x' "{'a':1}"; do
		echo "$text" >p
		dsv -2 tag f --params-from p
		[[ $stderr == "dsv tag: the JSON of the parameters: "* ]]
	done
	dsv -4 tag f --params-from gone
	assert "$stderr" "dsv tag: 'gone': no such file or directory"
	dsv -4 rev-parse HEAD
}

@test "numbers that overflow are strings in --params-from too" {
	repo
	put f
	echo '{"a": 1e999, "b": -1'"$(printf '0%.0s' {1..400})"'}' >p
	tag f --params-from p
	dsv params --format json
	json 'type(j["a"]).__name__, type(j["b"]).__name__, j["a"]'
	assert "$result" "('str', 'str', '1e999')"
}

@test "a string in JSON is never taken for a number" {
	repo
	put f
	printf '{"a": "\\u00015", "b": "\\u0001", "c": ["\\u00016", 7.0]}' >p
	tag f --params-from p
	dsv params --format json
	json 'j["a"] == "\x015", j["b"] == "\x01", j["c"] == ["\x016", 7.0]'
	assert "$result" "(True, True, True)"
}

@test "attributes describe one state and are never inherited" {
	repo
	put f
	tag f -a acc=0.9 -a note=good
	dsv attr HEAD
	assert "$output" $'acc=0.9\nnote=good'
	tag f
	dsv attr HEAD
	assert "$output" ""
	dsv -2 tag f -a acc
}

@test "--name names the state; a name of another job's or no job's: exit 14" {
	repo
	put f
	tag f --name best
	dsv rev-parse best
	assert "$output" "$id"
	dsv -14 tag f --name best
	assert "$stderr" "dsv tag: 'best' already names another state\
 ('dsv name -f' moves it)"
	SLURM_JOB_ID=7 dsv -14 tag f --name best
	assert "$stderr" "dsv tag: 'best' already names another state,\
 not of this job ('dsv name -f' moves it)"
	dsv -14 tag f --name main
	assert "$stderr" "dsv tag: 'main' is the name of a branch"
	dsv -2 tag f --name HEAD
	dsv rev-parse best
	assert "$output" "$id"
}

@test "--name moves within a job, also after a requeue" {
	repo
	put f
	export SLURM_JOB_ID=7 SLURM_CLUSTER_NAME=c
	tag f --name epoch1
	SLURM_RESTART_COUNT=1 tag f --name epoch1
	dsv rev-parse epoch1
	assert "$output" "$id"
	SLURM_JOB_ID=8 dsv -14 tag f --name epoch1
	SLURM_CLUSTER_NAME=d dsv -14 tag f --name epoch1
}

@test "-s puts the state into scopes, opened if new; --pin pins it" {
	repo
	put f
	tag f -s warmup -s all --pin
	dsv show --json
	json 'j["scopes"], j["pinned"]'
	assert "$result" "(['all', 'warmup'], True)"
	dsv scope list
	assert "$output" $'all open 1\nwarmup open 1'
	tag f
	dsv show --json
	json 'j["scopes"], j["pinned"]'
	assert "$result" "([], False)"
	dsv -2 tag f -s 'no good'
}

@test "in a Slurm job the branch is job-<id>, in an array job-<id>.<task>" {
	repo
	put f
	SLURM_JOB_ID=7 tag f
	SLURM_JOB_ID=12 SLURM_ARRAY_JOB_ID=10 SLURM_ARRAY_TASK_ID=3 tag f
	SLURM_JOB_ID=7 SLURM_RESTART_COUNT=1 tag f
	dsv branch
	assert "$output" $'  job-10.3\n  job-7'
	dsv find --branch job-7 --count
	assert "$output" 2
	dsv find --format '%(job.id)' --branch job-10.3
	assert "$output" 10_3
}

@test "the nodes of the job are known, even after a rebuild of the catalog" {
	repo
	put f
	SLURM_JOB_ID=7 SLURM_JOB_NODELIST='n[1-2]' tag f
	dsv show "$id" --format '%(job.id) %(job.nodes)'
	assert "$output" "7 n[1-2]"
	dsv fsck --rebuild
	dsv show "$id" --format '%(job.id) %(job.nodes)'
	assert "$output" "7 n[1-2]"
	put g 100
	for rank in 0 1; do
		SLURM_JOB_ID=8 SLURM_JOB_NODELIST=n3 RANK=$rank WORLD_SIZE=2 \
		    "$program" tag --collective --replicated g >out.$rank 3>&- &
	done
	wait
	dsv show "$(cat out.1)" --format '%(job.nodes)'
	assert "$output" n3
}

@test "-b wins over DSV_BRANCH, which wins over the job, which wins over HEAD" {
	repo
	put f
	export SLURM_JOB_ID=7
	DSV_BRANCH=env tag f -b given
	DSV_BRANCH=env tag f
	tag f
	unset SLURM_JOB_ID
	tag f
	dsv branch
	assert "$output" $'  env\n  given\n  job-7\n* main'
	DSV_BRANCH='a b' dsv -2 tag f
	assert "$stderr" "dsv tag: 'a b' is not a valid branch name (letters,\
 digits and _ . / -, the first a letter, digit or _)"
}

@test "DSV_* of another job are ignored with a warning" {
	repo
	put f
	export SLURM_JOB_ID=8 DSV_BRANCH=theirs
	DSV_JOB_ID=7 tag f
	assert "$stderr" "dsv tag: warning: ignoring DSV_BRANCH and DSV_STATE\
 of job 7: this is job 8"
	DSV_JOB_ID=8 tag f
	assert "$stderr" ""
	unset SLURM_JOB_ID DSV_BRANCH
	dsv branch
	assert "$output" $'  job-8\n  theirs'
}

@test "simultaneous tags on one branch make one line" {
	local i pids=()

	repo
	put f
	for i in 1 2 3 4 5 6 7 8; do
		"$program" tag f -m "$i" >/dev/null 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	dsv log --format '%(parents)'
	assert "$(grep -c . <<<"$output")" 7
	assert "${#lines[@]}" 7
	dsv find --count
	assert "$output" 8
}

@test "tagging the same bytes again stores nothing again" {
	local before

	repo
	put f 5000000
	tag f
	before=$(du -s .dsv/segments | cut -f1)
	tag f
	tag f -b other
	[ $(($(du -s .dsv/segments | cut -f1) - before)) -le 64 ]
	dsv show --json
	json 'j["size"], j["stored"] < 1000'
	assert "$result" "(5000000, True)"
}

@test "--json prints the state" {
	repo
	put f
	dsv tag f --json -m hello -p lr=1e-3 -a acc=1 --name n
	json 'j["message"], j["params"], j["attrs"], j["name"], j["files"]'
	assert "$result" "('hello', {'lr': 0.001}, {'acc': 1}, 'n', 1)"
	[[ $output == *'"lr":1e-3'* ]]
}

@test "in a message bytes that are not UTF-8 become \\xNN" {
	repo
	put f
	tag f -m $'caf\xe9'
	dsv log --format '%(message)'
	assert "$output" 'caf\xe9'
	grep -q 'caf\\\\xe9' .dsv/states/*/"$id"
}

@test "a value that is not UTF-8 exits 2 and tags nothing" {
	repo
	put f
	dsv -2 tag f -p k=$'\xff'
	assert "$stderr" "dsv tag: the value of 'k' is not UTF-8"
	dsv -2 tag f -a k=$'\xff'
	dsv -4 rev-parse HEAD
}

# Make two shards of four tensors of 1 MiB each, and their index; layer.5.w
# depends on SEED: shards SEED
shards() {
	python3 - "$1" <<-'END'
	import json, os, random, struct, sys
	os.makedirs("model", exist_ok=True)
	names = ["model-%05d-of-00002.safetensors" % i for i in (1, 2)]
	index = {}
	for s, name in enumerate(names):
	    keys = ["layer.%d.w" % (4 * s + i) for i in range(4)]
	    index.update({k: name for k in keys})
	    n = 1 << 20
	    head = json.dumps({"__metadata__": {"epoch": sys.argv[1]},
	        **{k: {"dtype": "U8", "shape": [n], "data_offsets":
	        [i * n, (i + 1) * n]} for i, k in enumerate(keys)}}).encode()
	    with open("model/" + name, "wb") as f:
	        f.write(struct.pack("<Q", len(head)) + head)
	        for k in keys:
	            seed = k + (sys.argv[1] if k == "layer.5.w" else "")
	            f.write(random.Random(seed).randbytes(n))
	with open("model/model.safetensors.index.json", "w") as f:
	    json.dump({"metadata": {}, "weight_map": index}, f)
	END
}

@test "only the changed tensor of sharded safetensors is stored" {
	repo
	shards 9
	tag model
	shards 10
	tag model
	dsv show --format '%(stored)'
	[ "$output" -gt 1048576 ]
	[ "$output" -lt 1060000 ]
	dsv show --tensors --json
	assert "$(jq -r '.tensors[5] | [.path, .name, .bytes] | join(" ")' \
		<<<"$output")" \
		"model/model-00002-of-00002.safetensors layer.5.w 1048576"
	dsv checkout HEAD out
	diff -r model out/model
}

@test "many unchanged files are looked up in one read of the catalog" {
	need_strace
	repo
	mkdir small
	for i in {1..400}; do echo "$i" >"small/$i"; done
	tag small
	sleep 0.1
	tag small
	strace -f -o trace -e trace=openat -- dsv tag -q small
	[ "$(grep -c 'catalog\.db-journal"' trace)" -lt 200 ]
}
