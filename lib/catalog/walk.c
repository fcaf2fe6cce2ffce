/* SPDX-License-Identifier: MIT */
/*
 * This walks along the lineage.  A parent's seq is below its child's: always
 * taking the largest of those that wait visits children before parents, and the
 * same state, however many ways lead to it, comes in one row.
 */
#include "internal.h"

#include <stdlib.h>

#include "../base/list.h"

static const char sql_parents[] =
	"SELECT parent FROM edge WHERE child = :seq ORDER BY ordinal";
static const char sql_first_parent[] =
	"SELECT parent FROM edge WHERE child = :seq AND ordinal = 0";
static const char sql_children[] =
	"SELECT child FROM edge WHERE parent = :seq ORDER BY child";
static const char sql_created[] =
	"SELECT created FROM state WHERE seq = :seq";
static const char sql_since[] =
	"SELECT min(seq) FROM state WHERE created >= :since";

/* This is known about a state that waits. */
enum { SHOWN = 1, HIDDEN = 2, OF_A = 1, OF_B = 2 };

struct waiting {
	int64_t seq;
	int flags;
};

/* This is a heap with the largest seq on top. */
struct heap {
	struct waiting *items;
	size_t count;
	size_t visible;		/* without HIDDEN */
};

static int heap_push(struct heap *h, int64_t seq, int flags,
		     struct dsv_err *err)
{
	struct waiting *items;
	size_t i;
	int ret;

	ret = list_grow((void **)&h->items, h->count, sizeof(*items), err);
	if (ret < 0)
		return ret;
	items = h->items;
	for (i = h->count++; i > 0 && items[(i - 1) / 2].seq < seq;
	     i = (i - 1) / 2)
		items[i] = items[(i - 1) / 2];
	items[i] = (struct waiting){ seq, flags };
	h->visible += !(flags & HIDDEN);
	return 0;
}

static struct waiting heap_pop_one(struct heap *h)
{
	struct waiting *items = h->items;
	struct waiting top = items[0];
	struct waiting last = items[--h->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->count) {
		if (child + 1 < h->count &&
		    items[child + 1].seq > items[child].seq)
			child++;
		if (items[child].seq <= last.seq)
			break;
		items[i] = items[child];
		i = child;
	}
	items[i] = last;
	h->visible -= !(top.flags & HIDDEN);
	return top;
}

/* Takes the largest, with all that is known about it. */
static struct waiting heap_pop(struct heap *h)
{
	struct waiting top = heap_pop_one(h);

	while (h->count > 0 && h->items[0].seq == top.seq)
		top.flags |= heap_pop_one(h).flags;
	return top;
}

static int push_parents(struct catalog *c, struct heap *h, int64_t seq,
			int flags, const char *sql, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	int ret;

	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0) {
		int64_t parent = query_get_int(&q, 0);

		/* A cycle would be walked forever. */
		ret = parent < seq ? heap_push(h, parent, flags, err) :
			dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD,
				      NULL, "a state comes before its parent");
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

struct seqs {
	int64_t *items;
	size_t count;
};

static int seqs_add(struct seqs *s, int64_t seq, struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&s->items, s->count, sizeof(*s->items), err);
	if (ret == 0)
		s->items[s->count++] = seq;
	return ret;
}

/* Returns 1 if it is below, and was made in the requested time. */
static int is_asked_for(struct catalog *c,
			const struct catalog_log_query *query, int64_t seq,
			struct dsv_err *err)
{
	struct query q;
	int64_t created_ns = 0;
	int ret;

	if (query->below && seq >= query->below)
		return 0;
	if (!query->since_ns && !query->until_ns)
		return 1;
	q = db_query(catalog_db(c), sql_created);
	query_int(&q, ":seq", seq);
	ret = query_one_int(&q, &created_ns, err);
	if (ret < 0)
		return ret;
	return (!query->since_ns || created_ns >= query->since_ns) &&
		(!query->until_ns || created_ns <= query->until_ns);
}

/* Gets the smallest seq that can be in the requested time. */
static int oldest(struct catalog *c, const struct catalog_log_query *query,
		  int64_t *out, struct dsv_err *err)
{
	struct query q;
	int ret;

	*out = 0;
	if (!query->since_ns)
		return 0;
	q = db_query(catalog_db(c), sql_since);
	query_int(&q, ":since", query->since_ns);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	*out = query_is_null(&q, 0) ? INT64_MAX : query_get_int(&q, 0);
	query_end(&q);
	return 0;
}

