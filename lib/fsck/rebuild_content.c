/* SPDX-License-Identifier: MIT */
/*
 * Chunks from the indexes of segments, and what of them is in use.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../catalog/uses.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../space/space.h"
#include "rebuild.h"

struct names {
	size_t count;
	char (*items)[SEGMENT_NAME_SIZE];
};

static int collect(void *arg, const char *name, struct dsv_err *err)
{
	struct names *names = arg;
	int ret = list_grow((void **)&names->items, names->count,
			    sizeof(*names->items), err);

	if (ret == 0)
		memcpy(names->items[names->count++], name, SEGMENT_NAME_SIZE);
	return ret;
}

static int compare_names(const void *a, const void *b)
{
	return memcmp(a, b, SEGMENT_NAME_SIZE);
}

/* The first of two that hold a chunk stays, unless its bytes are wrong. */
static int add_chunk(struct check *k, int64_t segment,
		     const struct chunk *chunk, struct dsv_err *err)
{
	struct chunk old;
	struct query q;
	int ret;

	ret = catalog_chunk_lookup(k->c, chunk->hash, &old, err);
	if (ret < 0 || (ret > 0 && segment_verify(k->s, &old, NULL) == 0))
		return ret < 0 ? ret : 0;
	q = db_query(catalog_db(k->c),
		     "INSERT OR REPLACE INTO chunk (hash, segment, offset,"
		     " length, stored, encoding, crc, status, since) VALUES"
		     " (:hash, :segment, :offset, :length, :stored, :encoding,"
		     " :crc, " SQL_CHUNK_CONDEMNED ", :since)");
	query_hash(&q, ":hash", chunk->hash);
	query_int(&q, ":segment", segment);
	query_int(&q, ":offset", chunk->offset);
	query_int(&q, ":length", chunk->length);
	query_int(&q, ":stored", chunk->stored_length);
	query_int(&q, ":encoding", chunk->encoding);
	query_int(&q, ":crc", chunk->crc32c);
	query_int(&q, ":since", k->c->time_ns);
	return query_run(&q, err);
}

/*
 * The sweep removes segments that no row knows: one whose index is damaged
 * goes to quarantine, where its bytes stay, unless a tag may be writing it.
 */
static int set_aside(struct check *k, const char *name, const char *why,
		     struct dsv_err *err)
{
	char *path = segment_path(k->c->dir, name, "");
	int64_t bytes, mtime_ns = 0;
	int ret = path ? 0 : dsv_fail_nomem(err);

	if (ret == 0 && (segment_stat(k->s, name, &bytes, &mtime_ns, NULL) < 0
			 || mtime_ns > k->c->time_ns - LEFTOVER_AGE_NS)) {
		free(path);
		return 0;
	}
	if (ret == 0)
		ret = check_quarantine(k, path, err);
	if (ret == 0)
		ret = check_problem(k, "index", name, false, err, "%s; the"
				    " segment is in quarantine", why);
	free(path);
	return ret;
}

static int add_segment(struct check *k, const char *name, struct dsv_err *err)
{
	struct segment_index index = { .count = 0 };
	struct dsv_err why = { .msg = "" };
	int64_t id = 0;
	struct query q;
	size_t i;
	int ret;

	ret = segment_index_read(k->s, name, &index, &why);
	if (ret == DSV_ENOTFOUND || ret == DSV_ECORRUPT)
		return set_aside(k, name, why.msg, err);
	if (ret < 0)
		return dsv_fail_as(err, ret, &why);
	q = db_query(catalog_db(k->c), "INSERT INTO segment (name, kind) VALUES"
		     " (:name, :kind) RETURNING id");
	query_text(&q, ":name", name);
	query_int(&q, ":kind", index.kind);
	ret = query_one_int(&q, &id, err);
	for (i = 0; ret >= 0 && i < index.count; i++)
		ret = add_chunk(k, id, &index.chunks[i], err);
	segment_index_release(&index);
	return ret < 0 ? ret : 0;
}

int rebuild_segments(struct check *k, struct dsv_err *err)
{
	struct names names = { 0, NULL };
	size_t i;
	int ret;

	k->c->time_ns = now_ns();
	ret = segment_each(k->s, collect, &names, err);
	if (ret == 0 && names.count > 0)
		qsort(names.items, names.count, sizeof(*names.items),
		      compare_names);
	for (i = 0; ret == 0 && i < names.count; i++) {
		/* With its index, a segment may be met twice. */
		if (i > 0 && !compare_names(names.items[i - 1],
					    names.items[i]))
			continue;
		ret = add_segment(k, names.items[i], err);
	}
	free(names.items);
	return ret;
}

/* ---- What is in use -------------------------------------------------- */

/* Recipes that are in use already need not be read. */
static int read_recipe(struct check *k, struct ingest_recipe *out,
		       struct dsv_err *err)
{
	int64_t n;
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM recipe WHERE hash = :hash AND refs > 0");
	int ret;

	query_hash(&q, ":hash", out->hash);
	ret = query_one_int(&q, &n, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = store_list_chunks(k->s, out, err);
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND)
		return 0;	/* the check afterwards tells */
	return ret;
}

