/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include "../base/list.h"
#include "cdc.h"

/*
 * This is the kind of the last neighbour in the open range, which ends at pos.
 */
enum last { LAST_NOTHING, LAST_GAP, LAST_TINY, LAST_SMALL };

struct cutter {
	struct format_cuts *cuts;
	int64_t pos;
	enum last last;
	int64_t group_bytes;	/* of the extents in the open range */
	int group_count;
};

static int cut_at(struct cutter *c, int64_t end, bool content_defined,
		  struct dsv_err *err)
{
	struct format_cuts *cuts = c->cuts;
	int ret;

	ret = list_grow((void **)&cuts->end, cuts->count, sizeof(end), err);
	if (ret == 0)
		ret = list_grow((void **)&cuts->content_defined, cuts->count,
				sizeof(content_defined), err);
	if (ret < 0)
		return ret;
	cuts->end[cuts->count] = end;
	cuts->content_defined[cuts->count++] = content_defined;
	c->pos = end;
	return 0;
}

/* Ends the open range, if there is one. */
static int close_group(struct cutter *c, struct dsv_err *err)
{
	if (c->last == LAST_NOTHING)
		return 0;
	c->last = LAST_NOTHING;
	c->group_bytes = 0;
	c->group_count = 0;
	return cut_at(c, c->pos, false, err);
}

static int add_alone(struct cutter *c, int64_t end, struct dsv_err *err)
{
	int ret = close_group(c, err);

	if (ret < 0 || end == c->pos)
		return ret;
	return cut_at(c, end, end - c->pos > CDC_MIN_BYTES, err);
}

static int add_gap(struct cutter *c, int64_t end, struct dsv_err *err)
{
	int ret;

	if (end == c->pos)
		return 0;
	if (end - c->pos > FORMAT_GAP_BYTES)
		return add_alone(c, end, err);
	if (c->last == LAST_SMALL) {
		ret = close_group(c, err);
		if (ret < 0)
			return ret;
	}
	c->last = LAST_GAP;
	c->pos = end;
	return 0;
}

static int add_blocks(struct cutter *c, int64_t end, struct dsv_err *err)
{
	int ret = close_group(c, err);

	while (ret == 0 && c->pos < end)
		ret = cut_at(c, end - c->pos > FORMAT_BLOCK_BYTES ?
			     c->pos + FORMAT_BLOCK_BYTES : end, false, err);
	return ret;
}

static int add_extent(struct cutter *c, int64_t end, struct dsv_err *err)
{
	int64_t size_bytes = end - c->pos;
	enum last kind = size_bytes < FORMAT_TINY_BYTES ?
		LAST_TINY : LAST_SMALL;
	int ret;

	if (size_bytes >= FORMAT_SMALL_BYTES)
		return add_blocks(c, end, err);
	if ((c->last == LAST_GAP && kind == LAST_SMALL) ||
	    c->group_bytes + size_bytes > FORMAT_SMALL_BYTES ||
	    c->group_count == FORMAT_GROUP_COUNT) {
		ret = close_group(c, err);
		if (ret < 0)
			return ret;
	}
	c->last = kind;
	c->group_bytes += size_bytes;
	c->group_count++;
	c->pos = end;
	return 0;
}

/*
 * Callers rely on it that ranges that are not content-defined fit a block: a
 * group consists of its extents and a gap beside each.
 */
_Static_assert(FORMAT_SMALL_BYTES +
	       (FORMAT_GROUP_COUNT + 1) * FORMAT_GAP_BYTES <=
	       FORMAT_BLOCK_BYTES, "a group is larger than a block");

int cuts_from_extents(const struct layout *l, int64_t size_bytes,
		      struct format_cuts *out, struct dsv_err *err)
{
	struct cutter c = { .cuts = out };
	size_t i;
	int ret = 0;

	if (l->count)
		ret = add_alone(&c, l->extents[0].start, err);
	else if (size_bytes && out->kind == FORMAT_OPAQUE)
		ret = cut_at(&c, size_bytes, true, err);
	for (i = 0; ret == 0 && i < l->count; i++) {
		ret = add_gap(&c, l->extents[i].start, err);
		if (ret == 0)
			ret = add_extent(&c, l->extents[i].end, err);
	}
	if (ret == 0)
		ret = add_alone(&c, size_bytes, err);
	if (ret < 0)
		format_cuts_release(out);
	return ret;
}
