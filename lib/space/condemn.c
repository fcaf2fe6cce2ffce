/* SPDX-License-Identifier: MIT */
/*
 * Which chunks of a segment are dead.  The recipes in use that touch the
 * segment say which of its chunks are needed; reading them takes no lock.
 * Then, in a transaction, only those that came into use meanwhile are read.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "liveness.h"
#include "space.h"

enum {
	SEGMENT_BATCH = 64,	/* segments a transaction */
	LATE_RECIPES = 64	/* read with the lock held */
};

void liveness_release(struct liveness *l)
{
	free(l->chunks);
	free(l->seen);
	memset(l, 0, sizeof(*l));
}

static int compare_chunks(const void *a, const void *b)
{
	return memcmp(((const struct segment_chunk *)a)->hash,
		      ((const struct segment_chunk *)b)->hash, HASH_BYTES);
}

static bool has_id(const int64_t *ids, size_t count, int64_t id)
{
	return count > 0 && bsearch(&id, ids, count, sizeof(id), compare_int64);
}

static int load_chunks(struct catalog *c, struct liveness *l,
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT hash, stored FROM chunk WHERE segment = :segment"
		" AND status = " SQL_CHUNK_OK);
	int ret;

	query_int(&q, ":segment", l->segment);
	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)&l->chunks, l->count,
				sizeof(*l->chunks), err);
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
		query_get_hash(&q, 0, l->chunks[l->count].hash);
		l->chunks[l->count].stored = query_get_int(&q, 1);
		l->chunks[l->count++].live = false;
	}
	l->dead = l->count;
	if (ret == 0 && l->count > 0)
		qsort(l->chunks, l->count, sizeof(*l->chunks), compare_chunks);
	return ret;
}

static void mark(struct liveness *l, const unsigned char hash[HASH_BYTES])
{
	struct segment_chunk key, *chunk;

	memcpy(key.hash, hash, HASH_BYTES);
	chunk = l->count == 0 ? NULL : bsearch(&key, l->chunks, l->count,
					       sizeof(key), compare_chunks);
	if (chunk && !chunk->live) {
		chunk->live = true;
		l->dead--;
	}
}

static int mark_recipe(struct store *s, struct liveness *l,
		       const unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct recipe recipe = RECIPE_INIT;
	struct recipe_chunk chunk;
	size_t at = 0;
	int ret;

	mark(l, hash);
	if (l->dead == 0)
		return 0;
	ret = store_read_recipe(s, hash, &recipe, err);
	/* Nobody knows what it names: all of the segment may be needed. */
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND) {
		l->damaged = true;
		return 0;
	}
	while (ret == 0 && recipe_next_chunk(&recipe, &at, &chunk))
		mark(l, chunk.hash);
	recipe_release(&recipe);
	return ret;
}

struct touching {
	int64_t id;
	unsigned char hash[HASH_BYTES];
};

/* The recipes in use that touch the segment and were not seen yet. */
static int load_touching(struct catalog *c, const struct liveness *l,
			 const struct dropped *dropped, struct touching **out,
			 size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT r.id, r.hash FROM recipe_segment t"
		" JOIN recipe r ON r.id = t.recipe"
		" WHERE t.segment = :segment AND r.refs > 0 ORDER BY t.recipe");
	int ret;

	*out = NULL;
	*count = 0;
	query_int(&q, ":segment", l->segment);
	while ((ret = query_step(&q, err)) > 0) {
		int64_t id = query_get_int(&q, 0);

		if (has_id(l->seen, l->seen_count, id) ||
		    (dropped && has_id(dropped->recipes,
				       dropped->recipe_count, id)))
			continue;
		ret = list_grow((void **)out, *count, sizeof(**out), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		(*out)[*count].id = id;
		query_get_hash(&q, 1, (*out)[(*count)++].hash);
	}
	if (ret < 0) {
		free(*out);
		*out = NULL;
		*count = 0;
	}
	return ret;
}

