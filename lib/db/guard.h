/* SPDX-License-Identifier: MIT */
/*
 * The guard lock stands around writes where locks by fcntl() may be local or
 * absent.  It is made with link(2), which is atomic on every file system that
 * people keep checkpoints on.  It names its owner (host, boot id, pid, PID
 * namespace, start time, Slurm job) and is broken only when that owner is
 * provably dead, under a second lock.
 */
#ifndef DSV_DB_GUARD_H
#define DSV_DB_GUARD_H

#include <stdint.h>

#include "../dsv.h"

struct guard;

/*
 * dir holds the lock; job is the Slurm job of this process, or NULL if there is
 * none.  Waits at most wait_ms, then fails with DSV_ELOCKED and names the
 * owner.
 */
int guard_acquire(const char *dir, const char *job, int64_t wait_ms,
		  struct guard **out, struct dsv_err *err);
void guard_release(struct guard *g);

#endif
