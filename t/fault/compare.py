#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that two catalogs say the same.  usage: compare.py A B

Rows that correspond may have different numbers; what is left of forgotten
work (chunks that nothing needs, counts of 0) is ignored.  Prints what differs
and exits with 1 unless all tables say the same.
"""
import sqlite3
import sys

BRANCH = "(SELECT name FROM branch b WHERE b.id = {})"
TABLES = {
    "branch": "SELECT name, head, deleted FROM branch",
    "state": "SELECT seq, hex(id), kind, " + BRANCH.format("s.branch") + ","
             " (SELECT hex(hash) FROM manifest m WHERE m.id = s.manifest),"
             " hex(capture),"
             " (SELECT hex(hash) FROM params p WHERE p.id = s.params),"
             " changed, message, author, host, created, files, size, stored,"
             " (SELECT job_id FROM job j WHERE j.id = s.job), generation,"
             " pinned, status, pruned, pruned_by FROM state s",
    "param": "SELECT hex(hash), name, type, number, text FROM param"
             " JOIN params p ON p.id = params JOIN key k ON k.id = key"
             " WHERE p.id IN (SELECT params FROM state)",
    "edge": "SELECT child, ordinal, parent FROM edge",
    "pruned_head": "SELECT state, " + BRANCH.format("branch") +
                   " FROM pruned_head",
    "name": "SELECT name, state FROM name",
    "scope": "SELECT name, created, closed FROM scope",
    "scope_state": "SELECT name, state FROM scope_state"
                   " JOIN scope ON id = scope",
    "attr": "SELECT state, name, type, number, text FROM attr"
            " JOIN key ON id = key",
    "attr_history": "SELECT state, seq, name, type, text, time, author"
                    " FROM attr_history JOIN key ON id = key",
    "job": "SELECT id, ticket, task, job_id, cluster, state, active, branch,"
           " fork, fork_state, request, nodes, exit_code, signal, attempt,"
           " submitted, started, ended, author, submitter FROM job",
    "manifest": "SELECT hex(hash), refs FROM manifest WHERE refs > 0",
    "manifest_part": "SELECT hex(p.hash), hex(m.hash) FROM manifest_part p"
                     " JOIN manifest m ON m.id = manifest WHERE refs > 0",
    "recipe": "SELECT hex(hash), refs FROM recipe WHERE refs > 0",
    "chunk": "SELECT hex(hash), name, offset, length, stored, encoding, crc"
             " FROM chunk JOIN segment s ON s.id = segment WHERE status = 0",
    "recipe_segment": "SELECT hex(hash), name FROM recipe_segment"
                      " JOIN recipe r ON r.id = recipe"
                      " JOIN segment s ON s.id = segment WHERE refs > 0",
    "manifest_segment": "SELECT hex(hash), name FROM manifest_segment"
                        " JOIN manifest m ON m.id = manifest"
                        " JOIN segment s ON s.id = segment WHERE refs > 0",
    "meta": "SELECT key, value FROM meta WHERE key = 'seq'",
}


def rows(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = sorted(map(repr, db.execute(sql)))
    db.close()
    return found


def main():
    differ = False
    for table, sql in TABLES.items():
        a, b = (rows(path, sql) for path in sys.argv[1:3])
        if a == b:
            continue
        differ = True
        in_a, in_b = set(a), set(b)
        print(f"{table}: {len(a)} rows, {len(b)} rows")
        for sign, more in (("-", in_a - in_b), ("+", in_b - in_a)):
            for row in sorted(more)[:5]:
                print(f"  {sign} {row}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
