/* SPDX-License-Identifier: MIT */
/*
 * A stat cache says what files held when they were last read, so that unchanged
 * ones need not be read again.  There is one file per host and user (device
 * numbers mean nothing elsewhere); losing it costs time only.
 *
 * As in git, a file that was changed so shortly before it was read that a
 * later change might have the same time is not remembered.
 */
#ifndef DSV_STORE_STATCACHE_H
#define DSV_STORE_STATCACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../base/hash.h"
#include "../dsv.h"

struct statcache;

/*
 * Opens a cache; it is empty if the file is absent, damaged or another user's.
 */
int statcache_open(const char *path, struct statcache **out,
		   struct dsv_err *err);
/* Closes the cache without saving it. */
void statcache_close(struct statcache *c);

/* Returns false if nothing is known about a file with this stat. */
bool statcache_get(struct statcache *c, const struct stat *st,
		   unsigned char recipe[HASH_BYTES]);

/*
 * Remembers a file.  st was taken at seen_ns (the clock was read before it),
 * before the bytes were read, and was the same afterwards.  slack_ns is how far
 * the file system's clock may be behind ours.
 */
int statcache_put(struct statcache *c, const struct stat *st, int64_t seen_ns,
		  int64_t slack_ns, const unsigned char recipe[HASH_BYTES],
		  struct dsv_err *err);

/* Returns how old a file must be at seen_ns to be remembered, minus its age. */
int64_t statcache_too_young_ns(const struct stat *st, int64_t seen_ns,
			       int64_t slack_ns);

/* Replaces the file if there is something new. */
int statcache_save(struct statcache *c, mode_t mode, struct dsv_err *err);

#endif
