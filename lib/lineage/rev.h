/* SPDX-License-Identifier: MIT */
/*
 * Revisions and the names in them.
 */
#ifndef DSV_LINEAGE_REV_H
#define DSV_LINEAGE_REV_H

#include "repo.h"

/*
 * The state that rev (NULL: HEAD) means.
 *
 * DSV_ENOTFOUND: none, or ambiguous; the message says which part, and what
 * may have been meant.
 */
int rev_resolve(struct dsv *d, const char *rev, int64_t *seq,
		struct dsv_err *err);
/*
 * The same, but -1 in *seq (and success) when rev is well understood and
 * there is just no state yet: the branch is empty, or max: and min: have no
 * candidate.
 */
int rev_resolve_any(struct dsv *d, const char *rev, int64_t *seq,
		    struct dsv_err *err);

/*
 * May this be a branch, a name or a scope (what says which)?
 * [A-Za-z0-9_][A-Za-z0-9_./-]*, no "..", not HEAD, not 64 hexadecimal
 * digits, at most 255 bytes.  DSV_EUSAGE.
 */
int name_check(const char *name, const char *what, struct dsv_err *err);

#endif
