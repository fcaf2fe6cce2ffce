#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What changed between two states, or between a state and a directory

# shellcheck disable=SC2030,SC2031,SC2154

load helper

# safetensors PATH SPEC: SPEC is Python, a dict of name to (dtype, shape,
# struct format, numbers).
safetensors() {
	mkdir -p "$(dirname "$1")"
	python3 - "$1" "$2" <<-'EOF'
	import json, struct, sys
	head, data = {}, b""
	for name, (dtype, shape, fmt, numbers) in eval(sys.argv[2]).items():
	    b = struct.pack(f"<{len(numbers)}{fmt}", *numbers)
	    head[name] = {"dtype": dtype, "shape": shape,
	                  "data_offsets": [len(data), len(data) + len(b)]}
	    data += b
	text = json.dumps(head).encode()
	text += b" " * (-len(text) % 8)
	open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data)
	EOF
}

# Make a.safetensors in two states; their ids are in $a and $b.
two() {
	repo
	safetensors x.safetensors "$1"
	tag x.safetensors
	a=$id
	safetensors x.safetensors "$2"
	tag x.safetensors
	b=$id
}

torch() {
	/usr/bin/python3 -c 'import torch' 2>/dev/null || without torch "no torch"
	/usr/bin/python3 -c "
import torch
torch.manual_seed(0)
$1"
}

@test "files added, removed and changed, by path" {
	repo
	put d/same 10
	put d/gone 20
	put d/other 30 one
	put d/larger 40
	put d/mode 5
	ln -s one d/link
	tag d
	a=$id
	rm d/gone d/link
	put d/new 7
	put d/other 30 two
	put d/larger 50
	chmod +x d/mode
	ln -s two d/link
	tag d
	dsv diff "$a" "$id"
	assert "$output" "removed  d/gone  20 B
changed  d/larger  40 B -> 50 B
changed  d/link  target
changed  d/mode  mode
added    d/new  7 B
changed  d/other  content"
	dsv diff "$a" "$id" --json
	json '[(e["path"], e["change"]) for e in j["entries"]]'
	assert "$result" "[('d/gone', 'removed'), ('d/larger', 'changed'),\
 ('d/link', 'changed'), ('d/mode', 'changed'), ('d/new', 'added'),\
 ('d/other', 'changed')]"
	json 'j["entries"][0]["old_size"], j["entries"][0]["new_size"]'
	assert "$result" "(20, None)"
	json '"tensors" in j, j["params"], j["attrs"], j["dir"]'
	assert "$result" "(False, [], [], None)"
}

@test "a file that becomes a directory is removed and others are added" {
	repo
	put d/x 3
	tag d
	a=$id
	rm d/x
	put d/x/y 3
	tag d
	dsv diff "$a" "$id"
	assert "$output" "removed  d/x  3 B
added    d/x/y  3 B"
}

@test "parameters and attributes, from old to new" {
	repo
	put f
	tag f -p lr=0.1 -p old=1 -p same=2 -a acc=0.5
	a=$id
	tag f -p lr=1e-2 -p new=true --unset-param old -a acc=0.75 -a note=x
	dsv diff "$a" "$id"
	assert "$output" "param    lr 0.1 -> 1e-2
param    new (unset) -> true
param    old 1 -> (unset)
attr     acc 0.5 -> 0.75
attr     note (unset) -> x"
	dsv diff "$a" "$id" --json
	json 'j["params"]'
	assert "$result" "[{'key': 'lr', 'old': 0.1, 'new': 0.01},\
 {'key': 'new', 'old': None, 'new': True},\
 {'key': 'old', 'old': 1, 'new': None}]"
}

@test "a state and itself, or its fork, do not differ" {
	repo
	put f 3000000
	tag f -p lr=1
	dsv diff --exit-code HEAD HEAD
	assert "$output" ""
	dsv fork HEAD -b other
	dsv diff --exit-code --tensors HEAD other
	assert "$output" ""
	dsv fork HEAD -b third --set lr=2
	dsv -1 diff --exit-code HEAD third
	assert "$output" "param    lr 1 -> 2"
}

@test "--exit-code exits 1 if something differs; without it diff exits 0" {
	repo
	put f 10 one
	tag f
	put f 10 two
	tag f
	dsv diff HEAD~1 HEAD
	dsv -1 diff --exit-code HEAD~1 HEAD
	dsv -1 diff --exit-code --json HEAD~1 HEAD
	json 'len(j["entries"])'
	assert "$result" 1
}

