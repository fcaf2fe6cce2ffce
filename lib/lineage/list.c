/* SPDX-License-Identifier: MIT */
/*
 * Searches, and lists of states.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/options.h"
#include "../base/str.h"
#include "rev.h"

enum {
	LIST_BATCH = 64,
	/* This much of a log is walked before its first state is returned. */
	LOG_AHEAD = 10000,
};

struct ends {
	int64_t *heads, *hidden;
	size_t head_count, hidden_count;
};

struct dsv_list {
	struct dsv *d;
	int64_t *seqs;
	size_t count;
	size_t next;		/* of seqs, to be loaded */
	struct dsv_state *loaded[LIST_BATCH];
	size_t loaded_count, loaded_next;
	/* For a log: how to find what is older than the last of seqs. */
	bool more;
	struct ends ends;
	struct catalog_log_query query;
};

/* Takes seqs over, also on failure. */
static int list_new(struct dsv *d, int64_t *seqs, size_t count,
		    struct dsv_list **out, struct dsv_err *err)
{
	struct dsv_list *l = calloc(1, sizeof(*l));

	if (!l) {
		free(seqs);
		return dsv_fail_nomem(err);
	}
	l->d = d;
	l->seqs = seqs;
	l->count = count;
	*out = l;
	return 0;
}

int64_t dsv_list_count(const struct dsv_list *l)
{
	return l->more ? -1 : (int64_t)l->count;
}

/* The rest of a log replaces what was read. */
static int list_continue(struct dsv_list *l, struct dsv_err *err)
{
	int64_t *seqs;
	size_t count;
	int ret;

	l->query.below = l->seqs[l->count - 1];
	ret = catalog_log(l->d->catalog, &l->query, &seqs, &count, err);
	if (ret < 0)
		return ret;
	free(l->seqs);
	l->seqs = seqs;
	l->count = count;
	l->next = 0;
	l->more = false;
	return 0;
}

static int list_fill(struct dsv_list *l, struct dsv_err *err)
{
	size_t n = l->count - l->next;
	/* We return the first rows soon, and the rest in larger steps. */
	size_t most = l->next == 0 ? 16 : LIST_BATCH;
	int ret;

	if (n > most)
		n = most;
	ret = catalog_load(l->d->catalog, l->seqs + l->next, n, l->loaded,
			   err);
	if (ret < 0)
		return ret;
	l->next += n;
	l->loaded_count = n;
	l->loaded_next = 0;
	return 0;
}

int dsv_list_next(struct dsv_list *l, struct dsv_state **out,
		  struct dsv_err *err)
{
	int ret;

	if (l->loaded_next == l->loaded_count) {
		if (l->next == l->count && l->more) {
			ret = list_continue(l, err);
			if (ret < 0)
				return ret;
		}
		if (l->next == l->count)
			return 0;
		ret = list_fill(l, err);
		if (ret < 0)
			return ret;
	}
	*out = l->loaded[l->loaded_next];
	l->loaded[l->loaded_next++] = NULL;
	return 1;
}

void dsv_list_free(struct dsv_list *l)
{
	size_t i;

	if (!l)
		return;
	for (i = l->loaded_next; i < l->loaded_count; i++)
		dsv_state_free(l->loaded[i]);
	free(l->seqs);
	free(l->ends.heads);
	free(l->ends.hidden);
	free(l);
}

/* ---- log ------------------------------------------------------------- */

/* Adds "A..B", where either may be left out and then means HEAD. */
static int add_range(struct dsv *d, const char *range, const char *dots,
		     struct ends *e, struct dsv_err *err)
{
	char *from = strndup(range, (size_t)(dots - range));
	const char *to = dots + 2;
	int ret;

	if (!from)
		return dsv_fail_nomem(err);
	ret = rev_resolve(d, *from ? from : "HEAD",
			  &e->hidden[e->hidden_count], err);
	if (ret == 0)
		ret = rev_resolve(d, *to ? to : "HEAD",
				  &e->heads[e->head_count], err);
	if (ret == 0) {
		e->hidden_count++;
		e->head_count++;
	}
	free(from);
	return ret;
}

