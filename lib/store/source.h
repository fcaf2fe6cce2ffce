/* SPDX-License-Identifier: MIT */
/*
 * A source is a file that is being read.  This finds out whether somebody may
 * write to it in the meantime, whether what was read is one version of it, and
 * whether that may be remembered.
 */
#ifndef DSV_STORE_SOURCE_H
#define DSV_STORE_SOURCE_H

#include <sys/stat.h>

#include "../os/lease.h"
#include "statcache.h"

struct source {
	int fd;
	const char *path;
	struct stat st;		/* before reading */
	int64_t seen_ns;	/* the clock before st */
	int64_t slack_ns;	/* see statcache_put(); < 0: not remembered */
	enum lease lease;	/* at the start */
	bool broken;		/* we dropped it: somebody wants to write */
};

enum source_look {
	SOURCE_QUIET = 0,	/* nobody has written to it */
	SOURCE_DOUBTFUL = 1	/* it must be read again, and compared */
};

/*
 * Makes its size and times reflect what the bytes are, and reads them; from now
 * on we have a lease on it, where that is possible.  cache may be NULL.
 */
int source_settle(struct source *src, const struct statcache *cache,
		  struct dsv_err *err);
/* Lets somebody who waits to write go on; any thread calls it between reads. */
void source_yield(struct source *src);
/* Returns, after reading, an enum source_look. */
int source_look(struct source *src, struct dsv_err *err);
/* Drops the lease. */
void source_release(struct source *src);
/*
 * Remembers the file only if it was quiet, and is old enough for its times to
 * be conclusive.
 */
void source_remember(const struct source *src, struct statcache *cache,
		     const unsigned char recipe[HASH_BYTES]);

#endif
