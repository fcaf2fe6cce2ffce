/* SPDX-License-Identifier: MIT */
/*
 * The grid of a sweep: every combination of the values of its keys, the last
 * key changing fastest.  There are at most TASKS_MAX: each is a task of a job.
 */
#ifndef DSV_JOB_GRID_H
#define DSV_JOB_GRID_H

#include "../base/texts.h"
#include "../dsv.h"
#include "../slurm/tasks.h"

struct grid {
	size_t axis_count;
	struct texts *axes;	/* each of "K=V", "+K=V", "K:=JSON" */
	size_t rows;		/* 0: no sweep */
};

#define GRID_INIT { 0, NULL, 0 }

/*
 * Parses sweeps, each "K=V,V" or "K:=[JSON,...]"; a '+' before K adds a new
 * parameter.
 */
int grid_parse(const struct dsv_strings *sweeps, struct grid *out,
	       struct dsv_err *err);
void grid_release(struct grid *g);

/* Fails with DSV_EUSAGE: the tasks of the job are not those the sweep needs. */
int grid_fail_tasks(const struct grid *g, struct dsv_err *err);

/* Returns set, then the assignments of the row; the caller frees out->items. */
int grid_row(const struct grid *g, size_t row, const struct dsv_strings *set,
	     struct dsv_strings *out, struct dsv_err *err);

#endif
