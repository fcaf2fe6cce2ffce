#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Kill dsv, or make a call of it fail, at each place where it changes files.

usage: run.py [--all | --places N] [--op NAME]... [--mode MODE]... [--dir DIR]

Each run is in a copy of a prepared repository.  Afterwards nothing that was
committed may be missing, fsck --data must be clean (perhaps after --repair),
the command must work when it is run again, and once leftovers are old a prune
must remove them all.  With --places N only N places of each operation and mode
are tried, the same ones for the same --seed.  The last line says how many.

Modes: kill; tear (half of a write, then killed); lose (the power goes: what
was not synced is lost); half (half of that is lost, at random); later (as
lose, but after a tag by another process, whose changes are lost if neither has
synced them); short (half of a write is done); EIO ENOSPC EDQUOT EINTR (the
call fails once); full (each call from there on fails with ENOSPC).

With --prove-syncs each fsync of the operations is left out and the power is
cut at places after it, to see which of them would be missed.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from hashlib import sha256

from operations import (BUILD, OPERATIONS, Base, Broken, Operation, data,
                        write)

# The power goes.
CUTS = ["lose", "half", "later"]
MODES = ["kill", "tear", *CUTS, "short", "EIO", "ENOSPC", "EDQUOT",
         "EINTR", "full"]
# A command may end with these when a call of it has failed; with success too,
# if the command can do without that call.
CODES = {"short": {0}, "EINTR": {0, 5, 130}, "EIO": {0, 5}, "ENOSPC": {0, 15},
         "EDQUOT": {0, 15}, "full": {0, 15}}
DAYS = 3 * 86400


def fault_environment(base, where, mode, k, log=None):
    env = {"LD_PRELOAD": base.fault, "DSV_FAULT_ROOT": where + "/work"}
    if log:
        env["DSV_FAULT_LOG"] = log
    action = "kill" if mode in CUTS else {"full": "ENOSPC"}.get(mode, mode)
    env["DSV_FAULT_DO"] = action
    if k:
        env["DSV_FAULT_AT"] = str(k)
    if mode == "full":
        env["DSV_FAULT_STICKY"] = "1"
    if mode in CUTS and not log:
        shadow = where + "/shadow"
        os.mkdir(shadow)
        env["DSV_FAULT_SHADOW"] = shadow
        env["DSV_FAULT_LOSE"] = str(k or 1) if mode == "half" else "all"
    return env


def run_later(base, op, where, env):
    """Run the operation in a process that a tag starts when it has ended:
    what neither the tag nor the operation has synced is lost.
    """
    write(where + "/work/early", data(9, 70000))
    env = {**env, "DSV_FAULT_SYNCED": where + "/synced"}
    with open(where + "/then", "w") as f:
        f.write("unset DSV_FAULT_THEN\n")
        f.writelines(f"export {k}={shlex.quote(v)}\n" for k, v in env.items()
                     if k != "LD_PRELOAD")
        argv = shlex.join([base.program_of(where), *op.argv])
        f.write(f"LD_PRELOAD={shlex.quote(env['LD_PRELOAD'])} {argv}"
                " >../out 2>../err\necho $? >../status\n")
    os.mkdir(where + "/early-shadow")
    first = base.run(where, ["tag", "-b", "early", "early"], {
        **env, "DSV_FAULT_SHADOW": where + "/early-shadow",
        "DSV_FAULT_AT": "0", "DSV_FAULT_THEN": "sh ../then"})
    if first.returncode != 0:
        raise Broken(f"the tag before: {first.returncode} {first.stderr}")
    texts = [open(f"{where}/{name}").read() for name in ("status", "out", "err")]
    status = int(texts[0])
    r = subprocess.CompletedProcess(op.argv, -9 if status == 137 else status,
                                    *texts[1:])
    r.early = first.stdout.strip()
    return r


def copy(base, op):
    where = tempfile.mkdtemp(prefix="run-", dir=base.top)
    source = f"{base.top}/{op.name}"
    subprocess.run(["cp", "-a", source + "/work", where], check=True)
    if op.program:
        os.symlink(os.path.join(BUILD, op.program), where + "/program")
    return where


def places(base, op, mode):
    """Return how many calls of the operation count, and which."""
    where = copy(base, op)
    log = where + "/log"
    r = op.run(base, where, fault_environment(base, where, mode, 0, log))
    if r.returncode != 0:
        raise Broken(f"{op.name} without a fault: {r.returncode} {r.stderr}")
    lines = open(log).read().splitlines() if os.path.exists(log) else []
    shutil.rmtree(where, ignore_errors=True)
    return [line.split(" ", 2)[1:] for line in lines]