@test "what does not change is not read" {
	repo
	safetensors m.safetensors '{"big": ("U8", [9000000], "B", [7] * 9000000),
		"w": ("F32", [2], "f", [1, 2])}'
	tag m.safetensors
	a=$id
	safetensors m.safetensors '{"big": ("U8", [9000000], "B", [7] * 9000000),
		"w": ("F32", [2], "f", [1, 4])}'
	tag m.safetensors
	# If a byte of "big" were read, this would be an error.
	python3 - <<-'EOF'
	import glob, os
	path = max(glob.glob(".dsv/segments/*/*"), key=os.path.getsize)
	os.chmod(path, 0o644)
	with open(path, "r+b") as f:
	    f.seek(5000000)
	    f.write(b"x")
	EOF
	dsv diff --tensors "$a" "$id"
	assert "${lines[1]}" "tensor   changed  m.safetensors w F32[2]\
  max 2 rms 1.414 relative 0.5, 1 of 2"
}

@test "only what changed is read from the segments, as strace sees it" {
	local big='"big": ("U8", [9000000], "B", list(range(250)) * 36000)'

	two "{$big, 'w': ('F32', [2], 'f', [1, 2])}" \
	    "{$big, 'w': ('F32', [2], 'f', [1, 4])}"
	need_strace
	strace -f -y -o trace \
		-e trace=read,pread64,readv,preadv,mmap \
		"$program" diff --tensors "$a" "$b" >out
	assert "$(wc -l <out)" 2
	run -0 awk '/[.]dsv[/]segments/ {
		if (/mmap/) maps++
		else bytes += $NF }
		END { print maps + 0, (bytes > 0), (bytes < 1000000) }' trace
	assert "$output" "0 1 1"
}

@test "tensors: changed, added, removed, another type, another shape" {
	two '{"a": ("F32", [2], "f", [1, 2]), "cast": ("F32", [1], "f", [1.5]),
		"gone": ("I8", [1], "b", [1]), "s": ("F32", [4], "f", [0] * 4)}' \
	    '{"a": ("F32", [2], "f", [1, 3]), "cast": ("F64", [1], "d", [1.25]),
		"new": ("I8", [1], "b", [1]), "s": ("F32", [2, 2], "f", [0] * 4)}'
	dsv diff --tensors "$a" "$b"
	assert "$(sed 1d <<<"$output")" \
"tensor   changed  x.safetensors a F32[2]\
  max 1 rms 0.7071 relative 0.3333, 1 of 2
tensor   changed  x.safetensors cast F32[1] -> F64[1]\
  max 0.25 rms 0.25 relative 0.1667, 1 of 1
tensor   removed  x.safetensors gone I8[1]
tensor   added    x.safetensors new I8[1]
tensor   changed  x.safetensors s F32[4] -> F32[2,2]  (another shape)"
	dsv diff --tensors "$a" "$b" --json
	json '[t["max"] for t in j["tensors"]], j["tensors"][4]["not_compared"]'
	assert "$result" "([1, 0.25, None, None, None], 'another shape')"
}

@test "tensors of a file that is new or gone are added or removed" {
	repo
	safetensors x.safetensors '{"a": ("F32", [1], "f", [1])}'
	put y
	tag x.safetensors y
	tag y --parent HEAD
	dsv diff --tensors HEAD~1 HEAD
	assert "${lines[1]}" "tensor   removed  x.safetensors a F32[1]"
	dsv diff --tensors HEAD HEAD~1
	assert "${lines[1]}" "tensor   added    x.safetensors a F32[1]"
}

@test "nan, inf and -0 are distinguished from numbers" {
	two '{"inf": ("F32", [2], "f", [1, float("inf")]),
		"nan": ("F32", [3], "f", [1, 2, float("nan")]),
		"zero": ("F32", [2], "f", [0.0, float("nan")])}' \
	    '{"inf": ("F32", [2], "f", [1, float("-inf")]),
		"nan": ("F32", [3], "f", [float("nan"), 3, float("nan")]),
		"zero": ("F32", [2], "f", [-0.0, float("nan")])}'
	dsv diff --tensors "$a" "$b"
	assert "${lines[1]}" "tensor   changed  x.safetensors inf F32[2]\
  max inf rms inf relative inf, 1 of 2"
	assert "${lines[2]}" "tensor   changed  x.safetensors nan F32[3]\
  max 1 rms 0.7071 relative 0.3333, 2 of 3, 1 with nan"
	assert "${lines[3]}" "tensor   changed  x.safetensors zero F32[2]\
  max 0 rms 0 relative 0, 0 of 2"
	dsv diff --tensors "$a" "$b" --json
	json '[t["max"] for t in j["tensors"]]'
	assert "$result" "['inf', 1, 0]"
	dsv diff --tensors --tol 0 "$a" "$b"
	[[ $output != *zero* ]]
	[[ $output == *nan* ]]
}

