/* SPDX-License-Identifier: MIT */
/*
 * From the states down: manifests, recipes, chunks; and up again: what each
 * of them counts, and which states and files a defect concerns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/list.h"
#include "../catalog/internal.h"
#include "../catalog/uses.h"
#include "check_content.h"

int pass_run(struct pass *p, const char *sql,
	     const unsigned char hash[HASH_BYTES], int64_t id,
	     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(p->k->c), sql);

	query_hash(&q, ":hash", hash);
	query_int(&q, ":id", id);
	return query_run(&q, err);
}

int known_add_problem(struct known *r, size_t problem, struct dsv_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < r->problem_count; i++)
		if (r->problems[i] == problem)
			return 0;
	ret = list_grow((void **)&r->problems, r->problem_count,
			sizeof(problem), err);
	if (ret == 0)
		r->problems[r->problem_count++] = problem;
	return ret;
}

int pass_concerns(struct pass *p, size_t problem, const char *file,
		  struct dsv_err *err)
{
	return check_concerns_manifest(p->k, problem, p->manifest, file, err);
}

static int recipe_problem(struct pass *p, struct known *r,
			  const unsigned char hash[HASH_BYTES],
			  const char *why, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int ret;

	hash_to_hex(hash, hex);
	ret = check_problem(p->k, "recipe", hex, false, err, "%s", why);
	return ret < 0 ? ret : known_add_problem(r, p->k->count - 1, err);
}

static int check_recipe(struct pass *p, int64_t id,
			const unsigned char hash[HASH_BYTES],
			struct dsv_err *err)
{
	struct known *r = &p->known[id];
	struct recipe recipe = RECIPE_INIT;
	struct dsv_err why = { .msg = "" };
	struct recipe_chunk chunk;
	size_t problem = 0, at = 0;
	int ret;

	r->seen = true;
	r->size_bytes = -1;
	ret = check_chunk(p, hash, id, false, &problem, err);
	if (ret != 0)
		return ret < 0 ? ret : known_add_problem(r, problem, err);
	ret = store_read_recipe(p->k->s, hash, &recipe, &why);
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND)
		return recipe_problem(p, r, hash, why.msg, err);
	if (ret < 0)
		return dsv_fail_as(err, ret, &why);
	r->size_bytes = recipe.size_bytes;
	while (ret >= 0 && recipe_next_chunk(&recipe, &at, &chunk)) {
		ret = check_chunk(p, chunk.hash, id, false, &problem, err);
		if (ret > 0)
			ret = known_add_problem(r, problem, err);
		else if (ret == 0 && chunk.length > p->length_bytes)
			ret = recipe_problem(p, r, hash, "recipe: range"
					     " beyond the end of a chunk", err);
	}
	recipe_release(&recipe);
	return ret;
}

/* 1: the row of a file's recipe. */
static int recipe_row(struct pass *p, const struct manifest_entry *e,
		      int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(p->k->c),
		"SELECT id FROM recipe WHERE hash = :hash");

	query_hash(&q, ":hash", e->recipe);
	return query_one_int(&q, id, err);
}

static int check_entry(struct pass *p, const struct manifest_entry *e,
		       struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int64_t id = 0;
	struct known *r;
	size_t i;
	int ret = recipe_row(p, e, &id, err);

	if (ret < 0)
		return ret;
	if (ret == 0) {
		hash_to_hex(e->recipe, hex);
		ret = check_problem(p->k, "recipe", hex, false, err,
				    "the catalog does not know it");
		return ret < 0 ? ret : pass_concerns(p, p->k->count - 1,
						     e->path, err);
	}
	if (id < 0 || id >= p->limit)
		return 0;
	r = &p->known[id];
	ret = r->seen ? 0 : check_recipe(p, id, e->recipe, err);
	if (r->manifest != (int32_t)p->manifest) {
		r->manifest = (int32_t)p->manifest;
		r->uses++;
	}
	if (ret >= 0 && r->size_bytes >= 0 && r->size_bytes != e->size_bytes) {
		hash_to_hex(p->hash, hex);
		ret = check_problem(p->k, "manifest", hex, false, err, "a"
				    " recipe makes %" PRId64 " bytes, not"
				    " %" PRId64, r->size_bytes, e->size_bytes);
		if (ret == 0)
			ret = pass_concerns(p, p->k->count - 1, e->path, err);
	}
	for (i = 0; ret >= 0 && i < r->problem_count; i++)
		ret = pass_concerns(p, r->problems[i], e->path, err);
	return ret < 0 ? ret : 0;
}

