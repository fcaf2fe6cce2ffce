/* SPDX-License-Identifier: MIT */
/*
 * A pool is a fixed number of threads that do jobs from a bounded queue.  The
 * threads block all signals: handlers run where the program expects them.
 */
#ifndef DSV_OS_POOL_H
#define DSV_OS_POOL_H

#include <stdbool.h>

#include "../dsv.h"

struct pool;

/*
 * This is called once for each job that pool_submit() accepted.  If cancelled,
 * because another job failed, it must only release arg.
 */
typedef int pool_job(void *arg, bool cancelled, struct dsv_err *err);

/*
 * Returns how many processors this process may use, at least 1 and at most
 * limit.
 */
int pool_processors(int limit);

/* Starts a pool; its queue holds as many jobs as there are threads. */
int pool_new(int threads, struct pool **out, struct dsv_err *err);

/*
 * Waits while the queue is full.  When a job has failed, returns its error and
 * does not accept this one: arg remains the caller's.
 */
int pool_submit(struct pool *p, pool_job *job, void *arg,
		struct dsv_err *err);

/*
 * Waits for all jobs.  Returns the error of the first that failed, from then on
 * each time.
 */
int pool_wait(struct pool *p, struct dsv_err *err);

/* Waits for all jobs, and frees the pool.  NULL is fine. */
void pool_close(struct pool *p);

#endif
