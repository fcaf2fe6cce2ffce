#!/bin/bash
# SPDX-License-Identifier: MIT
#SBATCH --job-name=digits
#SBATCH --output=digits-%j.log

# Each job writes to a directory of its own; dsv records "ckpt/model.pt",
# whichever job wrote it.
python3 train.py "runs/$SLURM_JOB_ID/ckpt"
