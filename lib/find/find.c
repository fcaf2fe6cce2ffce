/* SPDX-License-Identifier: MIT */
/*
 * How a search is carried out.  SQLite keeps no statistics here (they would
 * go stale, and are written by nobody), so the choice is made by counting,
 * up to a bound: the conjunct with an index that has the fewest states
 * drives.  If even that has many, the states are walked in the order asked
 * for, which ends early when there is a limit; when the first FIND_WALK of
 * them do not give enough, the driver's states become a set of bits and the
 * walk goes on among them.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"

/* ---- Understanding the query ----------------------------------------- */

static void add_conjuncts(struct search *f, const struct find_node *node)
{
	size_t i;

	if (node->kind == FIND_AND) {
		for (i = 0; i < node->child_count; i++)
			add_conjuncts(f, node->children[i]);
	} else {
		f->conjuncts[f->conjunct_count++] = node;
	}
}

static int add_equals(struct search *f, const char *key, const char *text,
		      const char *sql_exists)
{
	struct query q = db_query(f->x.db, sql_exists);
	struct find_node *node;
	int64_t ignored;
	int ret;

	query_text(&q, ":name", text);
	ret = query_one_int(&q, &ignored, f->err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return dsv_fail(f->err, DSV_ENOTFOUND, "no %s '%s'", key,
				text);
	node = find_equals(key, text);
	if (!node)
		return dsv_fail_nomem(f->err);
	f->tree = find_and(node, f->tree);
	return f->tree ? 0 : dsv_fail_nomem(f->err);
}

static const char sql_branch_exists[] =
	"SELECT id FROM branch WHERE name = :name LIMIT 1";
static const char sql_scope_exists[] =
	"SELECT id FROM scope WHERE name = :name";

static int make_tree(struct search *f)
{
	const struct catalog_query *query = f->query;
	int ret = 0;

	if (query->expr)
		ret = find_parse(query->expr, &f->tree, f->err);
	if (ret == 0 && query->branch)
		ret = add_equals(f, "branch", query->branch,
				 sql_branch_exists);
	if (ret == 0 && query->scope)
		ret = add_equals(f, "scope", query->scope, sql_scope_exists);
	if (ret < 0 || !f->tree)
		return ret;
	ret = find_resolve(&f->x, f->tree, f->err);
	if (ret == 0)
		add_conjuncts(f, f->tree);
	return ret;
}

static int make_sorts(struct search *f)
{
	const struct dsv_strings *texts = &f->query->sort;
	size_t i;
	int ret;

	if (texts->count > FIND_MAX_SORT)
		return dsv_fail(f->err, DSV_EUSAGE, "more than %d keys to sort"
				" by", FIND_MAX_SORT);
	for (i = 0; i < texts->count; i++) {
		const char *text = texts->items[i];

		f->sorts[i].descending = *text == '-';
		ret = find_resolve_key(&f->x, text + (*text == '-'),
				       &f->sorts[i].key, f->err);
		if (ret < 0)
			return ret;
	}
	f->sort_count = texts->count;
	return 0;
}

static int limit_to_relatives(struct search *f, int64_t of, bool descendants)
{
	struct find_set relatives;
	int ret;

	if (of <= 0)
		return 0;
	ret = find_set_relatives(f->x.c, of, descendants, &relatives, f->err);
	if (ret == 0)
		find_set_intersect(&f->set, &relatives);
	return ret;
}

/* ---- Deciding -------------------------------------------------------- */

/* Counts the states that node's index gives, up to FIND_FEW + 1. */
static int estimate(struct search *f, const struct find_node *node,
		    int64_t *out)
{
	struct find_sql sql = FIND_SQL_INIT;
	struct query q;
	int ret;

	if (find_index_is_costly(node)) {
		*out = FIND_FEW + 1;
		return 0;
	}
	sql.rough = true;
	find_sql_puts(&sql, "SELECT count(*) FROM (SELECT 1 FROM (");
	find_sql_index(&sql, node);
	find_sql_puts(&sql, ") LIMIT ");
	find_sql_int(&sql, FIND_FEW + 1);
	find_sql_puts(&sql, ")");
	q = find_sql_query(&sql, f->x.db);
	ret = query_one_int(&q, out, f->err);
	find_sql_release(&sql);
	return ret < 0 ? ret : 0;
}

static int choose_driver(struct search *f)
{
	int64_t count;
	size_t i;
	int ret;

	f->estimate = INT64_MAX;
	for (i = 0; i < f->conjunct_count; i++) {
		if (!find_is_indexed(f->conjuncts[i]))
			continue;
		ret = estimate(f, f->conjuncts[i], &count);
		if (ret < 0)
			return ret;
		if (count < f->estimate) {
			f->estimate = count;
			f->driver = f->conjuncts[i];
		}
	}
	if (f->set.bits && f->set.count < f->estimate &&
	    f->set.count <= FIND_FEW) {
		f->estimate = f->set.count;
		f->set_drives = true;
		f->driver = NULL;
	}
	return 0;
}

/*
 * The driver's states become bits: a test of one is cheaper than any probe,
 * and states are then visited in an order that the disk likes.
 */
static int drive_by_set(struct search *f)
{
	struct find_sql sql = FIND_SQL_INIT;
	struct find_set set;
	struct query q;
	int ret;

	ret = find_set_init(f->x.c, &set, f->err);
	if (ret < 0)
		return ret;
	sql.rough = true;
	find_sql_index(&sql, f->driver);
	q = find_sql_query(&sql, f->x.db);
	while ((ret = query_step(&q, f->err)) > 0)
		find_set_add(&set, query_get_int(&q, 0));
	find_sql_release(&sql);
	if (ret < 0) {
		find_set_release(&set);
		return ret;
	}
	find_set_intersect(&f->set, &set);
	if (find_index_is_exact(f->driver))
		f->given = f->driver;
	f->driver = NULL;
	return 0;
}

static const char sql_newest[] = "SELECT coalesce(max(seq), 0) FROM state";

static int run_newest(struct search *f)
{
	struct query q;
	int64_t newest;
	int ret;

	if (f->driver && f->query->limit >= 0) {
		q = db_query(f->x.db, sql_newest);
		ret = query_one_int(&q, &newest, f->err);
		if (ret < 0)
			return ret;
		ret = search_run_walk(f, newest - FIND_WALK, INT64_MAX);
		if (ret < 0 || search_enough(f))
			return ret;
		ret = drive_by_set(f);
		return ret < 0 ? ret :
			search_run_walk(f, 0, newest - FIND_WALK);
	}
	ret = f->driver ? drive_by_set(f) : 0;
	return ret < 0 ? ret : search_run_walk(f, 0, INT64_MAX);
}

static int run_sorted(struct search *f)
{
	int ret;

	if (search_sort_is_bounded(f) || !f->driver)
		return search_run_sorted(f);
	if (f->query->limit >= 0) {
		ret = search_try_sorted(f);
		if (ret < 0 || search_enough(f))
			return ret;
	}
	f->count = 0;
	ret = drive_by_set(f);
	if (ret < 0)
		return ret;
	/* Sorting a few costs less than going through the whole index. */
	return f->set.count < f->set.limit / 16 ?
		search_run_walk(f, 0, INT64_MAX) : search_run_sorted(f);
}

static const char sql_count_all[] =
	"SELECT (SELECT count(*) FROM state) - (SELECT count(*) FROM state"
	" WHERE status <> " SQL_STATE_DURABLE
	" AND status = " SQL_STATE_FORGOTTEN ")";
static const char sql_count_live[] =
	"SELECT (SELECT count(*) FROM state) -"
	" (SELECT count(*) FROM state WHERE pruned IS NOT NULL)";

static int count_all(struct search *f)
{
	struct query q = db_query(f->x.db, f->query->pruned ?
				  sql_count_all : sql_count_live);
	int ret = query_one_int(&q, &f->count, f->err);

	return ret < 0 ? ret : 0;
}

static int decide(struct search *f)
{
	enum find_source source;
	int ret;

	if (f->counting && !f->tree && !f->set.bits && f->query->limit < 0)
		return count_all(f);
	ret = choose_driver(f);
	if (ret < 0)
		return ret;
	if (f->estimate <= FIND_FEW)
		return search_run_driver(f);
	if (f->sort_count == 0)
		return run_newest(f);
	source = f->sorts[0].key.source;
	if (source == FIND_ATTR || source == FIND_PARAM)
		return run_sorted(f);
	if (f->driver) {
		ret = drive_by_set(f);
		if (ret < 0)
			return ret;
	}
	return search_run_walk(f, 0, INT64_MAX);
}

static int search(struct search *f)
{
	int ret;

	ret = find_functions_add(&f->x, f->err);
	if (ret == 0)
		ret = make_tree(f);
	if (ret == 0)
		ret = limit_to_relatives(f, f->query->descendants_of, true);
	if (ret == 0)
		ret = limit_to_relatives(f, f->query->ancestors_of, false);
	if (ret == 0 && !f->counting)
		ret = make_sorts(f);
	if (ret == 0 && !search_enough(f))
		ret = decide(f);
	find_functions_remove(&f->x);
	return ret;
}

static int find(struct catalog *c, const struct catalog_query *query,
		bool counting, int64_t **out, int64_t *count,
		struct dsv_err *err)
{
	struct search *f = calloc(1, sizeof(*f));
	int ret;

	if (!f)
		return dsv_fail_nomem(err);
	f->x.c = c;
	f->x.db = catalog_db(c);
	f->x.set = &f->set;
	f->x.now_ns = now_ns();
	f->query = query;
	f->counting = counting;
	f->err = err;
	ret = catalog_read_begin(c, err);
	if (ret == 0) {
		ret = search(f);
		catalog_read_end(c);
	}
	if (ret == 0) {
		if (out) {
			*out = f->seqs;
			f->seqs = NULL;
		}
		*count = f->count;
	}
	free(f->seqs);
	find_set_release(&f->set);
	find_free(f->tree);
	find_context_release(&f->x);
	free(f);
	return ret;
}

int catalog_find(struct catalog *c, const struct catalog_query *query,
		 int64_t **out, size_t *count, struct dsv_err *err)
{
	int64_t n;
	int ret = find(c, query, false, out, &n, err);

	if (ret == 0)
		*count = (size_t)n;
	return ret;
}

int catalog_find_count(struct catalog *c, const struct catalog_query *query,
		       int64_t *count, struct dsv_err *err)
{
	return find(c, query, true, NULL, count, err);
}
