/* SPDX-License-Identifier: MIT */
#ifndef DSV_SPACE_HEADS_H
#define DSV_SPACE_HEADS_H

#include "../catalog/internal.h"

/*
 * Branches whose head is seq, which was pruned, step back to its nearest
 * live ancestor along first parents, or have no state.  Adds to heads, for
 * the journal, {branch, head}.  In a write transaction.
 */
int prune_move_heads(struct catalog *c, json_t *heads, int64_t seq,
		     struct dsv_err *err);

/* Note that seq is pruned now, by rule; a pruned one stays as it is. */
int prune_mark(struct catalog *c, int64_t seq, const char *rule,
	       struct dsv_err *err);
/* Only its id and its edges are left. */
int prune_forget(struct catalog *c, int64_t seq, struct dsv_err *err);

#endif
