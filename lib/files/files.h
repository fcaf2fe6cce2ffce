/* SPDX-License-Identifier: MIT */
/*
 * The files of a state.
 */
#ifndef DSV_FILES_FILES_H
#define DSV_FILES_FILES_H

#include "../base/glob.h"
#include "../repo/repo.h"

/* Fails with DSV_ENOTFOUND if pruned, and says when and by which rule. */
int files_of(struct dsv *d, int64_t seq, struct manifest *out,
	     struct dsv_err *err);

/* Only what that rank tagged; also DSV_ENOTFOUND if it has no part in it. */
int files_of_rank(struct dsv *d, int64_t seq, int64_t rank,
		  struct manifest *out, struct dsv_err *err);
/* Returns how many ranks tagged it together, or 0 if it has no parts. */
int files_parts(struct dsv *d, int64_t seq, int64_t *out,
		struct dsv_err *err);

/*
 * Returns why reading the state's bytes failed with ret: DSV_ENOTFOUND instead
 * of DSV_ECORRUPT if it was pruned and its bytes freed during the read.
 */
int files_failed(struct dsv *d, int64_t seq, int ret, struct dsv_err *err);

/* Drops from m what no glob matches; without globs, drops nothing. */
void files_select(struct manifest *m, struct globs *globs);
/* Warns about each of the patterns, which are in globs, that was unused. */
void files_tell_unused(struct dsv *d, const struct globs *globs,
		       const struct dsv_strings *patterns);

/* Returns NULL if there is none. */
const struct manifest_entry *files_find(const struct manifest *m,
					const char *path);

/*
 * Returns 1 if the first bytes of fd, as many as the entry has, are those of
 * the entry, or 0 if not.
 */
int files_are_bytes(struct dsv *d, const struct manifest_entry *e, int fd,
		    struct dsv_err *err);

#endif
