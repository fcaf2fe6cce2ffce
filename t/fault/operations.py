# SPDX-License-Identifier: MIT
"""The operations that run.py interrupts, and what must hold afterwards."""
import contextlib
import errno
import fcntl
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "../..", os.environ.get("DSV_BUILD", "build"))


class Broken(Exception):
    pass


def data(seed, size):
    return random.Random(seed).randbytes(size)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


def tree(path):
    """Return what a directory holds: path -> hash."""
    out = {}
    for dirpath, _, files in os.walk(path):
        for name in files:
            full = os.path.join(dirpath, name)
            with open(full, "rb") as f:
                out[os.path.relpath(full, path)] = \
                    hashlib.sha256(f.read()).hexdigest()
    return out


def remove(path):
    """On FUSE, what was just open has another name for a moment."""
    for _ in range(100):
        try:
            return shutil.rmtree(path)
        except OSError as e:
            if e.errno != errno.ENOTEMPTY:
                raise
            time.sleep(0.05)
    return shutil.rmtree(path)


class Base:
    """The repository that the operations start from."""

    def __init__(self, top, program, config, keep):
        self.top, self.keep = top, keep
        self.program = program or os.path.join(BUILD, "dsv")
        self.fault = os.path.realpath(os.path.join(BUILD, "fault.so"))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("DSV_", "SLURM_"))}
        self.env.update(HOME=top, LC_ALL="C", DSV_LOCK_WAIT="5s")
        self.trees = {}
        self.make(top + "/base", config)

    def program_of(self, where):
        other = where + "/program"
        return other if os.path.exists(other) else self.program

    def run(self, where, argv, env=None):
        return subprocess.run(
            [self.program_of(where)] + argv,
            cwd=where + "/work", text=True,
            env={**self.env, **(env or {})}, capture_output=True, timeout=180,
            stdin=subprocess.DEVNULL)

    def dsv(self, where, *argv, check=True):
        r = self.run(where, list(argv))
        if check and r.returncode != 0:
            raise Broken(f"dsv {' '.join(argv)}: {r.returncode} {r.stderr}")
        return r

    def tag(self, where, *argv):
        id = self.dsv(where, "tag", *argv, "data").stdout.strip()
        self.trees[id] = {"data/" + path: h for path, h in
                          tree(where + "/work/data").items()}
        return id

    def make(self, where, config):
        work = where + "/work"
        os.makedirs(work)
        self.dsv(where, "init")
        for setting in config:
            self.dsv(where, "config", *setting.split("=", 1))
        write(work + "/data/big", data(1, 1300000))
        write(work + "/data/small", b"one")
        self.first = self.tag(where, "--name", "first", "-p", "lr=0.1",
                              "-a", "acc=0.5")
        write(work + "/data/log", data(2, 5000))
        self.second = self.tag(where, "-s", "warm", "-a", "acc=0.7")
        write(work + "/data/big", data(1, 1300000)[:400000] +
              data(3, 900000))
        self.gone = self.tag(where, "-m", "to be pruned")
        self.dsv(where, "prune", self.gone)
        write(work + "/data/big", data(4, 1100000))
        write(work + "/data/small", b"three")
        self.third = self.tag(where, "-m", "third")
        # The operations tag this: bytes that are partly known.
        write(work + "/data/big", data(4, 1100000) + data(5, 300000))
        write(work + "/data/more", data(6, 30000))
        self.next_tree = {"data/" + path: h
                          for path, h in tree(work + "/data").items()}
        self.live = [self.first, self.second, self.third]


