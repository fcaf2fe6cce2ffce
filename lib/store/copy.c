/* SPDX-License-Identifier: MIT */
/* This writes the file of a recipe. */
#include "copying.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/list.h"
#include "../os/fs.h"

#define TRIES 3
#define ALONE_BYTES (4 << 20)	/* less is not worth threads */

int copying_add_span(struct copying *c, const struct span *span,
		     struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&c->spans, c->span_count, sizeof(*span), err);
	if (ret == 0)
		c->spans[c->span_count++] = *span;
	return ret;
}

static int find_chunk(struct copying *c, struct stretch *stretch,
		      struct dsv_err *err)
{
	const struct recipe_piece *piece = &stretch->piece;
	int ret = chunk_find(c->s, piece->chunk, &stretch->row, err);

	if (ret == 0 && (piece->length > stretch->row.length ||
			 piece->chunk_offset >
			 stretch->row.length - piece->length))
		ret = dsv_fail(err, DSV_ECORRUPT,
			       "recipe: range beyond the end of a chunk");
	return ret;
}

static int prepare(struct copying *c, struct dsv_err *err)
{
	struct stretch stretch = { .piece = { .start = 0 } };
	int64_t offset = 0;
	int ret = 0;

	while (ret == 0 && recipe_at(c->r, offset, &stretch.piece)) {
		offset += stretch.piece.length;
		if (stretch.piece.chunk)
			ret = find_chunk(c, &stretch, err);
		if (ret == 0)
			ret = list_grow((void **)&c->stretches, c->count,
					sizeof(stretch), err);
		if (ret == 0)
			c->stretches[c->count++] = stretch;
	}
	return ret;
}

static void release(struct copying *c)
{
	free(c->stretches);
	free(c->spans);
}

/* ---- Spans ------------------------------------------------------------- */

struct span_copy {
	const struct copying *c;
	const struct span *span;
};

/*
 * Writes the part of the block that belongs to the span, at once, while it is
 * in the processor's cache.  Whether it was right is known only at the end of
 * the chunk; wrong bytes in fd come with an error.
 */
static int write_block(void *arg, const char *data, size_t len, int64_t offset,
		       struct dsv_err *err)
{
	const struct span_copy *w = arg;
	const struct span *span = w->span;
	const struct recipe_piece *piece =
		&w->c->stretches[span->stretch].piece;
	int64_t first = piece->chunk_offset + span->skip;
	int64_t from = offset > first ? offset : first;
	int64_t to = offset + (int64_t)len;

	if (to > first + span->length)
		to = first + span->length;
	if (span->only_verify || from >= to)
		return 0;
	if (pwrite_all(w->c->fd, data + (from - offset), (size_t)(to - from),
		       piece->start + span->skip + (from - first)) < 0)
		return dsv_fail_errno(err, "write");
	return 0;
}

static int copy_span(struct copying *c, const struct span *span,
		     struct dsv_err *err)
{
	struct span_copy w = { c, span };
	struct chunk row = c->stretches[span->stretch].row;
	int ret;

	ret = chunk_pass(c->s, &row, write_block, &w, err);
	store_count(c->s, span->length);
	return ret;
}

struct job {
	struct copying *c;
	size_t span;
};

static int run_job(void *arg, bool cancelled, struct dsv_err *err)
{
	struct job *job = arg;
	int ret = 0;

	if (!cancelled)
		ret = copy_span(job->c, &job->c->spans[job->span], err);
	free(job);
	return ret;
}

static int submit(struct copying *c, struct pool *pool, size_t span,
		  struct dsv_err *err)
{
	struct job *job = malloc(sizeof(*job));
	int ret;

	if (!job)
		return dsv_fail_nomem(err);
	*job = (struct job){ c, span };
	ret = pool_submit(pool, run_job, job, err);
	if (ret < 0)
		free(job);
	return ret;
}

static int64_t bytes_to_copy(const struct copying *c)
{
	int64_t bytes = 0;
	size_t i;

	for (i = 0; i < c->span_count; i++)
		bytes += c->spans[i].length;
	return bytes;
}

