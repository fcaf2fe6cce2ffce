/* SPDX-License-Identifier: MIT */
/*
 * Freeing.  Rows are deleted first, so that nobody finds the chunks any more;
 * what is to be given back is in the table freeing until it was.  The .idx is
 * replaced before a hole is punched: an index never names bytes that are
 * gone.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../catalog/chunk.h"
#include "space.h"

enum { FREE_BATCH = 64 };	/* segments a transaction */

struct expired {
	size_t count;
	int64_t *segments;
};

/*
 * And those without chunks: all of theirs were stored by somebody faster.
 */
static int load_expired(struct catalog *c, int64_t before_ns,
			struct expired *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT segment FROM chunk WHERE status = " SQL_CHUNK_CONDEMNED
		" AND since <= :before UNION SELECT id FROM segment s"
		" WHERE staged IS NULL AND NOT EXISTS"
		" (SELECT 1 FROM chunk WHERE segment = s.id) ORDER BY 1");
	int ret;

	query_int(&q, ":before", before_ns);
	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)&out->segments, out->count,
				sizeof(*out->segments), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		out->segments[out->count++] = query_get_int(&q, 0);
	}
	return ret;
}

/* A run of bytes of a segment that nothing needs. */
struct gap {
	int64_t from, to;
	bool dead;	/* a chunk was freed in it */
};

static int add_gap(struct catalog *c, const char *name, const struct gap *gap,
		   struct dsv_err *err)
{
	struct query q;

	if (!gap->dead || gap->to <= gap->from)
		return 0;
	q = db_query(catalog_db(c),
		     "INSERT INTO freeing (segment, offset, length)"
		     " VALUES (:segment, :offset, :length)"
		     " ON CONFLICT (segment, offset) DO UPDATE SET"
		     " length = max(length, excluded.length)");
	query_text(&q, ":segment", name);
	query_int(&q, ":offset", gap->from);
	query_int(&q, ":length", gap->to - gap->from);
	return query_run(&q, err);
}

/*
 * From the end of the chunk that stays before the dead ones to the start of
 * the one that stays after: what lies between may have been freed before, or
 * never been a chunk, and only whole blocks can be given back.  1: no chunk
 * stays.
 */
static int add_gaps(struct catalog *c, int64_t segment, const char *name,
		    int64_t before_ns, struct dsv_err *err)
{
	struct gap gap = { 0, 0, false };
	bool stays = false;
	struct query q = db_query(catalog_db(c),
		"SELECT offset, stored, status = " SQL_CHUNK_CONDEMNED
		" AND since <= :before"
		" FROM chunk WHERE segment = :segment ORDER BY offset");
	int ret;

	query_int(&q, ":before", before_ns);
	query_int(&q, ":segment", segment);
	while ((ret = query_step(&q, err)) > 0) {
		int64_t offset = query_get_int(&q, 0);
		int64_t end = offset + query_get_int(&q, 1);

		if (query_get_int(&q, 2)) {
			gap.dead = true;
			gap.to = end > gap.to ? end : gap.to;
			continue;
		}
		stays = true;
		gap.to = offset;
		ret = add_gap(c, name, &gap, err);
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
		gap.dead = false;
		gap.from = gap.to = end;
	}
	if (ret < 0 || !stays)
		return ret < 0 ? ret : 1;
	return add_gap(c, name, &gap, err);
}

static int run_for(struct catalog *c, const char *sql, int64_t segment,
		   struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);

	query_int(&q, ":segment", segment);
	return query_run(&q, err);
}

