/* SPDX-License-Identifier: MIT */
/*
 * Dropping the references of states.
 */
#include "space.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../catalog/uses.h"
#include "../os/paths.h"
#include "heads.h"
#include "prune.h"

enum { PRUNE_BATCH = 500 };	/* states a transaction */

/* The recipes of a manifest, read before the lock is taken. */
struct known_manifest {
	int64_t id;
	bool damaged;
	size_t count;
	unsigned char (*recipes)[HASH_BYTES];
};

struct batch {
	const struct catalog_prune *prune;
	struct store *store;
	size_t known_count;
	struct known_manifest *known;	/* by id */
	json_t *states;
	json_t *heads;
	size_t forgotten_count;
	char (*forgotten)[HASH_HEX_SIZE];
	int64_t since_ns;
};

static int compare_known(const void *a, const void *b)
{
	const struct known_manifest *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int read_known(struct store *s, const unsigned char hash[HASH_BYTES],
		      struct known_manifest *known, struct dsv_err *err)
{
	struct manifest files = MANIFEST_INIT;
	int ret;

	ret = store_read_manifest(s, hash, &files, err);
	if (ret == DSV_ECORRUPT) {
		known->damaged = true;
		return 0;
	}
	if (ret == 0)
		ret = manifest_recipes(&files, &known->recipes, &known->count,
				      err);
	manifest_release(&files);
	return ret;
}

/* The manifest of a live state: 1, else 0. */
static int state_manifest(struct catalog *c, int64_t seq, int64_t *id,
			  unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT m.id, m.hash FROM state s"
		" JOIN manifest m ON m.id = s.manifest"
		" WHERE s.seq = :seq AND s.pruned IS NULL");
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	*id = query_get_int(&q, 0);
	query_get_hash(&q, 1, hash);
	query_end(&q);
	return 1;
}

/* Neighbours often share a manifest: forks, and tags without a change. */
static bool is_known(const struct batch *b, int64_t id)
{
	size_t i;

	for (i = b->known_count; i-- > 0; )
		if (b->known[i].id == id)
			return true;
	return false;
}

static int read_manifests(struct catalog *c, struct batch *b,
			  const int64_t *seqs, size_t count,
			  struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	size_t i;
	int ret;

	b->known = calloc(count, sizeof(*b->known));
	if (!b->known)
		return dsv_fail_nomem(err);
	for (i = 0; i < count; i++) {
		int64_t id;

		ret = state_manifest(c, seqs[i], &id, hash, err);
		if (ret < 0)
			return ret;
		if (ret == 0 || is_known(b, id))
			continue;
		b->known[b->known_count].id = id;
		ret = read_known(b->store, hash, &b->known[b->known_count++],
				 err);
		if (ret < 0)
			return ret;
	}
	qsort(b->known, b->known_count, sizeof(*b->known), compare_known);
	return 0;
}

static void batch_release(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->known_count; i++)
		free(b->known[i].recipes);
	free(b->known);
	free(b->forgotten);
	json_decref(b->states);
	json_decref(b->heads);
}

static int note_unswept(struct catalog *c, const char *sql, int64_t id,
			int64_t since_ns, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);

	query_int(&q, ":id", id);
	query_int(&q, ":since", since_ns);
	return query_run(&q, err);
}

static int drop_recipe(struct catalog *c, const unsigned char hash[HASH_BYTES],
		       int64_t since_ns, struct dsv_err *err)
{
	static const char unswept[] =
		"INSERT INTO unswept (segment, since) SELECT segment, :since"
		" FROM recipe_segment WHERE recipe = :id"
		" ON CONFLICT (segment) DO UPDATE SET"
		" since = max(since, excluded.since)";
	int64_t id, refs;
	struct query q = db_query(catalog_db(c),
		"UPDATE recipe SET refs = refs - 1 WHERE hash = :hash"
		" AND refs > 0 RETURNING id, refs");
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	id = query_get_int(&q, 0);
	refs = query_get_int(&q, 1);
	query_end(&q);
	return refs > 0 ? 0 : note_unswept(c, unswept, id, since_ns, err);
}

/*
 * One state less, which is marked already, has the manifest.  A count that is
 * too low must not cost the others their bytes.
 */
static int drop_manifest(struct catalog *c, struct batch *b, int64_t id,
			 struct dsv_err *err)
{
	static const char unswept[] =
		"INSERT INTO unswept (segment, since) SELECT segment, :since"
		" FROM manifest_segment WHERE manifest = :id"
		" ON CONFLICT (segment) DO UPDATE SET"
		" since = max(since, excluded.since)";
	struct known_manifest key = { .id = id };
	const struct known_manifest *known;
	int64_t refs = 0;
	struct query q = db_query(catalog_db(c),
		"UPDATE manifest SET refs = iif(refs > 1, refs - 1,"
		" EXISTS (SELECT 1 FROM state WHERE manifest = :id"
		"  AND pruned IS NULL)) WHERE id = :id AND refs > 0"
		" RETURNING refs");
	size_t i;
	int ret;

