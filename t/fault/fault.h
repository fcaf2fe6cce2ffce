/* SPDX-License-Identifier: MIT */
/*
 * A model of what a disk may hold when the power goes: what was not synced is
 * lost, contents of files and names in directories alike.  fault.c uses it with
 * its lock held; all of it makes the real calls.
 */
#ifndef DSV_FAULT_H
#define DSV_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * shadow is an empty directory of the same file system.  how is "all", or a
 * number that seeds which half is lost.
 */
void lost_begin(const char *shadow, const char *how);
/* The bytes of fd are about to change. */
void lost_change(int fd);
/* The fsync() of a file or directory has succeeded. */
void lost_sync(int fd);
/*
 * What a later process syncs becomes durable for this one too: the later one
 * says so in a file, which the earlier one reads before its own losses.
 */
void lost_tell_syncs(const char *path);
void lost_hear_syncs(const char *path);

enum lost_op { LOST_CREATE, LOST_MKDIR, LOST_UNLINK, LOST_RMDIR, LOST_RENAME };

/*
 * The name in dirfd is about to change; for LOST_RENAME from_name in from_dirfd
 * becomes that name.  done gets ok only if it did change.
 */
void lost_name(enum lost_op op, int dirfd, const char *name, int from_dirfd,
	       const char *from_name);
void lost_name_done(bool ok);

/* The power goes. */
void lost_apply(void);

#endif
