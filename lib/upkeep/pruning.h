/* SPDX-License-Identifier: MIT */
/*
 * A prune by rules: what it decides, and the report of it.
 */
#ifndef DSV_UPKEEP_PRUNING_H
#define DSV_UPKEEP_PRUNING_H

#include "../base/texts.h"
#include "../catalog/keep.h"
#include "../repo/repo.h"
#include "rules.h"

/* Bits of kept[] above those of the rules. */
enum {
	KEPT_ALONE = 55,	/* its group is left alone */
	KEPT_OUT_OF_SCOPE,	/* by the rule --out-of-scope */
	KEPT_PINNED,
	KEPT_NAMED,
	KEPT_HELD,
	KEPT_OPEN_SCOPE,
	KEPT_LIVE_HEAD,
	KEPT_YOUNG_HEAD
};

struct pruning {
	struct dsv *d;
	const struct dsv_prune_options *options;
	struct rules rules;
	struct catalog_candidates list;
	uint64_t *kept;		/* by candidate; 0: is removed */
	struct texts alone;	/* groups that are left alone */
};

/*
 * Returns for how long nothing removes the head of a branch: prune.headGrace.
 */
int pruning_head_grace(struct dsv *d, int64_t *out_ns, struct dsv_err *err);

/*
 * Selects, groups and applies the rules.  Fails with DSV_EREFUSED if a group
 * would become empty, or if no state has a key.
 */
int pruning_decide(struct pruning *p, struct dsv_err *err);
void pruning_release(struct pruning *p);

/* Fills items, removed and left_alone of *out. */
int pruning_report(struct pruning *p, struct dsv_prune_report *out,
		   struct dsv_err *err);

#endif
