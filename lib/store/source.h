/* SPDX-License-Identifier: MIT */
/*
 * A file that is being read: may somebody write to it meanwhile, is what was
 * read one version of it, and may that be remembered?
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
	bool broken;		/* it was given back: somebody wants to write */
};

enum source_look {
	SOURCE_QUIET = 0,	/* nobody has written to it */
	SOURCE_DOUBTFUL = 1	/* it must be read again, and compared */
};

/*
 * Make its size and times say what the bytes are, and take them; from now on
 * we have a lease on it, where that is possible.  cache may be NULL.
 */
int source_settle(struct source *src, const struct statcache *cache,
		  struct dsv_err *err);
/* Between reads, by any thread: let somebody who waits to write go on. */
void source_yield(struct source *src);
/* After reading: an enum source_look. */
int source_look(struct source *src, struct dsv_err *err);
/* Drops the lease. */
void source_release(struct source *src);
/* Only what was quiet, and is no younger than its times can tell. */
void source_remember(const struct source *src, struct statcache *cache,
		     const unsigned char recipe[HASH_BYTES]);

#endif
