#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What dsv finds in files that other programs wrote

bats_require_minimum_version 1.5.0

setup() {
	export LC_ALL=C TZ=UTC
	python=/usr/bin/python3
	script=$BATS_TEST_DIRNAME/unit/format_torch.py
	dump=${DSV_BUILD:-$BATS_TEST_DIRNAME/../build}/t/unit/format_dump
	[ -x "$dump" ] || make -C "$BATS_TEST_DIRNAME/.." "$dump"
}

need() {
	"$python" -c "import $2" 2>/dev/null ||
		without "$1" "python3-$1 is missing"
}

# Make the files and compare those that match the patterns.
compare() {
	local all=$BATS_TEST_TMPDIR/all some=$BATS_TEST_TMPDIR/some pattern
	mkdir "$all" "$some"
	"$python" "$script" make "$all"
	for pattern; do
		find "$all" -name "$pattern" -exec mv -t "$some" {} +
	done
	"$python" "$script" check "$some" "$dump"
}

@test "tensors of torch files have torch's names, types, shapes and bytes" {
	need torch torch
	run compare "*.pt*" "no-suffix*"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"train.pt: 27"* ]]
	[[ $output == *"views.pt: 9"* ]]
	[[ $output == *"legacy.pt: 0"* ]]
}

@test "tensors of a .distcp file are found in each of its archives" {
	need torch torch
	run compare "*.distcp*"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"__0_0.distcp: 3"* ]]
}

@test "arrays of .npy and .npz files have numpy's names, types, shapes and bytes" {
	need numpy numpy
	run compare "*.npy*" "*.npz*"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"several.npz: 6"* ]]
}

@test "tensors of safetensors and GGUF files are those that were written" {
	need numpy numpy
	run compare "*.safetensors*" "*.gguf*"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"good.safetensors: 6"* ]]
	[[ $output == *"v3.gguf: 2"* ]]
}

@test "frozen storages of a torch file are chunks again under another name" {
	need torch torch
	run "$python" - "$BATS_TEST_TMPDIR" "$dump" <<-'END'
	import hashlib, json, subprocess, sys
	import torch
	def chunks(path):
	    raw = open(path, "rb").read()
	    j = json.loads(subprocess.check_output([sys.argv[2], path]))
	    starts = [0] + j["end"][:-1]
	    return {hashlib.sha256(raw[a:b]).digest(): b - a
	            for a, b in zip(starts, j["end"])}
	torch.manual_seed(1)
	state = {f"layer{i}": torch.randn(600, 600) for i in range(6)}
	state["bias"] = torch.randn(40000)
	torch.save({"model": state, "step": 255}, sys.argv[1] + "/epoch-9.pt")
	state["layer3"] = torch.randn(600, 600)
	torch.save({"model": state, "step": 256}, sys.argv[1] + "/epoch-10.pt")
	a = chunks(sys.argv[1] + "/epoch-9.pt")
	b = chunks(sys.argv[1] + "/epoch-10.pt")
	new = sum(n for h, n in b.items() if h not in a)
	print(new - 600 * 600 * 4)
	assert 0 < new - 600 * 600 * 4 < 8192
	END
	echo "$output"
	[ "$status" -eq 0 ]
}
