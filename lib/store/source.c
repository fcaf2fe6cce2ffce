/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../os/fs.h"

/* The kernel's clock for files advances in ticks of up to 10 ms. */
#define TICK_NS ((int64_t)20 * 1000000)
/* The clocks of a cluster agree better than this. */
#define SERVER_NS (60 * NS_PER_S)
/* Reading this much takes longer than waiting for the tick. */
#define WORTH_WAITING_BYTES (64 << 20)

#define TMPFS 0x01021994

/*
 * Stores through a mapping leave size and times unchanged until they are
 * written back: without this we would miss the change.
 */
static int write_back(const struct source *src, struct dsv_err *err)
{
	if (src->lease == LEASE_HELD)
		return 0;
	if (fsync(src->fd) < 0 && errno != EBADF && errno != EINVAL &&
	    errno != EROFS)
		return dsv_fail_errno(err, "sync '%s'", src->path);
	return 0;
}

static int take_stat(const struct source *src, struct stat *st,
		     struct dsv_err *err)
{
	if (fstat(src->fd, st) < 0)
		return dsv_fail_errno(err, "stat '%s'", src->path);
	if (!S_ISREG(st->st_mode))
		return dsv_fail(err, DSV_ESYS, "'%s' is not a regular file",
				src->path);
	return 0;
}

/* Waits once, so that a large file that was just written is remembered. */
static void wait_for_tick(const struct source *src)
{
	int64_t young = statcache_too_young_ns(&src->st, src->seen_ns,
					       src->slack_ns);
	struct timespec t = { 0, young + 1000000 };

	if (src->st.st_size >= WORTH_WAITING_BYTES && young >= 0 &&
	    young <= TICK_NS)
		nanosleep(&t, NULL);
}

/*
 * Returns how far the file system's clock may be behind ours if nobody can have
 * written since.  No time on tmpfs shows a store through a mapping.
 */
static int64_t slack_of(const struct source *src)
{
	struct statfs fs;

	if (src->lease == LEASE_REFUSED || fstatfs(src->fd, &fs) < 0 ||
	    (uint32_t)fs.f_type == TMPFS)
		return -1;
	return src->lease == LEASE_HELD ? TICK_NS : SERVER_NS;
}

/*
 * A file of /proc claims to be empty, and has bytes: we know neither how many
 * there are nor whether they are all from the same moment.
 */
static int check_empty(const struct source *src, struct dsv_err *err)
{
	char byte;

	if (src->st.st_size > 0 || pread(src->fd, &byte, 1, 0) <= 0)
		return 0;
	return dsv_fail(err, DSV_ESYS, "'%s' has bytes, but its reported size"
			" is 0", src->path);
}

int source_settle(struct source *src, const struct statcache *cache,
		  struct dsv_err *err)
{
	int ret;

	src->lease = lease_take(src->fd);
	src->slack_ns = slack_of(src);
	ret = write_back(src, err);
	src->seen_ns = now_ns();
	if (ret == 0)
		ret = take_stat(src, &src->st, err);
	if (ret == 0)
		ret = check_empty(src, err);
	if (ret == 0 && cache && src->slack_ns >= 0) {
		wait_for_tick(src);
		src->seen_ns = now_ns();
		ret = take_stat(src, &src->st, err);
	}
	return ret;
}

void source_yield(struct source *src)
{
	if (src->lease != LEASE_HELD ||
	    __atomic_load_n(&src->broken, __ATOMIC_RELAXED) ||
	    lease_holds(src->fd))
		return;
	__atomic_store_n(&src->broken, true, __ATOMIC_RELAXED);
	lease_drop(src->fd);
}

int source_look(struct source *src, struct dsv_err *err)
{
	struct stat now;
	int ret;

	source_yield(src);
	ret = take_stat(src, &now, err);
	if (ret < 0)
		return ret;
	if (src->lease == LEASE_HELD && !src->broken)
		return SOURCE_QUIET;
	if (src->lease == LEASE_UNKNOWN && src->st.st_size == now.st_size &&
	    stat_mtime_ns(&src->st) == stat_mtime_ns(&now) &&
	    timespec_ns(&src->st.st_ctim) == timespec_ns(&now.st_ctim))
		return SOURCE_QUIET;
	src->slack_ns = -1;
	return SOURCE_DOUBTFUL;
}

void source_release(struct source *src)
{
	if (src->lease == LEASE_HELD && !src->broken)
		lease_drop(src->fd);
}

/* Being unable to remember it is not a failure. */
void source_remember(const struct source *src, struct statcache *cache,
		     const unsigned char recipe[HASH_BYTES])
{
	if (src->slack_ns >= 0)
		statcache_put(cache, &src->st, src->seen_ns, src->slack_ns,
			      recipe, NULL);
}