static int use_files(struct check *k, const unsigned char hash[HASH_BYTES],
		     const struct manifest *files, struct dsv_err *err)
{
	struct ingest_result known = { .recipe_count = 0 };
	unsigned char (*hashes)[HASH_BYTES] = NULL;
	size_t count = 0, i;
	int64_t id;
	int ret;

	ret = manifest_recipes(files, &hashes, &count, err);
	if (ret == 0)
		known.recipes = calloc(count + 1, sizeof(*known.recipes));
	if (ret == 0 && !known.recipes)
		ret = dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < count; i++) {
		memcpy(known.recipes[i].hash, hashes[i], HASH_BYTES);
		known.recipe_count++;
		ret = read_recipe(k, &known.recipes[i], err);
	}
	if (ret == 0)
		ret = content_use(k->c, hash, files, &known, &id, err);
	for (i = 0; i < known.recipe_count; i++)
		free(known.recipes[i].chunks);
	free(known.recipes);
	free(hashes);
	return ret;
}

static int use_manifest(struct check *k, int64_t id,
			const unsigned char hash[HASH_BYTES], int64_t refs,
			struct dsv_err *err)
{
	struct manifest files = MANIFEST_INIT;
	struct query q;
	int ret;

	ret = store_read_manifest(k->s, hash, &files, err);
	if (ret == 0)
		ret = use_files(k, hash, &files, err);
	if (ret == 0)
		ret = content_correct_totals(k->c, id, &files, err);
	manifest_release(&files);
	/* The check afterwards tells what is wrong with it. */
	if (ret < 0 && ret != DSV_ECORRUPT && ret != DSV_ENOTFOUND)
		return ret;
	q = db_query(catalog_db(k->c), "UPDATE manifest SET refs = :refs"
		     " WHERE id = :id");
	query_int(&q, ":refs", refs);
	query_int(&q, ":id", id);
	return query_run(&q, err);
}

int rebuild_content(struct check *k, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t id = 0, refs;
	int ret;

	for (;;) {
		struct query q = db_query(catalog_db(k->c),
			"SELECT m.id, m.hash, (SELECT count(*) FROM state s"
			" WHERE s.manifest = m.id AND s.pruned IS NULL) AS n"
			" FROM manifest m WHERE m.id > :after AND n > 0"
			" ORDER BY m.id LIMIT 1");

		query_int(&q, ":after", id);
		ret = query_step(&q, err);
		if (ret <= 0)
			break;
		id = query_get_int(&q, 0);
		query_get_hash(&q, 1, hash);
		refs = query_get_int(&q, 2);
		query_end(&q);
		ret = use_manifest(k, id, hash, refs, err);
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			return ret;
	}
	return ret < 0 ? ret :
		db_exec(catalog_db(k->c), "UPDATE state"
			" SET files = max(files, 0), size = max(size, 0)"
			" WHERE files < 0 OR size < 0", err);
}

/* ---- What is not to be relied on -------------------------------------- */

/* Returns whether a row's bytes are wrong, missing or unreadable. */
static int is_wrong(struct check *k, const unsigned char hash[HASH_BYTES],
		    struct dsv_err *err)
{
	struct chunk chunk;
	int ret = catalog_chunk_lookup(k->c, hash, &chunk, err);

	return ret <= 0 ? ret : segment_verify(k->s, &chunk, NULL) < 0;
}

/* Run sql on those chunks that are wrong, of those that list has in from. */
static int for_wrong(struct check *k, struct catalog *from, const char *list,
		     const char *sql, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES] = { 0 };
	int ret;

	for (;;) {
		struct query q = db_query(catalog_db(from), list);

		query_hash(&q, ":after", hash);
		ret = query_step(&q, err);
		/* An old catalog may be damaged. */
		if (ret <= 0)
			return from == k->c ? ret : 0;
		query_get_hash(&q, 0, hash);
		query_end(&q);
		ret = is_wrong(k, hash, err);
		if (ret > 0) {
			q = db_query(catalog_db(k->c), sql);
			query_hash(&q, ":hash", hash);
			ret = query_run(&q, err);
		}
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			return ret;
	}
}

/*
 * An index that is old names what was freed, and none says which bytes were
 * found bad.  So what no state needs, which is not much, is looked at.
 */
int rebuild_doubtful(struct check *k, struct catalog *old, struct dsv_err *err)
{
	int ret = for_wrong(k, k->c, "SELECT hash FROM chunk"
			    " WHERE status = " SQL_CHUNK_CONDEMNED
			    " AND hash > :after ORDER BY hash LIMIT 1",
			    "DELETE FROM chunk WHERE hash = :hash", err);

	if (ret < 0 || !old)
		return ret;
	return for_wrong(k, old, "SELECT hash FROM chunk"
			 " WHERE status = " SQL_CHUNK_BAD
			 " AND hash > :after AND length(hash) = 32"
			 " ORDER BY hash LIMIT 1",
			 "UPDATE chunk SET status = " SQL_CHUNK_BAD ","
			 " since = NULL"
			 " WHERE hash = :hash", err);
}
