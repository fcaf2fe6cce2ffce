/* SPDX-License-Identifier: MIT */
/*
 * This looks up and stages chunks and the segments that hold them.
 */
#include "chunk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/paths.h"

enum {
	STAGE_BATCH = 2000,	/* rows a transaction: some 20 ms */
	COMMIT_AT_MOST = 500	/* go with the state, without a stage */
};

bool catalog_get_chunk(struct query *q, const char *segment, struct chunk *out)
{
	memset(out, 0, sizeof(*out));
	strncpy(out->segment, segment ? segment : "", SEGMENT_NAME_SIZE - 1);
	out->offset = query_get_int(q, 1);
	out->length = (uint32_t)query_get_int(q, 2);
	out->stored_length = (uint32_t)query_get_int(q, 3);
	out->encoding = (uint8_t)query_get_int(q, 4);
	out->crc32c = (uint32_t)query_get_int(q, 5);
	return query_get_hash(q, 0, out->hash);
}

int catalog_chunks_from(void *arg, const unsigned char hash[HASH_BYTES],
			struct chunk *rows, size_t max, struct dsv_err *err)
{
	struct catalog *c = arg;
	struct query q = db_query(catalog_db(c),
		"SELECT " CHUNK_COLUMNS("n") ", s.name FROM chunk c"
		" JOIN segment s ON s.id = c.segment"
		" JOIN chunk n ON n.segment = c.segment"
		"  AND n.offset >= c.offset AND n.status <> " SQL_CHUNK_BAD
		" WHERE c.hash = :hash AND c.status <> " SQL_CHUNK_BAD
		" ORDER BY n.offset, n.hash <> :hash LIMIT :max");
	size_t count = 0;
	int ret;

	query_hash(&q, ":hash", hash);
	query_int(&q, ":max", (int64_t)max);
	while ((ret = query_step(&q, err)) > 0) {
		const char *segment = query_get_text(&q, CHUNK_COLUMN_COUNT);

		if (catalog_get_chunk(&q, segment, &rows[count]))
			count++;
	}
	return ret < 0 ? ret : (int)count;
}

int catalog_chunk_lookup(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err)
{
	return catalog_chunks_from(c, hash, out, 1, err);
}

int catalog_chunk_marked(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT " CHUNK_COLUMNS("c") ", s.name FROM chunk c"
		" JOIN segment s ON s.id = c.segment"
		" WHERE c.hash = :hash AND c.status = " SQL_CHUNK_BAD);
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	ret = catalog_get_chunk(&q, query_get_text(&q, CHUNK_COLUMN_COUNT),
				out);
	query_end(&q);
	return ret;
}

/*
 * Returns whether the files of a segment exist.  The lock is held, which a
 * sweep holds, too.  A sweep goes by age, and a writer may have been stopped
 * for a long time, or the clock may have jumped.  What is being freed is as
 * good as gone.
 */
static int is_there(struct catalog *c, const char *name, struct dsv_err *err)
{
	char *path = segment_path(c->dir, name, "");
	char *index = segment_path(c->dir, name, ".idx");
	int64_t n;
	struct query q;
	int ret;

	if (!path || !index)
		ret = dsv_fail_nomem(err);
	else
		ret = access(path, F_OK) == 0 && access(index, F_OK) == 0;
	free(path);
	free(index);
	if (ret <= 0)
		return ret;
	q = db_query(catalog_db(c), "SELECT 1 FROM freeing"
		     " WHERE segment = :name");
	query_text(&q, ":name", name);
	ret = query_one_int(&q, &n, err);
	return ret < 0 ? ret : !ret;
}

static int segment_row(struct catalog *c, const struct ingest_segment *segment,
		       int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT INTO segment (name, kind, staged)"
		" VALUES (:name, :kind, :staged)"
		" ON CONFLICT (name) DO UPDATE SET staged = excluded.staged"
		" RETURNING id");
	int ret;

	query_text(&q, ":name", segment->name);
	query_int(&q, ":kind", segment->kind);
	query_int(&q, ":staged", c->time_ns);
	ret = query_one_int(&q, id, err);
	return ret < 0 ? ret : 0;
}

/* Returns whether the file of a segment has that many bytes. */
static bool has_bytes(struct catalog *c, const char *name, int64_t bytes)
{
	char *path = segment_path(c->dir, name, "");
	struct stat st;
	bool gone = path && (stat(path, &st) < 0 ? errno == ENOENT :
			     st.st_size < bytes);

	free(path);
	return !gone;
}

/*
 * Makes the recipes that name what was in old touch the segment, too.  This is
 * done once for chunks that follow one another: there may be tens of thousands.
 */
static int copy_links(struct catalog *c, int64_t segment, int64_t old,
		      struct dsv_err *err)
{
	struct query q;
	int ret;

	if (c->linked[0] == segment && c->linked[1] == old)
		return 0;
	q = db_query(catalog_db(c),
		     "INSERT OR IGNORE INTO recipe_segment (segment, recipe)"
		     " SELECT :segment, recipe FROM recipe_segment"
		     " WHERE segment = :old");
	query_int(&q, ":segment", segment);
	query_int(&q, ":old", old);
	ret = query_run(&q, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c),
		     "INSERT OR IGNORE INTO manifest_segment"
		     " (segment, manifest) SELECT :segment, manifest"
		     " FROM manifest_segment WHERE segment = :old");
	query_int(&q, ":segment", segment);
	query_int(&q, ":old", old);
	ret = query_run(&q, err);
	c->linked[0] = segment;
	c->linked[1] = old;
	return ret;
}

