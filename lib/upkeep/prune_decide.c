/* SPDX-License-Identifier: MIT */
/*
 * This decides which states a prune by rules keeps.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/texts.h"
#include "../os/fs.h"
#include "pruning.h"

/* What the rules look at. */
struct inputs {
	struct retention_rule rules[RETENTION_MAX_RULES];
	double *values[RETENTION_MAX_RULES];
	unsigned char *match[RETENTION_MAX_RULES];
	int64_t *created_ns;
};

/* A state as a member of a group. */
struct member {
	int64_t branch, scope;	/* 0: not grouped by it; scope 0: in none */
	size_t index;
};

void pruning_release(struct pruning *p)
{
	texts_release(&p->alone);
	free(p->kept);
	catalog_candidates_release(&p->list);
	rules_release(&p->rules);
}

static void inputs_release(struct inputs *in)
{
	size_t i;

	for (i = 0; i < RETENTION_MAX_RULES; i++) {
		free(in->values[i]);
		free(in->match[i]);
	}
	free(in->created_ns);
}

/* Finds the selected states that satisfy expr: match[i] is 1. */
static int find_matches(struct pruning *p, const char *expr,
			unsigned char *match, struct dsv_err *err)
{
	const struct catalog_query query = {
		.expr = expr,
		.branch = p->rules.branch,
		.scope = p->rules.scope,
		.limit = -1,
	};
	int64_t *seqs = NULL;
	size_t count = 0, i;
	int ret;

	ret = catalog_find(p->d->catalog, &query, &seqs, &count, err);
	for (i = 0; ret == 0 && i < count; i++) {
		int64_t at = catalog_candidate(&p->list, seqs[i]);

		if (at >= 0)
			match[at] = 1;
	}
	free(seqs);
	return ret;
}

/* Keeps in the list only what satisfies --where. */
static int select_where(struct pruning *p, struct dsv_err *err)
{
	unsigned char *match;
	size_t i, n = 0;
	int ret;

	if (!p->rules.where || p->list.count == 0)
		return 0;
	match = calloc(p->list.count, 1);
	if (!match)
		return dsv_fail_nomem(err);
	ret = find_matches(p, p->rules.where, match, err);
	for (i = 0; ret == 0 && i < p->list.count; i++)
		if (match[i])
			p->list.items[n++] = p->list.items[i];
	if (ret == 0)
		p->list.count = n;
	free(match);
	return ret;
}

static int check_selection(struct pruning *p, struct dsv_err *err)
{
	struct dsv_scopes scopes;
	bool found = false;
	int64_t seq;
	size_t i;
	int ret = 0;

	if (p->rules.branch)
		ret = catalog_branch_head(p->d->catalog, p->rules.branch, &seq,
					  err);
	if (ret < 0 || !p->rules.scope)
		return ret;
	ret = catalog_scopes(p->d->catalog, &scopes, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < scopes.count; i++)
		found |= !strcmp(scopes.items[i].name, p->rules.scope);
	dsv_scopes_free(&scopes);
	return found ? 0 : dsv_fail(err, DSV_ENOTFOUND, "no scope '%s'",
				    p->rules.scope);
}

static int load_rule(struct pruning *p, struct inputs *in, size_t i,
		     struct dsv_err *err)
{
	const struct rule *rule = &p->rules.items[i];
	size_t count = p->list.count;
	bool any = false;
	int ret;

	in->rules[i].kind = rule->kind;
	in->rules[i].count = rule->count;
	in->rules[i].within_ns = rule->within_ns;
	in->rules[i].sign = rule->sign;
	in->rules[i].every = rule->every;
	if (rule->kind == RETENTION_WHERE) {
		in->match[i] = calloc(count, 1);
		if (!in->match[i])
			return dsv_fail_nomem(err);
		in->rules[i].match = in->match[i];
		return find_matches(p, rule->key, in->match[i], err);
	}
	if (rule->kind != RETENTION_BEST && rule->kind != RETENTION_EVERY)
		return 0;
	in->values[i] = malloc(count * sizeof(double));
	if (!in->values[i])
		return dsv_fail_nomem(err);
	in->rules[i].values = in->values[i];
	ret = catalog_candidate_values(p->d->catalog, &p->list, rule->key,
				       in->values[i], &any, err);
	/* The key is most likely mistyped, and would keep nothing. */
	if (ret == 0 && !any)
		ret = dsv_fail(err, DSV_EREFUSED, "no state that is selected"
			       " has a numeric attribute '%s' (%s); nothing"
			       " was removed", rule->key,
			       rule->text + strlen(RULE_PREFIX));
	return ret;
}