class Operation:
    """argv is interrupted; then it, or again_argv, must work."""

    name = None
    argv = []
    makes_state = False		# prints its id
    program = None		# in build/, to be run instead of dsv
    prunes = ()			# names of Base's fields
    restores = ()
    keeps_queue = False		# what was moved is never swept
    alone = False		# no tag may come before it

    def setup(self, base, where):
        pass

    def prepare(self, base):
        where = f"{base.top}/{self.name}"
        os.makedirs(where)
        subprocess.run(["cp", "-a", base.top + "/base/work", where],
                       check=True)
        self.setup(base, where)

    def run(self, base, where, env):
        return base.run(where, self.argv, env)

    def has_repository(self, where):
        return True

    def after_fault(self, base, where, r):
        pass

    def again(self, base, where, r):
        r = base.run(where, self.argv)
        if r.returncode != 0:
            raise Broken(f"again: {r.returncode} {r.stderr}")
        return r

    def repeat(self, base, where, r):
        self.check_success(base, where, self.again(base, where, r))

    # -- what must hold ------------------------------------------------------

    def checked_out(self, base, where, rev):
        out = tempfile.mkdtemp(dir=where)
        r = base.run(where, ["checkout", rev, out])
        if r.returncode != 0:
            raise Broken(f"checkout {rev[:12]}: {r.returncode} {r.stderr}")
        got = tree(out)
        remove(out)
        return got

    def is_pruned(self, base, where, id):
        r = base.dsv(where, "show", "--format", "%(pruned)", id)
        return r.stdout.strip() == "true"

    def must_live(self, base, where, id, want):
        if self.checked_out(base, where, id) != want:
            raise Broken(f"{id[:12]} has other files")

    def check(self, base, where, r):
        """r is the interrupted command's, or None once it was repeated."""
        done = r is None or r.returncode == 0
        prunes = [getattr(base, n) for n in self.prunes]
        restores = [getattr(base, n) for n in self.restores]
        for id in base.live + restores:
            pruned = self.is_pruned(base, where, id)
            if id in prunes and done and not pruned:
                raise Broken(f"{id[:12]} was not pruned")
            if pruned and (id in base.live and id not in prunes or
                           id in restores and done):
                raise Broken(f"{id[:12]} is pruned")
            if not pruned:
                self.must_live(base, where, id, base.trees[id])
        if r is not None and r.returncode == 0:
            self.check_success(base, where, r)
        self.check_more(base, where, done)

    def check_success(self, base, where, r):
        if self.makes_state:
            self.must_live(base, where, r.stdout.split()[-1],
                           self.tree(base))

    def tree(self, base):
        return base.next_tree

    def check_more(self, base, where, done):
        pass


class Tag(Operation):
    name = "tag"
    argv = ["tag", "-m", "x", "-a", "acc=0.9", "-p", "lr=0.2", "-s", "s",
            "data"]
    makes_state = True


class TagMove(Operation):
    """The files are ours or the user's at every moment."""
    name = "tag-move"
    argv = ["tag", "--move", "data"]
    makes_state = True

    def after_fault(self, base, where, r):
        if r.returncode == 0:
            return
        left = {"data/" + p: h for p, h in tree(where + "/work/data").items()}
        if left == base.next_tree:
            return
        head = self.checked_out(base, where, "HEAD")
        if {**head, **left} != head or head != base.next_tree:
            raise Broken("files are gone and in no state")

    def again(self, base, where, r):
        subprocess.run(["cp", "-a", base.top + "/base/work/data",
                        where + "/work"], check=True)
        return super().again(base, where, r)


class TagAsync(Operation):
    """The files are captured, and the worker stores them."""
    name = "tag-async"
    argv = ["tag", "--async", "data"]

    def check_success(self, base, where, r):
        id = r.stdout.strip()
        base.dsv(where, "wait", id)
        self.must_live(base, where, id, base.next_tree)


class TagAsyncMove(TagAsync):
    name = "tag-async-move"
    argv = ["tag", "--async", "--move", "data"]
    keeps_queue = True

    def after_fault(self, base, where, r):
        """The user's files are where they were, or in the queue."""
        have = set()
        for dirpath, _, files in os.walk(where + "/work"):
            if "/segments/" in dirpath:
                continue
            for name in files:
                # The worker of the tag may still be busy.
                with contextlib.suppress(FileNotFoundError), \
                        open(os.path.join(dirpath, name), "rb") as f:
                    have.add(hashlib.sha256(f.read()).hexdigest())
        base.dsv(where, "queue", "--run")
        base.dsv(where, "wait", check=False)
        head = self.checked_out(base, where, "HEAD")
        have |= set(head.values())
        if not set(base.next_tree.values()) <= have:
            raise Broken("a file is gone")

    def again(self, base, where, r):
        subprocess.run(["cp", "-a", base.top + "/base/work/data",
                        where + "/work"], check=True)
        return super().again(base, where, r)


