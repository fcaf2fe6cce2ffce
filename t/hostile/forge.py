#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Forge a repository of dsv, as an enemy would who knows dsv-format(5).

    forge.py content NAME   a state whose content is one of CONTENTS
    forge.py record JSON    a state whose record has these fields
    forge.py journal JSON   a line with these operations
    forge.py index NAME     one of INDEXES beside the first segment
    forge.py sql STATEMENTS  run in the catalog, without any constraint

What is forged gets new hashes wherever a hash would give it away, is in the
catalog as well as in what the catalog is rebuilt from, and is at the head of
main.  In JSON and statements @TEXT@ stands for text of CONTROL bytes.
"""

import ctypes
import hashlib
import json
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

TOP = 2 ** 63
NOWHERE = b"\0" * 32


def sha(data):
    return hashlib.sha256(data).digest()


CRC_IN_C = """
#include <stddef.h>
unsigned crc(const unsigned char *p, size_t n)
{
	unsigned c = ~0u;
	for (; n--; p++) {
		c ^= *p;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (0x82F63B78u & -(c & 1));
	}
	return ~c;
}
"""


def crc32c(data):
    if len(data) > 2 ** 20:
        return crc32c_in_c(data)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def crc32c_in_c(data):
    """Compute it in C, since there is too much for a loop of Python."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-x", "c", "-o",
                        name + "/crc.so", "-"], input=CRC_IN_C, text=True,
                       check=True)
        crc = ctypes.CDLL(name + "/crc.so").crc
        crc.restype = ctypes.c_uint
        return crc(data, ctypes.c_size_t(len(data)))


def connect():
    db = sqlite3.connect(".dsv/catalog.db", isolation_level=None)
    db.execute("PRAGMA trusted_schema = ON")
    return db


def lax(db):
    """Remove all constraints from the schema."""
    db.execute("PRAGMA writable_schema = ON")
    tables = db.execute("SELECT name, sql FROM sqlite_schema WHERE type ="
                        " 'table' AND sql NOT LIKE '%WITHOUT ROWID%'")
    for name, sql in tables.fetchall():
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?",
                   (sql.replace(" NOT NULL", ""), name))
    db.close()
    return connect()


# ---- Bytes and their index --------------------------------------------------

def index(kind, chunks):
    """Each chunk is (hash, offset, length, stored, encoding, base, crc)."""
    text = b"DSVI" + struct.pack("<BBI", 1, kind, len(chunks))
    for c in chunks:
        text += c[0] + struct.pack("<QIIB", *c[1:5]) + c[5]
        text += struct.pack("<I", c[6])
    return text + sha(text)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.chmod(path, 0o600)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, 0o444)


def segment(db, blobs):
    """Make a packed segment with these chunks, known to the catalog."""
    name = os.urandom(16).hex()
    cursor = db.execute("INSERT INTO segment (name, kind) VALUES (?, 2)",
                        (name,))
    chunks, data = [], b""
    for blob in blobs:
        chunks.append((sha(blob), len(data), len(blob), len(blob), 0, NOWHERE,
                       crc32c(blob)))
        data += blob
    write(f".dsv/segments/{name[:2]}/{name}", data)
    write(f".dsv/segments/{name[:2]}/{name}.idx", index(2, chunks))
    for c in chunks:
        db.execute("INSERT OR REPLACE INTO chunk (hash, segment, offset,"
                   " length, stored, encoding, crc)"
                   " VALUES (?, ?, ?, ?, ?, 0, ?)",
                   (c[0], cursor.lastrowid, c[1], c[2], c[3], c[6]))
    return cursor.lastrowid


# ---- Recipes and manifests --------------------------------------------------

def recipe(size, items, count=None):
    text = b"dsvr" + struct.pack("<BQI", 1, size % 2 ** 64,
                                 len(items) if count is None else count)
    for item in items:
        if len(item) == 3:
            text += b"\1" + item[0] + struct.pack("<QQ", *item[1:])
        else:
            text += struct.pack("<BQ", *item)
    return text


def manifest(lines):
    return "".join(text + "\n" for text in ["dsv-manifest 1"] + lines).encode()


BYTES = b"forged bytes\n"
GOOD = recipe(len(BYTES), [(sha(BYTES), 0, len(BYTES))])


def of(path, text=GOOD, size=len(BYTES)):
    return f"f\t{size}\t{sha(text).hex()}\t{path}"


def one(text, size=len(BYTES)):
    """Make a state of one file with that recipe."""
    return [of("f", text, size)], [text]


