/* SPDX-License-Identifier: MIT */
/*
 * Making a pruned state live again; or its bytes free before their time.
 */
#include <stdlib.h>
#include <string.h>

#include "../catalog/uses.h"
#include "space.h"

struct revival {
	unsigned char manifest[HASH_BYTES];
	struct manifest files;
	struct ingest_result known;	/* its recipes, read from the store */
};

static void revival_release(struct revival *r)
{
	store_recipes_release(&r->known);
	manifest_release(&r->files);
}

/* Before the lock is taken. */
static int read_content(struct store *s, struct revival *r,
			struct dsv_err *err)
{
	int ret = store_read_manifest(s, r->manifest, &r->files, err);

	return ret < 0 ? ret : store_read_recipes(s, &r->files, &r->known,
						  err);
}

/* Returns whether first parents lead to head: nobody has used it since. */
static int leads_to(struct catalog *c, int64_t seq, int64_t head,
		    struct dsv_err *err)
{
	int ret;

	while (seq > head) {
		struct query q = db_query(catalog_db(c),
			"SELECT parent FROM edge WHERE child = :seq"
			" AND ordinal = 0");

		query_int(&q, ":seq", seq);
		ret = query_one_int(&q, &seq, err);
		if (ret <= 0)
			return ret < 0 ? ret : head == 0;
	}
	return seq == head;
}

struct headed {
	int64_t branch;
	int64_t head;
	char *name;
};

static int next_headed(struct catalog *c, int64_t seq, int64_t after,
		       struct headed *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT b.id, coalesce(b.head, 0), b.name FROM pruned_head p"
		" JOIN branch b ON b.id = p.branch WHERE p.state = :seq"
		" AND NOT b.deleted AND b.id > :after ORDER BY b.id LIMIT 1");
	int ret;

	query_int(&q, ":seq", seq);
	query_int(&q, ":after", after);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	out->branch = query_get_int(&q, 0);
	out->head = query_get_int(&q, 1);
	out->name = strdup(query_get_text(&q, 2));
	query_end(&q);
	return out->name ? 1 : dsv_fail_nomem(err);
}

static int restore_head(struct catalog *c, int64_t seq,
			const struct headed *headed, json_t *heads,
			struct dsv_err *err)
{
	struct query q;
	int ret;

	ret = leads_to(c, seq, headed->head, err);
	if (ret <= 0)
		return ret;
	q = db_query(catalog_db(c), "UPDATE branch SET head = :seq"
		     " WHERE id = :branch");
	query_int(&q, ":seq", seq);
	query_int(&q, ":branch", headed->branch);
	ret = query_run(&q, err);
	if (ret == 0 && json_array_append_new(heads,
					      json_string(headed->name)) < 0)
		ret = dsv_fail_nomem(err);
	return ret;
}

static int restore_heads(struct catalog *c, int64_t seq, json_t *heads,
			 struct dsv_err *err)
{
	struct headed headed = { 0, 0, NULL };
	struct query q;
	int ret;

	while ((ret = next_headed(c, seq, headed.branch, &headed, err)) > 0) {
		ret = restore_head(c, seq, &headed, heads, err);
		free(headed.name);
		if (ret < 0)
			return ret;
	}
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "DELETE FROM pruned_head"
		     " WHERE state = :seq");
	query_int(&q, ":seq", seq);
	return query_run(&q, err);
}

static const char freed[] = "bytes are freed";

static int fail_gone(struct catalog *c, int64_t seq, const char *what,
		     struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int ret = catalog_state_hex(c, seq, hex, err);

	if (ret < 0)
		return ret;
	return dsv_fail(err, DSV_ENOTFOUND, "state %.12s was pruned and its"
			" %s; it cannot be restored", hex, what);
}

