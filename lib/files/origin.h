/* SPDX-License-Identifier: MIT */
/*
 * dsv remembers from which state a directory was filled, so that a tag of
 * those files onto another line is noticed.  Best effort: what cannot be
 * noted (a read-only repository) is not.
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

/* dir has been filled from the state id. */
void origin_note(struct dsv *d, const char *dir, const char *id);

/*
 * What is known of the nearest directory at or above path.  False: nothing
 * (any more); *out is to be released all the same.
 */
bool origin_find(struct dsv *d, const char *path, struct origin *out);

/* Whether path is of what the directory was filled with. */
bool origin_covers(struct dsv *d, const struct origin *o);

/* The files were tagged as the state id. */
void origin_tagged(struct dsv *d, const struct origin *o, const char *id);

#endif
