/* SPDX-License-Identifier: MIT */
/*
 * A fixed number of threads that do jobs from a bounded queue.  The threads
 * block all signals: handlers run where the program expects them.
 */
#ifndef DSV_OS_POOL_H
#define DSV_OS_POOL_H

#include <stdbool.h>

#include "../dsv.h"

struct pool;

/*
 * Called once for each job that pool_submit() took.  cancelled: another job
 * failed; do nothing but release arg.
 */
typedef int pool_job(void *arg, bool cancelled, struct dsv_err *err);

/* The processors this process may use, at least 1 and at most limit. */
int pool_processors(int limit);

/* The queue holds as many jobs as there are threads. */
int pool_new(int threads, struct pool **out, struct dsv_err *err);

/*
 * Waits while the queue is full.  When a job has failed, returns its error
 * and does not take this one: arg stays the caller's.
 */
int pool_submit(struct pool *p, pool_job *job, void *arg,
		struct dsv_err *err);

/* Wait for all jobs.  The error of the first that failed, for good. */
int pool_wait(struct pool *p, struct dsv_err *err);

/* Waits for all jobs.  NULL is fine. */
void pool_close(struct pool *p);

#endif