	query_int(&q, ":id", id);
	ret = query_one_int(&q, &refs, err);
	if (ret <= 0 || refs > 0)
		return ret < 0 ? ret : 0;
	known = bsearch(&key, b->known, b->known_count, sizeof(key),
			compare_known);
	if (!known)
		return dsv_fail(err, DSV_ELOCKED, "the states changed while"
				" they were pruned; try again");
	ret = note_unswept(c, unswept, id, b->since_ns, err);
	for (i = 0; ret == 0 && i < known->count; i++)
		ret = drop_recipe(c, known->recipes[i], b->since_ns, err);
	return ret;
}

/* 1: sql has a row for the state :seq. */
static int has_row(struct catalog *c, const char *sql, int64_t seq,
		   struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	int64_t n;

	query_int(&q, ":seq", seq);
	return query_one_int(&q, &n, err);
}

int prune_forget(struct catalog *c, int64_t seq, struct dsv_err *err)
{
	static const char *const steps[] = {
		"DELETE FROM attr WHERE state = :seq",
		"DELETE FROM attr_history WHERE state = :seq",
		"DELETE FROM name WHERE state = :seq",
		"DELETE FROM scope_state WHERE state = :seq",
		"DELETE FROM pruned_head WHERE state = :seq",
		"UPDATE state SET status = " SQL_STATE_FORGOTTEN ","
		" manifest = NULL, capture = NULL,"
		" changed = NULL, message = NULL, author = '', host = '',"
		" job = NULL, pinned = 0, files = 0, size = 0, params = 0"
		" WHERE seq = :seq",
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct query q = db_query(catalog_db(c), steps[i]);
		int ret;

		query_int(&q, ":seq", seq);
		ret = query_run(&q, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int prune_mark(struct catalog *c, int64_t seq, const char *rule,
	       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE state SET pruned = :time, pruned_by = :rule"
		" WHERE seq = :seq AND pruned IS NULL");

	query_int(&q, ":time", c->time_ns);
	query_text(&q, ":rule", rule);
	query_int(&q, ":seq", seq);
	return query_run(&q, err);
}

/* With what is kept once the record that says it is gone. */
static json_t *pruned_json(struct catalog *c, int64_t seq, const char *hex,
			   struct dsv_err *err)
{
	json_t *parents = json_array();
	json_t *json = NULL;
	unsigned char id[HASH_BYTES];
	char parent[HASH_HEX_SIZE];
	struct query q = db_query(catalog_db(c),
		"SELECT p.id FROM edge e JOIN state p ON p.seq = e.parent"
		" WHERE e.child = :seq ORDER BY e.ordinal");

	query_int(&q, ":seq", seq);
	while (query_step(&q, err) > 0) {
		query_get_hash(&q, 0, id);
		hash_to_hex(id, parent);
		json_array_append_new(parents, json_string(parent));
	}
	q = db_query(catalog_db(c), "SELECT created, kind FROM state"
		     " WHERE seq = :seq");
	query_int(&q, ":seq", seq);
	if (query_step(&q, err) > 0) {
		json = json_pack("{s:s, s:o, s:I, s:s}", "id", hex, "parents",
				 parents, "time",
				 (json_int_t)query_get_int(&q, 0), "kind",
				 query_get_text(&q, 1));
		query_end(&q);
	} else {
		json_decref(parents);
	}
	return json;
}

/* No rule removes these; somebody may have pinned one by now. */
static const char sql_protected[] =
	"SELECT 1 FROM state WHERE seq = :seq AND pinned UNION ALL"
	" SELECT 1 FROM name WHERE state = :seq UNION ALL"
	" SELECT 1 FROM job WHERE fork = :seq AND active UNION ALL"
	" SELECT 1 FROM job WHERE active AND fork_state = :seq LIMIT 1";
/* It is pruned, and its record is still there. */
static const char sql_pruned[] =
	"SELECT 1 FROM state WHERE seq = :seq AND pruned IS NOT NULL"
	" AND status <> " SQL_STATE_FORGOTTEN;
/* Its bytes died with their node, it has no manifest. */
static const char sql_lost[] =
	"SELECT 1 FROM state WHERE seq = :seq AND status = " SQL_STATE_LOST
	" AND pruned IS NULL";

enum { DUE = 1, DUE_FORGET, DUE_LOST };

/* 0: not; DUE_FORGET: it was pruned before, and is to be forgotten. */
static int is_due(struct catalog *c, const struct batch *b, int64_t seq,
		  int64_t *manifest, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int ret;

	ret = state_manifest(c, seq, manifest, hash, err);
	if (ret == 0 && b->prune->forget) {
		ret = has_row(c, sql_pruned, seq, err);
		if (ret != 0)
			return ret > 0 ? DUE_FORGET : ret;
	}
	if (ret == 0 && !b->prune->by_rule) {
		ret = has_row(c, sql_lost, seq, err);
		return ret > 0 ? DUE_LOST : ret;
	}
	if (ret <= 0 || !b->prune->by_rule)
		return ret;
	ret = has_row(c, sql_protected, seq, err);
	return ret < 0 ? ret : !ret;
}

static int prune_one(struct catalog *c, struct batch *b, int64_t seq,
		     struct catalog_pruned *out, struct dsv_err *err)
{
	struct known_manifest key, *known;
	char hex[HASH_HEX_SIZE];
	json_t *json;
	int due, ret = 0;

	due = is_due(c, b, seq, &key.id, err);
	if (due < 0)
		return due;
	if (due == 0) {
		out->skipped++;
		return 0;
	}
	known = due != DUE ? NULL : bsearch(&key, b->known, b->known_count,
					    sizeof(key), compare_known);
	if (known && known->damaged) {
		out->unreadable++;
		return 0;
	}
	if (due != DUE_FORGET) {
		ret = prune_mark(c, seq, b->prune->rule, err);
		if (ret == 0 && due == DUE)
			ret = drop_manifest(c, b, key.id, err);
		if (ret == 0)
			ret = prune_move_heads(c, b->heads, seq, err);
	}
	if (ret == 0)
		ret = catalog_state_hex(c, seq, hex, err);
	if (ret < 0)
		return ret;
	json = b->prune->forget ? pruned_json(c, seq, hex, err) :
		json_string(hex);
	if (json_array_append_new(b->states, json) < 0)
		return dsv_fail_nomem(err);
	if (b->prune->forget) {
		/* The record's file goes after the commit. */
		memcpy(b->forgotten[b->forgotten_count++], hex, HASH_HEX_SIZE);
		ret = prune_forget(c, seq, err);
	}
	if (ret == 0)
		out->states++;
	return ret;
}

static void remove_records(struct catalog *c, const struct batch *b)
{
	size_t i;

	for (i = 0; i < b->forgotten_count; i++) {
		char *path = record_path(c->dir, b->forgotten[i]);

		if (path)
			unlink(path);
		free(path);
	}
}

static int prune_batch(struct catalog *c, struct batch *b,
		       const int64_t *seqs, size_t count,
		       struct catalog_pruned *out, struct dsv_err *err)
{
	const struct catalog_prune *prune = b->prune;
	struct catalog_pruned done = { 0, 0, 0 };
	size_t i;
	int ret;

	ret = read_manifests(c, b, seqs, count, err);
	if (ret < 0)
		return ret;
	b->states = json_array();
	b->heads = json_array();
	b->forgotten = calloc(count, sizeof(*b->forgotten));
	if (!b->states || !b->heads || !b->forgotten)
		return dsv_fail_nomem(err);
	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	b->since_ns = prune->expire ? 0 : c->time_ns;
	for (i = 0; ret == 0 && i < count; i++)
		ret = prune_one(c, b, seqs[i], &done, err);
	if (ret == 0 && done.states > 0)
		ret = journal_op(c, json_pack("{s:s, s:O, s:O, s:s, s:s, s:b}",
					      "op", "prune", "states",
					      b->states, "heads", b->heads,
					      "rule", prune->rule, "author",
					      prune->author, "forget",
					      prune->forget), err);
	ret = catalog_end(c, ret, err);
	if (ret < 0)
		return ret;
	remove_records(c, b);
	out->states += done.states;
	out->skipped += done.skipped;
	out->unreadable += done.unreadable;
	return 0;
}

int catalog_prune(struct catalog *c, struct store *s,
		  const struct catalog_prune *prune,
		  struct catalog_pruned *out, struct dsv_err *err)
{
	size_t from, n;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	for (from = 0; ret == 0 && from < prune->count; from += n) {
		struct batch b = { .prune = prune, .store = s };

		n = prune->count - from;
		if (n > PRUNE_BATCH)
			n = PRUNE_BATCH;
		ret = prune_batch(c, &b, prune->seqs + from, n, out, err);
		batch_release(&b);
	}
	return ret;
}
