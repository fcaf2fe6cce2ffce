/* SPDX-License-Identifier: MIT */
/*
 * Few dense segments out of many.  The new one is durable before one
 * transaction moves the rows to it; only then do the old ones go, by the table
 * freeing.  A reader that had looked the old rows up looks again, as after any
 * freeing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../catalog/chunk.h"
#include "space.h"

enum {
	SMALL_BYTES = 1 << 20,		/* of what is needed in a segment */
	SEGMENTS_AT_ONCE = 1024,	/* moved by a transaction */
	CHUNKS_AT_ONCE = 8192,		/* some 100 ms */
	BYTES_AT_ONCE = 256 << 20,
	MANY_SMALL = 256,		/* are worth it without being asked */
	MUCH_DEAD_BYTES = 64 << 20
};

struct candidate {
	int64_t id;
	char name[SEGMENT_NAME_SIZE];
	int64_t bytes;
	int64_t chunks;
};

struct repacking {
	struct catalog *c;
	struct store *s;
	size_t count;
	struct candidate *items;	/* those that are worth it */
	size_t small;
	int64_t dead_bytes;
};

/* A row that is to be moved; its place in the new segment has its index. */
struct moving {
	struct chunk row;
	size_t candidate;
};

/* ---- Which ----------------------------------------------------------- */

/* Settled, and nothing is under way in it; all of its chunks are good. */
static int load_settled(struct repacking *r, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(r->c),
		"SELECT s.id, s.name, sum(c.stored), count(*)"
		" FROM segment s JOIN chunk c ON c.segment = s.id"
		" WHERE s.staged IS NULL AND NOT EXISTS"
		" (SELECT 1 FROM unswept u WHERE u.segment = s.id)"
		" AND NOT EXISTS"
		" (SELECT 1 FROM freeing f WHERE f.segment = s.name)"
		" GROUP BY s.id"
		" HAVING max(c.status) < " SQL_CHUNK_BAD
		" AND max(c.encoding) = 0"
		" ORDER BY s.id");
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		struct candidate *item;

		ret = list_grow((void **)&r->items, r->count,
				sizeof(*r->items), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		item = &r->items[r->count++];
		memset(item, 0, sizeof(*item));
		item->id = query_get_int(&q, 0);
		strncpy(item->name, query_get_text(&q, 1),
			SEGMENT_NAME_SIZE - 1);
		item->bytes = query_get_int(&q, 2);
		item->chunks = query_get_int(&q, 3);
	}
	return ret;
}

/*
 * Of a segment that is more dead than alive, so that less is written than is
 * given back.  A block for what does not fill one: less is no gain.  Holes that
 * were punched are given back already.
 */
static int64_t dead_bytes(struct repacking *r, const struct candidate *item)
{
	int64_t allocated = 0, mtime_ns;

	if (segment_stat(r->s, item->name, &allocated, &mtime_ns, NULL) < 0)
		return 0;
	return allocated > 2 * item->bytes + 65536 ?
		allocated - item->bytes : 0;
}

static void choose(struct repacking *r)
{
	size_t i, kept = 0;

	for (i = 0; i < r->count; i++) {
		bool is_small = r->items[i].bytes < SMALL_BYTES;
		int64_t dead = dead_bytes(r, &r->items[i]);

		if (!is_small && dead == 0)
			continue;
		r->small += is_small;
		r->dead_bytes += dead;
		r->items[kept++] = r->items[i];
	}
	r->count = kept;
}

/* ---- Moving ---------------------------------------------------------- */

static int load_rows(struct repacking *r, size_t candidate,
		     struct moving **list, size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(r->c),
		"SELECT " CHUNK_COLUMNS("chunk") " FROM chunk"
		" WHERE segment = :segment ORDER BY offset");
	int ret;

	query_int(&q, ":segment", r->items[candidate].id);
	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)list, *count, sizeof(**list), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		(*list)[*count].candidate = candidate;
		catalog_get_chunk(&q, r->items[candidate].name,
				  &(*list)[(*count)++].row);
	}
	return ret;
}

/*
 * Copy a segment's chunks, all or none: what a chunk with wrong bytes lies in
 * stays where it is, for fsck.
 */
static int copy_segment(struct repacking *r, struct ingest *in,
			size_t candidate, struct moving **list, size_t *count,
			struct dsv_err *err)
{
	size_t first = *count;
	size_t i;
	int ret;

	ret = load_rows(r, candidate, list, count, err);
	for (i = first; ret == 0 && i < *count; i++)
		ret = segment_verify(r->s, &(*list)[i].row, err);
	if (ret == DSV_ECORRUPT) {
		*count = first;
		return 0;
	}
	for (i = first; ret == 0 && i < *count; i++)
		ret = ingest_move(in, &(*list)[i].row, err);
	return ret;
}

static int run_between(struct catalog *c, const char *sql, int64_t old,
		       int64_t new, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);

	query_int(&q, ":old", old);
	query_int(&q, ":new", new);
	return query_run(&q, err);
}

/* 1: nothing has begun in it since it was chosen. */
static int is_settled(struct catalog *c, int64_t id, struct dsv_err *err)
{
	int64_t n;
	struct query q = db_query(catalog_db(c),
		"SELECT 1 FROM segment s WHERE id = :id AND staged IS NULL"
		" AND NOT EXISTS"
		" (SELECT 1 FROM unswept u WHERE u.segment = s.id)"
		" AND NOT EXISTS"
		" (SELECT 1 FROM freeing f WHERE f.segment = s.name)");

	query_int(&q, ":id", id);
	return query_one_int(&q, &n, err);
}

