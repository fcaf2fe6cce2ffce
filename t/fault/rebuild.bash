#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Rebuild a catalog of many states, some of them pinned, annotated, pruned,
# restored, forgotten, and compare it row by row: rebuild.bash [STATES].  Says
# how long it took, and with how much memory; leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
states=${1:-100000}
root=$PWD
build=$root/${DSV_BUILD:-build}

make -s B="$build" all "$build/t/perf/generate"
work=$(mktemp -d "${TMPDIR:-/dev/shm}/dsv-rebuild-XXXXXX")
trap 'rm -rf "$work"' EXIT
"$build/t/perf/generate" "$work/r" "$states"
cd "$work/r"
dsv() { "$build/dsv" -q "$@"; }

dsv find -n 500 --format '%(id)' >ids
xargs -n 100 "$build/dsv" -q pin <<<"$(sed -n 1,100p ids)"
while read -r id; do
	dsv attr "$id" "acc=$RANDOM" note=again
done < <(sed -n '101,150p' ids)
while read -r id; do
	dsv attr "$id" --unset note
done < <(sed -n '101,120p' ids)
dsv scope open later
xargs -n 100 "$build/dsv" -q scope add later <<<"$(sed -n 151,250p ids)"
dsv scope close scope-1
dsv name best "$(sed -n 1p ids)"
while read -r id; do
	dsv prune "$id" >/dev/null && dsv restore "$id"
done < <(sed -n '251,260p' ids)
dsv prune --expire=now --forget "$(sed -n 261p ids)" >/dev/null
dsv job prepare --fork best >/dev/null
dsv fork best -b other

cp .dsv/catalog.db "$work/old"
command time -f '%U s of user time, %e s, %M KiB' "$build/dsv" fsck --rebuild
"$root/t/fault/compare.py" "$work/old" .dsv/catalog.db
echo "$states states: the new catalog says what the old one said"
