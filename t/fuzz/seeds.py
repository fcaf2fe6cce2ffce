#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the first inputs of a fuzzer: seeds.py TARGET DIR

format   small files of every format (t/unit/format_torch.py makes them)
journal  lines, as a repository has them
store    recipes, manifests and indexes, good and forged
text     find expressions, assignments, sweeps, durations
"""
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "hostile"))
import forge  # noqa: E402


def formats(d):
    subprocess.run([sys.executable,
                    os.path.join(HERE, "../unit/format_torch.py"), "seed", d],
                   check=True)
    return []


def journal(_):
    for ops in ([{"op": "branch", "name": "main", "head": ""}],
                [{"op": "attr", "state": "0" * 64, "key": "acc",
                  "value": 0.5}], []):
        rest = json.dumps({"ops": ops, "time": 1}, separators=(",", ":"),
                          sort_keys=True)
        digest = hashlib.sha256(f"7 {rest}".encode()).hexdigest()
        yield f"7 {digest} {rest}".encode()


def store(_):
    yield b"r" + forge.GOOD
    for name, make in forge.CONTENTS.items():
        if not make or name == "ten-million":
            continue
        lines, more = make()
        yield b"m" + (lines if isinstance(lines, bytes) else
                      forge.manifest(lines))
        for text in more:
            yield b"r" + text
    for make in forge.INDEXES.values():
        yield b"i" + make()


def text(_):
    for line in ("facc > 0.5 AND (lr = 0.1 OR NOT kind = 'tag')",
                 'fname ~ "a*" && created < 7d', "fjob.state IN (\"A\", 'B')",
                 "flr BETWEEN 1e-3 AND 1", "fx IS NULL OR has(y)",
                 "alr=0.1", "aK:=[1, {\"a\": 2}]", "a+new=a=b", "aa.b:=1e400",
                 "slr=0.1,0.01", "sbs:=[32, 64]", "s+x=", "slayers:=[[1,2],[3]]",
                 "d90s", "d1.5h", "d4w", "d99999999999999w"):
        yield line.encode()


def main():
    target, d = sys.argv[1:]
    makers = {"format": formats, "journal": journal, "store": store,
              "text": text}
    os.makedirs(d, exist_ok=True)
    for seed in makers[target](d):
        path = os.path.join(d, hashlib.sha256(seed).hexdigest()[:16])
        with open(path, "wb") as f:
            f.write(seed)


if __name__ == "__main__":
    main()
