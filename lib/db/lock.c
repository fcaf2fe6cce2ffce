/* SPDX-License-Identifier: MIT */
/*
 * The lock of a database consists of guard, transaction and turn.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "internal.h"

#define UNSURE_NS (5 * NS_PER_S)	/* longer than sizes are remembered */

enum { STALE_PAUSE_US = 50000 };

static int open_writer(struct database *d, struct dsv_err *err)
{
	if (d->writer.handle)
		return 0;
	if (access(d->path, W_OK) < 0)
		return dsv_fail_errno(err, "write '%s'", d->path);
	return db_open(&d->writer, d->path, true, d->options.lock_wait_ms, err);
}

/*
 * A host is certain to see what another has written only if it opens the file
 * after the other has closed it.  So with a guard, the database is open only
 * while the guard is held.
 */
static int take_guard(struct database *d, struct dsv_err *err)
{
	int ret;

	if (!d->options.guard)
		return 0;
	ret = guard_acquire(d->dir, d->job, d->options.lock_wait_ms, &d->guard,
			    err);
	if (ret == 0)
		turn_look_anew(&d->turn);
	return ret;
}

void database_unlock(struct database *d)
{
	d->locked = false;
	if (d->guard) {
		turn_end(&d->turn, &d->writer);
		db_close(&d->writer);
	}
	guard_release(d->guard);
	d->guard = NULL;
}

void database_doubt(struct database *d)
{
	d->turn.taken = false;
}

/* Returns 1 if locked, 0 if what is seen here is not the newest; see turn.h. */
static int lock_once(struct database *d, bool insist, struct dsv_err *err)
{
	int ret = take_guard(d, err);

	if (ret == 0 && d->guard && !insist && turn_looks_torn(&d->turn)) {
		database_unlock(d);
		return 0;
	}
	if (ret == 0)
		ret = open_writer(d, err);
	if (ret == 0)
		ret = db_exec(&d->writer, "BEGIN IMMEDIATE", err);
	if (ret == 0)
		ret = d->guard ? turn_take(&d->turn, &d->writer, insist, err) :
			1;
	if (ret <= 0)
		database_unlock(d);
	d->locked = ret > 0;
	return ret;
}

int database_lock(struct database *d, struct dsv_err *err)
{
	int64_t start_ns = 0, waited_ns = 0;
	bool insist;
	int ret;

	for (;;) {
		insist = waited_ns >= UNSURE_NS;
		ret = lock_once(d, insist, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
		if (start_ns == 0)
			start_ns = now_ns();
		waited_ns = now_ns() - start_ns;
		if (insist && waited_ns / 1000000 >= d->options.lock_wait_ms)
			return dsv_fail(err, DSV_ELOCKED, "another host has"
					" changed '%s', and this one still"
					" sees what was before (waited %" PRId64
					" ms): its file system remembers too"
					" much, or an older copy was put there"
					" (only then remove '%s/turns')",
					d->path, waited_ns / 1000000, d->dir);
		usleep(STALE_PAUSE_US);
	}
}

bool database_sweep_guard(struct database *d)
{
	char *path = str_format("%s/" FILE_GUARD, d->dir);
	bool there = path && !d->options.guard && access(path, F_OK) == 0;
	struct guard *guard;

	free(path);
	if (!there || guard_acquire(d->dir, d->job, 0, &guard, NULL) < 0)
		return false;
	guard_release(guard);
	return true;
}
