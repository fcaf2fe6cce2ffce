#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measure how dsv scales with the number of states.  Writes the second half of
# doc/performance.md.
#
#   SCALE_SIZES   "10000 100000 1000000"
#   SCALE_WORK    where the repositories are made (default /dev/shm: 8 GiB)
#   SCALE_KEEP    1: existing repositories are used, and stay
#   SCALE_OUT     doc/performance.md
#   SCALE_MLFLOW  a Python with mlflow; else one is made from PyPI, if possible
set -euo pipefail
cd "$(dirname "$0")/../.."

sizes=${SCALE_SIZES:-10000 100000 1000000}
work=${SCALE_WORK:-/dev/shm}/perf-scale
out=${SCALE_OUT:-doc/performance.md}
report=$(mktemp)
cleanup() {
	rm -f "$report" "$report".*
	[ -n "${SCALE_KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT

make -s all build/t/perf/generate
mkdir -p "$work"
for size in $sizes; do
	[ -e "$work/$size/.dsv" ] ||
		build/t/perf/generate "$work/$size" "$size" >&2
done

mlflow=${SCALE_MLFLOW:-}
if [ -z "$mlflow" ] && python3 -m venv "$work/venv" >/dev/null 2>&1 &&
	"$work/venv/bin/pip" install -q mlflow-skinny sqlalchemy alembic \
		sqlparse >/dev/null 2>&1; then
	mlflow=$work/venv/bin/python
fi

# shellcheck disable=SC2086
python3 t/perf/scale.py "$PWD/build/dsv" "$work" $sizes >"$report"
if [ -n "$mlflow" ]; then
	"$mlflow" t/perf/mlflow-search.py "$PWD/build/dsv" "$work" \
		"${SCALE_RUNS:-100000}" >>"$report"
fi
touch "$out"
sed '/^## How it grows/,$d' "$out" >"$report.new"
cat "$report" >>"$report.new"
cp "$report.new" "$out"