/* A recipe or manifest whose own chunk goes cannot come back. */
static int drop_rows(struct catalog *c, int64_t segment, int64_t before_ns,
		     struct dsv_err *err)
{
	static const char *const steps[] = {
		("DELETE FROM recipe_segment WHERE recipe IN"
		 " (SELECT r.id FROM chunk c JOIN recipe r ON r.hash = c.hash"
		 "  WHERE c.segment = :segment"
		 " AND c.status = " SQL_CHUNK_CONDEMNED
		 "  AND c.since <= :before AND r.refs = 0)"),
		("DELETE FROM recipe WHERE refs = 0 AND hash IN"
		 " (SELECT hash FROM chunk WHERE segment = :segment"
		 "  AND status = " SQL_CHUNK_CONDEMNED
		 " AND since <= :before)"),
		("DELETE FROM manifest_segment WHERE manifest IN"
		 " (SELECT m.id FROM chunk c JOIN manifest m ON m.hash = c.hash"
		 "  WHERE c.segment = :segment"
		 " AND c.status = " SQL_CHUNK_CONDEMNED
		 "  AND c.since <= :before AND m.refs = 0)"),
		("DELETE FROM manifest_part WHERE manifest IN"
		 " (SELECT m.id FROM chunk c JOIN manifest m ON m.hash = c.hash"
		 "  WHERE c.segment = :segment"
		 " AND c.status = " SQL_CHUNK_CONDEMNED
		 "  AND c.since <= :before AND m.refs = 0)"),
		("DELETE FROM chunk WHERE segment = :segment"
		 " AND status = " SQL_CHUNK_CONDEMNED
		 " AND since <= :before"),
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct query q = db_query(catalog_db(c), steps[i]);
		int ret;

		query_int(&q, ":segment", segment);
		query_int(&q, ":before", before_ns);
		ret = query_run(&q, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int catalog_drop_segment(struct catalog *c, int64_t segment, const char *name,
			 struct dsv_err *err)
{
	static const char *const steps[] = {
		"DELETE FROM recipe_segment WHERE segment = :segment",
		"DELETE FROM manifest_segment WHERE segment = :segment",
		"DELETE FROM unswept WHERE segment = :segment",
		"DELETE FROM segment WHERE id = :segment",
	};
	struct query q;
	size_t i;
	int ret;

	q = db_query(catalog_db(c),
		     "INSERT OR REPLACE INTO freeing (segment, offset, length)"
		     " VALUES (:segment, -1, 0)");
	query_text(&q, ":segment", name);
	ret = query_run(&q, err);
	for (i = 0; ret == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		ret = run_for(c, steps[i], segment, err);
	return ret;
}

/* 1: name[] is the segment's, and no tag is about to commit it. */
static int settled_name(struct catalog *c, int64_t segment,
			char name[SEGMENT_NAME_SIZE], struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT name FROM segment WHERE id = :segment"
		" AND staged IS NULL");
	const char *text;
	int ret;

	query_int(&q, ":segment", segment);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	text = query_get_text(&q, 0);
	strncpy(name, text ? text : "", SEGMENT_NAME_SIZE - 1);
	name[SEGMENT_NAME_SIZE - 1] = '\0';
	query_end(&q);
	return 1;
}

static int expire_segment(struct catalog *c, int64_t segment,
			  int64_t before_ns, struct dsv_err *err)
{
	char name[SEGMENT_NAME_SIZE];
	int all, ret;

	ret = settled_name(c, segment, name, err);
	if (ret <= 0)
		return ret;
	all = add_gaps(c, segment, name, before_ns, err);
	if (all < 0)
		return all;
	ret = drop_rows(c, segment, before_ns, err);
	if (ret == 0 && all)
		ret = catalog_drop_segment(c, segment, name, err);
	return ret;
}

static int expire_batch(struct catalog *c, const int64_t *segments,
			size_t count, int64_t before_ns, struct dsv_err *err)
{
	size_t i;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < count; i++)
		ret = expire_segment(c, segments[i], before_ns, err);
	if (ret == 0)
		ret = run_for(c, "UPDATE meta SET value = value + 1"
			      " WHERE key = 'frees' AND :segment", 1, err);
	return catalog_end(c, ret, err);
}

/* ---- Giving bytes back ----------------------------------------------- */

static int load_index(struct catalog *c, const char *name,
		      struct segment_index *index, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT " CHUNK_COLUMNS("c") ", s.kind"
		" FROM segment s JOIN chunk c ON c.segment = s.id"
		" WHERE s.name = :name ORDER BY c.offset");
	int ret;

	query_text(&q, ":name", name);
	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)&index->chunks, index->count,
				sizeof(*index->chunks), err);
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
		index->kind = (enum segment_kind)
			query_get_int(&q, CHUNK_COLUMN_COUNT);
		catalog_get_chunk(&q, name, &index->chunks[index->count++]);
	}
	return ret;
}

int catalog_write_index(struct catalog *c, struct store *s, const char *name,
			struct dsv_err *err)
{
	struct segment_index index = { .count = 0 };
	int ret;

	ret = load_index(c, name, &index, err);
	if (ret == 0 && index.count > 0)
		ret = segment_index_write(s, name, &index, err);
	free(index.chunks);
	return ret;
}

