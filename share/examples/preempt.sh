#!/bin/bash
# SPDX-License-Identifier: MIT
#SBATCH --job-name=digits
#SBATCH --output=digits-%j.log
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR2@120
#SBATCH --requeue
#SBATCH --open-mode=append
#
# A run that takes longer than a job may.  Two minutes before the time limit
# (and at a preemption, if the site has preempt_send_user_signal) Slurm sends
# USR2 to this shell, which passes it on: the training makes one more state and
# ends, and the job is requeued, which Slurm starts again after two minutes at
# the earliest.  The time before the limit must be enough for an epoch.  The
# signal is USR2 because NCCL uses USR1.
next() {
	trap '' USR2
	kill -USR2 "$pid"
	wait "$pid"
	# The plain id would mean every task of an array.
	id=$SLURM_JOB_ID
	[ -z "${SLURM_ARRAY_JOB_ID:-}" ] ||
		id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
	echo "out of time: requeuing $id"
	scontrol requeue "$id"
	exit
}
trap next USR2

dir=$PWD/runs/$SLURM_JOB_ID
if [ -z "${DSV_CHECKOUT:-}" ]; then
	dsv checkout --if-any --nearest --force HEAD "$dir" || exit
	if [ -e "$dir/ckpt/model.pt" ]; then
		export DSV_CHECKOUT=$dir
	fi
fi
# It runs in the background, because bash runs a trap only between commands.
python3 train.py "$dir/ckpt" &
pid=$!
wait "$pid"
