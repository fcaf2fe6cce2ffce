/* SPDX-License-Identifier: MIT */
/* A file that is being read: has it changed, and may it be remembered? */
#ifndef DSV_STORE_SOURCE_H
#define DSV_STORE_SOURCE_H

#include <sys/stat.h>

#include "statcache.h"

struct source {
	int fd;
	const char *path;
	struct stat st;		/* before reading */
	int64_t seen_ns;	/* the clock before st */
	int64_t slack_ns;	/* see statcache_put(); < 0: not remembered */
};

/*
 * Make its size and times say what the bytes are, and take them.  cache may
 * be NULL.
 */
int source_settle(struct source *src, const struct statcache *cache,
		  struct dsv_err *err);
/* DSV_ESYS: it changed since. */
int source_check(const struct source *src, struct dsv_err *err);
void source_remember(const struct source *src, struct statcache *cache,
		     const unsigned char recipe[HASH_BYTES]);

#endif
