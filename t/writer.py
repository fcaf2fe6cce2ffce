#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Somebody who has a file open while dsv reads it.  Says "ready" in a file of
that name, then goes on until it is ended.

writer.py HOW FILE READY

  hold      has it open for writing, and writes nothing
  append    appends lines all the time, as a log
  rewrite   writes it again from its start, all the time
  map       stores through a mapping all the time; at SIGTERM the last values
  open      opens it for writing and closes it, all the time
"""
import mmap
import os
import signal
import sys
import time

how, path, ready = sys.argv[1:]
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
fd = os.open(path, os.O_RDWR | (os.O_APPEND if how == "append" else 0))
size = os.fstat(fd).st_size
mapping = mmap.mmap(fd, size) if how == "map" else None
count = 0


def store(text):
    for offset in range(0, size - len(text), 4096):
        mapping[offset:offset + len(text)] = text


def step():
    if how == "append":
        os.write(fd, b"line %d\n" % count)
        time.sleep(0.0005)
    elif how == "rewrite":
        os.pwrite(fd, (b"%08d" % count) * (size // 8), 0)
    elif how == "map":
        store(b"%08d" % count)
    elif how == "open":
        os.close(os.open(path, os.O_WRONLY))
    else:
        time.sleep(0.01)


if how == "open":
    os.close(fd)
step()
open(ready, "w").close()
while not ended:
    count += 1
    step()
if mapping:
    store(b"the last")
