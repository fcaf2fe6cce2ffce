/* SPDX-License-Identifier: MIT */
/* With reflinks, the file shares the blocks of the segments. */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../os/fs.h"

#define TOO_SMALL_BYTES 4096	/* for an ioctl: copied */

/*
 * A run is stretches that are neighbours both in one segment and in the file.
 */
struct run {
	size_t first;
	size_t count;
	int64_t start;		/* in the file */
	int64_t source;		/* in the segment */
	int64_t length;
};

static int64_t source_of(const struct stretch *stretch)
{
	return stretch->row.offset + stretch->piece.chunk_offset;
}

/* Returns whether its bytes are in the segment as they are in the file. */
static bool can_clone(const struct stretch *stretch)
{
	return stretch->piece.chunk && codec_is_raw(&stretch->row) &&
	       chunk_is_sane(&stretch->row, INT64_MAX);
}

static struct run next_run(const struct copying *c, size_t number)
{
	const struct stretch *first = &c->stretches[number];
	struct run run = { number, 1, first->piece.start, source_of(first),
			   first->piece.length };
	const struct stretch *next;
	size_t i;

	for (i = number + 1; i < c->count; i++, run.count++) {
		next = &c->stretches[i];
		if (!can_clone(next) ||
		    strcmp(next->row.segment, first->row.segment) ||
		    source_of(next) != run.source + run.length)
			break;
		run.length += next->piece.length;
	}
	return run;
}

/*
 * Returns 1 if it was cloned, 0 if the file systems cannot do it, < 0 if they
 * can and failed.  File systems differ in which errno means "cannot".
 */
static int clone_result(const struct copying *c, int got, struct dsv_err *err)
{
	if (got == 0)
		return 1;
	if (c->must_clone || errno == ENOSPC || errno == EDQUOT ||
	    errno == EIO)
		return dsv_fail_errno(err, "reflink");
	return 0;
}

static int add_span(struct copying *c, size_t stretch, int64_t skip,
		    int64_t length, bool only_verify, struct dsv_err *err)
{
	struct span span = { stretch, skip, length, only_verify };

	return length > 0 ? copying_add_span(c, &span, err) : 0;
}

/*
 * Adds spans for the parts of the run that lie outside [from, to) of the file.
 */
static int list_rest(struct copying *c, const struct run *run, int64_t from,
		     int64_t to, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = run->first; ret == 0 && i < run->first + run->count; i++) {
		int64_t start = c->stretches[i].piece.start;
		int64_t end = start + c->stretches[i].piece.length;
		int64_t head = from < end ? from : end;
		int64_t tail = to > start ? to : start;

		ret = add_span(c, i, 0, head - start, false, err);
		if (ret == 0 && tail >= head)
			ret = add_span(c, i, tail - start, end - tail, false,
				       err);
		if (ret == 0 && c->verify)
			ret = add_span(c, i, 0, end - start, true, err);
	}
	return ret;
}

static int clone_range(struct copying *c, const struct run *run, int64_t from,
		       int64_t to, struct dsv_err *err)
{
	struct file_clone_range range = {
		.src_offset = (uint64_t)(run->source + (from - run->start)),
		.src_length = (uint64_t)(to - from),
		.dest_offset = (uint64_t)from,
	};
	const char *segment = c->stretches[run->first].row.segment;
	struct open_segment *o;
	int ret;

	ret = segment_get(c->s, segment, &o, err);
	if (ret < 0)
		return ret;
	if (run->length > o->size_bytes - run->source) {
		ret = dsv_fail(err, DSV_ECORRUPT, "segment %.12s is too short",
			       segment);
	} else {
		range.src_fd = o->fd;
		ret = clone_result(c, ioctl(c->fd, FICLONERANGE, &range), err);
	}
	segment_put(c->s, o);
	return ret;
}

/*
 * Clones the blocks that are aligned alike in both; returns 0 if the file
 * system cannot do it.
 */
static int clone_run(struct copying *c, const struct run *run, int64_t block,
		     struct dsv_err *err)
{
	int64_t end = run->start + run->length;
	int64_t from = (run->start + block - 1) / block * block;
	int64_t to = end / block * block;
	int ret;

	if (!can_clone(&c->stretches[run->first]) ||
	    (run->start - run->source) % block != 0 ||
	    to - from < TOO_SMALL_BYTES)
		from = to = end;
	if (from < to) {
		ret = clone_range(c, run, from, to, err);
		if (ret <= 0)
			return ret;
		c->cloned = true;
	}
	ret = list_rest(c, run, from, to, err);
	return ret < 0 ? ret : 1;
}

static int clone_runs(struct copying *c, int64_t block, struct dsv_err *err)
{
	struct run run;
	size_t i;
	int ret = 1;

	for (i = 0; ret > 0 && i < c->count; i += run.count) {
		run.count = 1;
		if (!c->stretches[i].piece.chunk)
			continue;
		run = next_run(c, i);
		ret = clone_run(c, &run, block, err);
	}
	return ret;
}

/* Returns the segment of the first chunk, or NULL if everything is zeros. */
static const char *any_segment(const struct copying *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (c->stretches[i].piece.chunk)
			return c->stretches[i].row.segment;
	}
	return NULL;
}

/*
 * Returns whether everything is in one segment, at the same place as in the
 * file.
 */
static bool is_mirrored(const struct copying *c)
{
	const char *segment = any_segment(c);
	size_t i;

	for (i = 0; i < c->count; i++) {
		const struct stretch *stretch = &c->stretches[i];

		if (stretch->piece.chunk &&
		    (!can_clone(stretch) ||
		     source_of(stretch) != stretch->piece.start ||
		     strcmp(segment, stretch->row.segment)))
			return false;
	}
	return segment;
}

/*
 * Punches holes where the recipe has zeros: the segment may hold other files'
 * chunks there.
 */
static int punch_zeros(const struct copying *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		const struct recipe_piece *piece = &c->stretches[i].piece;

		if (!piece->chunk &&
		    fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      piece->start, piece->length) < 0)
			return -1;
	}
	return 0;
}

static int clone_whole(struct copying *c, struct dsv_err *err)
{
	struct open_segment *o;
	size_t i;
	int ret;

	ret = segment_get(c->s, any_segment(c), &o, err);
	if (ret < 0)
		return ret;
	ret = 0;
	if (o->size_bytes == c->r->size_bytes)
		ret = clone_result(c, fs_clone(o->fd, c->fd), err);
	segment_put(c->s, o);
	if (ret <= 0)
		return ret;
	if (punch_zeros(c) < 0)
		return copying_reset(c, err);
	c->cloned = true;
	ret = 0;
	for (i = 0; ret == 0 && c->verify && i < c->count; i++) {
		if (c->stretches[i].piece.chunk)
			ret = add_span(c, i, 0, c->stretches[i].piece.length,
				       true, err);
	}
	return ret < 0 ? ret : 1;
}

int copying_clone(struct copying *c, struct dsv_err *err)
{
	struct stat st;
	int ret = 0;

	if (fstat(c->fd, &st) < 0)
		return dsv_fail_errno(err, "stat");
	if (is_mirrored(c))
		ret = clone_whole(c, err);
	if (ret == 0)
		ret = clone_runs(c, st.st_blksize > 0 ? st.st_blksize : 4096,
				 err);
	if (ret != 0)
		return ret;
	c->span_count = 0;
	c->cloned = false;
	return copying_reset(c, err);
}
