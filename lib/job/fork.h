/* SPDX-License-Identifier: MIT */
#ifndef DSV_JOB_FORK_H
#define DSV_JOB_FORK_H

#include "../repo/repo.h"
#include "../slurm/tasks.h"
#include "grid.h"

struct fork_request {
	const char *branch;	/* NULL: the first free "<branch>-N" */
	struct dsv_strings set, unset;
	const char *message;
	struct dsv_strings scopes;
	int64_t row;		/* of the job it is made for; 0: none */
};

/* Does what dsv_fork() does, for a state that is already known. */
int fork_seq(struct dsv *d, int64_t seq, const struct fork_request *request,
	     struct dsv_fork *out, struct dsv_err *err);

/*
 * Makes a fork for each task, with the parameters that the grid has for it, all
 * or none. rows has the jobs they are made for, or is NULL.  A branch that is
 * given by name gets ".0", ".1", ... appended.
 */
int fork_tasks(struct dsv *d, int64_t seq, const struct fork_request *request,
	       const struct grid *grid, const struct tasks *tasks,
	       const int64_t *rows, struct dsv_forks *out,
	       struct dsv_err *err);

/*
 * Returns the state if it can be forked.  Fails with DSV_ENOTFOUND if it is
 * pruned and with DSV_EREFUSED if it is pending.
 */
int fork_source(struct dsv *d, int64_t seq, struct dsv_state **out,
		unsigned char manifest[HASH_BYTES], struct dsv_err *err);

/*
 * Computes the effective parameters.  Fails with DSV_EREFUSED if a key that
 * does not exist is set.
 */
int fork_params(const struct dsv_kvs *inherited, const struct dsv_strings *set,
		const struct dsv_strings *unset, struct dsv_kvs *out,
		struct dsv_err *err);

#endif