static int revive(struct catalog *c, int64_t seq, const struct revival *r,
		  struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	json_t *heads = json_array();
	int64_t manifest = 0;
	struct query q;
	int ret;

	ret = content_use(c, r->manifest, &r->files, &r->known, &manifest,
			  err);
	if (ret == CATALOG_MISSING)
		ret = fail_gone(c, seq, freed, err);
	if (ret < 0)
		goto out;
	q = db_query(catalog_db(c),
		     "UPDATE state SET pruned = NULL, pruned_by = NULL,"
		     " manifest = :manifest WHERE seq = :seq");
	query_int(&q, ":manifest", manifest);
	query_int(&q, ":seq", seq);
	ret = query_run(&q, err);
	if (ret == 0)
		ret = restore_heads(c, seq, heads, err);
	if (ret == 0)
		ret = catalog_state_hex(c, seq, hex, err);
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s, s:O}", "op",
					      "restore", "id", hex, "heads",
					      heads), err);
out:
	json_decref(heads);
	return ret;
}

/* 1: it is pruned, and *r names its manifest; 0: it lives. */
static int pruned_manifest(struct catalog *c, int64_t seq, struct revival *r,
			   struct dsv_err *err)
{
	bool pruned, known, forgotten;
	struct query q = db_query(catalog_db(c),
		"SELECT s.pruned IS NOT NULL, m.hash,"
		" s.status = " SQL_STATE_FORGOTTEN
		" FROM state s"
		" LEFT JOIN manifest m ON m.id = s.manifest"
		" WHERE s.seq = :seq");
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return dsv_fail(err, DSV_ENOTFOUND, "no such state");
	pruned = query_get_int(&q, 0);
	known = query_get_hash(&q, 1, r->manifest);
	forgotten = query_get_int(&q, 2);
	query_end(&q);
	if (!pruned)
		return 0;
	return known ? 1 : fail_gone(c, seq, forgotten ? "record dropped" :
				     freed, err);
}

int catalog_restore(struct catalog *c, struct store *s, int64_t seq,
		    struct dsv_err *err)
{
	struct revival r = { .files = MANIFEST_INIT };
	int ret;

	ret = pruned_manifest(c, seq, &r, err);
	if (ret <= 0)
		return ret;
	ret = read_content(s, &r, err);
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND)
		ret = fail_gone(c, seq, freed, err);
	if (ret == 0)
		ret = catalog_begin(c, err);
	if (ret < 0)
		goto out;
	/* Somebody may have been faster. */
	ret = pruned_manifest(c, seq, &r, err);
	if (ret > 0)
		ret = revive(c, seq, &r, err);
	ret = catalog_end(c, ret, err);
out:
	revival_release(&r);
	return ret;
}

static int expire_chunk(struct catalog *c, const unsigned char *hash,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE chunk SET since = 0 WHERE hash = :hash"
		" AND status = " SQL_CHUNK_CONDEMNED);

	query_hash(&q, ":hash", hash);
	return query_run(&q, err);
}

/* Chunks that something needs have another status. */
static int expire_chunks(struct catalog *c, const struct revival *r,
			 struct dsv_err *err)
{
	size_t i, k;
	int ret;

	ret = expire_chunk(c, r->manifest, err);
	for (i = 0; ret == 0 && i < r->known.recipe_count; i++) {
		const struct ingest_recipe *recipe = &r->known.recipes[i];

		ret = expire_chunk(c, recipe->hash, err);
		for (k = 0; ret == 0 && k < recipe->count; k++)
			ret = expire_chunk(c, recipe->chunks[k], err);
	}
	return ret;
}

int catalog_expire(struct catalog *c, struct store *s, int64_t seq,
		   struct dsv_err *err)
{
	struct revival r = { .files = MANIFEST_INIT };
	int ret;

	ret = pruned_manifest(c, seq, &r, err);
	if (ret > 0)
		ret = read_content(s, &r, err);
	else if (ret == 0)
		return 0;
	/* Freed already, or damaged: it is freed when its time comes. */
	if (ret == DSV_ENOTFOUND || ret == DSV_ECORRUPT) {
		revival_release(&r);
		return 0;
	}
	if (ret == 0)
		ret = catalog_begin(c, err);
	if (ret == 0) {
		ret = expire_chunks(c, &r, err);
		ret = catalog_end(c, ret, err);
	}
	revival_release(&r);
	return ret;
}