@test "--tol: what is within it changes neither the tensor nor the file" {
	two '{"a": ("F32", [2], "f", [1, 2]), "b": ("F16", [1], "e", [4])}' \
	    '{"a": ("F32", [2], "f", [1, 2.25]), "b": ("F16", [1], "e", [5])}'
	dsv diff --tensors --tol 0.5 "$a" "$b"
	assert "$output" "changed  x.safetensors  content
tensor   changed  x.safetensors b F16[1]  max 1 rms 1 relative 0.2, 1 of 1"
	dsv diff --tensors --tol 1 --exit-code "$a" "$b"
	assert "$output" ""
	dsv -1 diff --exit-code "$a" "$b"
}

@test "--tol: a file without tensors changes with any byte" {
	repo
	put f 10 one
	tag f
	put f 10 two
	tag f
	dsv -1 diff --exit-code --tensors --tol 100 HEAD~1 HEAD
	assert "$output" "changed  f  content"
}

@test "--tol wants a number >= 0, and --tensors" {
	repo
	for tol in -1 nan inf x 1x ''; do
		dsv -2 diff --tensors --tol "$tol" HEAD HEAD
		assert "$stderr" "dsv diff: --tol: '$tol' is not a number >= 0"
	done
	dsv -2 diff --tol 1 HEAD HEAD
	assert "$stderr" "dsv diff: --tol needs --tensors"
}

@test "PyTorch: views, half, bf16, optimizer state" {
	repo
	torch '
def save(path, d):
    w = torch.arange(12.).reshape(3, 4) + d
    torch.save({"model": {"w": w, "t": w.t(), "every": w[:, ::2],
                          "frozen": torch.ones(50),
                          "h": torch.ones(3).half() + d,
                          "b": torch.ones(3).bfloat16() + d},
                "optimizer": {"state": {0: {"step": torch.tensor(1. + d)}}},
                "epoch": 1}, path)
save("a.pt", 0)
save("b.pt", 0.5)'
	cp a.pt m.pt
	tag m.pt
	cp b.pt m.pt
	tag m.pt
	dsv diff --tensors HEAD~1 HEAD
	assert "$(sed '1d; s/.*m.pt //; s/ relative [^,]*//' <<<"$output")" \
"model.b BF16[3]  max 0.5 rms 0.5, 3 of 3
model.every F32[3,2]  max 0.5 rms 0.5, 6 of 6
model.h F16[3]  max 0.5 rms 0.5, 3 of 3
model.t F32[4,3]  max 0.5 rms 0.5, 12 of 12
model.w F32[3,4]  max 0.5 rms 0.5, 12 of 12
optimizer.state.0.step F32[]  max 0.5 rms 0.5, 1 of 1"
}

@test "PyTorch: tensors stored in another order are compared by index" {
	repo
	torch '
w = torch.randn(70, 30)
e = torch.ones(4, 1).expand(4, 6)
torch.save({"w": w, "e": e}, "m.pt")'
	tag m.pt
	torch '
w = torch.randn(70, 30)
v = w.clone()
v[69, 0] += 2
torch.save({"w": v.t().contiguous().t(), "e": torch.ones(4, 6)}, "m.pt")'
	tag m.pt
	dsv diff --tensors HEAD~1 HEAD
	assert "$(sed '1d; s/ rms.*,/,/' <<<"$output")" \
		"tensor   changed  m.pt w F32[70,30]  max 2, 1 of 2100"
	dsv diff --tensors HEAD HEAD~1
	assert "$(sed '1d; s/ rms.*,/,/' <<<"$output")" \
		"tensor   changed  m.pt w F32[70,30]  max 2, 1 of 2100"
}

@test "PyTorch: the differences are those of torch" {
	repo
	torch '
for t in "float64 float32 float16 bfloat16 int64 int32 int16 uint8".split():
    for n in "ab":
        x = torch.randn(1000, dtype=torch.float64) * 100
        torch.save({"x": x.abs().to(getattr(torch, t))}, f"{n}.{t}")'
	mkdir d
	cp a.* d
	for f in d/a.*; do mv "$f" "d/${f#d/a.}"; done
	tag d
	for f in b.*; do cp "$f" "d/${f#b.}"; done
	tag d
	dsv diff --tensors HEAD~1 HEAD --json
	echo "$output" >out.json
	torch '
import json
found = json.load(open("out.json"))["tensors"]
assert len(found) == 8
for t in found:
    n = t["path"][2:]
    a, b = (torch.load(f"{s}.{n}")["x"].double() for s in "ab")
    d = (a - b).abs()
    rms = d.square().mean().sqrt().item()
    assert t["max"] == d.max().item(), (t, d.max())
    assert abs(t["rms"] / rms - 1) < 1e-12, (t, rms)
    assert t["differing"] == (a != b).sum().item(), t
    r = torch.where(d > 0, d / torch.maximum(a, b), d).max().item()
    assert abs(t["relative"] - r) < 1e-12, (t, r)'
}

