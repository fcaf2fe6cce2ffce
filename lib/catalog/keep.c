/* SPDX-License-Identifier: MIT */
/*
 * This reads what the rules of a prune look at: as little of each state as they
 * need, so that a million fit.  It reads in steps, since a reader keeps writers
 * from committing; what matters is checked again when something is removed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "internal.h"
#include "keep.h"

enum { STEP = 20000 };	/* rows a read */

void catalog_candidates_release(struct catalog_candidates *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}

int64_t catalog_candidate(const struct catalog_candidates *list, int64_t seq)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->items[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < list->count && list->items[low].seq == seq ?
		(int64_t)low : -1;
}

static void get_candidate(struct query *q, struct catalog_candidate *item)
{
	item->seq = query_get_int(q, 0);
	item->created_ns = query_get_int(q, 1);
	item->size_bytes = query_get_int(q, 2);
	item->stored_bytes = query_get_int(q, 3);
	item->branch = (int32_t)query_get_int(q, 4);
	item->kept = query_get_int(q, 5) ? CATALOG_PINNED : 0;
	query_get_hash(q, 6, item->id);
}

static int add_candidate(struct catalog_candidates *out, struct query *q,
			 struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&out->items, out->count, sizeof(*out->items),
			err);
	if (ret == 0)
		get_candidate(q, &out->items[out->count++]);
	return ret;
}

/* Returns 1 if there may be more after *after. */
static int load_step(struct catalog *c, const struct catalog_selection *sel,
		     int64_t *after, struct catalog_candidates *out,
		     struct dsv_err *err)
{
	size_t before = out->count;
	struct query q = db_query(catalog_db(c),
		"SELECT seq, created, size, stored, branch, pinned, id"
		" FROM state WHERE seq > :after AND pruned IS NULL"
		" AND status = " SQL_STATE_DURABLE " AND manifest IS NOT NULL"
		" AND kind <> 'fork'"
		" AND (:branch IS NULL OR branch IN"
		"  (SELECT id FROM branch WHERE name = :branch))"
		" AND (:author IS NULL OR author = :author)"
		" AND (:scope IS NULL OR seq IN"
		"  (SELECT ss.state FROM scope_state ss JOIN scope s"
		"   ON s.id = ss.scope WHERE s.name = :scope))"
		" ORDER BY seq LIMIT :limit");
	int ret;

	query_int(&q, ":after", *after);
	query_text(&q, ":branch", sel->branch);
	query_text(&q, ":author", sel->author);
	query_text(&q, ":scope", sel->scope);
	query_int(&q, ":limit", STEP);
	while ((ret = query_step(&q, err)) > 0) {
		ret = add_candidate(out, &q, err);
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
	}
	if (ret < 0 || out->count == before)
		return ret;
	*after = out->items[out->count - 1].seq;
	return out->count - before == STEP;
}

/* Sets bit in every candidate that the statement names. */
static int mark_kept(struct catalog *c, struct catalog_candidates *out,
		     const char *sql, const char *scope, uint32_t bit,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	int ret;

	if (scope || strstr(sql, ":scope"))
		query_text(&q, ":scope", scope);
	while ((ret = query_step(&q, err)) > 0) {
		int64_t i = catalog_candidate(out, query_get_int(&q, 0));

		if (i >= 0)
			out->items[i].kept |= bit;
	}
	return ret;
}

static int mark_all(struct catalog *c, struct catalog_candidates *out,
		    const char *scope, struct dsv_err *err)
{
	static const char named[] = "SELECT state FROM name";
	static const char held[] =
		"SELECT fork FROM job WHERE active AND fork IS NOT NULL"
		" UNION ALL SELECT fork_state FROM job WHERE active"
		" AND fork_state IS NOT NULL";
	static const char open_scope[] =
		"SELECT ss.state FROM scope s JOIN scope_state ss"
		" ON ss.scope = s.id WHERE s.closed IS NULL"
		" AND s.name IS NOT :scope";
	static const char in_open[] =
		"SELECT ss.state FROM scope s JOIN scope_state ss"
		" ON ss.scope = s.id WHERE s.closed IS NULL";
	static const char scoped[] = "SELECT state FROM scope_state";
	static const char head[] =
		"SELECT head FROM branch WHERE NOT deleted"
		" AND head IS NOT NULL";
	static const char live_head[] =
		"SELECT b.head FROM branch b WHERE NOT b.deleted"
		" AND b.head IS NOT NULL AND (b.name IN (SELECT branch"
		"  FROM job WHERE active) OR b.id IN (SELECT s.branch"
		"   FROM job j CROSS JOIN state s ON s.job = j.id"
		"   WHERE j.active))";
	int ret;

	ret = mark_kept(c, out, named, NULL, CATALOG_NAMED, err);
	if (ret == 0)
		ret = mark_kept(c, out, held, NULL, CATALOG_HELD, err);
	if (ret == 0)
		ret = mark_kept(c, out, open_scope, scope, CATALOG_OPEN_SCOPE,
				err);
	if (ret == 0)
		ret = mark_kept(c, out, in_open, NULL, CATALOG_IN_OPEN, err);
	if (ret == 0)
		ret = mark_kept(c, out, scoped, NULL, CATALOG_SCOPED, err);
	if (ret == 0)
		ret = mark_kept(c, out, head, NULL, CATALOG_HEAD, err);
	if (ret == 0)
		ret = mark_kept(c, out, live_head, NULL, CATALOG_LIVE_HEAD,
				err);
	return ret;
}

