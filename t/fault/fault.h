/* SPDX-License-Identifier: MIT */
/*
 * A model of what a disk may hold when the power goes: what was not synced is
 * lost, contents of files and names in directories alike.  Used by fault.c,
 * with its lock held; all of it works on the real calls.
 */
#ifndef DSV_FAULT_H
#define DSV_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * shadow: an empty directory of the same file system.  how: "all", or a
 * number that seeds which half is lost.
 */
void lost_begin(const char *shadow, const char *how);
/* The bytes of fd are about to change. */
void lost_change(int fd);
/* fsync() of a file or directory has succeeded. */
void lost_sync(int fd);
/*
 * What a later process syncs is durable of this one as well: the later one
 * tells in a file, the earlier hears before its own losses are applied.
 */
void lost_tell_syncs(const char *path);
void lost_hear_syncs(const char *path);

enum lost_op { LOST_CREATE, LOST_MKDIR, LOST_UNLINK, LOST_RMDIR, LOST_RENAME };

/*
 * A name is about to change: name in dirfd; for LOST_RENAME it is what
 * from_name in from_dirfd becomes.  Only when it did, done with ok.
 */
void lost_name(enum lost_op op, int dirfd, const char *name, int from_dirfd,
	       const char *from_name);
void lost_name_done(bool ok);

/* The power goes. */
void lost_apply(void);

#endif