def check_end(op, mode, call, r):
    """Check exit code and message of the interrupted command."""
    if mode in ("kill", "tear", *CUTS):
        if r.returncode not in (-9, 0):
            raise Broken(f"ended with {r.returncode}: {r.stderr}")
        return
    codes = set(CODES[mode])
    if mode in ("ENOSPC", "EDQUOT") and ("catalog.db" in call[1] or
            "catalog.db': disk I/O error" in r.stderr):
        # SQLite does not say why, and the disk is not full a moment later.
        # Among ranks the k-th call is not the same one every time.
        codes.add(5)
    if r.returncode not in codes:
        raise Broken(f"ended with {r.returncode}: {r.stderr}")
    if r.returncode != 0 and "moved" not in r.stderr:
        lines = [line for line in r.stderr.splitlines()
                 if ": warning: committed, but" not in line]
        if len(lines) != 1 or not lines[0].startswith("dsv "):
            raise Broken(f"message: {r.stderr!r}")


def check_fsck(base, where, stats):
    r = base.dsv(where, "fsck", "--data", "--json", check=False)
    if r.returncode == 0:
        return
    if r.returncode != 13:
        raise Broken(f"fsck: {r.returncode} {r.stderr}")
    kinds = sorted({p["kind"] for p in json.loads(r.stdout)["problems"]})
    stats["repaired: " + " ".join(kinds)] += 1
    r = base.dsv(where, "fsck", "--data", "--repair", check=False)
    r2 = base.dsv(where, "fsck", "--data", check=False)
    if r2.returncode != 0:
        raise Broken(f"not repaired: {r.stdout}{r.stderr}{r2.stdout}")


def make_old(where):
    """Make it look as if all of it had happened days ago."""
    repo = where + "/work/.dsv"
    old = time.time() - DAYS
    for dirpath, dirs, files in os.walk(where + "/work"):
        for name in files + dirs:
            path = os.path.join(dirpath, name)
            if not path.startswith(repo):
                continue
            os.utime(path, (old, old), follow_symlinks=False)
    db = sqlite3.connect(repo + "/catalog.db")
    db.execute("UPDATE segment SET staged = staged - ?", (DAYS * 10**9,))
    db.commit()
    db.close()


def leftovers(where):
    repo = where + "/work/.dsv"
    db = sqlite3.connect(repo + "/catalog.db")
    known = {name for (name,) in db.execute("SELECT name FROM segment")}
    for (name,) in db.execute("SELECT segment FROM freeing"):
        yield f"freeing {name}"
    for (n,) in db.execute("SELECT count(*) FROM outbox"):
        if n > 1:
            yield f"{n} rows in outbox"
    for (name,) in db.execute("SELECT name FROM segment"
                              " WHERE staged IS NOT NULL"):
        yield f"staged {name}"
    pending = {bytes(c).hex() for (c,) in db.execute(
        "SELECT capture FROM state WHERE status = 1 AND pruned IS NULL")}
    db.close()
    for dirpath, dirs, files in os.walk(where + "/work"):
        for name in files + dirs:
            path = os.path.join(dirpath, name)[len(where) + 6:]
            part = path.split("/")
            if ".tmp" in name or name.startswith("guard"):
                yield path
            if path.startswith(".dsv/intake/tag-"):
                yield path
            if path.startswith(".dsv/tmp/") and not name.startswith("statcache"):
                yield path
            if path.startswith(".dsv/segments/") and len(part) == 4 and \
                    name.split(".")[0] not in known:
                yield path
            if path.startswith(".dsv/queue/") and len(part) == 4 and \
                    name != "lock" and not any(
                        p.startswith(name.split(".")[0]) for p in pending):
                yield path


def check_sweep(base, op, where):
    make_old(where)
    junk = where + "/junk"
    with open(junk, "w") as f:
        f.write("junk")
    base.dsv(where, "tag", "-b", "junk", junk)
    base.dsv(where, "prune", "--expire=now", "junk")
    left = [path for path in leftovers(where)
            if not (op.keeps_queue and path.startswith(".dsv/queue/"))]
    if left:
        raise Broken("left behind: " + ", ".join(left[:5]))