static int check_count(struct pass *p, const char *what, const char *sql,
		       const unsigned char hash[HASH_BYTES], int64_t id,
		       int64_t is, int64_t should, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	struct query q;
	int ret;

	if (is == should)
		return 0;
	hash_to_hex(hash, hex);
	ret = check_problem(p->k, "count", hex, p->k->repair, err, "the %s"
			    " counts %" PRId64 " uses and has %" PRId64, what,
			    is, should);
	if (ret < 0 || !p->k->repair)
		return ret;
	q = db_query(catalog_db(p->k->c), sql);
	query_int(&q, ":refs", should);
	query_int(&q, ":id", id);
	return query_run(&q, err);
}

/* Lists what the manifest needs beside its own chunk. */
static int check_parts(struct pass *p, const struct manifest *files,
		       struct dsv_err *err)
{
	static const char note[] =
		"INSERT OR IGNORE INTO manifest_part (hash, manifest)"
		" VALUES (:hash, :id)";
	char hex[HASH_HEX_SIZE];
	size_t problem = 0, i;
	int64_t n;
	int ret = 0;

	for (i = 0; ret >= 0 && i < files->part_count; i++) {
		const unsigned char *part = files->parts[i].manifest;
		struct query q = db_query(catalog_db(p->k->c),
			"SELECT 1 FROM manifest_part WHERE hash = :hash"
			" AND manifest = :id");

		query_hash(&q, ":hash", part);
		query_int(&q, ":id", p->manifest);
		ret = query_one_int(&q, &n, err);
		hash_to_hex(part, hex);
		if (ret == 0)
			ret = check_problem(p->k, "link", hex, p->k->repair,
					    err, "the catalog does not know"
					    " that the part is needed");
		else if (ret > 0)
			ret = check_chunk(p, part, p->manifest, true, &problem,
					  err);
		if (ret > 0)
			ret = pass_concerns(p, problem, NULL, err);
		if (ret == 0 && p->k->repair)
			ret = pass_run(p, note, part, p->manifest, err);
	}
	return ret;
}

/* Compares what the states say of themselves. */
static int check_totals(struct pass *p, const struct manifest *m,
			struct dsv_err *err)
{
	size_t first = p->k->count;
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	int64_t files, size;
	struct query q;
	int ret;

	manifest_totals(m, &files, &size);
	q = db_query(catalog_db(p->k->c), "SELECT id, seq FROM state WHERE"
		     " manifest = :manifest AND pruned IS NULL"
		     " AND (files <> :files OR size <> :size)");
	query_int(&q, ":manifest", p->manifest);
	query_int(&q, ":files", files);
	query_int(&q, ":size", size);
	while ((ret = query_step(&q, err)) > 0) {
		query_get_hash(&q, 0, id);
		hash_to_hex(id, hex);
		ret = check_problem(p->k, "state", hex, p->k->repair, err,
				    "%" PRId64 " bytes in %" PRId64 " files,"
				    " which the catalog does not say", size,
				    files);
		if (ret == 0)
			ret = check_concerns(p->k, p->k->count - 1,
					     query_get_int(&q, 1), err);
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
	}
	if (ret == 0 && p->k->count > first && p->k->repair)
		ret = content_correct_totals(p->k->c, p->manifest, m, err);
	return ret;
}

static int check_manifest(struct pass *p, struct dsv_err *err)
{
	struct manifest files = MANIFEST_INIT;
	struct dsv_err why = { .msg = "" };
	char hex[HASH_HEX_SIZE];
	size_t problem = 0, problems, i;
	int ret;

	ret = check_count(p, "manifest", "UPDATE manifest SET refs = :refs"
			  " WHERE id = :id", p->hash, p->manifest, p->refs,
			  p->expected, err);
	if (ret == 0 && p->refs != p->expected)
		ret = pass_concerns(p, p->k->count - 1, NULL, err);
	if (ret < 0 || p->expected == 0)
		return ret;
	ret = check_chunk(p, p->hash, p->manifest, true, &problem, err);
	if (ret > 0) {
		p->unreadable = true;
		return pass_concerns(p, problem, NULL, err);
	}
	if (ret == 0)
		ret = store_read_manifest(p->k->s, p->hash, &files, &why);
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND) {
		p->unreadable = true;
		hash_to_hex(p->hash, hex);
		ret = check_problem(p->k, "manifest", hex, false, err, "%s",
				    why.msg);
		return ret < 0 ? ret : pass_concerns(p, p->k->count - 1,
						     NULL, err);
	}
	if (ret < 0 && why.msg[0])
		dsv_fail_as(err, ret, &why);
	if (ret == 0)
		ret = check_parts(p, &files, err);
	problems = p->k->count;
	for (i = 0; ret == 0 && i < files.count; i++)
		if (files.entries[i].type == DSV_FILE)
			ret = check_entry(p, &files.entries[i], err);
	/* Something that is wrong itself corrects nothing. */
	if (ret == 0 && p->k->count == problems)
		ret = check_totals(p, &files, err);
	manifest_release(&files);
	return ret;
}