/* Read them, and remember them as seen. */
static int mark_recipes(struct store *s, struct liveness *l,
			const struct touching *list, size_t count,
			struct dsv_err *err)
{
	int64_t *seen;
	size_t i;
	int ret = 0;

	if (count == 0)
		return 0;
	seen = realloc(l->seen, (l->seen_count + count) * sizeof(*seen));
	if (!seen)
		return dsv_fail_nomem(err);
	l->seen = seen;
	for (i = 0; ret == 0 && i < count; i++) {
		/* When all is needed the rest need not be read. */
		if (l->dead > 0 && !l->damaged)
			ret = mark_recipe(s, l, list[i].hash, err);
		seen[l->seen_count++] = list[i].id;
	}
	qsort(seen, l->seen_count, sizeof(*seen), compare_int64);
	return ret;
}

/* Rows of manifest and the chunk that each needs. */
static int mark_rows(struct catalog *c, struct liveness *l, const char *sql,
		     const struct dropped *dropped, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	struct query q = db_query(catalog_db(c), sql);
	int ret;

	query_int(&q, ":segment", l->segment);
	while ((ret = query_step(&q, err)) > 0) {
		if (dropped && has_id(dropped->manifests,
				      dropped->manifest_count,
				      query_get_int(&q, 0)))
			continue;
		query_get_hash(&q, 1, hash);
		mark(l, hash);
	}
	return ret;
}

static int mark_manifests(struct catalog *c, struct liveness *l,
			  const struct dropped *dropped, struct dsv_err *err)
{
	static const char manifests[] =
		"SELECT m.id, m.hash FROM manifest_segment t"
		" JOIN manifest m ON m.id = t.manifest"
		" WHERE t.segment = :segment AND m.refs > 0";
	static const char parts[] =
		"SELECT m.id, p.hash FROM chunk c"
		" CROSS JOIN manifest_part p ON p.hash = c.hash"
		" CROSS JOIN manifest m ON m.id = p.manifest"
		" WHERE c.segment = :segment AND m.refs > 0";
	int ret = mark_rows(c, l, manifests, dropped, err);

	return ret < 0 ? ret : mark_rows(c, l, parts, dropped, err);
}

int liveness_work_out(struct catalog *c, struct store *s, struct liveness *l,
		      const struct dropped *dropped, struct dsv_err *err)
{
	struct touching *list;
	size_t count;
	int ret;

	ret = load_chunks(c, l, err);
	if (ret == 0 && dropped)
		ret = mark_manifests(c, l, dropped, err);
	if (ret < 0 || l->dead == 0)
		return ret;
	ret = load_touching(c, l, dropped, &list, &count, err);
	if (ret == 0)
		ret = mark_recipes(s, l, list, count, err);
	free(list);
	return ret;
}

static int condemn_chunks(struct catalog *c, const struct liveness *l,
			  int64_t *bytes, struct dsv_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < l->count; i++) {
		struct query q;

		if (l->chunks[i].live)
			continue;
		q = db_query(catalog_db(c),
			     "UPDATE chunk SET status = " SQL_CHUNK_CONDEMNED
			     ", since = :since"
			     " WHERE hash = :hash AND segment = :segment"
			     " AND status = " SQL_CHUNK_OK);
		query_int(&q, ":since", l->since_ns);
		query_hash(&q, ":hash", l->chunks[i].hash);
		query_int(&q, ":segment", l->segment);
		ret = query_run(&q, err);
		if (ret < 0)
			return ret;
		if (db_changes(catalog_db(c)) > 0)
			*bytes += l->chunks[i].stored;
	}
	return 0;
}

/* Staged ones belong to a tag that has not committed yet. */
static int is_staged(struct catalog *c, int64_t segment, struct dsv_err *err)
{
	int64_t n;
	struct query q = db_query(catalog_db(c),
		"SELECT 1 FROM segment WHERE id = :segment"
		" AND staged IS NOT NULL");

	query_int(&q, ":segment", segment);
	return query_one_int(&q, &n, err);
}