static int load_inputs(struct pruning *p, struct inputs *in,
		       struct dsv_err *err)
{
	int64_t now = now_ns();
	size_t i;
	int ret = 0;

	in->created_ns = malloc(p->list.count * sizeof(int64_t));
	if (!in->created_ns)
		return dsv_fail_nomem(err);
	/*
	 * A state dated in the future by a clock that ran ahead counts as made
	 * now.
	 */
	for (i = 0; i < p->list.count; i++) {
		int64_t created_ns = p->list.items[i].created_ns;

		in->created_ns[i] = created_ns > now ? now : created_ns;
	}
	for (i = 0; ret == 0 && i < p->rules.count; i++)
		ret = load_rule(p, in, i, err);
	return ret;
}

int pruning_head_grace(struct dsv *d, int64_t *out_ns, struct dsv_err *err)
{
	return config_duration(&d->config, "prune.headgrace", 7 * DAY_NS,
			       out_ns, err);
}

static int mark_always_kept(struct pruning *p, struct dsv_err *err)
{
	static const struct {
		uint32_t from;
		int bit;
	} bits[] = {
		{ CATALOG_PINNED, KEPT_PINNED },
		{ CATALOG_NAMED, KEPT_NAMED },
		{ CATALOG_HELD, KEPT_HELD },
		{ CATALOG_OPEN_SCOPE, KEPT_OPEN_SCOPE },
		{ CATALOG_LIVE_HEAD, KEPT_LIVE_HEAD },
	};
	int64_t grace_ns, now = now_ns();
	size_t i, k;
	int ret;

	ret = pruning_head_grace(p->d, &grace_ns, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < p->list.count; i++) {
		const struct catalog_candidate *item = &p->list.items[i];

		for (k = 0; k < sizeof(bits) / sizeof(bits[0]); k++)
			if (item->kept & bits[k].from)
				p->kept[i] |= UINT64_C(1) << bits[k].bit;
		if ((item->kept & CATALOG_HEAD) &&
		    item->created_ns > now - grace_ns)
			p->kept[i] |= UINT64_C(1) << KEPT_YOUNG_HEAD;
		if (p->rules.out_of_scope &&
		    (!(item->kept & CATALOG_SCOPED) ||
		     (item->kept & CATALOG_IN_OPEN)))
			p->kept[i] |= UINT64_C(1) << KEPT_OUT_OF_SCOPE;
	}
	return 0;
}

/* Orders members group by group, newest first. */
static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->branch != y->branch)
		return x->branch < y->branch ? -1 : 1;
	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	return (x->index < y->index) - (x->index > y->index);
}

/*
 * Lists the members; a state of several scopes is a member of several groups.
 */
static int list_members(struct pruning *p, struct member **out, size_t *count,
			struct dsv_err *err)
{
	struct catalog_membership *in = NULL;
	size_t in_count = 0, i, k = 0, n = 0;
	struct member *list;
	int ret;

	if (p->rules.by_scope) {
		ret = catalog_memberships(p->d->catalog, &p->list, &in,
					  &in_count, err);
		if (ret < 0)
			return ret;
	}
	list = malloc((p->list.count + in_count) * sizeof(*list));
	if (!list) {
		free(in);
		return dsv_fail_nomem(err);
	}
	for (i = 0; i < p->list.count; i++) {
		int64_t branch = p->rules.by_branch ?
			p->list.items[i].branch : 0;

		if (k == in_count || in[k].index != i)
			list[n++] = (struct member){ branch, 0, i };
		for (; k < in_count && in[k].index == i; k++)
			list[n++] = (struct member){ branch, in[k].scope, i };
	}
	free(in);
	qsort(list, n, sizeof(*list), compare_members);
	*out = list;
	*count = n;
	return 0;
}

