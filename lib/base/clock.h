/* SPDX-License-Identifier: MIT */
/* This has times in nanoseconds since 1970, and a clock that nobody sets. */
#ifndef DSV_BASE_CLOCK_H
#define DSV_BASE_CLOCK_H

#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (24 * HOUR_NS)

int64_t now_ns(void);
/* Counts from an arbitrary time, to measure how long something takes. */
int64_t monotonic_ms(void);

static inline int64_t timespec_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* Returns when the file was last written. */
static inline int64_t stat_mtime_ns(const struct stat *st)
{
	return timespec_ns(&st->st_mtim);
}

#endif
