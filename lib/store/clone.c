/* SPDX-License-Identifier: MIT */
/* Reflinks: the file shares the blocks of the segments. */
#include "copying.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOO_SMALL_BYTES 4096	/* to be worth an ioctl: copied */

/* Items that are neighbours in one segment as they are in the file. */
struct run {
	size_t first;
	size_t count;
	int64_t start;		/* in the file */
	int64_t source;		/* in the segment */
	int64_t length;
};

static int64_t source_of(const struct copying *c, size_t i)
{
	return c->rows[i].offset + c->r->items[i].chunk_offset;
}

static bool item_is_sane(const struct copying *c, size_t i)
{
	const struct recipe_item *item = &c->r->items[i];
	const struct chunk *row = &c->rows[i];

	return row->encoding == CHUNK_RAW && chunk_is_sane(row, INT64_MAX) &&
	       item->chunk_offset + item->length <= row->length;
}

static struct run next_run(const struct copying *c, size_t first)
{
	const struct recipe *r = c->r;
	struct run run = { first, 1, c->start[first], source_of(c, first),
			   r->items[first].length };
	size_t i;

	for (i = first + 1; i < r->count; i++, run.count++) {
		if (r->items[i].op != RECIPE_RANGE || !item_is_sane(c, i) ||
		    strcmp(c->rows[i].segment, c->rows[first].segment) ||
		    source_of(c, i) != run.source + run.length)
			break;
		run.length += r->items[i].length;
	}
	return run;
}

/*
 * 1: cloned; 0: the file systems cannot; < 0: they can and failed.  Which
 * errno says "cannot" differs from one file system to the next.
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

static int add_span(struct copying *c, size_t item, int64_t skip,
		    int64_t length, bool only_verify, struct dsv_err *err)
{
	struct span span = { item, skip, length, only_verify };

	return length > 0 ? copying_add_span(c, &span, err) : 0;
}

/* Spans for what of the run lies outside of [from, to) of the file. */
static int list_rest(struct copying *c, const struct run *run, int64_t from,
		     int64_t to, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = run->first; ret == 0 && i < run->first + run->count; i++) {
		int64_t start = c->start[i];
		int64_t end = start + c->r->items[i].length;
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
	struct open_segment *o;
	int ret;

	ret = segment_get(c->s, c->rows[run->first].segment, &o, err);
	if (ret < 0)
		return ret;
	if (run->length > o->size_bytes - run->source) {
		ret = dsv_fail(err, DSV_ECORRUPT, "segment %.12s is too short",
			       c->rows[run->first].segment);
	} else {
		range.src_fd = o->fd;
		ret = clone_result(c, ioctl(c->fd, FICLONERANGE, &range), err);
	}
	segment_put(c->s, o);
	return ret;
}

/* The blocks that lie alike in both; 0: the file system cannot. */
static int clone_run(struct copying *c, const struct run *run, int64_t block,
		     struct dsv_err *err)
{
	int64_t end = run->start + run->length;
	int64_t from = (run->start + block - 1) / block * block;
	int64_t to = end / block * block;
	int ret;

	if (!item_is_sane(c, run->first) ||
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
	const struct recipe *r = c->r;
	struct run run;
	size_t i;
	int ret = 1;

	for (i = 0; ret > 0 && i < r->count; i += run.count) {
		run.count = 1;
		if (r->items[i].op != RECIPE_RANGE)
			continue;
		run = next_run(c, i);
		ret = clone_run(c, &run, block, err);
	}
	return ret;
}

/* Whether all is in one segment, where it is in the file. */
static bool is_mirrored(const struct copying *c)
{
	const struct chunk *first = NULL;
	size_t i;

	for (i = 0; i < c->r->count; i++) {
		if (c->r->items[i].op != RECIPE_RANGE)
			continue;
		if (!first)
			first = &c->rows[i];
		if (!item_is_sane(c, i) || source_of(c, i) != c->start[i] ||
		    strcmp(first->segment, c->rows[i].segment))
			return false;
	}
	return first;
}

/* Where the recipe has zeros the segment may hold another file's chunks. */
static int punch_zeros(const struct copying *c)
{
	size_t i;

	for (i = 0; i < c->r->count; i++) {
		if (c->r->items[i].op == RECIPE_ZERO &&
		    fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      c->start[i], c->r->items[i].length) < 0)
			return -1;
	}
	return 0;
}

static const char *any_segment(const struct copying *c)
{
	size_t i = 0;

	while (c->r->items[i].op != RECIPE_RANGE)
		i++;
	return c->rows[i].segment;
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
		ret = clone_result(c, ioctl(c->fd, FICLONE, o->fd), err);
	segment_put(c->s, o);
	if (ret <= 0)
		return ret;
	if (punch_zeros(c) < 0)
		return copying_reset(c, err);
	c->cloned = true;
	ret = 0;
	for (i = 0; ret == 0 && c->verify && i < c->r->count; i++) {
		if (c->r->items[i].op == RECIPE_RANGE)
			ret = add_span(c, i, 0, c->r->items[i].length, true,
				       err);
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