static int add_revs(struct dsv *d, const struct dsv_strings *revs,
		    struct ends *e, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < revs->count && ret == 0; i++) {
		const char *dots = strstr(revs->items[i], "..");

		if (dots)
			ret = add_range(d, revs->items[i], dots, e, err);
		else
			ret = rev_resolve(d, revs->items[i],
					  &e->heads[e->head_count++], err);
	}
	return ret;
}

static int add_branches(struct dsv *d, const struct dsv_branches *branches,
			struct ends *e, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < branches->count && ret == 0; i++) {
		int64_t seq;

		if (!*branches->items[i].head)
			continue;
		ret = catalog_branch_head(d->catalog, branches->items[i].name,
					  &seq, err);
		if (ret == 0 && seq > 0)
			e->heads[e->head_count++] = seq;
	}
	return ret;
}

static int find_ends(struct dsv *d, const struct dsv_log_options *options,
		     struct ends *e, struct dsv_err *err)
{
	struct dsv_branches branches = { 0, NULL };
	size_t most;
	int ret = 0;

	if (options->all)
		ret = catalog_branches(d->catalog, &branches, err);
	if (ret < 0)
		return ret;
	most = options->revs.count + branches.count + 1;
	e->heads = malloc(most * sizeof(*e->heads));
	e->hidden = malloc(most * sizeof(*e->hidden));
	if (!e->heads || !e->hidden)
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = add_revs(d, &options->revs, e, err);
	if (ret == 0 && options->all)
		ret = add_branches(d, &branches, e, err);
	if (ret == 0 && !options->all && options->revs.count == 0) {
		/* If there is no state yet, the history is empty. */
		ret = rev_resolve_any(d, "HEAD", &e->heads[0], err);
		e->head_count = ret == 0 && e->heads[0] > 0;
	}
	dsv_branches_free(&branches);
	return ret;
}

static int list_log(struct dsv *d, const struct dsv_log_options *options,
		    struct dsv_list **out, struct dsv_err *err)
{
	struct ends e = { NULL, NULL, 0, 0 };
	struct catalog_log_query query = {
		.first_parent = options->first_parent,
		.since_ns = options->since_ns,
		.until_ns = options->until_ns,
		.limit = options->limit,
	};
	bool ahead = options->limit < 0 || options->limit > LOG_AHEAD;
	int64_t *seqs;
	size_t count;
	int ret;

	/* Include all of that second, as "created <= TIME" does. */
	if (query.until_ns && query.until_ns % NS_PER_S == 0)
		query.until_ns += NS_PER_S - 1;
	ret = find_ends(d, options, &e, err);
	if (ret == 0) {
		query.heads = e.heads;
		query.head_count = e.head_count;
		query.hidden = e.hidden;
		query.hidden_count = e.hidden_count;
		if (ahead)
			query.limit = LOG_AHEAD;
		ret = catalog_log(d->catalog, &query, &seqs, &count, err);
	}
	if (ret == 0)
		ret = list_new(d, seqs, count, out, err);
	if (ret < 0) {
		free(e.heads);
		free(e.hidden);
		return ret;
	}
	(*out)->ends = e;
	(*out)->query = query;
	(*out)->query.limit = options->limit < 0 ? -1 :
		options->limit - LOG_AHEAD;
	(*out)->more = ahead && count == LOG_AHEAD;
	return 0;
}

int dsv_log(struct dsv *d, const struct dsv_log_options *given,
	    struct dsv_list **out, struct dsv_err *err)
{
	struct dsv_log_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : list_log(d, &o, out, err);
}

/* ---- find ------------------------------------------------------------ */

static int make_query(struct dsv *d, const struct dsv_find_options *options,
		      struct catalog_query *query, struct dsv_err *err)
{
	int ret = 0;

