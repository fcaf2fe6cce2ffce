/* SPDX-License-Identifier: MIT */
/* Which of a job's ranks a node has. */
#ifndef DSV_SLURM_RANKS_H
#define DSV_SLURM_RANKS_H

#include "../base/str.h"
#include "../repo/repo.h"

struct ranks {
	size_t count;
	int64_t *items;
};

#define RANKS_INIT { 0, NULL }

void ranks_release(struct ranks *r);
bool ranks_has(const struct ranks *r, int64_t rank);
int ranks_add(struct ranks *r, int64_t rank, struct dsv_err *err);

/* Parses "0,2,3", as Slurm and we write it, or fails with DSV_EUSAGE. */
int ranks_parse(const char *text, struct ranks *out, struct dsv_err *err);
void ranks_print(const struct ranks *r, struct str *out);

/*
 * Returns the ranks of this node: in a step, those that Slurm reports; in a
 * batch script, those that a step with the job's own layout will have here.
 * Fails with DSV_EREFUSED if there are not size ranks in all, or if their
 * layout is not known yet.
 */
int ranks_here(struct dsv *d, int64_t size, struct ranks *out,
	       struct dsv_err *err);

#endif
