#!/bin/sh
# SPDX-License-Identifier: MIT
#
# dsv bisect start HEAD HEAD~40
# dsv bisect run share/examples/bisect.sh 0.9
#
# Evaluate the model of the state under test: good if its accuracy is at
# least $1.  evaluate.py ends with an error if torch cannot load the model,
# and then the state is skipped.
dir=$(mktemp -d) || exit 128
trap 'rm -rf "$dir"' EXIT

dsv -q checkout --path '*/model.pt' "$DSV_STATE" "$dir" || exit 125
accuracy=$(python3 "${0%/*}/evaluate.py" "$dir/ckpt/model.pt") || exit 125
echo "accuracy $accuracy"
awk "BEGIN { exit !($accuracy >= $1) }"
