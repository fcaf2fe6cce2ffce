#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Run the main job for real: train on two nodes of a throwaway Slurm cluster,
# search, fork the best state into two jobs on other nodes with other learning
# rates, prune, check out the best model and evaluate it.
set -euo pipefail

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
. "$top/t/cluster.bash"

dir=$(mktemp -d "${TMPDIR:-/tmp}/dsv-demo.XXXXXX")
cleanup() {
	cluster_stop
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

bold=$(tput bold 2>/dev/null || :) plain=$(tput sgr0 2>/dev/null || :)

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }

# Print a command and run it as the user whose jobs these are.
run() {
	printf '%s$%s' "$bold" "$plain"
	printf ' %q' "$@"
	printf '\n'
	cluster_as "$@"
}

# Do the same for a submission; its job id is in $job.
submit() {
	printf '%s$%s' "$bold" "$plain"
	printf ' %q' "$@"
	printf '\n'
	job=$(cluster_as "$@")
	echo "$job"
}

wait_job() {
	cluster_wait_job "$1" 120
	cluster_as cat "digits-$1.log"
	[ "$(cluster_job_state "$1")" = COMPLETED ]
}

say "A throwaway Slurm: munge, slurmctld, four slurmd, all in $dir"
chmod 755 "$dir"
cluster_start "$dir/cluster"
work=$dir/digits
install -d "$work"
cp "$top"/share/examples/{train.py,train.sh,evaluate.py} "$work"
[ "$(id -u)" != 0 ] || chown -R "$CLUSTER_USER:" "$work"
cd "$work"
run sinfo

say "A repository, and a training job on n1 and n2 that tags every epoch"
run dsv init
submit sbatch --parsable -N 2 -w n1,n2 train.sh
first=$job
wait_job "$first"

say "Search: which states are good, and which is the best of the job?"
run dsv find 'acc > 0.5' --sort -acc --format '%(id:short)  epoch %(attr:epoch)  acc %(attr:acc)  loss %(attr:loss)'
best=$(cluster_as dsv rev-parse "max:acc@job-$first")
run dsv show "max:acc@job-$first"

say "Fork it into two jobs on other nodes, with other learning rates"
submit sbatch --parsable "--dsv-fork=$best" --dsv-set=lr=0.1 -w n3 train.sh
fork1=$job
submit sbatch --parsable "--dsv-fork=$best" --dsv-set=lr=0.01 -w n4 train.sh
fork2=$job
run dsv job list
wait_job "$fork1"
wait_job "$fork2"

say "The lineage has split"
run dsv --no-pager log --graph --all --oneline --columns epoch,acc

say "Keep the best and the newest of each branch"
run dsv prune -n --keep-best max:acc:1 --keep-last 1
run du -sh .dsv/segments
run dsv prune --keep-best max:acc:1 --keep-last 1 --expire=now
run du -sh .dsv/segments

say "The best of all, as files again"
recorded=$(cluster_as dsv find --sort -acc -n 1 --format '%(attr:acc)')
run dsv checkout 'max:acc@*' best
run python3 evaluate.py best/ckpt/model.pt
measured=$(cluster_as python3 evaluate.py best/ckpt/model.pt)
if [ "$measured" != "$recorded" ]; then
	echo "demo: measured $measured, but $recorded was recorded" >&2
	exit 1
fi

say "All that is stored is what was stored"
run dsv fsck --data
run dsv status
cluster_assert_healthy
say "Done: the best state evaluates to its recorded accuracy, $recorded"