	*query = (struct catalog_query){
		.expr = options->expr, .branch = options->branch,
		.scope = options->scope, .sort = options->sort,
		.limit = options->limit, .pruned = options->pruned,
	};
	if (options->descendants_of)
		ret = rev_resolve(d, options->descendants_of,
				  &query->descendants_of, err);
	if (ret == 0 && options->ancestors_of)
		ret = rev_resolve(d, options->ancestors_of,
				  &query->ancestors_of, err);
	return ret;
}

int dsv_find(struct dsv *d, const struct dsv_find_options *given,
	     struct dsv_list **out, struct dsv_err *err)
{
	struct dsv_find_options o;
	struct catalog_query query;
	int64_t *seqs;
	size_t count;
	int ret;

	ret = options_take(&o, sizeof(o), given, err);
	if (ret == 0)
		ret = make_query(d, &o, &query, err);
	if (ret == 0)
		ret = catalog_find(d->catalog, &query, &seqs, &count, err);
	return ret < 0 ? ret : list_new(d, seqs, count, out, err);
}

int dsv_find_count(struct dsv *d, const struct dsv_find_options *given,
		   int64_t *out, struct dsv_err *err)
{
	struct dsv_find_options o;
	struct catalog_query query;
	int ret = options_take(&o, sizeof(o), given, err);

	if (ret == 0)
		ret = make_query(d, &o, &query, err);
	return ret < 0 ? ret :
		catalog_find_count(d->catalog, &query, out, err);
}

/* ---- Neighbours ------------------------------------------------------ */

void dsv_ids_free(struct dsv_ids *ids)
{
	free(ids->items);
	*ids = (struct dsv_ids){ 0, NULL };
}

static int ids_of(struct dsv *d, const int64_t *seqs, size_t count,
		  struct dsv_ids *out, struct dsv_err *err)
{
	struct dsv_ids ids = { 0, NULL };
	unsigned char hash[HASH_BYTES];
	int ret = 0;

	ids.items = malloc((count + 1) * sizeof(*ids.items));
	if (!ids.items)
		return dsv_fail_nomem(err);
	while (ids.count < count && ret == 0) {
		ret = catalog_id(d->catalog, seqs[ids.count], hash, err);
		if (ret == 0)
			hash_to_hex(hash, ids.items[ids.count++]);
	}
	if (ret < 0)
		dsv_ids_free(&ids);
	else
		*out = ids;
	return ret;
}

int dsv_next(struct dsv *d, const char *rev, struct dsv_ids *out,
	     struct dsv_err *err)
{
	int64_t seq, *seqs;
	size_t count;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	if (ret == 0)
		ret = catalog_children(d->catalog, seq, &seqs, &count, err);
	if (ret < 0)
		return ret;
	ret = ids_of(d, seqs, count, out, err);
	free(seqs);
	return ret;
}

int dsv_prev(struct dsv *d, const char *rev, struct dsv_ids *out,
	     struct dsv_err *err)
{
	int64_t seq, *seqs;
	size_t count;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	if (ret == 0)
		ret = catalog_parents(d->catalog, seq, &seqs, &count, err);
	if (ret < 0)
		return ret;
	ret = ids_of(d, seqs, count, out, err);
	free(seqs);
	return ret;
}

int dsv_merge_base(struct dsv *d, const char *a, const char *b,
		   char id[DSV_ID_SIZE], struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t x, y, base;
	int ret;

	ret = rev_resolve(d, a, &x, err);
	if (ret == 0)
		ret = rev_resolve(d, b, &y, err);
	if (ret == 0)
		ret = catalog_merge_base(d->catalog, x, y, &base, err);
	if (ret < 0)
		return ret;
	if (base < 0)
		return dsv_fail(err, DSV_ENOTFOUND, "'%s' and '%s' have no"
				" common ancestor", a, b);
	ret = catalog_id(d->catalog, base, hash, err);
	if (ret == 0)
		hash_to_hex(hash, id);
	return ret;
}
