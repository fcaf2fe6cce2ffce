#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run every test (or those named) and end with "N passed, N failed,
# N skipped".  Each line of TAP is shown when it is not plain success.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

export LC_ALL=C.UTF-8
out=$(mktemp)
trap 'rm -f "$out"' EXIT

show='/^not ok|^ok .*# skip|^#/ { print; fflush() }
	/^[^ ].* \.\.\.$/ { print; fflush() }'

run_units() {
	local unit

	for unit in "$@"; do
		echo "$unit ..."
		"$unit" 2>&1 || echo "not ok - $unit ended with status $?"
	done
}

if [ $# -gt 0 ]; then
	bats=("$@") units=()
else
	bats=(t/*.bats) units=()
	for source in t/unit/*_test.c; do
		units+=("build/${source%.c}")
	done
fi
run_units "${units[@]}" | tee -a "$out" | awk "$show"
for file in "${bats[@]}"; do
	echo "$file ..."
	start=$SECONDS
	bats --tap "$file" 2>&1 || echo "# $file: status $?"
	echo "# $((SECONDS - start)) s"
done | tee -a "$out" | awk "$show"

count() { grep -cE "$1" "$out"; }
skipped=$(count '^ok .*# skip')
passed=$(($(count '^ok ') - skipped))
failed=$(count '^not ok')
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
