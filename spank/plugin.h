/* SPDX-License-Identifier: MIT */
/*
 * The Slurm plugin: a courier between Slurm and dsv(1).
 *
 * It is loaded into sbatch, srun, salloc, slurmd and slurmstepd of everybody,
 * so it links libc only, does nothing for a job that did not ask for dsv, and
 * leaves every decision to `dsv job`, which it runs as the job's user.
 *
 *	dispatch.c	Slurm's callbacks, by context
 *	config.c	arguments in plugstack.conf
 *	options.c	--dsv-*, collected as they come
 *	carrier.c	how a ticket travels from the submission to the tasks
 *	cmdline.c	the command line of sbatch
 *	submit.c	sbatch, salloc, srun
 *	task.c		slurmstepd
 *	exec.c		running a helper, whatever it does
 *
 * Functions that can fail return 0, or -1 after they have told the user why.
 * On the remote side only task_init lets Slurm see a failure of ours: anywhere
 * else it would drain the node.
 */
#ifndef DSV_SPANK_PLUGIN_H
#define DSV_SPANK_PLUGIN_H

#include <slurm/spank.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmdline.h"
#include "config.h"
#include "options.h"

struct plugin {
	struct config config;
	struct options options;
	struct cmdline cmdline;
	size_t rows;		/* of the grid, so far; 0: no sweep */
	bool array_preset;	/* SBATCH_ARRAY_INX is ours */
	bool prepared;		/* a ticket was made by this process */
	unsigned exited;	/* local tasks that have ended */
	int status;		/* wait status of the first one that failed */
};

/* The one global: Slurm's option callbacks carry no pointer. */
extern struct plugin plugin;

/* These run in sbatch, salloc and srun. */
int submit_init(struct plugin *p);
/* Called for each --dsv-sweep as it is read. */
void submit_sweep(struct plugin *p, const char *sweep);
int submit_post_opt(struct plugin *p, spank_t sp);

/* Runs in slurmstepd, in the child that becomes the task, as the user. */
int task_start(struct plugin *p, spank_t sp);
/* Runs in slurmstepd itself, as root, when a task has ended. */
void task_end(struct plugin *p, spank_t sp);

#endif