def one(base, op, mode, k, call, stats, more={}):
    where = copy(base, op)
    try:
        env = {**fault_environment(base, where, mode, k), **more}
        r = (run_later(base, op, where, env) if mode == "later" else
             op.run(base, where, env))
        check_end(op, mode, call, r)
        # A checkout does not wait for the disk: it can be repeated.
        r.lost = mode in CUTS
        stats["success" if r.returncode == 0 else
              "killed" if r.returncode == -9 else "failed"] += 1
        op.after_fault(base, where, r)
        if op.has_repository(where):
            check_fsck(base, where, stats)
            op.check(base, where, r)
        if mode == "later":
            op.must_live(base, where, r.early,
                         {"early": sha256(data(9, 70000)).hexdigest()})
        op.repeat(base, where, r)
        check_fsck(base, where, stats)
        check_sweep(base, op, where)
        check_fsck(base, where, stats)
        op.check(base, where, None)
    except (Broken, OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    finally:
        if not base.keep:
            shutil.rmtree(where, ignore_errors=True)
    return None


def choose(calls, n, rng):
    """Return n places: first where the kind of call changes, then any."""
    change = [i for i in range(len(calls)) if i == 0 or
              calls[i][0] != calls[i - 1][0] or
              os.path.dirname(calls[i][1]) != os.path.dirname(calls[i - 1][1])]
    if len(change) > n:
        return [i + 1 for i in sorted(rng.sample(change, n))]
    rest = [i for i in range(len(calls)) if i not in set(change)]
    change += rng.sample(rest, min(n - len(change), len(rest)))
    return [i + 1 for i in sorted(change)]


def plan(base, args):
    rng = random.Random(args.seed)
    work = []
    for op in OPERATIONS:
        if args.op and op.name not in args.op:
            continue
        op.prepare(base)
        for mode in args.mode or MODES:
            # An operation that starts processes is not one later process.
            if mode == "later" and (op.alone or any(
                    getattr(type(op), f) is not getattr(Operation, f)
                    for f in ("run", "has_repository"))):
                continue
            calls = places(base, op, mode)
            ks = args.at or (range(1, len(calls) + 1) if args.all else
                             choose(calls, args.places, rng))
            work += [(op, mode, k, calls[k - 1]) for k in ks]
            # The power goes right after success was reported.
            if mode in CUTS and not args.at:
                work.append((op, mode, 0, ["end", ""]))
    return work


def prove_syncs(base, args):
    """Leave each fsync out, and cut the power at each place after it.

    Prints those whose absence the checks miss, and how many they notice.
    """
    stats = collections.Counter()
    rng = random.Random(args.seed)
    seen = total = 0
    for op in OPERATIONS:
        if op.name not in (args.op or ["tag"]):
            continue
        op.prepare(base)
        calls = places(base, op, "lose")
        syncs = [i for i, call in enumerate(calls) if call[0] == "fsync"]
        for n, i in enumerate(syncs):
            later = list(range(i + 2, len(calls) + 1))
            ks = [0] + (later if args.all else
                        sorted(rng.sample(later, min(args.places,
                                                     len(later)))))
            why = None
            for k in ks:
                for mode in args.mode or ["lose"]:
                    why = why or one(base, op, mode, k, calls[k - 1], stats,
                                     {"DSV_FAULT_NO_SYNC": str(n + 1)})
            total += 1
            seen += why is not None
            if why is None or args.verbose:
                print(f"{op.name} fsync {n + 1} ({calls[i][1]}): "
                      f"{why or 'not seen'}", flush=True)
    print(f"{total} syncs left out, {seen} of them seen")
    return 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--places", type=int, default=3)
    p.add_argument("--op", action="append")
    p.add_argument("--mode", action="append")
    p.add_argument("--at", action="append", type=int)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--dir", default="/dev/shm")
    p.add_argument("--config", action="append", default=[])
    p.add_argument("--prove-syncs", action="store_true")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--program")
    args = p.parse_args()
    top = tempfile.mkdtemp(prefix="dsv-fault-", dir=args.dir)
    failures = 0
    start = time.time()
    stats = collections.Counter()
    try:
        base = Base(top, args.program, args.config, args.keep)
        if args.prove_syncs:
            return prove_syncs(base, args)
        work = plan(base, args)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            jobs = [pool.submit(one, base, *w, stats) for w in work]
            for w, job in zip(work, jobs):
                why = job.result()
                if why is None:
                    continue
                failures += 1
                print(f"{w[0].name} {w[1]} {w[2]} ({' '.join(w[3])}): {why}",
                      flush=True)
    finally:
        if not args.keep:
            shutil.rmtree(top, ignore_errors=True)
    for what, n in sorted(stats.items()):
        print(f"  {what}: {n}")
    print(f"{len(work)} kills and faults, {failures} not survived,"
          f" {time.time() - start:.0f} s")
    return 1 if failures or not work else 0


if __name__ == "__main__":
    sys.exit(main())