/*
 * Is called when a chunk that is bad, or whose segment somebody has removed or
 * cut off, is about to be replaced by one elsewhere: what needs it must not be
 * considered dead there.
 */
static int heal(struct catalog *c, int64_t segment, const struct chunk *chunk,
		struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT c.segment, s.name, c.offset + c.stored,"
		" c.status = " SQL_CHUNK_BAD
		" FROM chunk c JOIN segment s ON s.id = c.segment"
		" WHERE c.hash = :hash AND c.segment <> :segment");
	int64_t old = 0;
	bool bad;
	int ret;

	query_hash(&q, ":hash", chunk->hash);
	query_int(&q, ":segment", segment);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	old = query_get_int(&q, 0);
	bad = query_get_int(&q, 3);
	if (!bad && has_bytes(c, query_get_text(&q, 1), query_get_int(&q, 2))) {
		query_end(&q);
		return 0;
	}
	query_end(&q);
	ret = copy_links(c, segment, old, err);
	if (ret < 0 || bad)
		return ret;
	q = db_query(catalog_db(c), "UPDATE chunk"
		     " SET status = " SQL_CHUNK_BAD ", since = NULL"
		     " WHERE hash = :hash");
	query_hash(&q, ":hash", chunk->hash);
	return query_run(&q, err);
}

static int chunk_row(struct catalog *c, int64_t segment,
		     const struct chunk *chunk, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT INTO chunk (hash, segment, offset, length, stored,"
		" encoding, crc) VALUES (:hash, :segment, :offset, :length,"
		" :stored, :encoding, :crc)"
		" ON CONFLICT (hash) DO UPDATE SET segment = excluded.segment,"
		" offset = excluded.offset, length = excluded.length,"
		" stored = excluded.stored, encoding = excluded.encoding,"
		" base = NULL, crc = excluded.crc, status = " SQL_CHUNK_OK ","
		" since = NULL WHERE status = " SQL_CHUNK_BAD);

	query_hash(&q, ":hash", chunk->hash);
	query_int(&q, ":segment", segment);
	query_int(&q, ":offset", chunk->offset);
	query_int(&q, ":length", chunk->length);
	query_int(&q, ":stored", chunk->stored_length);
	query_int(&q, ":encoding", chunk->encoding);
	query_int(&q, ":crc", chunk->crc32c);
	return query_run(&q, err);
}

/* This is how far a staging has got. */
struct staging {
	const struct ingest_segment *segments;
	size_t count;
	size_t segment;		/* the next */
	size_t chunk;		/* the next of it */
};

/* Stages at most *rows rows of the segment. */
static int stage_segment(struct catalog *c, struct staging *s, size_t *rows,
			 struct dsv_err *err)
{
	const struct ingest_segment *segment = &s->segments[s->segment];
	int64_t id = 0;
	int ret;

	ret = is_there(c, segment->name, err);
	if (ret == 0)
		ret = CATALOG_MISSING;
	else if (ret > 0)
		ret = segment_row(c, segment, &id, err);
	while (ret == 0 && *rows > 0 && s->chunk < segment->count) {
		const struct chunk *chunk = &segment->chunks[s->chunk++];

		ret = heal(c, id, chunk, err);
		if (ret == 0)
			ret = chunk_row(c, id, chunk, err);
		--*rows;
	}
	if (s->chunk == segment->count) {
		s->segment++;
		s->chunk = 0;
	}
	return ret;
}

/*
 * Runs one transaction, of many small segments or of some rows of a large one.
 */
static int stage_some(struct catalog *c, struct staging *s,
		      struct dsv_err *err)
{
	size_t rows = STAGE_BATCH;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	while (ret == 0 && rows > 0 && s->segment < s->count)
		ret = stage_segment(c, s, &rows, err);
	return catalog_end(c, ret, err);
}

int catalog_stage(struct catalog *c, const struct ingest_segment *segments,
		  size_t count, struct dsv_err *err)
{
	struct staging s = { segments, count, 0, 0 };
	int ret = 0;

	while (ret == 0 && s.segment < count)
		ret = stage_some(c, &s, err);
	return ret;
}

bool catalog_is_stage_worthwhile(const struct ingest_segment *segments,
				 size_t count)
{
	size_t rows = 0;
	size_t i;

	for (i = 0; i < count; i++)
		rows += segments[i].count;
	return rows > COMMIT_AT_MOST;
}

/* Returns 1 if done, 0 if there is no row. */
static int settle_row(struct catalog *c, const char *name, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE segment SET staged = CASE WHEN EXISTS"
		" (SELECT 1 FROM chunk WHERE segment = segment.id)"
		" THEN NULL ELSE staged END WHERE name = :name");
	int ret;

	query_text(&q, ":name", name);
	ret = query_run(&q, err);
	return ret < 0 ? ret : db_changes(catalog_db(c)) > 0;
}

int content_settle(struct catalog *c, const struct ingest_segment *segment,
		   struct dsv_err *err)
{
	struct staging s = { segment, 1, 0, 0 };
	size_t rows = SIZE_MAX;
	int ret;

	ret = settle_row(c, segment->name, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = stage_segment(c, &s, &rows, err);
	if (ret != 0)
		return ret;
	ret = settle_row(c, segment->name, err);
	return ret < 0 ? ret : 0;
}
