#!/bin/bash
# SPDX-License-Identifier: MIT
#SBATCH --job-name=digits
#SBATCH --output=digits-%j.log
#
# The training continues while its states are stored: it writes to the node's own
# disk, where "dsv tag --async" captures them.  Run this once before:
#
#	dsv config core.localTier "/tmp/dsv-%u"
#
# The processes that store in the background end with the step.  So the last
# step stores, on each node, what is still only there.
dir=${TMPDIR:-/tmp}/digits-$SLURM_JOB_ID

srun python3 train.py --async "$dir/ckpt"
status=$?
srun --ntasks-per-node=1 dsv wait || exit
srun --ntasks-per-node=1 rm -r "$dir"
exit $status
