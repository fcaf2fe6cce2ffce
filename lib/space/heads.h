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

#endif
