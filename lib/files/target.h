/* SPDX-License-Identifier: MIT */
/*
 * Writing the files of a state into a directory.  No path is followed through
 * a symbolic link, each file appears whole (temporary file and rename).
 */
#ifndef DSV_FILES_TARGET_H
#define DSV_FILES_TARGET_H

#include "../repo/repo.h"

struct target {
	struct dsv *d;
	int dirfd;		/* of the directory */
	const char *dir;	/* its name, for messages */
	enum dsv_link link;
};

enum target_find {
	TARGET_ABSENT = 0,
	TARGET_SAME = 1,	/* it is there, byte for byte */
	TARGET_DIFFERS = 2,
	TARGET_BLOCKED = 3	/* by what is never overwritten: a directory,
				   or a link or a file on the way */
};

/* Returns what is at the entry's place: an enum target_find, or < 0. */
int target_compare(const struct target *t, const struct manifest_entry *e,
		   struct dsv_err *err);

/* Sets the error that says what is in the way. */
int target_blocked(const struct target *t, const struct manifest_entry *e,
		   struct dsv_err *err);

/* Writes the entry over what may be there; sets *reflinked unless NULL. */
int target_write(const struct target *t, const struct manifest_entry *e,
		 bool *reflinked, struct dsv_err *err);

#endif