/* 1: the next manifest after p->manifest. */
static int next_manifest(struct pass *p, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(p->k->c),
		"SELECT m.id, m.hash, m.refs, (SELECT count(*) FROM state s"
		" WHERE s.manifest = m.id AND s.pruned IS NULL) FROM manifest m"
		" WHERE m.id > :after ORDER BY m.id LIMIT 1");
	int ret;

	query_int(&q, ":after", p->manifest);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	p->manifest = query_get_int(&q, 0);
	query_get_hash(&q, 1, p->hash);
	p->refs = query_get_int(&q, 2);
	p->expected = query_get_int(&q, 3);
	query_end(&q);
	return 1;
}

static int next_recipe(struct pass *p, int64_t *id,
		       unsigned char hash[HASH_BYTES], int64_t *refs,
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(p->k->c),
		"SELECT id, hash, refs FROM recipe WHERE id > :after"
		" ORDER BY id LIMIT 1");
	int ret;

	query_int(&q, ":after", *id);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	*id = query_get_int(&q, 0);
	query_get_hash(&q, 1, hash);
	*refs = query_get_int(&q, 2);
	query_end(&q);
	return *id < p->limit;
}

/* Names the files whose recipes have the problems from first on. */
static int name_users_in(struct pass *p, const struct manifest *m,
			 size_t first, struct dsv_err *err)
{
	int64_t id = 0;
	size_t i, j;
	int ret = 0;

	for (i = 0; ret >= 0 && i < m->count; i++) {
		const struct manifest_entry *e = &m->entries[i];
		const struct known *r;

		if (e->type != DSV_FILE)
			continue;
		ret = recipe_row(p, e, &id, err);
		if (ret <= 0 || id < 0 || id >= p->limit)
			continue;
		r = &p->known[id];
		for (j = 0; ret >= 0 && j < r->problem_count; j++)
			if (r->problems[j] >= first)
				ret = pass_concerns(p, r->problems[j], e->path,
						    err);
	}
	return ret < 0 ? ret : 0;
}

static int name_users(struct pass *p, size_t first, struct dsv_err *err)
{
	struct manifest m = MANIFEST_INIT;
	int ret;

	p->manifest = 0;
	while ((ret = next_manifest(p, err)) > 0) {
		if (p->expected == 0)
			continue;
		ret = store_read_manifest(p->k->s, p->hash, &m, err);
		if (ret == 0)
			ret = name_users_in(p, &m, first, err);
		manifest_release(&m);
		if (ret < 0)
			break;
	}
	return ret;
}

static int count_recipes(struct pass *p, struct dsv_err *err)
{
	size_t first = p->k->count;
	unsigned char hash[HASH_BYTES];
	int64_t id = 0, refs;
	int ret;

	/* The chunks of an unreadable manifest are in use, and unknown. */
	if (p->unreadable)
		return 0;
	while ((ret = next_recipe(p, &id, hash, &refs, err)) > 0) {
		struct known *r = &p->known[id];

		ret = check_count(p, "recipe", "UPDATE recipe SET refs = :refs"
				  " WHERE id = :id", hash, id, refs, r->uses,
				  err);
		if (ret == 0 && refs != r->uses)
			ret = known_add_problem(r, p->k->count - 1, err);
		if (ret < 0)
			break;
	}
	return ret < 0 || p->k->count == first ? ret :
		name_users(p, first, err);
}

int check_content(struct check *k, struct dsv_err *err)
{
	struct pass p = { .k = k };
	struct query q;
	int64_t i;
	int ret;

	check_sort_bad(k);
	q = db_query(catalog_db(k->c),
		     "SELECT iif(coalesce(min(id), 1) < 1 OR"
		     " max(id) >= 1 << 32,"
		     " 0, coalesce(max(id), 0) + 1) FROM recipe");
	ret = query_one_int(&q, &p.limit, err);
	if (ret < 0)
		return ret;
	if (p.limit == 0)
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD, NULL,
				     "the recipes' rows have impossible"
				     " numbers");
	p.known = calloc((size_t)p.limit, sizeof(*p.known));
	if (!p.known)
		return dsv_fail_nomem(err);
	while ((ret = next_manifest(&p, err)) > 0) {
		ret = check_manifest(&p, err);
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			break;
	}
	if (ret == 0)
		ret = count_recipes(&p, err);
	for (i = 0; i < p.limit; i++)
		free(p.known[i].problems);
	free(p.known);
	return ret;
}
