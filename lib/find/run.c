/* SPDX-License-Identifier: MIT */
/*
 * The statements of a search.
 */
#include "search.h"

#include <inttypes.h>
#include <stdio.h>

#include "../base/list.h"

/* Every answer satisfies this.  seq is the first column available. */
static void where(struct search *f, struct find_sql *sql, const char *seq)
{
	if (!sql->given)
		sql->given = f->given;
	find_sql_puts(sql, " WHERE ");
	/* Told of what is in the set already SQLite prefers the range. */
	if (f->set.bits && !f->set_drives) {
		str_printf(&sql->text, "%s >= ", seq);
		find_sql_int(sql, f->set.least);
		str_printf(&sql->text, " AND %s <= ", seq);
		find_sql_int(sql, f->set.most);
		str_printf(&sql->text, " AND dsv_in_set(%s) AND ", seq);
	}
	if (!f->query->pruned)
		find_sql_puts(sql, "s.pruned IS NULL AND ");
	else	/* all but what was forgotten */
		find_sql_puts(sql, "s.status <> " SQL_STATE_FORGOTTEN " AND ");
	if (f->tree)
		find_sql_test(sql, f->tree);
	else
		find_sql_puts(sql, "1");
}

static void limit(struct search *f, struct find_sql *sql)
{
	if (f->query->limit >= 0) {
		find_sql_puts(sql, " LIMIT ");
		find_sql_int(sql, f->query->limit - f->count);
	}
}

static int add_seq(struct search *f, int64_t seq)
{
	int ret = 0;

	if (!f->counting)
		ret = list_grow((void **)&f->seqs, (size_t)f->count,
				sizeof(seq), f->err);
	if (ret < 0)
		return ret;
	if (!f->counting)
		f->seqs[f->count] = seq;
	f->count++;
	return 0;
}

