#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run many dsv at once on one repository, beside a prune that frees.

usage: soak.py [--seconds N] [--writers N] [--ranks N] [--guard] [--kill]
               [--dir DIR [--other DIR]]

Each writer tags, forks, finds and checks out, again and again, on a branch of
its own with bytes that others have too; N ranks tag together; a prune with
--expire=now runs every second; with --guard and --kill the owner of the lock is
killed, at most 30 times a second.  At the end each state whose id was printed
must exist once, live or pruned, live ones must have the right bytes, and fsck
--data must be clean.  DIR is by default $TMPDIR, or /tmp: a disk, since many
states may not fit into memory.  With --other, which shows the same as DIR by a
second mount of a network file system, every other process works there, as if on
another host.
"""
import argparse
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from operations import Base, Broken, data, remove, tree, write


# A separate process, which the threads do not slow down, kills the owner of the
# guard lock, if it is one of those that may be killed.
KILLER = """
import os, sys, time
while True:
    time.sleep(0.03)
    try:
        text = open(sys.argv[1] + "/work/.dsv/guard").read()
        pid = int(text.split("pid ")[1].split()[0])
        if b"SOAK_MAY_KILL=1" in open(f"/proc/{pid}/environ", "rb").read():
            os.kill(pid, 9)
    except (OSError, IndexError):
        pass