/* Returns whether a recipe that was seen has been dropped since. */
static int has_dropped(struct catalog *c, const struct liveness *l,
		       struct dsv_err *err)
{
	int64_t n = 0;
	struct query q = db_query(catalog_db(c),
		"SELECT count(*) FROM recipe_segment t"
		" JOIN recipe r ON r.id = t.recipe"
		" WHERE t.segment = :segment AND r.refs > 0");
	int ret;

	query_int(&q, ":segment", l->segment);
	ret = query_one_int(&q, &n, err);
	return ret < 0 ? ret : n != (int64_t)l->seen_count;
}

/* With the lock held: take in what came into use since, and mark the rest. */
static int settle_chunks(struct catalog *c, struct store *s,
			 struct liveness *l, int64_t *bytes,
			 struct dsv_err *err)
{
	struct touching *list = NULL;
	size_t count = 0;
	int ret;

	ret = load_touching(c, l, NULL, &list, &count, err);
	if (ret == 0 && count > LATE_RECIPES)
		ret = 1;
	if (ret == 0)
		ret = mark_recipes(s, l, list, count, err);
	if (ret == 0)
		ret = mark_manifests(c, l, NULL, err);
	if (ret == 0 && l->damaged)
		ret = 1;
	if (ret == 0)
		ret = condemn_chunks(c, l, bytes, err);
	if (ret == 0)
		ret = has_dropped(c, l, err);
	free(list);
	return ret;
}

/* 1: it stays unswept, for the next run. */
static int settle(struct catalog *c, struct store *s, struct liveness *l,
		  int64_t *bytes, struct dsv_err *err)
{
	struct query q;
	int ret;

	if (l->damaged)
		return 1;
	ret = is_staged(c, l->segment, err);
	if (ret == 0 && l->count > 0)
		ret = settle_chunks(c, s, l, bytes, err);
	if (ret != 0)
		return ret;
	q = db_query(catalog_db(c), "DELETE FROM unswept"
		     " WHERE segment = :segment");
	query_int(&q, ":segment", l->segment);
	return query_run(&q, err);
}

static int load_unswept(struct catalog *c, int64_t after,
			struct liveness *work, size_t *count,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT segment, since FROM unswept WHERE segment > :after"
		" ORDER BY segment LIMIT :limit");
	int ret;

	query_int(&q, ":after", after);
	query_int(&q, ":limit", SEGMENT_BATCH);
	*count = 0;
	while ((ret = query_step(&q, err)) > 0) {
		memset(&work[*count], 0, sizeof(work[*count]));
		work[*count].segment = query_get_int(&q, 0);
		work[(*count)++].since_ns = query_get_int(&q, 1);
	}
	return ret;
}

static int condemn_batch(struct catalog *c, struct store *s,
			 struct liveness *work, size_t count, int64_t *bytes,
			 int64_t *left, struct dsv_err *err)
{
	int64_t damaged = 0, condemned = 0;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++)
		ret = liveness_work_out(c, s, &work[i], NULL, err);
	if (ret < 0)
		return ret;
	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret >= 0 && i < count; i++) {
		ret = settle(c, s, &work[i], &condemned, err);
		damaged += work[i].damaged;
	}
	ret = catalog_end(c, ret < 0 ? ret : 0, err);
	if (ret == 0) {
		*bytes += condemned;
		*left += damaged;
	}
	return ret;
}

int catalog_condemn(struct catalog *c, struct store *s, int64_t *bytes,
		    int64_t *left, struct dsv_err *err)
{
	struct liveness *work = calloc(SEGMENT_BATCH, sizeof(*work));
	int64_t after = 0;
	size_t count, i;
	int ret;

	*bytes = *left = 0;
	if (!work)
		return dsv_fail_nomem(err);
	do {
		ret = load_unswept(c, after, work, &count, err);
		if (ret < 0 || count == 0)
			break;
		after = work[count - 1].segment;
		ret = condemn_batch(c, s, work, count, bytes, left, err);
		for (i = 0; i < count; i++)
			liveness_release(&work[i]);
	} while (ret == 0);
	free(work);
	return ret;
}