@test "--dir compares with what is on disk, except for a repository" {
	repo
	safetensors ck/m.safetensors '{"a": ("F32", [2], "f", [1, 2])}'
	put ck/log 10
	tag ck
	dsv diff --exit-code --dir . HEAD
	assert "$output" ""
	safetensors ck/m.safetensors '{"a": ("F32", [2], "f", [1, 3])}'
	rm ck/log
	put other 5
	dsv -1 diff --exit-code --tensors --dir . HEAD
	assert "$output" "removed  ck/log  10 B
changed  ck/m.safetensors  content
added    other  5 B
tensor   changed  ck/m.safetensors a F32[2]\
  max 1 rms 0.7071 relative 0.3333, 1 of 2"
	dsv diff --dir . HEAD --json
	json 'j["b"], j["dir"], len(j["entries"])'
	assert "$result" "(None, '.', 3)"
	dsv diff --dir . --path other --path nothing HEAD
	assert "$output" "added    other  5 B"
}

@test "--path is for the files that checkout --path writes" {
	local p

	repo
	put ckpt/sub/model.pt 10 1
	put ckpt/other 10 1
	tag ckpt
	put ckpt/sub/model.pt 10 2
	put ckpt/other 10 2
	tag ckpt
	for p in model.pt '*.pt' sub sub/ ckpt/sub ./ckpt/sub/ '/c*/sub'; do
		dsv checkout HEAD --force out --path "$p"
		dsv -1 diff --exit-code --path "$p" HEAD~ HEAD
		assert "$output" "changed  ckpt/sub/model.pt  content"
		rm -r out
		dsv -1 diff --exit-code --dir . --path "$p" HEAD~
		assert "$output" "changed  ckpt/sub/model.pt  content"
	done
	dsv diff --exit-code --path /model.pt HEAD~ HEAD
	assert "$output" ""
}

@test "--path that matches no file of either side says so" {
	repo
	put d/a
	tag d
	put d/b
	tag d
	dsv diff --path b --path nope HEAD~ HEAD
	assert "$output" "added    d/b  100 B"
	assert "$stderr" "dsv diff: warning: no file matches 'nope'"
}

@test "--dir says what it cannot do" {
	repo
	put f
	tag f
	dsv -4 diff --dir nowhere HEAD
	assert "$stderr" "dsv diff: no directory 'nowhere'"
	dsv -2 diff --dir f HEAD
	assert "$stderr" "dsv diff: 'f' is not a directory"
	dsv -2 diff --dir . HEAD HEAD
	assert "$stderr" "dsv diff: too many operands; see 'dsv diff -h'"
	dsv -2 diff HEAD
	assert "$stderr" "dsv diff: missing operand; see 'dsv diff -h'"
}

@test "an unknown state exits 4, a pruned one too and says so" {
	repo
	put f 10 one
	tag f
	a=$id
	put f 10 two
	tag f
	dsv -4 diff nothing HEAD
	dsv prune "$a" --expire=now
	dsv -4 diff "$a" HEAD
	[[ $stderr == *pruned* ]]
}

@test "a chunk that is wrong exits 13 and names the file" {
	repo
	put f 2000000 one
	tag f
	a=$id
	put f 2000000 two
	tag f
	local segment
	segment=$(find .dsv/segments -type f -size +1000k | head -1)
	chmod u+w "$segment"
	printf x | dd of="$segment" conv=notrunc bs=1 seek=0 status=none
	dsv -13 diff "$a" HEAD
	[[ $stderr == "dsv diff: compare 'f': "* ]]
}

@test "hostile files are files without tensors" {
	repo
	printf '\377\377\377\377\377\377\377\177{}' >x.safetensors
	printf 'PK\003\004' >y.pt
	tag x.safetensors y.pt
	printf '\377\377\377\377\377\377\377\177{ }' >x.safetensors
	safetensors y.pt '{"a": ("F32", [1], "f", [1])}'
	tag x.safetensors y.pt
	dsv diff --tensors HEAD~1 HEAD
	assert "${lines[0]}" "changed  x.safetensors  10 B -> 11 B"
	assert "${lines[2]}" "tensor   added    y.pt a F32[1]"
}

@test "names that would act on a terminal are escaped" {
	repo
	put $'d/\033[31m' 3
	put f
	tag f
	a=$id
	tag d --parent HEAD
	dsv diff "$a" HEAD
	[[ $output != *$'\033'* ]]
	[[ $output == *'added    d/\x1b[31m  3 B'* ]] || { echo "$output"; false; }
}
