/* SPDX-License-Identifier: MIT */
/*
 * Revisions and the names in them.
 */
#ifndef DSV_LINEAGE_REV_H
#define DSV_LINEAGE_REV_H

#include "../base/name.h"
#include "../repo/repo.h"

/*
 * Returns the state that rev (NULL: HEAD) means.
 *
 * Fails with DSV_ENOTFOUND if there is none or rev is ambiguous; the message
 * says which part, and what may have been meant.
 */
int rev_resolve(struct dsv *d, const char *rev, int64_t *seq,
		struct dsv_err *err);
/*
 * Does the same, but succeeds with -1 in *seq if rev is valid and there is
 * just no state yet: the branch is empty, or max: and min: have no candidate.
 */
int rev_resolve_any(struct dsv *d, const char *rev, int64_t *seq,
		    struct dsv_err *err);

#endif
