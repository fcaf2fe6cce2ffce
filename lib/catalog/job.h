/* SPDX-License-Identifier: MIT */
/*
 * These are the jobs in the catalog.  A submission is one row (its ticket).
 * Each task of an array gets a row of its own when it starts; the submission's
 * row then stands for the tasks that still wait.  An active row holds the state
 * it forks.
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

/* Adds a waiting row: ticket, task, request, author, submitter, fork. */
int catalog_job_add(struct catalog *c, const struct catalog_job *job,
		    int64_t *row, struct dsv_err *err);
/* Fails with DSV_ENOTFOUND if there is no such ticket. */
int catalog_job_bind(struct catalog *c, const char *ticket,
		     const char *job_id, struct dsv_err *err);

/*
 * Gets the row of the job, or (if job_id is NULL, or the job has not started)
 * that of its submission.
 */
int catalog_job_get(struct catalog *c, const char *ticket, const char *job_id,
		    struct catalog_job *out, struct dsv_err *err);

/* A job reports this about itself when it starts. */
struct catalog_job_start {
	const char *ticket;
	const char *job_id;
	int64_t task;		/* of an array: has its own row; -1: none */
	const char *cluster, *nodes;
	int attempt;
};

int catalog_job_start(struct catalog *c, const struct catalog_job_start *start,
		      struct catalog_job *out, struct dsv_err *err);

/* Closes a row, or (with active) opens it again. */
int catalog_job_update(struct catalog *c, int64_t row, const char *state,
		       bool active, int exit_code, int signal,
		       int64_t ended_ns, struct dsv_err *err);

/*
 * Records that a node's tasks have ended.  If there are several nodes, the
 * largest exit status counts, where a signal counts as 128 plus its number.
 */
int catalog_job_finish(struct catalog *c, int64_t row, int exit_code,
		       int signal, struct dsv_err *err);

/*
 * Lists jobs, newest first; with active, only those.  The caller frees them
 * with catalog_jobs_free().
 */
int catalog_jobs(struct catalog *c, bool active, struct catalog_job **out,
		 size_t *count, struct dsv_err *err);
/*
 * Lists the rows of a submission, newest first.  Fails with DSV_ENOTFOUND if
 * there is no such ticket.
 */
int catalog_jobs_of(struct catalog *c, const char *ticket,
		    struct catalog_job **out, size_t *count,
		    struct dsv_err *err);
void catalog_jobs_free(struct catalog_job *jobs, size_t count);

#endif
