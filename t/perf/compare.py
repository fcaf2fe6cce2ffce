#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compare dsv and its peers: compare.py DSV WORK ROUNDS SCALE [DVC]

Prints a part of doc/performance.md.  WORK must have room for five times the
largest series and is emptied.  The tools take turns, series by series and
round by round, so that anything else the machine does affects them all alike.
"""
import mmap
import os
import shutil
import statistics
import subprocess
import sys
import time

DSV, WORK, ROUNDS, SCALE = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                            float(sys.argv[4]))
DVC = sys.argv[5] if len(sys.argv) > 5 else None
HERE = os.path.dirname(os.path.abspath(__file__))
ENV = dict(os.environ, RESTIC_PASSWORD="x", LC_ALL="C", HOME=f"{WORK}/home",
           BORG_BASE_DIR=f"{WORK}/home", DVC_NO_ANALYTICS="1",
           BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
           GIT_AUTHOR_NAME="b", GIT_AUTHOR_EMAIL="b@localhost",
           GIT_COMMITTER_NAME="b", GIT_COMMITTER_EMAIL="b@localhost")
for name in list(ENV):
    if name.startswith(("DSV_REPO", "DSV_BRANCH", "SLURM_")):
        del ENV[name]

SERIES = [(kind, steps) for kind, steps in (
    ("full", 3), ("frozen", 5), ("bf16", 3), ("torch", 3), ("shards", 2),
    ("small", 3)) if kind in os.environ.get("BENCH_SERIES", kind).split()]


def run(command, cwd=None):
    """Measure a shell command and its children: s, CPU s, peak MiB."""
    sys.stderr.write(f"  {command}\n")
    start = time.perf_counter()
    p = subprocess.Popen(["bash", "-ec", command], cwd=cwd, env=ENV,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    output = p.stdout.read()
    _, status, use = os.wait4(p.pid, 0)
    p.returncode = status
    if status:
        sys.exit(f"failed: {command}\n{output.decode(errors='replace')}")
    return (time.perf_counter() - start, use.ru_utime + use.ru_stime,
            use.ru_maxrss / 1024)


def touch_memory():
    """Use all free memory once.  In a virtual machine the host provides a page
    when it is first touched, and one tool would pay for that.
    """
    with open("/proc/meminfo") as f:
        free = next(int(line.split()[1]) << 10 for line in f
                    if line.startswith("MemFree"))
    size = free - (1 << 30)
    # It runs in a child: a started process inherits the peak of memory.
    pid = os.fork()
    if pid == 0:
        if size > 0:
            mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
                      | mmap.MAP_POPULATE)
        os._exit(0)
    os.waitpid(pid, 0)


def stored(repo):
    out = subprocess.check_output(["du", "-s", "--block-size=1", repo])
    return int(out.split()[0])


# name: (make the repository, take a state in).  {r} repository, {s} the
# state's directory, {n} its number.  A tool that does not sync is followed by sync.
TOOLS = {
    "dsv": ("{dsv} -q init {r}", "{dsv} --repo {r} -q tag {s}/."),
    "cp -r, sync": ("mkdir -p {r}", "cp -r {s} {r}/{n}; sync -f {r}"),
    "rsync": ("mkdir -p {r}",
              "rsync -a --whole-file --link-dest=../$(({n} - 1))"
              " {s}/ {r}/{n}/; sync -f {r}"),
    "restic": ("restic -q -r {r} init",
               "cd {s}; restic -q -r {r} --compression off backup ."),
    "borg": ("borg init -e none {r} 2>&1",
             "cd {s}; borg create --compression none {r}::{n} ."),
    "git-annex": ("git init -q -b main {r}; cd {r}; git annex -q init x",
                  "cp -r --remove-destination {s}/. {r}; cd {r}; git annex -q add .;"
                  " git commit -q --allow-empty -m {n}; sync -f {r}"),
    "git-lfs": ("git init -q -b main {r}; cd {r}; git lfs install --local >&2;"
                " git lfs track '*.*' >&2",
                "cp -r {s}/. {r}; cd {r}; git add .;"
                " git commit -q --allow-empty -m {n}; sync -f {r}"),
    "casync": ("mkdir -p {r}",
               "casync make --store={r}/store.castr {r}/{n}.caidx {s} >&2;"
               " sync -f {r}"),
}
if DVC:
    TOOLS["dvc"] = ("mkdir -p {r}; cd {r}; " + DVC + " init -q --no-scm",
                    "rm -rf {r}/data; cp -r {s} {r}/data; cd {r}; " + DVC +
                    " add -q data; sync -f {r}")


def one_series(kind, steps):
    """Return {tool: [(seconds, cpu, MiB, bytes added)] by step} of a round."""
    src = f"{WORK}/series"
    shutil.rmtree(src, ignore_errors=True)
    subprocess.check_call([f"{HERE}/make-series.py", kind, src, str(steps),
                           str(SCALE)])
    os.sync()
    # The disk is idle, and the files are in the page cache for all alike.
    run(f"cp -r {src} {WORK}/warm; rm -r {WORK}/warm; sync; sleep 5")
    result = {tool: [] for tool in TOOLS}
    # git-annex takes minutes for a round of small files.
    for turn in range(1 if kind == "small" else ROUNDS):
        order = list(TOOLS)
        order = order[turn % len(order):] + order[:turn % len(order)]
        for tool in order:
            make, take = TOOLS[tool]
            repo = f"{WORK}/repo"
            shutil.rmtree(repo, ignore_errors=True)
            shutil.rmtree(ENV["HOME"], ignore_errors=True)
            os.makedirs(ENV["HOME"])
            touch_memory()
            run(make.format(r=repo, dsv=DSV))
            before, steps_of = stored(repo), []
            for n in range(1, steps + 1):
                spent = run(take.format(r=repo, s=f"{src}/{n}", n=n, dsv=DSV))
                now = stored(repo)
                steps_of.append(spent + (now - before,))
                before = now
            if tool == "dsv":
                again(repo, src, steps)
            result[tool].append(steps_of)
            subprocess.call(["chmod", "-R", "u+w", repo])
            shutil.rmtree(repo)
    size = int(subprocess.check_output(
        ["du", "-s", "--apparent-size", "--block-size=1",
         f"{src}/1"]).split()[0])
    return result, size


EXTRA = {}


def note(key, spent):
    EXTRA.setdefault(key, []).append(spent)


def again(repo, src, steps):
    """Measure what dsv does with the last state of a series."""
    kind = KIND
    d = f"{DSV} --repo {repo} -q"
    last = f"{src}/{steps}"
    note((kind, "tag, unchanged"), run(f"{d} tag {last}/."))
    for _ in range(5):
        note((kind, "tag, unchanged"), run(f"{d} tag {last}/."))
        note((kind, "fork"), run(f"{d} fork HEAD"))
        note((kind, "`--version`"), run(f"{DSV} --version"))
    out = f"{WORK}/out"
    for name, command in (
            ("checkout, verified", f"{d} checkout HEAD {out} --link copy"),
            ("cp -r of the same", f"cp -r {last} {out}")):
        shutil.rmtree(out, ignore_errors=True)
        touch_memory()
        note((kind, name), run(command))
        if name.startswith("checkout"):
            subprocess.check_call(["diff", "-r", last, out])
    shutil.rmtree(out, ignore_errors=True)


def median(rows, column):
    return statistics.median(row[column] for row in rows)


def table(kind, result, size):
    print(f"\n### {kind}: {size / 2**20:.0f} MiB a state\n")
    print("| | first: s | x dsv | CPU s | peak MiB | stored MiB"
          " | next: s | x dsv | CPU s | stored MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    base = None
    for tool, rounds in result.items():
        first = [r[0] for r in rounds]
        later = [s for r in rounds for s in r[1:]]
        row = (median(first, 0), median(later, 0))
        base = base or row
        print(f"| {tool} | {row[0]:.2f} | {row[0] / base[0]:.1f}"
              f" | {median(first, 1):.2f}"
              f" | {median(first + later, 2):.0f}"
              f" | {median(first, 3) / 2**20:.0f}"
              f" | {row[1]:.2f} | {row[1] / base[1]:.1f}"
              f" | {median(later, 1):.2f}"
              f" | {median(later, 3) / 2**20:.0f} |", flush=True)


def extras():
    print("\n### dsv alone\n")
    print("| | median ms | least ms | CPU ms | peak MiB |")
    print("|---|--:|--:|--:|--:|")
    for (kind, name), rows in EXTRA.items():
        print(f"| {kind}: {name} | {median(rows, 0) * 1e3:.1f}"
              f" | {min(r[0] for r in rows) * 1e3:.1f}"
              f" | {median(rows, 1) * 1e3:.1f} | {median(rows, 2):.0f} |")


# bash itself, which starts each command, is included in all figures.
for KIND, count in SERIES:
    table(KIND, *one_series(KIND, count))
extras()