static int copy_spans(struct copying *c, struct dsv_err *err)
{
	struct pool *pool = NULL;
	struct dsv_err job_err;
	size_t i;
	int ret = 0;
	int job_ret = 0;

	if (c->span_count > 1 && bytes_to_copy(c) > ALONE_BYTES)
		ret = pool_new(c->s->threads, &pool, err);
	for (i = 0; ret == 0 && i < c->span_count; i++) {
		ret = store_poll(c->s, err);
		if (ret == 0 && pool)
			ret = submit(c, pool, i, err);
		else if (ret == 0)
			ret = copy_span(c, &c->spans[i], err);
		store_tell(c->s);
	}
	if (pool)
		job_ret = pool_wait(pool, &job_err);
	pool_close(pool);
	if (ret == 0 && job_ret < 0) {
		if (err)
			*err = job_err;
		ret = job_ret;
	}
	store_tell(c->s);
	return ret;
}

static int list_all(struct copying *c, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < c->count; i++) {
		const struct recipe_piece *piece = &c->stretches[i].piece;
		struct span span = { i, 0, piece->length, false };

		if (piece->chunk)
			ret = copying_add_span(c, &span, err);
	}
	return ret;
}

/* ---- The whole --------------------------------------------------------- */

/* Returns 1 if all rows are unchanged, 0 if some are not. */
static int recheck(const struct copying *c, struct dsv_err *err)
{
	struct chunk now;
	size_t i;
	int ret;

	for (i = 0; i < c->count; i++) {
		const struct stretch *stretch = &c->stretches[i];

		if (!stretch->piece.chunk)
			continue;
		memset(&now, 0, sizeof(now));
		ret = store_lookup_now(c->s, stretch->piece.chunk, &now, err);
		if (ret < 0)
			return ret;
		if (ret == 0 || !chunk_is_same(&now, &stretch->row))
			return 0;
	}
	return 1;
}

/*
 * Makes fd a hole of the file's size.  It is truncated only if it has any data:
 * ext4 takes a truncation to zero for a rewrite that has to be safe, and writes
 * the whole file out when it is closed (auto_da_alloc, ext4(5)).
 */
int copying_reset(struct copying *c, struct dsv_err *err)
{
	struct stat st;

	if (fstat(c->fd, &st) < 0 ||
	    (st.st_blocks > 0 && ftruncate(c->fd, 0) < 0) ||
	    ftruncate(c->fd, c->r->size_bytes) < 0)
		return dsv_fail_errno(err, "truncate");
	return 0;
}

/* Returns 1 when done, 0 if chunks moved during the copy. */
static int copy_once(struct copying *c, enum dsv_link link,
		     struct dsv_err *err)
{
	int ret;

	ret = copying_reset(c, err);
	if (ret == 0)
		ret = prepare(c, err);
	if (ret < 0)
		return ret;
	if (link != DSV_LINK_COPY)
		ret = copying_clone(c, err);
	if (ret == 0)
		ret = list_all(c, err);
	if (ret >= 0)
		ret = copy_spans(c, err);
	if (ret < 0)
		return ret;
	/* The bytes that were copied have been verified by their hash. */
	return c->cloned ? recheck(c, err) : 1;
}

int store_copy_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, int fd, enum dsv_link link, bool verify,
		    struct store_copy *out, struct dsv_err *err)
{
	struct recipe r = RECIPE_INIT;
	int tries;
	int ret;

	ret = store_read_file(s, recipe, size_bytes, &r, err);
	for (tries = 0; ret == 0 && tries < TRIES; tries++) {
		struct copying c = { .s = s, .r = &r, .fd = fd,
				     .verify = verify,
				     .must_clone = link == DSV_LINK_REFLINK };

		ret = copy_once(&c, link, err);
		if (ret > 0) {
			out->reflinked = c.cloned;
			out->bytes = r.size_bytes;
		}
		release(&c);
	}
	recipe_release(&r);
	if (ret == 0)
		return dsv_fail(err, DSV_ECORRUPT,
				"the bytes are being freed");
	return ret < 0 ? ret : 0;
}
