/* SPDX-License-Identifier: MIT */
/*
 * The files of a state.
 */
#ifndef DSV_LINEAGE_FILES_H
#define DSV_LINEAGE_FILES_H

#include "repo.h"

/* DSV_ENOTFOUND: pruned; the message says when and by which rule. */
int files_of(struct dsv *d, int64_t seq, struct manifest *out,
	     struct dsv_err *err);

/* Only what that rank tagged.  DSV_ENOTFOUND, too: it has no part in it. */
int files_of_rank(struct dsv *d, int64_t seq, int64_t rank,
		  struct manifest *out, struct dsv_err *err);

/* NULL: there is none. */
const struct manifest_entry *files_find(const struct manifest *m,
					const char *path);

#endif
