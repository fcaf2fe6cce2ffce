/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "../base/fs.h"

/* The kernel's clock for files goes by ticks of up to 10 ms. */
#define TICK_NS ((int64_t)20 * 1000000)
/* Clocks of a cluster agree to better than this. */
#define SERVER_NS ((int64_t)60 * 1000000000)
/* To read this takes longer than to wait for the tick. */
#define WORTH_WAITING_BYTES (64 << 20)

#define TMPFS 0x01021994

/* File systems whose writers are all on this host. */
static bool is_local(uint32_t magic)
{
	return magic == 0xef53 ||	/* ext4 */
	       magic == 0x58465342 ||	/* XFS */
	       magic == 0x9123683e ||	/* btrfs */
	       magic == TMPFS;
}

/*
 * A read lease is granted only when nobody has the file open, or mapped, for
 * writing.  Should somebody open it before we give the lease back, the kernel
 * tells us: by a signal that does nothing, where SIGIO would kill.
 */
static bool has_no_writer(int fd)
{
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return false;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

/*
 * Stores through mmap leave size and times unchanged until they are written
 * back: without this a change would not show.
 */
static int write_back(const struct source *src, bool local,
		      struct dsv_err *err)
{
	if (local && has_no_writer(src->fd))
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

/* Once, so that a large file that was just written is remembered. */
static void wait_for_tick(const struct source *src)
{
	int64_t young = statcache_too_young_ns(&src->st, src->seen_ns,
					       src->slack_ns);
	struct timespec t = { 0, young + 1000000 };

	if (src->st.st_size >= WORTH_WAITING_BYTES && young >= 0 &&
	    young <= TICK_NS)
		nanosleep(&t, NULL);
}

int source_settle(struct source *src, const struct statcache *cache,
		  struct dsv_err *err)
{
	struct statfs fs;
	bool local = false;
	int ret;

	src->slack_ns = SERVER_NS;
	if (fstatfs(src->fd, &fs) == 0) {
		local = is_local((uint32_t)fs.f_type);
		if ((uint32_t)fs.f_type == TMPFS)
			src->slack_ns = -1;
		else if (local)
			src->slack_ns = TICK_NS;
	}
	ret = write_back(src, local, err);
	src->seen_ns = now_ns();
	if (ret == 0)
		ret = take_stat(src, &src->st, err);
	if (ret == 0 && cache && src->slack_ns >= 0) {
		wait_for_tick(src);
		src->seen_ns = now_ns();
		ret = take_stat(src, &src->st, err);
	}
	return ret;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int source_check(const struct source *src, struct dsv_err *err)
{
	struct stat now;
	int ret;

	ret = take_stat(src, &now, err);
	if (ret < 0)
		return ret;
	if (src->st.st_size != now.st_size ||
	    !is_same_time(&src->st.st_mtim, &now.st_mtim) ||
	    !is_same_time(&src->st.st_ctim, &now.st_ctim))
		return dsv_fail(err, DSV_ESYS,
				"'%s' changed while it was read", src->path);
	return 0;
}

/* That it cannot be remembered is no failure. */
void source_remember(const struct source *src, struct statcache *cache,
		     const unsigned char recipe[HASH_BYTES])
{
	if (src->slack_ns >= 0)
		statcache_put(cache, &src->st, src->seen_ns, src->slack_ns,
			      recipe, NULL);
}
