#!/bin/bash
# SPDX-License-Identifier: MIT
#SBATCH --job-name=digits
#SBATCH --output=digits-%j.log
#SBATCH --requeue
#SBATCH --open-mode=append
#
# A job that may be requeued (scontrol requeue, a node that failed) and
# continues where it was: the branch job-<id> is the same after a requeue.  In
# a fork, dsv has already placed the files of the branch head.
dir=$PWD/runs/$SLURM_JOB_ID
if [ -z "${DSV_CHECKOUT:-}" ]; then
	dsv checkout --if-any --nearest --force HEAD "$dir" || exit
	if [ -e "$dir/ckpt/model.pt" ]; then
		export DSV_CHECKOUT=$dir
	fi
fi
python3 train.py "$dir/ckpt"