class QueueRun(Operation):
    name = "queue-run"
    argv = ["queue", "--run"]

    def setup(self, base, where):
        # The lock keeps the tag's worker away from it.
        queue = f"{where}/work/.dsv/queue/{os.uname().nodename}"
        os.makedirs(queue, exist_ok=True)
        with open(queue + "/lock", "w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            self.id = base.dsv(where, "tag", "--async",
                               "data").stdout.strip()
            time.sleep(0.3)

    def check_success(self, base, where, r):
        self.must_live(base, where, self.id, base.next_tree)

    def check_more(self, base, where, done):
        # Pending or not, it is available here.
        base.dsv(where, "wait", self.id)
        self.must_live(base, where, self.id, base.next_tree)


class Fork(Operation):
    name = "fork"
    argv = ["fork", "first", "-b", "wide", "--set", "lr=0.3", "--to", "out"]

    def again(self, base, where, r):
        # What a power cut leaves of it varies.
        shutil.rmtree(where + "/work/out", ignore_errors=True)
        r = base.run(where, self.argv)
        if r.returncode == 0:
            return r
        # It was committed: then the branch is whole.
        if r.returncode != 14 or "'wide' already exists" not in r.stderr:
            raise Broken(f"again: {r.returncode} {r.stderr}")
        shutil.rmtree(where + "/work/out", ignore_errors=True)
        return base.dsv(where, "checkout", "wide", "out")

    def check_success(self, base, where, r):
        self.must_live(base, where, "wide", base.trees[base.first])
        if not getattr(r, "lost", False) and \
                tree(where + "/work/out") != base.trees[base.first]:
            raise Broken("--to has other files")

    def check_more(self, base, where, done):
        r = base.dsv(where, "branch", "--json")
        if '"wide"' in r.stdout:
            self.must_live(base, where, "wide", base.trees[base.first])
            lr = base.dsv(where, "params", "wide", "lr").stdout.strip()
            if lr != "0.3":
                raise Broken(f"lr is {lr}")
        elif done:
            raise Broken("no branch 'wide'")


class Attr(Operation):
    name = "attr"
    argv = ["attr", "first", "acc=0.99", "note=good"]

    def check_more(self, base, where, done):
        r = base.dsv(where, "show", "--format",
                     "%(attr:acc) %(attr:note)", "first").stdout.strip()
        if r not in ["0.99 good"] + ([] if done else ["0.5"]):
            raise Broken(f"attributes are '{r}'")


class Branch(Operation):
    name = "branch"
    argv = ["branch", "-f", "old", "first"]

    def check_success(self, base, where, r):
        self.must_live(base, where, "old", base.trees[base.first])


class Switch(Operation):
    name = "switch"
    argv = ["switch", "-c", "new"]

    def again(self, base, where, r):
        r = base.run(where, self.argv)
        if r.returncode == 14:
            return base.dsv(where, "switch", "new")
        return super().again(base, where, r) if r.returncode else r


class Pin(Operation):
    name = "pin"
    argv = ["pin", "HEAD~1"]

    def check_success(self, base, where, r):
        if base.dsv(where, "find", "--count", "pinned = true"
                    ).stdout.strip() != "1":
            raise Broken("not pinned")


class Prune(Operation):
    name = "prune"
    argv = ["prune", "HEAD"]
    prunes = ("third",)

    def again(self, base, where, r):
        return base.dsv(where, "prune", base.third, check=False)

    def check_more(self, base, where, done):
        if self.is_pruned(base, where, base.third):
            base.dsv(where, "fsck")


