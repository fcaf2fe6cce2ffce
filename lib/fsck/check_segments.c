/* SPDX-License-Identifier: MIT */
/*
 * Segments on disk against their rows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../catalog/internal.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../os/pool.h"
#include "../space/space.h"
#include "check.h"

#define HEAL "; tag the right bytes again to heal it"

enum { BATCH = 512 };

/* 1: the next segment after id. */
static int next_segment(struct check *k, int64_t after,
			struct check_segment *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT id, name, staged IS NOT NULL FROM segment"
		" WHERE id > :after ORDER BY id LIMIT 1");
	int ret;

	query_int(&q, ":after", after);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	out->id = query_get_int(&q, 0);
	snprintf(out->name, sizeof(out->name), "%s", query_get_text(&q, 1));
	out->staged = query_get_int(&q, 2);
	query_end(&q);
	return 1;
}

/* Nothing new is to rely on what lies beyond size_bytes. */
static int mark_bad_from(struct check *k, const struct check_segment *g,
			 int64_t size_bytes, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"UPDATE chunk SET status = " SQL_CHUNK_BAD ", since = NULL"
		" WHERE segment = :segment AND offset + stored > :size");

	query_int(&q, ":segment", g->id);
	query_int(&q, ":size", size_bytes);
	return query_run(&q, err);
}

static int add_bad_from(struct check *k, const struct check_segment *g,
			int64_t size_bytes, struct dsv_err *err)
{
	size_t problem = k->count - 1;
	size_t i;
	int ret = k->repair ? mark_bad_from(k, g, size_bytes, err) : 0;

	for (i = 0; ret == 0 && i < g->count; i++) {
		const struct chunk *chunk = &g->chunks[i];

		if (chunk->offset + chunk->stored_length > size_bytes)
			ret = check_add_bad(k, chunk->hash, problem, err);
	}
	return ret;
}

static int check_file(struct check *k, struct check_segment *g,
		      const char *path, struct dsv_err *err)
{
	int64_t end = 0;
	struct stat st;
	int ret;

	ret = check_load_chunks(k, g, err);
	if (ret < 0 || g->count == 0)
		return ret;
	end = g->chunks[g->count - 1].offset +
		g->chunks[g->count - 1].stored_length;
	/* This host may remember a size that is too small. */
	if (k->alone)
		fs_links(path);
	if (lstat(path, &st) < 0 && errno != ENOENT)
		return dsv_fail_errno(err, "'%s'", path);
	if (lstat(path, &st) < 0) {
		ret = check_problem(k, "segment", g->name, false, err,
				    "the segment is missing%s",
				    k->repair ? HEAL : "");
		return ret < 0 ? ret : add_bad_from(k, g, 0, err);
	}
	if (!S_ISREG(st.st_mode) || st.st_size < end) {
		int64_t size = S_ISREG(st.st_mode) ? st.st_size : 0;

		ret = check_problem(k, "segment", g->name, false, err,
				    "the segment has %" PRId64 " bytes of"
				    " %" PRId64 "%s", size, end,
				    k->repair ? HEAL : "");
		return ret < 0 ? ret : add_bad_from(k, g, size, err);
	}
	return check_mode(k, path, g->name, true, err);
}

static int check_segment(struct check *k, struct check_segment *g,
			 struct dsv_err *err)
{
	char *path = segment_path(k->c->dir, g->name, "");
	size_t problems = k->count;
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = check_file(k, g, path, err);
	free(path);
	if (ret < 0 || g->staged || k->count > problems)
		return ret;
	ret = check_index(k, g, err);
	path = ret == 0 ? segment_path(k->c->dir, g->name, ".idx") : NULL;
	if (path)
		ret = check_mode(k, path, g->name, true, err);
	free(path);
	return ret;
}

static int check_orphan(void *arg, const char *name, struct dsv_err *err)
{
	struct check *k = arg;
	int64_t n, bytes, mtime_ns;
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM segment WHERE name = :name UNION ALL"
		" SELECT 1 FROM freeing WHERE segment = :name");
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, &n, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = segment_stat(k->s, name, &bytes, &mtime_ns, NULL);
	if (ret == DSV_ENOTFOUND)
		return check_problem(k, "orphan", name, false, err,
				     "an index without a segment");
	/* It may be that of a tag that goes on. */
	if (ret < 0 || mtime_ns > now_ns() - LEFTOVER_AGE_NS)
		return 0;
	ret = check_problem(k, "orphan", name, false, err, "a segment that"
			    " the catalog does not know (%" PRId64 " bytes)",
			    bytes);
	if (ret == 0)
		check_hint(k, DSV_HINT_REMOVE_ORPHAN);
	return ret;
}

int check_segments(struct check *k, struct dsv_err *err)
{
	struct check_segment g = { .id = 0 };
	int ret;

	while ((ret = next_segment(k, g.id, &g, err)) > 0) {
		ret = check_segment(k, &g, err);
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			break;
	}
	free(g.chunks);
	if (ret == 0)
		ret = segment_each(k->s, check_orphan, k, err);
	return ret;
}

/* ---- Data ------------------------------------------------------------ */

struct verify {
	struct check *k;
	struct chunk chunk;
	int ret;
	struct dsv_err err;
};

static int verify_chunk(void *arg, bool cancelled, struct dsv_err *err)
{
	struct verify *v = arg;

	(void)err;
	if (!cancelled)
		v->ret = segment_verify(v->k->s, &v->chunk, &v->err);
	return 0;
}

