/* SPDX-License-Identifier: MIT */
/*
 * Ancestors and descendants as sets of bits.  A parent's seq is below its
 * child's, so one pass over the edges in order of the child marks them all;
 * node by node costs more for each but only looks at those there are.
 */
#include "find.h"

#include <stdlib.h>
#include <string.h>

/* One step costs as much as so many edges in a pass over all. */
enum { EDGES_PER_STEP = 20 };

static const char sql_newest[] = "SELECT coalesce(max(seq), 0) FROM state";
static const char sql_parents[] =
	"SELECT parent FROM edge WHERE child = :seq";
static const char sql_children[] =
	"SELECT child FROM edge WHERE parent = :seq";
static const char sql_edges_down[] =
	"SELECT child, parent FROM edge WHERE child <= :seq"
	" ORDER BY child DESC";
static const char sql_edges_up[] =
	"SELECT child, parent FROM edge WHERE child > :seq ORDER BY child";

int find_set_init(struct catalog *c, struct find_set *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_newest);
	struct find_set set = { .least = INT64_MAX };
	int ret;

	ret = query_one_int(&q, &set.limit, err);
	if (ret < 0)
		return ret;
	set.limit++;
	set.bits = calloc((size_t)set.limit / 8 + 1, 1);
	if (!set.bits)
		return dsv_fail_nomem(err);
	*out = set;
	return 0;
}

void find_set_release(struct find_set *set)
{
	free(set->bits);
	memset(set, 0, sizeof(*set));
}

bool find_set_has(const struct find_set *set, int64_t seq)
{
	return seq >= 0 && seq < set->limit &&
		(set->bits[seq / 8] >> seq % 8 & 1);
}

bool find_set_add(struct find_set *set, int64_t seq)
{
	if (seq < 0 || seq >= set->limit || find_set_has(set, seq))
		return false;
	set->bits[seq / 8] |= (unsigned char)(1 << seq % 8);
	set->count++;
	if (seq < set->least)
		set->least = seq;
	if (seq > set->most)
		set->most = seq;
	return true;
}

void find_set_intersect(struct find_set *set, struct find_set *other)
{
	int64_t i;

	if (!set->bits) {
		*set = *other;
		memset(other, 0, sizeof(*other));
		return;
	}
	set->count = 0;
	for (i = 0; i < set->limit / 8 + 1; i++) {
		set->bits[i] &= i < other->limit / 8 + 1 ? other->bits[i] : 0;
		set->count += __builtin_popcount(set->bits[i]);
	}
	if (other->least > set->least)
		set->least = other->least;
	if (other->most < set->most)
		set->most = other->most;
	find_set_release(other);
}

/* 1: there are more than most. */
static int by_steps(struct db *db, int64_t seq, const char *sql, int64_t most,
		    struct find_set *set, struct dsv_err *err)
{
	int64_t *todo = malloc(((size_t)most + 1) * sizeof(*todo));
	int64_t relative;
	size_t count = 0;
	int ret = 0;

	if (!todo)
		return dsv_fail_nomem(err);
	todo[count++] = seq;
	while (count > 0 && ret == 0) {
		struct query q = db_query(db, sql);

		query_int(&q, ":seq", todo[--count]);
		while ((ret = query_step(&q, err)) > 0) {
			relative = query_get_int(&q, 0);
			if (!find_set_add(set, relative))
				continue;
			if (set->count > most) {
				query_end(&q);
				break;
			}
			todo[count++] = relative;
		}
	}
	free(todo);
	return ret;
}

static int by_edges(struct db *db, int64_t seq, bool descendants,
		    struct find_set *set, struct dsv_err *err)
{
	struct query q = db_query(db, descendants ? sql_edges_up :
				  sql_edges_down);
	int64_t child, parent;
	int ret;

	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0) {
		child = query_get_int(&q, 0);
		parent = query_get_int(&q, 1);
		if (descendants && (parent == seq ||
				    find_set_has(set, parent)))
			find_set_add(set, child);
		if (!descendants && (child == seq || find_set_has(set, child)))
			find_set_add(set, parent);
	}
	return ret;
}

int find_set_relatives(struct catalog *c, int64_t seq, bool descendants,
		       struct find_set *out, struct dsv_err *err)
{
	struct db *db = catalog_db(c);
	struct find_set set;
	int64_t edges;
	int ret;

	ret = find_set_init(c, &set, err);
	if (ret < 0)
		return ret;
	edges = descendants ? set.limit - seq : seq;
	ret = by_steps(db, seq, descendants ? sql_children : sql_parents,
		       edges > 0 ? edges / EDGES_PER_STEP + 100 : 100, &set,
		       err);
	if (ret > 0)
		ret = by_edges(db, seq, descendants, &set, err);
	if (ret < 0)
		find_set_release(&set);
	else
		*out = set;
	return ret;
}
