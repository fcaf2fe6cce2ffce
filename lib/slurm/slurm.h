/* SPDX-License-Identifier: MIT */
#ifndef DSV_SLURM_SLURM_H
#define DSV_SLURM_SLURM_H

#include "../base/str.h"
#include "../dsv.h"

/*
 * What a command of Slurm prints about the cluster of this host, whatever the
 * user's environment wants of it; false: it gives no answer.
 */
bool slurm_output(char *const argv[], int64_t timeout_ms, struct str *out);

/* A line of squeue. */
struct slurm_job {
	char *id;		/* "123", "120_3" */
	char *state;
	int64_t submitted_ns;
};

struct slurm_jobs {
	size_t count;
	struct slurm_job *items;
};

/*
 * 1: the jobs of the users ("a,b"), also those that ended not long ago;
 * 0: Slurm gives no answer.
 */
int slurm_queue(const char *users, struct slurm_jobs *out,
		struct dsv_err *err);
void slurm_jobs_release(struct slurm_jobs *jobs);

/*
 * The cluster that the other functions ask; the caller's to free().  NULL:
 * Slurm did not say.
 */
char *slurm_cluster(void);

struct slurm_outcome {
	char *state;		/* NULL: not known; the caller's to free() */
	int exit_code;		/* -1: not known */
	int signal;
	int64_t ended_ns;	/* 0: not known */
};

/* Of the controller, or else accounting, or else the log of completions. */
void slurm_outcome(const char *id, struct slurm_outcome *out);

bool slurm_has_ended(const char *state);

#endif