CONTENTS = {
    "good": lambda: ([of("f")], []),
    # These lead out of the directory.
    "dotdot": lambda: ([of("../x")], []),
    "absolute": lambda: ([of("/tmp/x")], []),
    "dotdot-inside": lambda: ([of("a/../../x")], []),
    "dot": lambda: ([of("./x")], []),
    "empty-path": lambda: ([of("")], []),
    "double-slash": lambda: ([of("a//x")], []),
    "repository": lambda: ([of(".dsv/config")], []),
    "repository-inside": lambda: ([of("a/.dsv/heads/0")], []),
    "through-link": lambda: (["l\t/tmp\ta", of("a/x")], []),
    "through-file": lambda: ([of("a"), of("a/x")], []),
    "through-link-before": lambda: (
        ["l\t/tmp\ta", of("a.x"), of("a/x")], []),
    "twice": lambda: ([of("a"), of("a")], []),
    "link-twice": lambda: (["l\t/tmp\ta", of("a")], []),
    "unsorted": lambda: ([of("b"), of("a")], []),
    "long-path": lambda: ([of("a" * 5000)], []),
    "long-component": lambda: ([of("a" * 300)], []),
    "deep": lambda: ([of("a/" * 1500 + "x")], []),
    "empty-link": lambda: (["l\t\ta"], []),
    "raw-control": lambda: ([of("a\x1b[31m")], []),
    "nul": lambda: ([of("a\\x00b")], []),
    # Sizes and ranges.
    "size-differs": lambda: one(GOOD, 7),
    "size-2^63": lambda: one(recipe(TOP, [(2, TOP)]), TOP),
    "size-2^63-1": lambda: one(recipe(TOP - 1, [(2, TOP - 1)]), TOP - 1),
    "size-huge-claimed": lambda: one(GOOD, TOP - 1),
    "sizes-overflow": lambda: one(recipe(TOP, [(2, TOP - 1),
                                               (sha(BYTES), 0, 13)])),
    "offset-overflow": lambda: one(recipe(13, [(sha(BYTES), TOP - 1, 13)])),
    "range-outside": lambda: one(recipe(13, [(sha(BYTES), 1, 13)])),
    "range-of-nothing": lambda: one(recipe(13, [(sha(b"nowhere"), 0, 13)])),
    "length-0": lambda: one(recipe(0, [(2, 0)]), 0),
    "operation": lambda: one(recipe(13, [(9, 13)])),
    "count": lambda: one(recipe(13, [(2, 13)], count=2 ** 32 - 1)),
    "trailing": lambda: one(GOOD + b"x"),
    "not-canonical": lambda: one(recipe(26, [(2, 13), (2, 13)]), 26),
    "no-recipe": lambda: one(b"something else"),
    "sum-differs": lambda: one(recipe(14, [(2, 13)]), 14),
    # Manifests.
    "no-manifest": lambda: (b"#!/bin/sh\n", []),
    "cut-off": lambda: (manifest([of("f")])[:-1], []),
    "part-of-itself": None,		# see content()
    "parts-negative": lambda: (["p\t-1\t" + sha(b"").hex()], []),
    "part-missing": lambda: (["p\t0\t" + sha(b"").hex()], []),
    "part-has-parts": None,
    "ten-million": lambda: ((manifest([]) + "".join(
        map("d\t{:07d}\n".format, range(10 ** 7))).encode()), []),
}


def content(name):
    blobs = [BYTES, GOOD]
    if name in ("part-of-itself", "part-has-parts"):
        # A hash cannot name itself: the inner of two levels has parts.
        inner = manifest(["p\t0\t" + sha(manifest([of("f")])).hex()])
        lines = ["p\t0\t" + sha(inner).hex()]
        more = [inner, manifest([of("f")])]
    else:
        lines, more = CONTENTS[name]()
    text = lines if isinstance(lines, bytes) else manifest(lines)
    db = connect()
    where = segment(db, blobs + more + [text])
    row = db.execute("INSERT INTO manifest (hash, refs) VALUES (?, 1)"
                     " RETURNING id", (sha(text),)).fetchone()[0]
    db.execute("INSERT INTO manifest_segment VALUES (?, ?)", (where, row))
    for used in set([GOOD] + more):
        if sha(used).hex().encode() not in text or used[:4] != b"dsvr":
            continue
        found = db.execute("INSERT INTO recipe (hash, refs) VALUES (?, 1) ON"
                           " CONFLICT (hash) DO UPDATE SET refs = refs + 1"
                           " RETURNING id", (sha(used),)).fetchone()[0]
        db.execute("INSERT OR IGNORE INTO recipe_segment VALUES (?, ?)",
                   (where, found))
    record(db, {"content": sha(text).hex()}, row)