/* Only the way through forgotten states is left of them. */
static int has_forgotten(struct catalog *c, int64_t seq, struct dsv_err *err)
{
	int64_t n;
	struct query q = seq > 0 ?
		db_query(catalog_db(c), "SELECT 1 FROM state"
			 " WHERE seq = :seq"
			 " AND status = " SQL_STATE_FORGOTTEN) :
		db_query(catalog_db(c), "SELECT 1 FROM state"
			 " WHERE status <> " SQL_STATE_DURABLE
			 " AND status = " SQL_STATE_FORGOTTEN " AND :seq = 0"
			 " LIMIT 1");

	query_int(&q, ":seq", seq);
	return query_one_int(&q, &n, err);
}

static int log_walk(struct catalog *c, const struct catalog_log_query *query,
		    struct heap *h, struct seqs *out, struct dsv_err *err)
{
	int64_t stop;
	int ret = oldest(c, query, &stop, err);
	int forgotten = ret == 0 ? has_forgotten(c, 0, err) : ret;

	if (forgotten < 0)
		return forgotten;
	while (ret == 0 && h->visible > 0 &&
	       (query->limit < 0 || out->count < (size_t)query->limit)) {
		struct waiting w = heap_pop(h);
		bool first = query->first_parent && !(w.flags & HIDDEN);

		if (w.seq < stop)
			break;
		if (!(w.flags & HIDDEN)) {
			ret = is_asked_for(c, query, w.seq, err);
			if (ret > 0 && forgotten) {
				ret = has_forgotten(c, w.seq, err);
				ret = ret < 0 ? ret : !ret;
			}
			if (ret > 0)
				ret = seqs_add(out, w.seq, err);
		}
		if (ret == 0)
			ret = push_parents(c, h, w.seq, w.flags, first ?
					   sql_first_parent : sql_parents,
					   err);
	}
	return ret;
}

int catalog_log(struct catalog *c, const struct catalog_log_query *query,
		int64_t **out, size_t *count, struct dsv_err *err)
{
	struct heap heap = { NULL, 0, 0 };
	struct seqs seqs = { NULL, 0 };
	size_t i;
	int ret = 0;

	for (i = 0; i < query->head_count && ret == 0; i++)
		ret = heap_push(&heap, query->heads[i], SHOWN, err);
	for (i = 0; i < query->hidden_count && ret == 0; i++)
		ret = heap_push(&heap, query->hidden[i], HIDDEN, err);
	if (ret == 0)
		ret = catalog_read_begin(c, err);
	if (ret == 0) {
		ret = log_walk(c, query, &heap, &seqs, err);
		catalog_read_end(c);
	}
	free(heap.items);
	if (ret < 0) {
		free(seqs.items);
		return ret;
	}
	*out = seqs.items;
	*count = seqs.count;
	return 0;
}

/*
 * Finds the common ancestor with the largest seq: it is not an ancestor of
 * another one, as that would have a larger seq.
 */
int catalog_merge_base(struct catalog *c, int64_t a, int64_t b, int64_t *out,
		       struct dsv_err *err)
{
	struct heap heap = { NULL, 0, 0 };
	struct waiting w = { -1, 0 };
	int ret;

	ret = heap_push(&heap, a, OF_A, err);
	if (ret == 0)
		ret = heap_push(&heap, b, OF_B, err);
	if (ret == 0)
		ret = catalog_read_begin(c, err);
	if (ret < 0) {
		free(heap.items);
		return ret;
	}
	while (ret == 0 && heap.count > 0) {
		w = heap_pop(&heap);
		if (w.flags == (OF_A | OF_B))
			break;
		ret = push_parents(c, &heap, w.seq, w.flags, sql_parents, err);
	}
	catalog_read_end(c);
	free(heap.items);
	if (ret == 0)
		*out = w.flags == (OF_A | OF_B) ? w.seq : -1;
	return ret;
}

static int relatives(struct catalog *c, int64_t seq, const char *sql,
		     int64_t **out, size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	struct seqs seqs = { NULL, 0 };
	int ret;

	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0) {
		ret = seqs_add(&seqs, query_get_int(&q, 0), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	if (ret < 0) {
		free(seqs.items);
		return ret;
	}
	*out = seqs.items;
	*count = seqs.count;
	return 0;
}

int catalog_parents(struct catalog *c, int64_t seq, int64_t **out,
		    size_t *count, struct dsv_err *err)
{
	return relatives(c, seq, sql_parents, out, count, err);
}

int catalog_children(struct catalog *c, int64_t seq, int64_t **out,
		     size_t *count, struct dsv_err *err)
{
	return relatives(c, seq, sql_children, out, count, err);
}
