/* SPDX-License-Identifier: MIT */
/*
 * What a prune would condemn, worked out without changing anything.
 */
#include <stdlib.h>

#include "../base/list.h"
#include "liveness.h"
#include "space.h"

static int add_id(int64_t **ids, size_t *count, int64_t id,
		  struct dsv_err *err)
{
	int ret = list_grow((void **)ids, *count, sizeof(**ids), err);

	if (ret == 0)
		(*ids)[(*count)++] = id;
	return ret;
}

static size_t sort_unique(int64_t *ids, size_t count)
{
	size_t i, n = 0;

	if (count > 0)
		qsort(ids, count, sizeof(*ids), compare_int64);
	for (i = 0; i < count; i++)
		if (n == 0 || ids[n - 1] != ids[i])
			ids[n++] = ids[i];
	return n;
}

/* Add the first column of every row. */
static int add_rows(struct catalog *c, const char *sql, int64_t id,
		    int64_t **ids, size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	int ret;

	query_int(&q, ":id", id);
	while ((ret = query_step(&q, err)) > 0) {
		ret = add_id(ids, count, query_get_int(&q, 0), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

struct estimate {
	int64_t *manifests, *recipes, *segments;
	size_t manifest_count, recipe_count, segment_count;
};

/*
 * Of a sorted list with an entry for each use: keep, each once, the rows
 * whose refs are all listed.
 */
static int keep_dropped(struct catalog *c, const char *sql, int64_t *ids,
			size_t *count, struct dsv_err *err)
{
	size_t i, n, kept = 0;

	if (*count > 0)
		qsort(ids, *count, sizeof(*ids), compare_int64);
	for (i = 0; i < *count; i += n) {
		struct query q = db_query(catalog_db(c), sql);
		int64_t refs = 0;
		int ret;

		for (n = 1; i + n < *count && ids[i + n] == ids[i]; n++)
			;
		query_int(&q, ":id", ids[i]);
		ret = query_one_int(&q, &refs, err);
		if (ret < 0)
			return ret;
		if (ret > 0 && refs <= (int64_t)n)
			ids[kept++] = ids[i];
	}
	*count = kept;
	return 0;
}

static int add_recipes(struct catalog *c, struct store *s, struct estimate *e,
		       int64_t manifest, struct dsv_err *err)
{
	struct manifest files = MANIFEST_INIT;
	unsigned char hash[HASH_BYTES];
	int64_t *ids = NULL;
	size_t count = 0, i;
	struct query q = db_query(catalog_db(c),
		"SELECT hash FROM manifest WHERE id = :id");
	int ret;

	query_int(&q, ":id", manifest);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	query_get_hash(&q, 0, hash);
	query_end(&q);
	ret = store_read_manifest(s, hash, &files, err);
	for (i = 0; ret == 0 && i < files.count; i++) {
		int64_t id;

		if (files.entries[i].type != DSV_FILE)
			continue;
		q = db_query(catalog_db(c),
			     "SELECT id FROM recipe WHERE hash = :hash");
		query_hash(&q, ":hash", files.entries[i].recipe);
		ret = query_one_int(&q, &id, err);
		if (ret > 0)
			ret = add_id(&ids, &count, id, err);
	}
	/* A manifest counts a recipe once, however many files have it. */
	count = sort_unique(ids, count);
	for (i = 0; ret == 0 && i < count; i++)
		ret = add_id(&e->recipes, &e->recipe_count, ids[i], err);
	free(ids);
	manifest_release(&files);
	return ret;
}

static int find_dropped(struct catalog *c, struct store *s,
			struct estimate *e, const int64_t *seqs, size_t count,
			struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++)
		ret = add_rows(c, "SELECT manifest FROM state WHERE seq = :id"
			       " AND pruned IS NULL AND manifest IS NOT NULL",
			       seqs[i], &e->manifests, &e->manifest_count,
			       err);
	if (ret == 0)
		ret = keep_dropped(c, "SELECT refs FROM manifest"
				   " WHERE id = :id", e->manifests,
				   &e->manifest_count, err);
	for (i = 0; ret == 0 && i < e->manifest_count; i++)
		ret = add_recipes(c, s, e, e->manifests[i], err);
	if (ret == 0)
		ret = keep_dropped(c, "SELECT refs FROM recipe WHERE id = :id",
				   e->recipes, &e->recipe_count, err);
	for (i = 0; ret == 0 && i < e->manifest_count; i++)
		ret = add_rows(c, "SELECT segment FROM manifest_segment"
			       " WHERE manifest = :id", e->manifests[i],
			       &e->segments, &e->segment_count, err);
	for (i = 0; ret == 0 && i < e->recipe_count; i++)
		ret = add_rows(c, "SELECT segment FROM recipe_segment"
			       " WHERE recipe = :id", e->recipes[i],
			       &e->segments, &e->segment_count, err);
	e->segment_count = sort_unique(e->segments, e->segment_count);
	return ret;
}

int catalog_prune_estimate(struct catalog *c, struct store *s,
			   const int64_t *seqs, size_t count, int64_t *bytes,
			   struct dsv_err *err)
{
	struct estimate e = { NULL, NULL, NULL, 0, 0, 0 };
	struct dropped dropped;
	size_t i, k;
	int ret;

	*bytes = 0;
	ret = find_dropped(c, s, &e, seqs, count, err);
	dropped.recipes = e.recipes;
	dropped.recipe_count = e.recipe_count;
	dropped.manifests = e.manifests;
	dropped.manifest_count = e.manifest_count;
	for (i = 0; ret == 0 && i < e.segment_count; i++) {
		struct liveness l = { .segment = e.segments[i] };

		ret = liveness_work_out(c, s, &l, &dropped, err);
		for (k = 0; ret == 0 && !l.damaged && k < l.count; k++)
			*bytes += l.chunks[k].live ? 0 : l.chunks[k].stored;
		liveness_release(&l);
	}
	free(e.manifests);
	free(e.recipes);
	free(e.segments);
	return ret;
}