int catalog_candidates(struct catalog *c,
		       const struct catalog_selection *selection,
		       struct catalog_candidates *out, struct dsv_err *err)
{
	struct catalog_candidates list = { 0, NULL, 0 };
	int64_t after = 0;
	struct query q;
	int ret;

	do {
		ret = load_step(c, selection, &after, &list, err);
	} while (ret > 0);
	if (ret == 0)
		ret = mark_all(c, &list, selection->scope, err);
	if (ret == 0) {
		q = db_query(catalog_db(c), "SELECT coalesce(sum(stored), 0)"
			     " FROM state WHERE pruned IS NOT NULL");
		ret = query_one_int(&q, &list.pruned_stored_bytes, err);
	}
	if (ret < 0) {
		catalog_candidates_release(&list);
		return ret;
	}
	*out = list;
	return 0;
}

int catalog_candidate_values(struct catalog *c,
			     const struct catalog_candidates *list,
			     const char *key, double *values, bool *any,
			     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT a.state, a.number FROM attr a JOIN key k"
		" ON k.id = a.key WHERE k.name = :key AND a.type = 1");
	size_t i;
	int ret;

	for (i = 0; i < list->count; i++)
		values[i] = NAN;
	*any = false;
	query_text(&q, ":key", key);
	while ((ret = query_step(&q, err)) > 0) {
		int64_t at = catalog_candidate(list, query_get_int(&q, 0));

		if (at < 0)
			continue;
		values[at] = query_get_real(&q, 1);
		*any = true;
	}
	return ret;
}

static int compare_memberships(const void *a, const void *b)
{
	const struct catalog_membership *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return (x->scope > y->scope) - (x->scope < y->scope);
}

int catalog_memberships(struct catalog *c,
			const struct catalog_candidates *list,
			struct catalog_membership **out, size_t *count,
			struct dsv_err *err)
{
	struct catalog_membership *items = NULL;
	size_t n = 0;
	struct query q = db_query(catalog_db(c),
		"SELECT state, scope FROM scope_state");
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		int64_t at = catalog_candidate(list, query_get_int(&q, 0));

		if (at < 0)
			continue;
		ret = list_grow((void **)&items, n, sizeof(*items), err);
		if (ret < 0) {
			query_end(&q);
			free(items);
			return ret;
		}
		items[n].index = (size_t)at;
		items[n++].scope = query_get_int(&q, 1);
	}
	if (ret < 0) {
		free(items);
		return ret;
	}
	if (n > 0)
		qsort(items, n, sizeof(*items), compare_memberships);
	*out = items;
	*count = n;
	return 0;
}

static int row_name(struct query *q, int64_t id, char **out,
		    struct dsv_err *err)
{
	const char *name;
	int ret;

	query_int(q, ":id", id);
	ret = query_step(q, err);
	if (ret < 0)
		return ret;
	name = ret > 0 ? query_get_text(q, 0) : "";
	*out = strdup(name ? name : "");
	query_end(q);
	return *out ? 0 : dsv_fail_nomem(err);
}

int catalog_branch_name(struct catalog *c, int64_t id, char **out,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT name FROM branch WHERE id = :id");

	return row_name(&q, id, out, err);
}

int catalog_scope_name(struct catalog *c, int64_t id, char **out,
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT name FROM scope WHERE id = :id");

	return row_name(&q, id, out, err);
}

int catalog_candidate_load(struct catalog *c, int64_t seq,
			   struct catalog_candidate *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT seq, created, size, stored, branch, pinned, id"
		" FROM state WHERE seq = :seq");
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret < 0 ? ret : dsv_fail(err, DSV_ENOTFOUND,
						"no such state");
	get_candidate(&q, out);
	query_end(&q);
	return 0;
}

int catalog_state_kept(struct catalog *c, int64_t seq, uint32_t *out,
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT max(bit) FROM ("
		"SELECT 1 AS bit FROM state WHERE seq = :seq AND pinned"
		" UNION ALL SELECT 2 FROM name WHERE state = :seq"
		" UNION ALL SELECT 4 FROM job WHERE active"
		"  AND (fork = :seq OR fork_state = :seq)) GROUP BY bit");
	int ret;

	*out = 0;
	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0)
		*out |= (uint32_t)query_get_int(&q, 0);
	return ret;
}
