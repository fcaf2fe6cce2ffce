#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench: compare dsv with its peers on this machine.  Writes the first half
# of doc/performance.md; t/perf/scale.bash writes the second.
#
#   BENCH_WORK    a new directory there is used (30 GiB; default /tmp)
#   BENCH_ROUNDS  3
#   BENCH_SERIES  all: "full frozen bf16 torch shards small"
#   BENCH_SCALE   1; use less to try it
#   BENCH_OUT     doc/performance.md
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d "${BENCH_WORK:-/tmp}/perf-XXXXXX")
rounds=${BENCH_ROUNDS:-3} scale=${BENCH_SCALE:-1}
out=${BENCH_OUT:-doc/performance.md}
dsv=${BENCH_DSV:-$PWD/build/dsv}
trap 'chmod -R u+w "$work" 2>/dev/null; rm -rf "$work"' EXIT

dvc=${BENCH_DVC:-}
if [ -n "$dvc" ]; then
	:
elif python3 -m venv "$work/venv" >/dev/null 2>&1 &&
	"$work/venv/bin/pip" install -q dvc >/dev/null 2>&1; then
	dvc=$work/venv/bin/dvc
else
	echo "bench: no DVC from PyPI: it is left out" >&2
fi

# Print the "0.61 GB/s" of dd's output.
rate() { sed -n 's/.*, \([^,]*\)$/\1/p'; }

machine() {
	local model mem disk

	model=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
	mem=$(awk '/MemTotal/ { printf "%.0f", $2 / 2^20 }' /proc/meminfo)
	disk=$(df --output=fstype,source "$work" | tail -1 | tr -s ' ')
	echo "- $(nproc) x $model, $mem GiB, $disk, Linux $(uname -r)"
	echo "- load before the run: $(cut -d' ' -f1-3 /proc/loadavg)"
	echo "- memory copy: $(dd if=/dev/zero of=/dev/null bs=4M count=4000 \
		2>&1 | rate)"
	echo "- SHA-256, one core: $(openssl speed -mr -seconds 2 -bytes 65536 \
		-evp sha256 2>/dev/null | awk -F: '/^\+F/ {
		printf "%.2f GB/s", $NF / 1e9 }')"
	echo "- write and fsync of 1 GiB: $(dd if=/dev/zero of="$work/x" bs=4M \
		count=256 conv=fsync 2>&1 | rate)"
	echo "- read of it from the page cache: $(dd if="$work/x" of=/dev/null \
		bs=4M 2>&1 | rate)"
	rm -f "$work/x"
}

versions() {
	local tool

	for tool in 'restic version' 'borg --version' 'git-annex version' \
		'git-lfs version' 'casync --version' 'rsync --version'; do
		$tool 2>/dev/null | head -1
	done | paste -sd';' | sed 's/;/; /g'
}

{
	cat <<'END'
# Performance

Measured by `make bench` and `make bench-scale`; run them for your machine.
All tools take turns on the same files, several rounds; the figures are
medians. Look at the ratios: the machine may be shared.

## The machine and its limits

END
	machine
	echo
	echo "Versions: $(versions)."
	cat <<END

## Tag, compared with the peers

*First*: the first state of a series; *next*: each of the states after it.
Everything is durable at the end: a tool that does not sync by itself is
followed by \`sync -f\`. git-annex, git-lfs and DVC get a copy in their work tree
first, since the files stay the user's. No compression, no encryption where they
allow that (restic always encrypts, casync always compresses). Rounds: $rounds.

Where a disk writes more slowly than the processor hashes, all tools that write
the same bytes take the time of the disk, and what tells them apart is CPU time,
which training wants for itself. Peak memory includes the shell that starts a
tool.
END
	"${BENCH_PYTHON:-/usr/bin/python3}" t/perf/compare.py "$dsv" "$work" \
		"$rounds" "$scale" ${dvc:+"$dvc"}
	t/perf/ranks.bash "$dsv" "$work"
	if [ "$(id -u)" = 0 ]; then
		t/perf/reflink.bash "$dsv" "$work" "$scale"
	fi
	echo
	echo "Load after the run: $(cut -d' ' -f1-3 /proc/loadavg)."
} >"$work/report"
{
	cat "$work/report"
	# The text about the figures and what the other script wrote stay.
	[ -e "$out" ] && sed -n '/^## \(Goals\|How it\)/,$p' "$out"
} >"$work/new"
cp "$work/new" "$out"