# ---- Records and the journal ------------------------------------------------

def dumps(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def line(db, operations, seq=None):
    if seq is None:
        seq = db.execute("UPDATE meta SET value = value + 1 WHERE key ="
                         " 'seq' RETURNING value").fetchone()[0]
    text = f"{seq} " + dumps({"ops": operations, "time": time.time_ns()})
    number, rest = text.split(" ", 1)
    with open(".dsv/journal", "a", encoding="ascii") as f:
        f.write(f"{number} {sha(text.encode()).hex()} {rest}\n")
    return seq


def record(db, fields, manifest_row=None):
    head = db.execute("SELECT s.id, s.manifest, m.hash FROM branch b JOIN"
                      " state s ON s.seq = b.head JOIN manifest m ON m.id ="
                      " s.manifest WHERE b.name = 'main'").fetchone()
    new = {"attrs": {}, "author": "eve", "content": head[2].hex(), "dsv": 1,
           "host": "n1", "job": None, "kind": "tag", "message": None,
           "nonce": os.urandom(16).hex(), "params": {},
           "parents": [head[0].hex()], "set": {}, "time": time.time_ns(),
           "unset": []}
    new.update(fields)
    text = dumps(new).encode()
    state = sha(text)
    write(f".dsv/states/{state.hex()[:2]}/{state.hex()}", text)
    seq = line(db, [{"branch": "main", "files": 1, "id": state.hex(),
                     "op": "state", "pin": False, "scopes": [], "size": 13,
                     "stored": 13}])
    texts = [x if isinstance(x, str) else None
             for x in map(new.get, ("message", "author", "host"))]
    db.execute("INSERT INTO state (seq, id, kind, branch, manifest, params,"
               " message, author, host, created, files, size, stored,"
               " generation) SELECT ?, ?, 'tag', branch, ?, params, ?,"
               " coalesce(?, ''), coalesce(?, ''), ?, files, size,"
               " 13, generation + 1 FROM state WHERE id = ?",
               (seq, state, manifest_row or head[1], *texts,
                new["time"] if isinstance(new["time"], int) and
                abs(new["time"]) < 1 << 63 else 0, head[0]))
    if not manifest_row:
        db.execute("UPDATE manifest SET refs = refs + 1 WHERE id = ?",
                   (head[1],))
    db.execute("INSERT INTO edge SELECT ?, 0, seq FROM state WHERE id = ?",
               (seq, head[0]))
    db.execute("UPDATE branch SET head = ? WHERE name = 'main'", (seq,))
    print(state.hex())


# ---- Indexes ----------------------------------------------------------------

def chunk(offset=0, length=13, stored=13, encoding=0, base=NOWHERE):
    return (sha(BYTES), offset, length, stored, encoding, base, 0)


INDEXES = {
    "overlap": lambda: index(2, [chunk(), chunk(offset=5)]),
    "outside": lambda: index(2, [chunk(offset=10 ** 9)]),
    "offset-2^63": lambda: index(2, [chunk(offset=TOP)]),
    "offset-2^63-1": lambda: index(2, [chunk(offset=TOP - 1)]),
    "length-2^32-1": lambda: index(2, [chunk(length=2 ** 32 - 1,
                                             stored=2 ** 32 - 1)]),
    "bomb": lambda: index(2, [chunk(length=2 ** 32 - 1)]),
    "encoding": lambda: index(2, [chunk(encoding=7)]),
    "base": lambda: index(2, [chunk(base=b"x" * 32)]),
    "kind": lambda: index(9, [chunk()]),
    "unhashed": lambda: index(2, [chunk()])[:-1] + b"x",
    "count": lambda: (lambda text: text + sha(text))(
        b"DSVI" + struct.pack("<BBI", 1, 2, 2 ** 32 - 1)),
    "empty": lambda: b"",
}


def control(text):
    return text.replace("@TEXT@", "\x1b[31m\x07\x9b" + "A\r\nB\x7f\u202e")


def main():
    what, name = sys.argv[1], control(sys.argv[2])
    if what == "content":
        content(name)
    elif what == "record":
        record(connect(), json.loads(name, strict=False))
    elif what == "journal":
        line(connect(), json.loads(name, strict=False))
    elif what == "index":
        first = connect().execute("SELECT name FROM segment ORDER BY id"
                                  ).fetchone()[0]
        write(f".dsv/segments/{first[:2]}/{first}.idx", INDEXES[name]())
    elif what == "sql":
        lax(connect()).executescript(name)
    elif what == "list":
        print("\n".join(globals()[name]))


if __name__ == "__main__":
    main()
