#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Measure dsv on a file system with reflinks: reflink.bash DSV WORK SCALE.
# Run it as root (a loop mount of btrfs); prints a part of doc/performance.md.
set -euo pipefail

dsv=$1 work=$2 scale=$3
here=$(cd "$(dirname "$0")" && pwd)
image=$work/image mnt=$work/mnt
cleanup() {
	umount "$mnt" 2>/dev/null || true
	rm -f "$image"
}
trap cleanup EXIT

mkdir -p "$mnt"
truncate -s 12G "$image"
mkfs.btrfs -q "$image" >/dev/null
mount -o loop "$image" "$mnt"
"$here/make-series.py" full "$mnt/series" 5 "$scale"
sync -f "$mnt"
"$dsv" -q init "$mnt/repo"

# Print how many milliseconds a command takes.
ms() {
	local start=$EPOCHREALTIME

	"$@" >/dev/null
	echo "$start $EPOCHREALTIME" | awk '{ printf "%.1f\n", ($2 - $1) * 1e3 }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

d=("$dsv" --repo "$mnt/repo" -q)
for n in 1 2 3; do
	ms "${d[@]}" tag --async "$mnt/series/$n/." >>"$work/async"
	"${d[@]}" wait
done
for n in 4 5; do
	ms "${d[@]}" tag "$mnt/series/$n/." >>"$work/tag"
done
for n in 1 2 3 4 5; do
	rm -rf "$mnt/out"
	ms "${d[@]}" checkout HEAD "$mnt/out" --link reflink >>"$work/reflink"
done
echo
echo "### btrfs (loop mount): the full series"
echo
echo "| | median ms |"
echo "|---|--:|"
echo "| tag --async, what training waits for | $(median <"$work/async") |"
echo "| tag | $(median <"$work/tag") |"
echo "| checkout by reflink | $(median <"$work/reflink") |"
rm -f "$work"/{async,tag,reflink}