/* 1: moved; 0: it is no longer there. */
static int move_row(struct catalog *c, int64_t old, int64_t new,
		    const struct chunk *from, const struct chunk *to,
		    struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE chunk SET segment = :new, offset = :to"
		" WHERE hash = :hash AND segment = :old AND offset = :from"
		" AND status < " SQL_CHUNK_BAD);
	int ret;

	query_int(&q, ":new", new);
	query_int(&q, ":to", to->offset);
	query_hash(&q, ":hash", from->hash);
	query_int(&q, ":old", old);
	query_int(&q, ":from", from->offset);
	ret = query_run(&q, err);
	return ret < 0 ? ret : db_changes(catalog_db(c)) > 0;
}

/* list[first, end) is of one segment; *stayed counts those that did not go. */
static int move_segment(struct repacking *r, const struct moving *list,
			size_t first, size_t end,
			const struct ingest_segment *to, int64_t new,
			size_t *stayed, struct dsv_err *err)
{
	const struct candidate *from = &r->items[list[first].candidate];
	int64_t left = 0;
	struct query q;
	size_t i;
	int ret;

	ret = is_settled(r->c, from->id, err);
	if (ret == 0)
		*stayed += end - first;
	if (ret <= 0)
		return ret;
	ret = run_between(r->c, "INSERT OR IGNORE INTO recipe_segment"
			  " (segment, recipe) SELECT :new, recipe"
			  " FROM recipe_segment WHERE segment = :old",
			  from->id, new, err);
	if (ret == 0)
		ret = run_between(r->c, "INSERT OR IGNORE INTO"
				  " manifest_segment (segment, manifest)"
				  " SELECT :new, manifest FROM"
				  " manifest_segment WHERE segment = :old",
				  from->id, new, err);
	for (i = first; ret >= 0 && i < end; i++) {
		ret = move_row(r->c, from->id, new, &list[i].row,
			       &to->chunks[i], err);
		*stayed += ret == 0;
	}
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(r->c), "SELECT 1 FROM chunk"
		     " WHERE segment = :segment LIMIT 1");
	query_int(&q, ":segment", from->id);
	ret = query_one_int(&q, &left, err);
	return ret != 0 ? (ret < 0 ? ret : 0) :
		catalog_drop_segment(r->c, from->id, from->name, err);
}

static int add_segment(struct catalog *c, const struct ingest_segment *segment,
		       int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT INTO segment (name, kind) VALUES (:name, :kind)");
	int ret;

	query_text(&q, ":name", segment->name);
	query_int(&q, ":kind", segment->kind);
	ret = query_run(&q, err);
	*id = db_inserted(catalog_db(c));
	return ret;
}

static int move_all(struct repacking *r, const struct moving *list,
		    size_t count, const struct ingest_segment *to,
		    struct dsv_err *err)
{
	size_t first, end, stayed = 0;
	int64_t new = 0;
	int ret;

	ret = catalog_begin(r->c, err);
	if (ret < 0)
		return ret;
	ret = add_segment(r->c, to, &new, err);
	for (first = 0; ret == 0 && first < count; first = end) {
		for (end = first; end < count &&
		     list[end].candidate == list[first].candidate; end++)
			;
		ret = move_segment(r, list, first, end, to, new, &stayed, err);
	}
	/* An index never names what is elsewhere, or gone. */
	if (ret == 0 && stayed > 0)
		ret = catalog_write_index(r->c, r->s, to->name, err);
	if (ret == 0)
		ret = run_between(r->c, "UPDATE meta SET value = value + 1"
				  " WHERE key = 'frees' AND :old AND :new",
				  1, 1, err);
	return catalog_end(r->c, ret, err);
}

/* From candidate *next on, as many as one new segment takes. */
static int repack_some(struct repacking *r, size_t *next,
		       struct catalog_repacked *out, struct dsv_err *err)
{
	const struct ingest_result *result;
	struct moving *list = NULL;
	struct ingest *in = NULL;
	int64_t bytes = 0;
	size_t count = 0, first = *next;
	bool keep = false;
	int ret;

	ret = ingest_new(r->s, &in, err);
	while (ret == 0 && *next < r->count &&
	       *next - first < SEGMENTS_AT_ONCE && count < CHUNKS_AT_ONCE &&
	       bytes < BYTES_AT_ONCE) {
		bytes += r->items[*next].bytes;
		ret = copy_segment(r, in, (*next)++, &list, &count, err);
	}
	if (ret == 0)
		ret = ingest_finish(in, &result, err);
	if (ret == 0 && count > 0) {
		/* Should the commit be in doubt the sweep decides. */
		keep = true;
		ret = move_all(r, list, count, &result->segments[0], err);
	}
	if (ret == 0 && count > 0) {
		out->segments += (int64_t)(*next - first);
		out->made++;
		out->bytes += result->stored_bytes;
	}
	ingest_close(in, keep);
	free(list);
	return ret;
}

int catalog_repack(struct catalog *c, struct store *s,
		   const struct catalog_repack *how,
		   struct catalog_repacked *out, struct dsv_err *err)
{
	struct repacking r = { .c = c, .s = s };
	size_t next = 0, i;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = load_settled(&r, err);
	if (ret == 0)
		choose(&r);
	if (how->if_it_pays && r.small < MANY_SMALL &&
	    r.dead_bytes < MUCH_DEAD_BYTES)
		r.count = 0;
	/* One alone that is small is as dense as it gets. */
	if (r.count == 1 && r.dead_bytes == 0)
		r.count = 0;
	for (i = 0; how->dry_run && i < r.count; i++) {
		out->segments++;
		out->bytes += r.items[i].bytes;
	}
	while (ret == 0 && !how->dry_run && next < r.count)
		ret = repack_some(&r, &next, out, err);
	free(r.items);
	return ret;
}
