/* SPDX-License-Identifier: MIT */
#include "uses.h"

#include <stdlib.h>
#include <string.h>

static int claim_one(struct catalog *c, const unsigned char hash[HASH_BYTES],
		     struct dsv_err *err)
{
	int64_t status = 0;
	struct query q = db_query(catalog_db(c),
		"SELECT status FROM chunk WHERE hash = :hash");
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_one_int(&q, &status, err);
	if (ret < 0)
		return ret;
	if (ret == 0 || status == CHUNK_BAD)
		return c->rebuilding ? 0 : CATALOG_MISSING;
	if (status == CHUNK_OK)
		return 0;
	q = db_query(catalog_db(c), "UPDATE chunk"
		     " SET status = " SQL_CHUNK_OK ", since = NULL"
		     " WHERE hash = :hash");
	query_hash(&q, ":hash", hash);
	return query_run(&q, err);
}

int content_claim(struct catalog *c,
		  const unsigned char (*chunks)[HASH_BYTES], size_t count,
		  struct dsv_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < count; i++) {
		ret = claim_one(c, chunks[i], err);
		if (ret != 0)
			return ret;
	}
	return 0;
}

int content_link_recipe(struct catalog *c, int64_t recipe,
			const unsigned char chunk[HASH_BYTES],
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT OR IGNORE INTO recipe_segment (segment, recipe)"
		" SELECT segment, :recipe FROM chunk WHERE hash = :hash");

	query_int(&q, ":recipe", recipe);
	query_hash(&q, ":hash", chunk);
	return query_run(&q, err);
}

static int compare_recipe(const void *hash, const void *recipe)
{
	return memcmp(hash, ((const struct ingest_recipe *)recipe)->hash,
		      HASH_BYTES);
}

/*
 * Revives a recipe that nothing in use names: its chunks may be condemned or
 * gone.
 */
static int revive_recipe(struct catalog *c, int64_t id,
			 const unsigned char hash[HASH_BYTES],
			 const struct ingest_recipe *known,
			 struct dsv_err *err)
{
	size_t i;
	int ret;

	if (!known && !c->rebuilding)
		return CATALOG_MISSING;
	ret = claim_one(c, hash, err);
	if (ret == 0 && !known)
		return content_link_recipe(c, id, hash, err);
	if (ret == 0)
		ret = content_claim(c, (const unsigned char (*)[HASH_BYTES])
				    known->chunks, known->count, err);
	if (ret == 0)
		ret = content_link_recipe(c, id, hash, err);
	for (i = 0; ret == 0 && i < known->count; i++)
		ret = content_link_recipe(c, id, known->chunks[i], err);
	return ret;
}

static int use_recipe(struct catalog *c, const unsigned char hash[HASH_BYTES],
		      const struct ingest_recipe *known, struct dsv_err *err)
{
	int64_t id, refs;
	struct query q = db_query(catalog_db(c),
		"INSERT INTO recipe (hash, refs) VALUES (:hash, 1)"
		" ON CONFLICT (hash) DO UPDATE SET refs = refs + 1"
		" RETURNING id, refs");
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	id = query_get_int(&q, 0);
	refs = query_get_int(&q, 1);
	query_end(&q);
	return refs > 1 ? 0 : revive_recipe(c, id, hash, known, err);
}

static int use_recipes(struct catalog *c, const struct manifest *files,
		       const struct ingest_result *ingest, struct dsv_err *err)
{
	struct ingest_recipe *known = NULL;
	unsigned char (*recipes)[HASH_BYTES];
	size_t count, i, known_count = 0;
	int ret;

	ret = manifest_recipes(files, &recipes, &count, err);
	if (ret < 0)
		return ret;
	if (ingest && ingest->recipe_count > 0) {
		known_count = ingest->recipe_count;
		known = malloc(known_count * sizeof(*known));
		if (!known) {
			free(recipes);
			return dsv_fail_nomem(err);
		}
		memcpy(known, ingest->recipes, known_count * sizeof(*known));
		qsort(known, known_count, sizeof(*known), compare_recipe);
	}
	for (i = 0; ret == 0 && i < count; i++)
		ret = use_recipe(c, recipes[i], known ?
				 bsearch(recipes[i], known, known_count,
					 sizeof(*known), compare_recipe) :
				 NULL, err);
	free(known);
	free(recipes);
	return ret;
}

int content_link_manifest(struct catalog *c, int64_t manifest,
			  const unsigned char chunk[HASH_BYTES],
			  struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT OR IGNORE INTO manifest_segment (segment, manifest)"
		" SELECT segment, :manifest FROM chunk WHERE hash = :hash");

	query_int(&q, ":manifest", manifest);
	query_hash(&q, ":hash", chunk);
	return query_run(&q, err);
}

/* The manifests of its parts are needed as long as the manifest itself is. */
static int use_parts(struct catalog *c, int64_t manifest,
		     const struct manifest *files, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < files->part_count; i++) {
		const unsigned char *part = files->parts[i].manifest;
		struct query q;

		/* Replicas have one manifest. */
		if (i > 0 && !memcmp(files->parts[i - 1].manifest, part,
				     HASH_BYTES))
			continue;
		ret = claim_one(c, part, err);
		if (ret == 0)
			ret = content_link_manifest(c, manifest, part, err);
		if (ret != 0)
			break;
		q = db_query(catalog_db(c),
			     "INSERT OR IGNORE INTO manifest_part"
			     " (hash, manifest) VALUES (:hash, :manifest)");
		query_hash(&q, ":hash", part);
		query_int(&q, ":manifest", manifest);
		ret = query_run(&q, err);
	}
	return ret;
}

int content_use(struct catalog *c, const unsigned char hash[HASH_BYTES],
		const struct manifest *files,
		const struct ingest_result *ingest, int64_t *id,
		struct dsv_err *err)
{
	int64_t refs;
	struct query q = db_query(catalog_db(c),
		"INSERT INTO manifest (hash, refs) VALUES (:hash, 1)"
		" ON CONFLICT (hash) DO UPDATE SET refs = refs + 1"
		" RETURNING id, refs");
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	*id = query_get_int(&q, 0);
	refs = query_get_int(&q, 1);
	query_end(&q);
	if (refs > 1)
		return 0;
	if (!files)
		return CATALOG_MISSING;
	ret = claim_one(c, hash, err);
	if (ret != 0)
		return ret;
	ret = content_link_manifest(c, *id, hash, err);
	if (ret == 0)
		ret = use_parts(c, *id, files, err);
	return ret != 0 ? ret : use_recipes(c, files, ingest, err);
}

int content_correct_totals(struct catalog *c, int64_t id,
			   const struct manifest *files, struct dsv_err *err)
{
	int64_t count, bytes;
	struct query q;

	manifest_totals(files, &count, &bytes);
	q = db_query(catalog_db(c), "UPDATE state SET files = :files,"
		     " size = :size WHERE manifest = :id AND pruned IS NULL"
		     " AND (files <> :files OR size <> :size)");
	query_int(&q, ":files", count);
	query_int(&q, ":size", bytes);
	query_int(&q, ":id", id);
	return query_run(&q, err);
}
