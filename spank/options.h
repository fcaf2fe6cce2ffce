/* SPDX-License-Identifier: MIT */
/* The options --dsv-* of sbatch, salloc and srun. */
#ifndef DSV_SPANK_OPTIONS_H
#define DSV_SPANK_OPTIONS_H

#include <slurm/spank.h>
#include <stdbool.h>
#include <stddef.h>

#define OPTION_BYTES_MAX (64 * 1024)	/* of all values together */

/*
 * Slurm forwards a repeated option once, with its last value, so all are
 * collected here as arguments for `dsv job prepare`, in the order of their
 * appearance: #SBATCH lines, environment, command line.
 */
struct options {
	char **args;		/* "--set=lr=0.1", ... */
	size_t arg_count;
	size_t arg_bytes;
	char *repo;
	char *ticket;		/* already made, by `dsv fork --sbatch` */
	bool fork;
	const char *needs_fork;	/* an option that needs --dsv-fork */
	char error[256];	/* what is wrong with them; "": nothing */
};

/* Called from slurm_spank_init, in every context that has options. */
int options_register(spank_t sp);

/* Removes the options that a job's environment says it was submitted with. */
void options_unset_inherited(void);
/* Does the same in the environment of a task. */
void options_unset_in_task(spank_t sp);

void options_release(struct options *o);

#endif
