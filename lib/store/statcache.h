/* SPDX-License-Identifier: MIT */
/*
 * What files held when they were last read, so that unchanged ones need not
 * be read again.  One file per host and user (device numbers mean nothing
 * elsewhere); losing it costs time only.
 *
 * As in git, a file that was changed so shortly before it was read that a
 * later change might bear the same time is not remembered.
 */
#ifndef DSV_STORE_STATCACHE_H
#define DSV_STORE_STATCACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../base/hash.h"
#include "../dsv.h"

struct statcache;

/* A file that is absent, damaged or another user's is an empty cache. */
int statcache_open(const char *path, struct statcache **out,
		   struct dsv_err *err);
/* Does not save. */
void statcache_close(struct statcache *c);

/* False: nothing is known of a file that looks like this. */
bool statcache_get(struct statcache *c, const struct stat *st,
		   unsigned char recipe[HASH_BYTES]);

/*
 * Remember.  st was taken at seen_ns (the clock was read before), ahead of
 * reading the bytes, and was the same afterwards.  slack_ns: by how much the
 * file system's clock may be behind ours.
 */
int statcache_put(struct statcache *c, const struct stat *st, int64_t seen_ns,
		  int64_t slack_ns, const unsigned char recipe[HASH_BYTES],
		  struct dsv_err *err);

/* How old a file must be at seen_ns to be remembered, less how old it is. */
int64_t statcache_too_young_ns(const struct stat *st, int64_t seen_ns,
			       int64_t slack_ns);

/* Replace the file, if there is something new. */
int statcache_save(struct statcache *c, mode_t mode, struct dsv_err *err);

#endif