static int run(struct search *f, struct find_sql *sql)
{
	struct query q = find_sql_query(sql, f->x.db);
	int ret;

	while ((ret = query_step(&q, f->err)) > 0) {
		ret = add_seq(f, query_get_int(&q, 0));
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	find_sql_release(sql);
	return ret;
}

/* The sorted rows' values come by joins k0, k1 ... (p0 ... parameters). */
static void sort_joins(struct search *f, struct find_sql *sql, size_t first)
{
	size_t i;

	for (i = first; i < f->sort_count; i++) {
		const struct find_key *key = &f->sorts[i].key;

		if (key->source == FIND_ATTR || key->source == FIND_EITHER) {
			str_printf(&sql->text, " LEFT JOIN attr AS k%zu ON"
				   " k%zu.state = s.seq AND k%zu.key = ",
				   i, i, i);
			find_sql_int(sql, key->id);
		}
		if (key->source == FIND_PARAM || key->source == FIND_EITHER) {
			str_printf(&sql->text, " LEFT JOIN param AS p%zu ON"
				   " p%zu.params = s.params AND p%zu.key = ",
				   i, i, i);
			find_sql_int(sql, key->id);
		}
	}
}

/* Numbers come before the rest, both ways: "nan" is never the best. */
static void sort_rows(struct find_sql *sql, size_t i,
		      enum find_source source, bool descending)
{
	const char *order = descending ? " DESC" : "";
	char type[96], number[128], text[96];
	const char *t = source == FIND_PARAM ? "p" : "k";

	if (source == FIND_EITHER) {
		snprintf(type, sizeof(type),
			 "coalesce(k%zu.type, p%zu.type)", i, i);
		snprintf(number, sizeof(number), "iif(k%zu.type IS NULL,"
			 " p%zu.number, k%zu.number)", i, i, i);
		snprintf(text, sizeof(text),
			 "coalesce(k%zu.text, p%zu.text)", i, i);
	} else {
		snprintf(type, sizeof(type), "%s%zu.type", t, i);
		snprintf(number, sizeof(number), "%s%zu.number", t, i);
		snprintf(text, sizeof(text), "%s%zu.text", t, i);
	}
	str_printf(&sql->text, "%s IS NULL, %s <> 1,"
		   " CASE WHEN %s = 1 THEN %s END%s, %s,"
		   " CASE WHEN %s <> 1 THEN %s END%s, ", type, type, type,
		   number, order, type, type, text, order);
}

static void sort_field(struct find_sql *sql, const struct find_field *field,
		       bool descending)
{
	struct str value = STR_INIT;

	if (field->from)
		str_printf(&value, "(SELECT min(%s) %s)", field->value,
			   field->from);
	else
		str_puts(&value, field->value);
	if (field->nullable)
		str_printf(&sql->text, "%s IS NULL, ", str_text(&value));
	str_printf(&sql->text, "%s%s, ", str_text(&value),
		   descending ? " DESC" : "");
	if (str_failed(&value))
		sql->failed = true;
	str_release(&value);
}

static void order_rest(struct search *f, struct find_sql *sql, size_t first)
{
	size_t i;

	for (i = first; i < f->sort_count; i++) {
		const struct sort *sort = &f->sorts[i];

		if (sort->key.source == FIND_BUILTIN)
			sort_field(sql, sort->key.field, sort->descending);
		else if (sort->key.source != FIND_NOWHERE)
			sort_rows(sql, i, sort->key.source, sort->descending);
	}
	find_sql_puts(sql, "s.seq DESC");
}

static void order_by(struct search *f, struct find_sql *sql)
{
	if (f->counting)
		return;
	find_sql_puts(sql, " ORDER BY ");
	order_rest(f, sql, 0);
}

/* The set's members; they are ours, not the user's, and few. */
static void set_select(const struct find_set *set, struct find_sql *sql)
{
	const char *before = "SELECT seq FROM state WHERE seq IN (";
	int64_t seq;

	for (seq = 0; seq < set->limit; seq++) {
		if (set->bits[seq / 8] == 0)
			seq |= 7;
		else if (find_set_has(set, seq)) {
			str_printf(&sql->text, "%s%" PRId64, before, seq);
			before = ",";
		}
	}
	find_sql_puts(sql, set->count ? ")" :
		      "SELECT seq FROM state WHERE 0");
}

int search_run_driver(struct search *f)
{
	struct find_sql sql = FIND_SQL_INIT;

	find_sql_puts(&sql, "WITH d(seq) AS (");
	if (f->set_drives) {
		set_select(&f->set, &sql);
	} else {
		find_sql_index(&sql, f->driver);
		if (find_index_is_exact(f->driver))
			sql.given = f->driver;
	}
	find_sql_puts(&sql, ") SELECT s.seq FROM d CROSS JOIN state AS s"
		      " ON s.seq = d.seq");
	sort_joins(f, &sql, 0);
	where(f, &sql, "d.seq");
	order_by(f, &sql);
	limit(f, &sql);
	return run(f, &sql);
}

int search_run_walk(struct search *f, int64_t from, int64_t below)
{
	struct find_sql sql = FIND_SQL_INIT;

	find_sql_puts(&sql, "SELECT s.seq FROM state AS s");
	sort_joins(f, &sql, 0);
	where(f, &sql, "s.seq");
	if (from > 0) {
		find_sql_puts(&sql, " AND s.seq >= ");
		find_sql_int(&sql, from);
	}
	if (below < INT64_MAX) {
		find_sql_puts(&sql, " AND s.seq < ");
		find_sql_int(&sql, below);
	}
	order_by(f, &sql);
	limit(f, &sql);
	return run(f, &sql);
}

/* The conjunct that limits the numbers of the first sort key, or NULL. */
static const struct find_node *range_of_sort(const struct search *f)
{
	const struct find_key *key = &f->sorts[0].key;
	size_t i;

	for (i = 0; i < f->conjunct_count; i++) {
		const struct find_node *node = f->conjuncts[i];

		if (node->kind == FIND_COMPARE && node->op <= FIND_GE &&
		    node->op != FIND_NE && node->key.source == key->source &&
		    node->key.id == key->id &&
		    node->values[0].type == DSV_NUMBER)
			return node;
	}
	return NULL;
}

static void sorted_from(struct search *f, struct find_sql *sql)
{
	const struct find_key *key = &f->sorts[0].key;

	find_sql_puts(sql, key->source == FIND_ATTR ?
		      "SELECT s.seq FROM attr AS k CROSS JOIN state AS s"
		      " ON s.seq = k.state" :
		      "SELECT s.seq FROM param AS k CROSS JOIN state AS s"
		      " ON s.params = k.params");
	sort_joins(f, sql, 1);
}

/* Selects those with a number, from a bound on if there is one. */
static int run_numbers(struct search *f, const struct find_node *range,
		       const double *bound)
{
	bool descending = f->sorts[0].descending;
	bool attr = f->sorts[0].key.source == FIND_ATTR;
	struct find_sql sql = FIND_SQL_INIT;

	sorted_from(f, &sql);
	sql.given = range;
	where(f, &sql, attr ? "k.state" : "s.seq");
	find_sql_puts(&sql, " AND k.key = ");
	find_sql_int(&sql, f->sorts[0].key.id);
	find_sql_puts(&sql, " AND k.type = 1");
	if (range) {
		find_sql_puts(&sql, " AND ");
		find_sql_type_test(&sql, range, "k", DSV_NUMBER);
	}
	if (bound) {
		find_sql_puts(&sql, descending ? " AND k.number >= " :
			      " AND k.number <= ");
		find_sql_real(&sql, *bound);
	}
	find_sql_puts(&sql, descending ? " ORDER BY k.number DESC, " :
		      " ORDER BY k.number, ");
	if (attr && f->sort_count == 1)
		/* The end of the index, in its words. */
		find_sql_puts(&sql, "k.state DESC");
	else
		order_rest(f, &sql, 1);
	limit(f, &sql);
	return run(f, &sql);
}

static int run_not_numbers(struct search *f)
{
	struct find_sql sql = FIND_SQL_INIT;

	sorted_from(f, &sql);
	where(f, &sql, "s.seq");
	find_sql_puts(&sql, " AND k.type <> 1 AND k.key = ");
	find_sql_int(&sql, f->sorts[0].key.id);
	find_sql_puts(&sql, f->sorts[0].descending ?
		      " ORDER BY k.type, k.text DESC, " :
		      " ORDER BY k.type, k.text, ");
	order_rest(f, &sql, 1);
	limit(f, &sql);
	return run(f, &sql);
}

static int run_unset(struct search *f)
{
	struct find_sql sql = FIND_SQL_INIT;

	find_sql_puts(&sql, "SELECT s.seq FROM state AS s");
	sort_joins(f, &sql, 1);
	where(f, &sql, "s.seq");
	find_sql_puts(&sql, f->sorts[0].key.source == FIND_ATTR ?
		      " AND NOT EXISTS (SELECT 1 FROM attr AS k"
		      " WHERE k.state = s.seq AND k.key = " :
		      " AND NOT EXISTS (SELECT 1 FROM param AS k"
		      " WHERE k.params = s.params AND k.key = ");
	find_sql_int(&sql, f->sorts[0].key.id);
	find_sql_puts(&sql, ") ORDER BY ");
	order_rest(f, &sql, 1);
	limit(f, &sql);
	return run(f, &sql);
}

/* The number beyond FIND_SORTED_WALK rows of the index; 0: it has fewer. */
static int find_bound(struct search *f, double *bound)
{
	struct find_sql sql = FIND_SQL_INIT;
	struct query q;
	int ret;

	find_sql_puts(&sql, f->sorts[0].key.source == FIND_ATTR ?
		      "SELECT number FROM attr WHERE type = 1 AND key = " :
		      "SELECT number FROM param WHERE type = 1 AND key = ");
	find_sql_int(&sql, f->sorts[0].key.id);
	find_sql_puts(&sql, f->sorts[0].descending ?
		      " ORDER BY number DESC LIMIT 1 OFFSET " :
		      " ORDER BY number LIMIT 1 OFFSET ");
	find_sql_int(&sql, FIND_SORTED_WALK);
	q = find_sql_query(&sql, f->x.db);
	ret = query_step(&q, f->err);
	if (ret > 0) {
		*bound = query_get_real(&q, 0);
		query_end(&q);
	}
	find_sql_release(&sql);
	return ret;
}

bool search_sort_is_bounded(const struct search *f)
{
	return range_of_sort(f);
}

int search_try_sorted(struct search *f)
{
	double bound;
	int ret = find_bound(f, &bound);

	return ret > 0 ? run_numbers(f, NULL, &bound) : ret;
}

int search_run_sorted(struct search *f)
{
	const struct find_node *range = range_of_sort(f);
	int ret;

	ret = run_numbers(f, range, NULL);
	if (ret == 0 && !range && !search_enough(f))
		ret = run_not_numbers(f);
	if (ret == 0 && !range && !search_enough(f))
		ret = run_unset(f);
	return ret;
}
