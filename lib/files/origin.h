/* SPDX-License-Identifier: MIT */
/*
 * dsv remembers from which state a directory was filled, so that a tag of
 * those files onto another line is noticed.  This is best effort: nothing is
 * noted if that is impossible (a read-only repository).
 */
#ifndef DSV_FILES_ORIGIN_H
#define DSV_FILES_ORIGIN_H

#include "../repo/repo.h"

struct origin {
	char *dir;			/* that was filled */
	char *path;			/* what is asked for, below dir; "" */
	char filled_from[DSV_ID_SIZE];	/* the state whose files they were */
	char id[DSV_ID_SIZE];		/* the state that they are now of */
};

void origin_release(struct origin *o);

/* Notes that dir has been filled from the state id. */
void origin_note(struct dsv *d, const char *dir, const char *id);

/*
 * Returns what is known of the nearest directory at or above path, or false if
 * nothing is known (any more); the caller releases *out in either case.
 */
bool origin_find(struct dsv *d, const char *path, struct origin *out);

/* Returns whether path is among the files that filled the directory. */
bool origin_covers(struct dsv *d, const struct origin *o);

/* Notes that the files were tagged as the state id. */
void origin_tagged(struct dsv *d, const struct origin *o, const char *id);

#endif