class PruneNow(Prune):
    """Frees the bytes of two states: a segment whole, and holes."""
    name = "prune-now"
    argv = ["prune", "--expire=now", "HEAD"]

    def again(self, base, where, r):
        r = base.run(where, ["prune", "--expire=now", base.third])
        if r.returncode not in (0, 4):
            raise Broken(f"again: {r.returncode} {r.stderr}")
        return r


class PruneForget(PruneNow):
    name = "prune-forget"
    argv = ["prune", "--forget", "--expire=now", "HEAD"]


class Restore(Operation):
    name = "restore"
    restores = ("gone",)

    def prepare(self, base):
        self.argv = ["restore", base.gone]
        super().prepare(base)


class Repair(Operation):
    """A record, indexes and a line of the journal are rebuilt."""
    name = "fsck-repair"
    argv = ["fsck", "--repair"]

    def setup(self, base, where):
        repo = where + "/work/.dsv"
        os.unlink(f"{repo}/states/{base.third[:2]}/{base.third}")
        done = 0
        for dirpath, _, files in os.walk(repo + "/segments"):
            for name in files:
                if name.endswith(".idx") and done < 2:
                    os.unlink(os.path.join(dirpath, name))
                    done += 1
        with open(repo + "/journal", "rb+") as f:
            f.truncate(os.path.getsize(repo + "/journal") - 20)

    def run(self, base, where, env):
        r = base.run(where, self.argv, env)
        # 13 says that there was something to repair.
        return subprocess.CompletedProcess(
            r.args, 0 if r.returncode == 13 else r.returncode, r.stdout,
            r.stderr)

    def again(self, base, where, r):
        return self.run(base, where, {})


class Init(Operation):
    name = "init"
    argv = ["init"]

    def prepare(self, base):
        os.makedirs(f"{base.top}/init/work")

    def has_repository(self, where):
        return os.path.exists(where + "/work/.dsv")

    def check(self, base, where, r):
        base.dsv(where, "log", "--all")

    def check_success(self, base, where, r):
        if not self.has_repository(where):
            raise Broken("no repository")


class Checkout(Operation):
    """Each file appears whole or not at all."""
    name = "checkout"
    argv = ["checkout", "first", "out"]

    def after_fault(self, base, where, r):
        if r.lost:
            return
        out = where + "/work/out"
        for path, h in tree(out).items():
            name = os.path.basename(path)
            if base.trees[base.first].get(path) != h and \
                    not name.startswith(".dsv"):
                raise Broken(f"'{path}' is not whole")

    def again(self, base, where, r):
        return base.dsv(where, "checkout", "--force", "first", "out")

    def check_success(self, base, where, r):
        got = {p: h for p, h in tree(where + "/work/out").items()
               if "/.dsv-tmp-" not in p}
        if not getattr(r, "lost", False) and got != base.trees[base.first]:
            raise Broken("other files")


