#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run fuzzers: run.bash TARGET...; build-fuzz/t/fuzz/fuzz_TARGET must exist.
#
#   FUZZ_SECONDS  how long each runs (60)
#   FUZZ_CORPUS   where interesting inputs are kept
#                 (build-fuzz/corpus)
#
# Inputs that make a target fail are left in the corpus as crash-*, timeout-*,
# oom-*.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${FUZZ_SECONDS:-60}
status=0
for target; do
	corpus=${FUZZ_CORPUS:-build-fuzz/corpus}/$target
	mkdir -p "$corpus"
	/usr/bin/python3 t/fuzz/seeds.py "$target" "$corpus"
	if "build-fuzz/t/fuzz/fuzz_$target" -max_len=65536 -rss_limit_mb=512 \
		-timeout=5 -print_final_stats=1 -max_total_time="$seconds" \
		-artifact_prefix="$corpus/" "$corpus" >"$corpus.log" 2>&1
	then
		echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$corpus.log") runs, no finding"
	else
		echo "$target: a finding" >&2
		tail -n 25 "$corpus.log" >&2
		status=1
	fi
done
exit $status
