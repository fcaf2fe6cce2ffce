#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Run the same search in dsv and in MLflow's SQLite store: DSV WORK RUNS

MLflow's tables are filled with what the states of the generator have, in one
transaction (its API takes some ms per run); search_runs() is what is measured.
"""
import logging
import os
import random
import statistics
import subprocess
import sys
import time
import uuid

logging.disable(logging.WARNING)
from mlflow.entities import ViewType  # noqa: E402
from mlflow.store.tracking.sqlalchemy_store import (  # noqa: E402
    SqlAlchemyStore)
from mlflow.version import VERSION  # noqa: E402
from sqlalchemy import text  # noqa: E402

DSV, WORK, RUNS = sys.argv[1], sys.argv[2], int(sys.argv[3])
KEYS = ("step", "acc", "loss", "epoch", "grad_norm", "momentum")


def fill(store, count):
    rng = random.Random(1)
    now = int(time.time() * 1000)
    with store.engine.begin() as db:
        for i in range(0, count, 1000):
            runs, metrics, params = [], [], []
            for k in range(i, min(i + 1000, count)):
                run = uuid.UUID(int=rng.getrandbits(128)).hex
                runs.append({"id": run, "t": now + k})
                metrics += [{"r": run, "k": key, "v": rng.random(),
                             "t": now + k} for key in KEYS]
                params += [{"r": run, "k": f"p{j}", "v": str(rng.random())}
                           for j in range(8)]
            db.execute(text(
                "INSERT INTO runs (run_uuid, name, source_type, status,"
                " start_time, lifecycle_stage, experiment_id, artifact_uri,"
                " user_id, entry_point_name, source_name, source_version)"
                " VALUES (:id, :id, 'LOCAL', 'FINISHED', :t, 'active', 0,"
                " '/tmp', 'u', '', '', '')"), runs)
            for table in ("metrics", "latest_metrics"):
                db.execute(text(
                    f"INSERT INTO {table} (run_uuid, key, value, timestamp,"
                    " step, is_nan) VALUES (:r, :k, :v, :t, 0, 0)"), metrics)
            db.execute(text("INSERT INTO params (run_uuid, key, value)"
                            " VALUES (:r, :k, :v)"), params)


def main():
    path = f"{WORK}/mlflow.db"
    if os.path.exists(path):
        os.unlink(path)
    store = SqlAlchemyStore(f"sqlite:///{path}", f"{WORK}/mlruns")
    fill(store, RUNS)
    ours, theirs = [], []
    repo = f"{WORK}/{RUNS}"
    for _ in range(5):
        start = time.perf_counter()
        found = store.search_runs(
            ["0"], "metrics.acc > 0.95 and metrics.loss < 0.125",
            ViewType.ACTIVE_ONLY, 10, ["metrics.acc DESC"])
        theirs.append((time.perf_counter() - start) * 1e3)
        assert len(found) == 10
        start = time.perf_counter()
        lines = subprocess.check_output(
            [DSV, "--repo", repo, "find", "acc > 0.95 and loss < 0.5",
             "--sort", "-acc", "-n", "10"], text=True)
        ours.append((time.perf_counter() - start) * 1e3)
        assert lines.strip()
    print(f"\n### Compared with MLflow {VERSION}, {RUNS:,} states or runs\n")
    print("Two comparisons of metrics, sorted by one, the first 10. dsv: the"
          " whole command;\nMLflow: `search_runs()` of its SQLite store in a"
          " process that is already\nrunning (importing it takes seconds).\n")
    print("| | median ms |\n|---|--:|")
    print(f"| `dsv find` | {statistics.median(ours):.0f} |")
    print(f"| MLflow | {statistics.median(theirs):.0f} |")
    os.unlink(path)


main()