/* Its row may have gone, and its bytes with it, while they were read. */
static int is_same_row(struct check *k, const struct chunk *chunk,
		       struct dsv_err *err)
{
	struct chunk now;
	int ret = catalog_chunk_lookup(k->c, chunk->hash, &now, err);

	return ret <= 0 ? ret : !strcmp(now.segment, chunk->segment) &&
		now.offset == chunk->offset;
}

static int mark_bad(struct check *k, const struct chunk *chunk,
		    struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"UPDATE chunk SET status = " SQL_CHUNK_BAD ", since = NULL"
		" WHERE hash = :hash AND offset = :offset");

	query_hash(&q, ":hash", chunk->hash);
	query_int(&q, ":offset", chunk->offset);
	return query_run(&q, err);
}

static int suspect(struct check *k, const struct chunk *chunk,
		   struct dsv_err *err)
{
	int ret = list_grow((void **)&k->suspects, k->suspect_count,
			    sizeof(*chunk), err);

	if (ret == 0)
		k->suspects[k->suspect_count++] = *chunk;
	return ret;
}

static int judge(struct check *k, struct verify *v, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int ret;

	if (v->ret == 0) {
		k->data_bytes += v->chunk.stored_length;
		return 0;
	}
	if (v->ret != DSV_ECORRUPT && v->ret != DSV_ENOTFOUND)
		return dsv_fail_as(err, v->ret, &v->err);
	ret = is_same_row(k, &v->chunk, err);
	if (ret <= 0 || check_find_bad(k, v->chunk.hash))
		return ret < 0 ? ret : 0;
	hash_to_hex(v->chunk.hash, hex);
	/* Kept where it is, but nothing new will rely on it. */
	if (k->repair)
		ret = mark_bad(k, &v->chunk, err);
	else if (!k->alone)
		ret = suspect(k, &v->chunk, err);
	if (ret >= 0)
		ret = check_problem(k, "chunk", hex, false, err, "%s%s",
				    v->err.msg, k->repair ? HEAL : "");
	return ret < 0 ? ret : check_add_bad(k, v->chunk.hash, k->count - 1,
					     err);
}

static int verify_batch(struct check *k, struct verify *list, size_t count,
			struct dsv_err *err)
{
	struct pool *pool;
	size_t i;
	int ret, ret2;

	ret = pool_new(pool_processors(8), &pool, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < count; i++)
		ret = pool_submit(pool, verify_chunk, &list[i], err);
	ret2 = pool_wait(pool, ret == 0 ? err : NULL);
	pool_close(pool);
	if (ret == 0)
		ret = ret2;
	for (i = 0; ret == 0 && i < count; i++)
		ret = judge(k, &list[i], err);
	if (k->progress)
		k->progress(k->progress_arg, k->data_bytes, 0);
	return ret;
}

static bool is_sampled(const struct check *k)
{
	uint32_t noise = 0;

	if (k->data_percent >= 100)
		return true;
	random_bytes(&noise, sizeof(noise));
	return noise < k->data_percent / 100 * 4294967296.0;
}

static int check_segment_data(struct check *k, struct check_segment *g,
			      struct verify *list, struct dsv_err *err)
{
	size_t i, n = 0;
	int ret;

	ret = check_load_chunks(k, g, err);
	for (i = 0; ret == 0 && i <= g->count; i++) {
		if (n == BATCH || (i == g->count && n > 0)) {
			ret = verify_batch(k, list, n, err);
			n = 0;
			if (ret == 0)
				ret = store_poll(k->s, err);
		}
		if (ret < 0 || i == g->count || !is_sampled(k))
			continue;
		list[n] = (struct verify){ .k = k, .chunk = g->chunks[i] };
		n++;
	}
	return ret;
}

/* Alone one does not stay while all bytes are read. */
static int check_suspects(struct check *k, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < k->suspect_count; i++) {
		struct verify v = { .k = k, .chunk = k->suspects[i] };

		verify_chunk(&v, false, NULL);
		ret = judge(k, &v, err);
	}
	return ret;
}

int check_data(struct check *k, struct dsv_err *err)
{
	struct check_segment g = { .id = 0 };
	struct verify *list;
	int ret;

	if (k->data_percent <= 0)
		return 0;
	if (k->alone)
		return check_suspects(k, err);
	list = calloc(BATCH, sizeof(*list));
	if (!list)
		return dsv_fail_nomem(err);
	while ((ret = next_segment(k, g.id, &g, err)) > 0) {
		ret = check_segment_data(k, &g, list, err);
		if (ret < 0)
			break;
	}
	free(g.chunks);
	free(list);
	return ret;
}

int check_marked(struct check *k, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err)
{
	struct chunk chunk;
	struct query q;
	int ret;

	ret = catalog_chunk_marked(k->c, hash, &chunk, err);
	if (ret > 0)
		ret = segment_verify(k->s, &chunk, err) == 0;
	if (ret <= 0 || !k->repair)
		return ret;
	q = db_query(catalog_db(k->c),
		     "UPDATE chunk SET status = " SQL_CHUNK_OK
		     " WHERE hash = :hash");
	query_hash(&q, ":hash", hash);
	ret = query_run(&q, err);
	return ret < 0 ? ret : 1;
}
