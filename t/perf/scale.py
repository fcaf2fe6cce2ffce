#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Print median ms and peak memory of commands: scale.py DSV WORK SIZE..."""
import os
import statistics
import subprocess
import sys
import time

DSV, WORK, SIZES = sys.argv[1], sys.argv[2], sys.argv[3:]
TURNS = 9

COMMANDS = (
    ("rev-parse, 8 digits", "rev-parse {id}"),
    ("rev-parse b7~100", "rev-parse b7~100"),
    ("log -n 20", "log -n 20 b150"),
    ("log -n 20 --all", "log -n 20 --all"),
    ("log --graph -n 50 --all", "log --graph -n 50 --all"),
    ("show", "show b150"),
    ("tag of a small state", "tag -b b150 {work}/note"),
    ("fork", "fork b150"),
    ("next", "next b20~20"),
    ("prev", "prev b150"),
    ("merge-base", "merge-base b7 b150"),
    ("max:acc@*", "rev-parse max:acc@*"),
    ("max:acc@b20", "rev-parse max:acc@b20"),
    ("find, indexed, sort, -n 10",
     "find 'acc > 0.95 and loss < 0.5' --sort -acc -n 10"),
    ("find, the filter against the sort, -n 10",
     "find 'acc < 0.1 and loss > 3' --sort -acc -n 10"),
    ("find by a parameter, -n 10", "find 'lr < 0.0005' -n 10"),
    ("find among ancestors, -n 10",
     "find 'acc > 0.5' --ancestors-of b150 --sort -acc -n 10"),
    ("find among descendants, -n 10",
     "find 'acc > 0.5' --descendants-of b20~20 --sort -acc -n 10"),
    ("find --count, half of all", "find 'loss < 2' --count"),
    ("status", "status"),
    ("prune -n, all branches",
     "prune -n --keep-last 10 --keep-best max:acc:3"),
    ("prune -n --json, all branches",
     "prune -n --json --keep-last 10 --keep-best max:acc:3"),
)


def run(command):
    # The shell replaces itself, so that dsv is measured.
    start = time.perf_counter()
    p = subprocess.Popen(f"exec {command}", shell=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, use = os.wait4(p.pid, 0)
    if status:
        sys.exit(f"failed: {command}\n{p.stderr.read().decode()}")
    return (time.perf_counter() - start) * 1e3, use.ru_maxrss / 1024


def measure(size):
    repo = f"{WORK}/{size}"
    some = subprocess.check_output([DSV, "--repo", repo, "rev-parse",
                                    "b20~10"], text=True)[:8]
    rows = {}
    for turn in range(TURNS):
        for name, command in COMMANDS:
            if turn > 2 and name.startswith("prune"):
                continue
            with open(f"{WORK}/note", "w") as f:
                f.write(str(time.time()))
            rows.setdefault(name, []).append(run(
                f"{DSV} --repo {repo} " + command.format(id=some, work=WORK)))
    return rows


def main():
    result = {size: measure(size) for size in SIZES}
    print("## How it grows\n")
    print("Repositories of `t/perf/generate`: 200 branches, 8 parameters, 6"
          " attributes, in\nmemory (`/dev/shm`), so that dsv is measured and not"
          " the disk's syncs. Median of", TURNS, "in\nms, including the start"
          " of the process (2 to 4 ms); peak memory in MiB. Load:",
          open("/proc/loadavg").read().split()[0] + ".\n")
    print("| |", " | ".join(f"{int(s):,} states" for s in SIZES),
          "| peak MiB |")
    print("|---|" + "--:|" * (len(SIZES) + 1))
    for name, _ in COMMANDS:
        cells = [f"{statistics.median(r[0] for r in result[s][name]):.1f}"
                 for s in SIZES]
        peak = max(r[1] for s in SIZES for r in result[s][name])
        print(f"| {name} | {' | '.join(cells)} | {peak:.0f} |")
    for size in SIZES:
        db = os.stat(f"{WORK}/{size}/.dsv/catalog.db").st_size
        print(f"\ncatalog.db of {int(size):,} states: {db / 2**20:.0f} MiB,"
              f" {db / int(size):.0f} bytes a state.", end="")
    print("""

Here the cost still grows with the repository, not with the answer: `status`
adds up all states and chunks; `find --count` of an expression that half of the
states satisfy looks at each; `prune -n` looks at every candidate, and bounds
the bytes rather than working them out for more than 500 states. `max:KEY@B`
walks the index of the attribute until it meets a state of the branch. A search
among the descendants of a state near the root, which are nearly all states,
takes one pass over the edges: 0.07 s for a million. The record of each state is
a file of its own in `states/`.""")


main()
