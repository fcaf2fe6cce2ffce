/* SPDX-License-Identifier: MIT */
#ifndef DSV_SLURM_SLURM_H
#define DSV_SLURM_SLURM_H

#include "../base/str.h"
#include "../dsv.h"

/*
 * Returns what a Slurm command prints about the cluster of this host,
 * regardless of the user's environment.  Returns false if it gives no answer.
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
 * Returns 1 and the jobs of the users ("a,b"), including those that ended not
 * long ago, or 0 if Slurm gives no answer.
 */
int slurm_queue(const char *users, struct slurm_jobs *out,
		struct dsv_err *err);
void slurm_jobs_release(struct slurm_jobs *jobs);

/*
 * Returns the cluster that the other functions query, or NULL if Slurm did not
 * say.  The caller frees it.
 */
char *slurm_cluster(void);

struct slurm_outcome {
	char *state;		/* NULL: not known; the caller's to free() */
	int exit_code;		/* -1: not known */
	int signal;
	int64_t ended_ns;	/* 0: not known */
};

/* Asks the controller, or else accounting, or else the log of completions. */
void slurm_outcome(const char *id, struct slurm_outcome *out);

bool slurm_has_ended(const char *state);

#endif
