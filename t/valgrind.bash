#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run the commands on a repository of its own, each under valgrind: no read of
# unwritten memory, none outside a block, nothing leaked.  What valgrind finds
# is shown, with exit status 99.  The worker that "tag --async" leaves behind,
# and other children, are not checked.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/${DSV_BUILD:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/dsv-valgrind-XXXXXX")
trap 'rm -rf "$work"' EXIT
for name in "${!DSV_@}" "${!SLURM_@}"; do unset "$name"; done
export HOME=$work LC_ALL=C TZ=UTC DSV_PAGER=cat

# Run dsv under valgrind; its output is in $output.
dsv() {
	local status=0

	echo "dsv $*"
	output=$(valgrind -q --error-exitcode=99 --leak-check=full \
		--errors-for-leak-kinds=definite --child-silent-after-fork=yes \
		"$build/dsv" "$@") || status=$?
	[ "$status" = 0 ] || { echo "exit status $status"; exit 1; } >&2
}

mkdir "$work/r"
cd "$work/r"
python3 - <<'END'
import json, struct, zipfile
def safetensors(name, first):
    head = json.dumps({"w": {"dtype": "F32", "shape": [250, 1000],
        "data_offsets": [0, 1000000]}}).encode()
    body = struct.pack("<f", first) + bytes(range(250)) * 4000
    open(name, "wb").write(struct.pack("<Q", len(head)) + head + body[:1000000])
safetensors("one.safetensors", 1)
safetensors("two.safetensors", 2)
# This is what torch.save({"w": torch.zeros(100)}) writes.
def text(s): return b"X" + struct.pack("<I", len(s)) + s.encode()
pickle = (b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(("
    + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    + b"Kdt" + b"QK\x00Kd\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs.")
with zipfile.ZipFile("model.pt", "w") as z:
    z.writestr("model/data.pkl", pickle)
    z.writestr("model/data/0", bytes(400))
    z.writestr("model/version", "3\n")
END

dsv init
dsv tag one.safetensors -a acc=0.5
first=$output
cp two.safetensors one.safetensors
dsv tag one.safetensors -a acc=0.7
dsv diff --tensors "$first" HEAD
dsv tag model.pt -b torch
dsv show --tensors torch
[[ $output == *w*F32* ]]
dsv tag --async one.safetensors model.pt -b async
dsv wait "$output"
dsv checkout "$first" out
dsv fork "$first" -b again
dsv attr HEAD note=good
dsv find 'attr.acc > 0.6' --json
dsv log --graph --all
dsv status
dsv du
dsv prune --expire=now again
dsv fsck --data
dsv repack
dsv fsck --rebuild
dsv fsck --data
echo "no errors"
