/* SPDX-License-Identifier: MIT */
/*
 * The input of a prune: its options and those of a policy, checked and put into
 * one form.
 */
#ifndef DSV_UPKEEP_RULES_H
#define DSV_UPKEEP_RULES_H

#include "../base/str.h"
#include "../repo/repo.h"
#include "retention.h"

#define RULE_PREFIX "--"
#define RULE_OUT_OF_SCOPE RULE_PREFIX "out-of-scope"

struct rule {
	enum retention_kind kind;
	int64_t count;
	int64_t within_ns;
	int sign;
	double every;
	char *key;		/* of an attribute, or an expression; or NULL */
	char *text;		/* "--keep-last 3", as it is recorded */
};

struct rules {
	size_t count;
	struct rule items[RETENTION_MAX_RULES];
	bool out_of_scope;
	bool by_branch, by_scope;	/* groups */
	char *branch, *scope, *where, *author;	/* selection, or NULL */
	char *text;		/* all of it, what a pruned state will say */
};

/*
 * Fails with DSV_EUSAGE if a rule or a key of the policy is wrong (the nearest
 * is named) and with DSV_ENOTFOUND if there is no such policy.
 */
int rules_init(struct dsv *d, const struct dsv_prune_options *options,
	       struct rules *out, struct dsv_err *err);
void rules_release(struct rules *rules);

#endif
