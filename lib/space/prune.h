/* SPDX-License-Identifier: MIT */
#ifndef DSV_SPACE_PRUNE_H
#define DSV_SPACE_PRUNE_H

#include "../catalog/internal.h"

/* In a write transaction, without the journal: a rebuild does them again. */

/* Note that seq is pruned now, by rule; a pruned one stays as it is. */
int prune_mark(struct catalog *c, int64_t seq, const char *rule,
	       struct dsv_err *err);
/* Only its id and its edges are left. */
int prune_forget(struct catalog *c, int64_t seq, struct dsv_err *err);

#endif