class Collective(Operation):
    """Rank 0 is interrupted after it found all parts, as it commits."""
    name = "collective"
    makes_state = True
    ranks = 3

    def setup(self, base, where):
        write(where + "/work/other/shard", data(7, 200000))
        self.whole = {**base.next_tree,
                      **{"other/" + p: h for p, h in
                         tree(where + "/work/other").items()}}

    def argv_of(self, group, rank):
        return ["tag", "--collective", "--group", group, "--group-timeout",
                "2s", "-m", "x", "other" if rank else "data"]

    def rank_env(self, rank):
        return {"RANK": str(rank), "WORLD_SIZE": str(self.ranks)}

    def start(self, base, where, group, rank):
        other = where + "/out." + str(rank)
        with open(other, "w") as out:
            return subprocess.Popen(
                [base.program] + self.argv_of(group, rank), stdout=out,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                cwd=where + "/work", env={**base.env, **self.rank_env(rank)})

    def parts(self, where):
        return {dir + "/" + n
                for dir, _, names in os.walk(where + "/work/.dsv/intake")
                for n in names if n.isdigit()}

    def run(self, base, where, env, group="g"):
        """The others have their parts and are stopped, so that it commits."""
        before = self.parts(where)
        others = [self.start(base, where, group, i)
                  for i in range(1, self.ranks)]
        end = time.monotonic() + 30
        while len(self.parts(where) - before) < self.ranks - 1 and \
                time.monotonic() < end:
            time.sleep(0.01)
        for p in others:
            p.send_signal(signal.SIGSTOP)
        r = base.run(where, self.argv_of(group, 0),
                     {**self.rank_env(0), **env})
        for p in others:
            # The power goes for all of them.
            if "DSV_FAULT_LOSE" in env:
                p.kill()
            p.send_signal(signal.SIGCONT)
        self.check_others(where, others, r)
        return r

    def check_others(self, where, others, r):
        """All print the same id, whoever commits, or that there is none."""
        codes = [p.wait(60) for p in others]
        said = {open(f"{where}/out.{i + 1}").read() for i in
                range(len(others))}
        r.others = None
        if -9 in codes:
            return
        if len(set(codes)) != 1 or codes[0] not in (0, 3, 5, 11, 15):
            raise Broken(f"other ranks: {codes} {said}")
        if codes[0] == 0 and len(said) != 1:
            raise Broken(f"other ranks say {said}")
        if r.returncode == 0 and said != {r.stdout}:
            raise Broken(f"rank 0 says {r.stdout}, others {said}")
        if codes[0] == 0:
            r.others = said.pop().strip()

    def after_fault(self, base, where, r):
        if r.others:
            self.must_live(base, where, r.others, self.whole)

    def again(self, base, where, r):
        r = self.run(base, where, {}, "again")
        if r.returncode != 0:
            raise Broken(f"again: {r.returncode} {r.stderr}")
        return r

    def tree(self, base):
        return self.whole


class Repack(Operation):
    name = "repack"
    argv = ["repack"]

    def check_success(self, base, where, r):
        r = base.dsv(where, "repack", "-n")
        if not r.stdout.startswith("would repack 0 segments") and \
                not r.stdout.startswith("repacked 0 segments"):
            raise Broken(f"repacked, and again: {r.stdout}")


class Rebuild(Operation):
    """The catalog exists, and is rebuilt anyway."""
    name = "rebuild"
    argv = ["fsck", "--rebuild"]
    alone = True

    def setup(self, base, where):
        self.old = f"{base.top}/{self.name}.db"
        shutil.copy(where + "/work/.dsv/catalog.db", self.old)

    def check_success(self, base, where, r):
        r = subprocess.run([HERE + "/compare.py", self.old,
                            where + "/work/.dsv/catalog.db"], text=True,
                           capture_output=True)
        if r.returncode != 0:
            raise Broken(f"the new catalog differs: {r.stdout}{r.stderr}")


class RebuildLost(Rebuild):
    name = "rebuild-lost"

    def setup(self, base, where):
        super().setup(base, where)
        with open(where + "/work/.dsv/catalog.db", "wb") as f:
            f.write(b"no database")

    def after_fault(self, base, where, r):
        found = base.run(where, ["log"])
        if found.returncode not in (0, 13) or r.returncode == 0 and \
                found.returncode:
            raise Broken(f"log: {found.returncode} {found.stderr}")
        if found.returncode == 13:
            self.check_success(base, where, self.again(base, where, r))


class Migrate(Operation):
    """The first command of a newer dsv on the catalog of an older one."""
    name = "migrate"
    argv = ["log", "--all"]
    program = "t/dsv-next"

    def check_more(self, base, where, done):
        db = sqlite3.connect(where + "/work/.dsv/catalog.db")
        version, = db.execute("PRAGMA user_version").fetchone()
        wrong, = db.execute("SELECT count(*) FROM state WHERE next IS NOT"
                            " size + 1").fetchone()
        db.close()
        if version < 2 or wrong:
            raise Broken(f"version {version}, {wrong} rows are wrong")


OPERATIONS = [op() for op in (
    Tag, TagMove, TagAsync, TagAsyncMove, QueueRun, Fork, Attr, Branch,
    Switch, Pin, Prune, PruneNow, PruneForget, Restore, Repair, Init,
    Checkout, Collective, Repack, Rebuild, RebuildLost, Migrate)]