"""


class Killed(Exception):
    pass


class Soak:
    def __init__(self, base, where, other, args):
        self.base, self.where, self.args = base, where, args
        self.places = [where, other] if other else [where]
        # A reader may say this in the middle of another host's commit.
        self.torn = (4, 5, 13) if other else ()
        self.lock = threading.Lock()
        self.trees = {}
        self.waits = []
        self.group_waits = []
        self.groups = 0
        self.counts = collections.Counter()
        self.errors = []
        self.end = time.monotonic() + args.seconds

    def place(self, n):
        """Return the path by which writer or rank n sees the repository."""
        return self.places[n % len(self.places)]

    def start(self, n, *argv, **env):
        return subprocess.Popen(
            [self.base.program, *argv], cwd=self.place(n) + "/work", text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env={**self.base.env, **env})

    def run(self, *argv, may=(0,), n=0):
        start = time.monotonic()
        r = self.start(n, *argv, SOAK_MAY_KILL="1")
        r.stdout, r.stderr = r.communicate(timeout=180)
        if r.returncode == -9 and self.args.kill:
            raise Killed()
        if r.returncode not in may:
            raise Broken(f"dsv {' '.join(argv)}: {r.returncode} {r.stderr}")
        with self.lock:
            self.counts[argv[0]] += 1
            if self.torn and r.returncode in (5, 13):
                self.counts["torn read"] += 1
            if argv[0] == "tag":
                self.waits.append(time.monotonic() - start)
        return r

    def loop(self, what, *args):
        try:
            while time.monotonic() < self.end and not self.errors:
                try:
                    what(*args)
                except Killed:
                    self.counts["killed"] += 1
        except Exception as e:
            self.errors.append(str(e))

    def write_once(self, n, rng):
        files = f"{self.place(n)}/work/w{n}/data"
        # It is one of a few: condemned, freed and stored again all the time.
        write(files + "/big", data(rng.randrange(6), 1100000))
        write(files + "/own", rng.randbytes(2000))
        id = self.run("tag", "-b", f"w{n}", f"w{n}/data", n=n).stdout.strip()
        with self.lock:
            self.trees[id] = {"data/" + p: h for p, h in tree(files).items()}
        what = rng.randrange(4)
        if what == 0:
            r = self.run("fork", id, "-b", f"f-{id[:16]}", may=(0, 4, 14),
                         n=n)
            if r.returncode == 0:
                with self.lock:
                    self.trees[r.stdout.split()[1]] = self.trees[id]
        elif what == 1:
            self.run("find", "-n", "5", may=(0, *self.torn), n=n)
        elif what == 2:
            self.check_out(id, (0, 4, *self.torn), n + 1)

    def check_out(self, id, may, n=0):
        out = tempfile.mkdtemp(dir=self.place(n))
        r = self.run("checkout", id, out, may=may, n=n)
        got = tree(out)
        remove(out)
        want = self.trees[id]
        if r.returncode == 0 and got != want:
            raise Broken(f"{id[:12]} has other files")
        if any(want.get(p) != h for p, h in got.items()):
            raise Broken(f"{id[:12]}: a file is not whole")

    def collective_once(self, rng):
        """All ranks print the same id, of a state that holds what each has."""
        self.groups += 1
        ranks, group = self.args.ranks, f"g{self.groups}"
        want = {}
        for i in range(ranks):
            files = f"{self.place(i)}/work/c/r{i}"
            write(files + "/shard", rng.randbytes(3000))
            write(files + "/same", data(rng.randrange(6), 1100000)
                  if i == 0 else b"same")
            want.update({f"r{i}/" + p: h for p, h in tree(files).items()})
        start = time.monotonic()
        processes = [
            self.start(i, "tag", "--collective", "--group", group,
                       "--group-timeout", "5m", "-b", "collective",
                       f"c/r{i}", RANK=str(i), WORLD_SIZE=str(ranks))
            for i in range(ranks)]
        said = {p.communicate(timeout=400) for p in processes}
        codes = {p.returncode for p in processes}
        if codes != {0} or len(said) != 1:
            raise Broken(f"collective: {codes} {sorted(said)[:3]}")
        with self.lock:
            self.trees[said.pop()[0].strip()] = want
            self.counts[f"collective of {ranks}"] += 1
            self.group_waits.append(time.monotonic() - start)

    def prune_once(self):
        time.sleep(1)
        self.run("prune", "--keep-last", "2", "--expire=now", may=(0, 3))
        self.run("prune", "--expire=now", "--branch", "main", "--keep-last",
                 "1", may=(0, 3, 14))

    def fsck_once(self, rng):
        """What others are doing is not damage, and needs no repair."""
        time.sleep(0.5)
        self.run("fsck", *rng.choice(([], ["--data"], ["--repair"])),
                 n=rng.randrange(2))

    def check_end(self):
        self.args.kill = False
        if self.args.other:
            time.sleep(3)  # a reader may see what was a second ago

        repeated = self.run("find", "--pruned", "--format", "%(id)"
                            ).stdout.split()
        known = collections.Counter(repeated)
        for id in self.trees:
            if known[id] != 1:
                raise Broken(f"{id[:12]} is there {known[id]} times")
        extra = set(known) - set(self.trees) - set(self.base.trees)
        # A killed process may have committed without printing the id.
        if len(extra) > self.counts["killed"]:
            raise Broken(f"states whose ids were not printed: {len(extra)}")
        live = self.run("find", "--format", "%(id)").stdout.split()
        for id in live:
            if id in self.trees:
                self.check_out(id, (0,))
        self.run("fsck", "--data")

    def go(self):
        rngs = [random.Random(n) for n in range(self.args.writers)]
        threads = [threading.Thread(target=self.loop,
                                    args=(self.write_once, n, rng))
                   for n, rng in enumerate(rngs)]
        threads.append(threading.Thread(target=self.loop,
                                        args=(self.prune_once,)))
        threads.append(threading.Thread(target=self.loop,
                                        args=(self.fsck_once,
                                              random.Random(-2))))
        if self.args.ranks:
            threads.append(threading.Thread(target=self.loop,
                                            args=(self.collective_once,
                                                  random.Random(-1))))
        killer = subprocess.Popen([sys.executable, "-c", KILLER, self.where]) \
            if self.args.kill else None
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if killer:
            killer.kill()
            killer.wait()
        if self.errors:
            raise Broken(self.errors[0])
        self.check_end()
        waits = sorted(self.waits)
        print(", ".join(f"{n} {what}" for what, n in
                        sorted(self.counts.items())))
        print(f"tag: p50 {waits[len(waits) // 2] * 1000:.0f} ms,"
              f" p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms,"
              f" at most {waits[-1] * 1000:.0f} ms")
        if self.group_waits:
            print(f"collective: at most {max(self.group_waits):.1f} s")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seconds", type=int, default=120)
    p.add_argument("--writers", type=int, default=256)
    p.add_argument("--ranks", type=int, default=64)
    p.add_argument("--kill", action="store_true")
    p.add_argument("--guard", action="store_true")
    p.add_argument("--dir", default=tempfile.gettempdir())
    p.add_argument("--other")
    args = p.parse_args()
    top = tempfile.mkdtemp(prefix="dsv-soak-", dir=args.dir)
    try:
        base = Base(top, None, ["core.guardLock=true"] if args.guard else [],
                    False)
        base.env["DSV_LOCK_WAIT"] = "60s"
        other = args.other and \
            os.path.join(args.other, os.path.basename(top), "base")
        Soak(base, top + "/base", other, args).go()
    except Broken as e:
        print(re.sub(r"\s+", " ", str(e)))
        return 1
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
