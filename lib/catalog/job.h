/* SPDX-License-Identifier: MIT */
/*
 * Jobs in the catalog.  A submission is one row (its ticket); each task of an
 * array gets a row of its own when it starts, the submission's then stands
 * for the tasks that still wait.  An active row holds the state it forks.
 */
#ifndef DSV_CATALOG_JOB_H
#define DSV_CATALOG_JOB_H

#include "catalog.h"

struct catalog_job {
	int64_t row;
	char *ticket;		/* NULL: a job that only tagged */
	int64_t task;		/* of a sweep whose forks are there; -1: none */
	char *job_id, *cluster;	/* NULL: not known yet */
	char *state;
	char *branch;
	char *request;		/* JSON of the submission */
	char *nodes;
	char *author;
	char *submitter;	/* JSON of the submitting process */
	int64_t fork, fork_state;	/* seq; 0: none */
	bool active;
	int exit_code;		/* -1: unknown */
	int signal;
	int attempt;
	int64_t submitted_ns, started_ns, ended_ns;	/* 0: unknown */
};

void catalog_job_release(struct catalog_job *job);

/* Add a waiting row: ticket, task, request, author, submitter, fork. */
int catalog_job_add(struct catalog *c, const struct catalog_job *job,
		    int64_t *row, struct dsv_err *err);
/* DSV_ENOTFOUND: no such ticket. */
int catalog_job_bind(struct catalog *c, const char *ticket,
		     const char *job_id, struct dsv_err *err);

/* The row of the job, or (job_id NULL, or not started) of its submission. */
int catalog_job_get(struct catalog *c, const char *ticket, const char *job_id,
		    struct catalog_job *out, struct dsv_err *err);

/* A job says this of itself when it starts. */
struct catalog_job_start {
	const char *ticket;
	const char *job_id;
	int64_t task;		/* of an array: has its own row; -1: none */
	const char *cluster, *nodes;
	int attempt;
};

int catalog_job_start(struct catalog *c, const struct catalog_job_start *start,
		      struct catalog_job *out, struct dsv_err *err);

/* Close (or, active, open again) a row. */
int catalog_job_update(struct catalog *c, int64_t row, const char *state,
		       bool active, int exit_code, int signal,
		       int64_t ended_ns, struct dsv_err *err);

/*
 * A node's tasks have ended.  Of several nodes the largest exit status counts,
 * 128 and the number of a signal.
 */
int catalog_job_finish(struct catalog *c, int64_t row, int exit_code,
		       int signal, struct dsv_err *err);

/* Newest first; active: only those.  catalog_jobs_free() them. */
int catalog_jobs(struct catalog *c, bool active, struct catalog_job **out,
		 size_t *count, struct dsv_err *err);
/* The rows of a submission, newest first.  DSV_ENOTFOUND: no such ticket. */
int catalog_jobs_of(struct catalog *c, const char *ticket,
		    struct catalog_job **out, size_t *count,
		    struct dsv_err *err);
void catalog_jobs_free(struct catalog_job *jobs, size_t count);

#endif
