/* SPDX-License-Identifier: MIT */
/*
 * A chunk that is needed: is it there, and does its segment know?
 */
#include "../catalog/uses.h"
#include "check_content.h"

/* The last problem concerns whoever needs the chunk: recipe or manifest. */
static int concern_user(struct pass *p, int64_t id, bool manifest,
			struct dsv_err *err)
{
	size_t problem = p->k->count - 1;

	return manifest ? pass_concerns(p, problem, NULL, err) :
		known_add_problem(&p->known[id], problem, err);
}

/* Does the segment know who needs the chunk?  Else it would be freed. */
static int check_link(struct pass *p, const unsigned char hash[HASH_BYTES],
		      int64_t id, bool manifest, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int64_t n;
	struct query q = db_query(catalog_db(p->k->c), manifest ?
		"SELECT 1 FROM chunk c JOIN manifest_segment t"
		" ON t.segment = c.segment WHERE c.hash = :hash"
		" AND t.manifest = :id" :
		"SELECT 1 FROM chunk c JOIN recipe_segment t"
		" ON t.segment = c.segment WHERE c.hash = :hash"
		" AND t.recipe = :id");
	int ret;

	query_hash(&q, ":hash", hash);
	query_int(&q, ":id", id);
	ret = query_one_int(&q, &n, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	hash_to_hex(hash, hex);
	ret = check_problem(p->k, "link", hex, p->k->repair, err, "its segment"
			    " does not know that the chunk is needed");
	if (ret == 0)
		ret = concern_user(p, id, manifest, err);
	if (ret == 0 && p->k->repair)
		ret = manifest ?
			content_link_manifest(p->k->c, id, hash, err) :
			content_link_recipe(p->k->c, id, hash, err);
	return ret;
}

/* 1: a chunk that is not there, or is bad; 0: it is right after all. */
static int check_useless(struct pass *p, const unsigned char hash[HASH_BYTES],
			 bool stored, size_t *problem, struct dsv_err *err)
{
	const char *defect = "it is needed, and not stored";
	bool repaired = false;
	char hex[HASH_HEX_SIZE];
	int ret = 0;

	if (stored) {
		ret = check_marked(p->k, hash, err);
		defect = ret > 0 ? "it is marked as wrong, and its bytes are"
			" right" : "its bytes are wrong; tag the right ones"
			" again to heal it";
		repaired = ret > 0 && p->k->repair;
	}
	hash_to_hex(hash, hex);
	if (ret >= 0)
		ret = check_problem(p->k, "chunk", hex, repaired, err, "%s",
				    defect);
	*problem = p->k->count - 1;
	if (ret == 0 && !repaired)
		ret = check_add_bad(p->k, hash, *problem, err);
	return ret < 0 ? ret : !repaired;
}

int check_chunk(struct pass *p, const unsigned char hash[HASH_BYTES],
		int64_t id, bool manifest, size_t *problem,
		struct dsv_err *err)
{
	const struct check_bad *bad = check_find_bad(p->k, hash);
	char hex[HASH_HEX_SIZE];
	int64_t status = 0;
	struct query q;
	int ret;

	if (bad) {
		*problem = bad->problem;
		return 1;
	}
	q = db_query(catalog_db(p->k->c),
		     "SELECT status, length FROM chunk WHERE hash = :hash");
	query_hash(&q, ":hash", hash);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	if (ret > 0) {
		status = query_get_int(&q, 0);
		p->length_bytes = (uint32_t)query_get_int(&q, 1);
		query_end(&q);
	}
	hash_to_hex(hash, hex);
	if (ret == 0 || status == CHUNK_BAD) {
		ret = check_useless(p, hash, ret > 0, problem, err);
		if (ret == 0)
			ret = concern_user(p, id, manifest, err);
		if (ret != 0)
			return ret;
	}
	if (status == CHUNK_CONDEMNED) {
		ret = check_problem(p->k, "chunk", hex, p->k->repair, err,
				    "it is needed, and condemned");
		if (ret == 0)
			ret = concern_user(p, id, manifest, err);
		if (ret == 0 && p->k->repair)
			ret = pass_run(p, "UPDATE chunk SET"
				       " status = " SQL_CHUNK_OK ","
				       " since = NULL WHERE hash = :hash"
				       " AND :id", hash, 1, err);
		if (ret < 0)
			return ret;
	}
	return check_link(p, hash, id, manifest, err);
}