/* Returns "branch main, scope warmup"; the caller frees it. */
static char *group_name(struct pruning *p, const struct member *m)
{
	struct str text = STR_INIT;
	char *name = NULL;

	if (p->rules.by_branch &&
	    catalog_branch_name(p->d->catalog, m->branch, &name, NULL) == 0)
		str_printf(&text, "branch %s", name);
	free(name);
	name = NULL;
	if (p->rules.by_scope && m->scope == 0)
		str_printf(&text, "%sno scope", text.len ? ", " : "");
	else if (p->rules.by_scope &&
		 catalog_scope_name(p->d->catalog, m->scope, &name, NULL) == 0)
		str_printf(&text, "%sscope %s", text.len ? ", " : "", name);
	free(name);
	if (text.len == 0)
		str_puts(&text, "all states");
	return str_take(&text);
}

static bool same_group(const struct member *a, const struct member *b)
{
	return a->branch == b->branch && a->scope == b->scope;
}

static int apply_group(struct pruning *p, const struct inputs *in,
		       const struct member *list, size_t count,
		       size_t *indexes, struct dsv_err *err)
{
	bool alone;
	size_t i;
	int ret;

	for (i = 0; i < count; i++)
		indexes[i] = list[i].index;
	ret = retention_apply(in->created_ns, indexes, count, in->rules,
			      p->rules.count, p->kept, &alone, err);
	if (ret < 0 || !alone)
		return ret;
	for (i = 0; i < count; i++)
		p->kept[indexes[i]] |= UINT64_C(1) << KEPT_ALONE;
	return texts_take(&p->alone, group_name(p, list), err);
}

static int check_group(struct pruning *p, const struct member *list,
		       size_t count, struct dsv_err *err)
{
	char *name;
	size_t i;
	int ret;

	for (i = 0; i < count; i++)
		if (p->kept[list[i].index])
			return 0;
	name = group_name(p, list);
	ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_REMOVE_ALL, NULL,
			    "no state of %s would be left, and %zu would be"
			    " removed", name ? name : "a group", count);
	free(name);
	return ret;
}

static int apply_rules(struct pruning *p, const struct inputs *in,
		       struct dsv_err *err)
{
	struct member *list = NULL;
	size_t *indexes = NULL;
	size_t count = 0, from, to;
	int ret;

	ret = list_members(p, &list, &count, err);
	if (ret == 0 && !(indexes = malloc(count * sizeof(*indexes))))
		ret = dsv_fail_nomem(err);
	for (from = 0; ret == 0 && from < count; from = to) {
		for (to = from; to < count && same_group(&list[from],
							 &list[to]); to++)
			;
		ret = apply_group(p, in, list + from, to - from, indexes, err);
	}
	/* Only now is it known what other groups keep. */
	for (from = 0; ret == 0 && !p->options->remove_all && from < count;
	     from = to) {
		for (to = from; to < count && same_group(&list[from],
							 &list[to]); to++)
			;
		ret = check_group(p, list + from, to - from, err);
	}
	free(indexes);
	free(list);
	return ret;
}

int pruning_decide(struct pruning *p, struct dsv_err *err)
{
	const struct catalog_selection selection = {
		.branch = p->rules.branch,
		.scope = p->rules.scope,
		.author = p->rules.author,
	};
	struct inputs in = { .created_ns = NULL };
	int ret;

	if (p->rules.count == 0 && !p->rules.out_of_scope &&
	    !p->options->remove_all)
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_KEEP, NULL,
				     "no rule says what to keep");
	ret = check_selection(p, err);
	if (ret == 0)
		ret = catalog_candidates(p->d->catalog, &selection, &p->list,
					 err);
	if (ret == 0)
		ret = select_where(p, err);
	if (ret < 0 || p->list.count == 0)
		return ret;
	p->kept = calloc(p->list.count, sizeof(*p->kept));
	if (!p->kept)
		return dsv_fail_nomem(err);
	ret = mark_always_kept(p, err);
	if (ret == 0)
		ret = load_inputs(p, &in, err);
	if (ret == 0)
		ret = apply_rules(p, &in, err);
	inputs_release(&in);
	return ret;
}
