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

/* dsv_fork() of a state that is known. */
int fork_seq(struct dsv *d, int64_t seq, const struct fork_request *request,
	     struct dsv_fork *out, struct dsv_err *err);

/*
 * A fork for each task, of the parameters that the grid has for it, all or
 * none; rows: of the jobs they are made for, or NULL.  A branch that is named
 * gets ".0", ".1", ...
 */
int fork_tasks(struct dsv *d, int64_t seq, const struct fork_request *request,
	       const struct grid *grid, const struct tasks *tasks,
	       const int64_t *rows, struct dsv_forks *out,
	       struct dsv_err *err);

/*
 * The state, if it can be forked.  DSV_ENOTFOUND: pruned, DSV_EREFUSED:
 * pending.
 */
int fork_source(struct dsv *d, int64_t seq, struct dsv_state **out,
		unsigned char manifest[HASH_BYTES], struct dsv_err *err);

/* The effective parameters.  DSV_EREFUSED: a key that is not there is set. */
int fork_params(const struct dsv_kvs *inherited, const struct dsv_strings *set,
		const struct dsv_strings *unset, struct dsv_kvs *out,
		struct dsv_err *err);

#endif