/* All of the segment (-1), or the ranges noted. */
static int load_ranges(struct catalog *c, const char *name,
		       struct segment_range **out, size_t *count, bool *all,
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT offset, length FROM freeing WHERE segment = :segment"
		" ORDER BY offset");
	int ret;

	*all = false;
	*out = NULL;
	*count = 0;
	query_text(&q, ":segment", name);
	while ((ret = query_step(&q, err)) > 0) {
		if (query_get_int(&q, 0) < 0) {
			*all = true;
			continue;
		}
		ret = list_grow((void **)out, *count, sizeof(**out), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		(*out)[*count].offset = query_get_int(&q, 0);
		(*out)[(*count)++].length = query_get_int(&q, 1);
	}
	return ret;
}

/*
 * With the lock held, so that two that finish the same freeing do not put an
 * old .idx over a new one; it takes some milliseconds.
 */
static int give_back(struct catalog *c, struct store *s, const char *name,
		     int64_t *bytes, struct dsv_err *err)
{
	struct segment_range *ranges;
	int64_t freed = 0;
	struct query q;
	size_t count;
	bool all;
	int ret;

	ret = load_ranges(c, name, &ranges, &count, &all, err);
	if (ret == 0 && all)
		ret = segment_free(s, name, NULL, 0, &freed, err);
	else if (ret == 0 && count > 0)
		ret = catalog_write_index(c, s, name, err);
	if (ret == 0 && !all && count > 0)
		ret = segment_free(s, name, ranges, count, &freed, err);
	free(ranges);
	/* Somebody has removed the file: there is nothing to give back. */
	if (ret == DSV_ENOTFOUND)
		ret = 0;
	if (ret < 0)
		return ret;
	*bytes += freed;
	q = db_query(catalog_db(c), "DELETE FROM freeing"
		     " WHERE segment = :segment");
	query_text(&q, ":segment", name);
	return query_run(&q, err);
}

/* Whole segments first: on a full disk an .idx may need their room. */
static int load_freeing(struct catalog *c, char (*names)[SEGMENT_NAME_SIZE],
			size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT segment FROM freeing GROUP BY segment"
		" ORDER BY min(offset) >= 0, segment LIMIT :limit");
	int ret;

	*count = 0;
	query_int(&q, ":limit", FREE_BATCH);
	while ((ret = query_step(&q, err)) > 0)
		strncpy(names[(*count)++], query_get_text(&q, 0),
			SEGMENT_NAME_SIZE - 1);
	return ret;
}

/* 1: there may be more. */
static int give_back_some(struct catalog *c, struct store *s, int64_t *bytes,
			  struct dsv_err *err)
{
	char names[FREE_BATCH][SEGMENT_NAME_SIZE] = { "" };
	int64_t freed = 0;
	size_t count = 0, i;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = load_freeing(c, names, &count, err);
	for (i = 0; ret == 0 && i < count; i++)
		ret = give_back(c, s, names[i], &freed, err);
	ret = catalog_end(c, ret, err);
	if (ret < 0)
		return ret;
	*bytes += freed;
	return count == FREE_BATCH;
}

int catalog_free_expired(struct catalog *c, struct store *s, int64_t before_ns,
			 int64_t *bytes, struct dsv_err *err)
{
	struct expired expired = { 0, NULL };
	int64_t n = 0;
	struct query q;
	size_t i, batch;
	int ret;

	*bytes = 0;
	ret = load_expired(c, before_ns, &expired, err);
	for (i = 0; ret == 0 && i < expired.count; i += batch) {
		batch = expired.count - i;
		if (batch > FREE_BATCH)
			batch = FREE_BATCH;
		ret = expire_batch(c, expired.segments + i, batch, before_ns,
				   err);
	}
	free(expired.segments);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "SELECT 1 FROM freeing LIMIT 1");
	ret = query_one_int(&q, &n, err);
	while (ret > 0)
		ret = give_back_some(c, s, bytes, err);
	return ret;
}

int catalog_condemned(struct catalog *c, int64_t before_ns, int64_t *bytes,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT coalesce(sum(stored), 0) FROM chunk"
		" WHERE status = " SQL_CHUNK_CONDEMNED " AND since <= :before");
	int ret;

	query_int(&q, ":before", before_ns);
	ret = query_one_int(&q, bytes, err);
	return ret < 0 ? ret : 0;
}
