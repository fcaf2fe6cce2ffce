/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

struct entry {
	pool_job *job;
	void *arg;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t has_job;
	pthread_cond_t has_room;	/* or all is done */
	size_t capacity;		/* of the queue */
	size_t first;
	size_t queued;
	size_t running;
	bool closing;
	int ret;			/* of the first job that failed */
	struct dsv_err err;
	struct entry *queue;
	pthread_t *threads;
	size_t thread_count;
};

int pool_processors(int limit)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	if (n > limit)
		n = limit;
	return n < 1 ? 1 : n;
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct dsv_err err;
	struct entry e;
	bool cancelled;
	int ret;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->queued == 0 && !p->closing)
			pthread_cond_wait(&p->has_job, &p->lock);
		if (p->queued == 0)
			break;
		e = p->queue[p->first];
		p->first = (p->first + 1) % p->capacity;
		p->queued--;
		p->running++;
		cancelled = p->ret < 0;
		pthread_cond_signal(&p->has_room);
		pthread_mutex_unlock(&p->lock);
		ret = e.job(e.arg, cancelled, &err);
		pthread_mutex_lock(&p->lock);
		p->running--;
		if (ret < 0 && p->ret == 0) {
			p->ret = ret;
			p->err = err;
		}
		if (p->queued == 0 && p->running == 0)
			pthread_cond_broadcast(&p->has_room);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Starts the threads.  Fewer are fine: the limit of processes may be low. */
static int start(struct pool *p, size_t threads, struct dsv_err *err)
{
	sigset_t all, before;
	int code = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->thread_count < threads) {
		code = pthread_create(&p->threads[p->thread_count], NULL, work,
				      p);
		if (code != 0)
			break;
		p->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (p->thread_count > 0)
		return 0;
	errno = code;
	return dsv_fail_errno(err, "start a thread");
}

int pool_new(int threads, struct pool **out, struct dsv_err *err)
{
	size_t n = threads < 1 ? 1 : (size_t)threads;
	struct pool *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return dsv_fail_nomem(err);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->has_job, NULL);
	pthread_cond_init(&p->has_room, NULL);
	p->capacity = n;
	p->queue = calloc(n, sizeof(*p->queue));
	p->threads = calloc(n, sizeof(*p->threads));
	if (!p->queue || !p->threads)
		ret = dsv_fail_nomem(err);
	else
		ret = start(p, n, err);
	if (ret < 0) {
		pool_close(p);
		return ret;
	}
	*out = p;
	return 0;
}

static int first_error(const struct pool *p, struct dsv_err *err)
{
	if (p->ret < 0 && err)
		*err = p->err;
	return p->ret;
}

int pool_submit(struct pool *p, pool_job *job, void *arg, struct dsv_err *err)
{
	int ret;

	pthread_mutex_lock(&p->lock);
	while (p->queued == p->capacity && p->ret == 0)
		pthread_cond_wait(&p->has_room, &p->lock);
	ret = first_error(p, err);
	if (ret == 0) {
		size_t i = (p->first + p->queued) % p->capacity;

		p->queue[i].job = job;
		p->queue[i].arg = arg;
		p->queued++;
		pthread_cond_signal(&p->has_job);
	}
	pthread_mutex_unlock(&p->lock);
	return ret;
}

int pool_wait(struct pool *p, struct dsv_err *err)
{
	int ret;

	pthread_mutex_lock(&p->lock);
	while (p->queued > 0 || p->running > 0)
		pthread_cond_wait(&p->has_room, &p->lock);
	ret = first_error(p, err);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

void pool_close(struct pool *p)
{
	size_t i;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->has_job);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->has_room);
	pthread_cond_destroy(&p->has_job);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p->queue);
	free(p);
}
