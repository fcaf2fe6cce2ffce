#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Let many ranks on one host make one state: ranks.bash DSV WORK [RANKS].
# Prints a part of doc/performance.md.
set -euo pipefail

dsv=$1 work=$2/ranks ranks=${3:-256}
mkdir -p "$work/data"
trap 'rm -rf "$work"' EXIT
cd "$work"
"$dsv" -q init .
"$dsv" config queue.auto false
export WORLD_SIZE=$ranks DSV_BRANCH=main
for ((i = 0; i < ranks; i++)); do
	mkdir "data/$i"
	head -c 100000 /dev/urandom >"data/$i/shard-$i"
done

# Print the seconds from the first rank's start to the last one's end:
# all COMMAND..., which runs with RANK in the environment.
all() {
	local start=$EPOCHREALTIME i

	for ((i = 0; i < ranks; i++)); do
		RANK=$i "$@" >/dev/null &
	done
	wait
	echo "$start $EPOCHREALTIME" | awk '{ printf "%.1f", $2 - $1 }'
}

one() { exec "$dsv" -q tag --collective --group "$1" "data/$RANK/."; }
async() {
	exec "$dsv" -q tag --collective --async --group "$1" "data/$RANK/."
}

echo
echo "### $ranks ranks of one host, 100 kB each, make one state"
echo
echo "| from the first start to the last end | s |"
echo "|---|--:|"
echo "| all run \`dsv --version\` | $(all "$dsv" --version) |"
for turn in 1 2; do
	echo "| \`tag --collective\`, epoch $turn | $(all one "g$turn") |"
done
echo "| the same with \`--async\` | $(all async a) |"
"$dsv" -q wait
[ "$("$dsv" find --count)" = 3 ]
