/* SPDX-License-Identifier: MIT */
/*
 * The tasks of a job array, as sbatch's --array names them: "0-3",
 * "1,5-9:2", each with "%N" (how many run at once) after it.
 */
#ifndef DSV_SLURM_TASKS_H
#define DSV_SLURM_TASKS_H

#include "../dsv.h"

enum { TASKS_MAX = 10000 };

struct tasks {
	size_t count;
	int64_t *ids;		/* in the order they are named */
};

#define TASKS_INIT { 0, NULL }

int tasks_parse(const char *spec, struct tasks *out, struct dsv_err *err);
/* Lists the tasks 0 to count - 1. */
int tasks_count_up(size_t count, struct tasks *out, struct dsv_err *err);
bool tasks_equal(const struct tasks *a, const struct tasks *b);
void tasks_release(struct tasks *t);

#endif
