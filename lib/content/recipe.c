/* SPDX-License-Identifier: MIT */
#include "recipe.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

static const char magic[4] = { 'd', 's', 'v', 'r' };

#define VERSION 1
#define HEADER_BYTES 17		/* magic, version, size, count */
#define RANGE_BYTES 49
#define ZERO_BYTES 9

/* An operation says what comes next in the file. */
enum recipe_op {
	RECIPE_RANGE = 1,	/* bytes of a chunk */
	RECIPE_ZERO = 2		/* zero bytes */
};

struct recipe_item {
	enum recipe_op op;
	unsigned char chunk[HASH_BYTES];	/* RECIPE_RANGE */
	int64_t chunk_offset;			/* RECIPE_RANGE */
	int64_t start;				/* in the file */
	int64_t length;
};

void recipe_release(struct recipe *r)
{
	free(r->items);
	*r = (struct recipe)RECIPE_INIT;
}

/* Returns whether b continues a, so that a longer a would say the same. */
static bool joins(const struct recipe_item *a, const struct recipe_item *b)
{
	if (a->op != b->op)
		return false;
	if (a->op == RECIPE_ZERO)
		return true;
	return a->chunk_offset + a->length == b->chunk_offset &&
	       !memcmp(a->chunk, b->chunk, HASH_BYTES);
}

static int grow(struct recipe *r, struct dsv_err *err)
{
	if (r->count >= UINT32_MAX)
		return dsv_fail(err, DSV_ESYS, "recipe has too many parts");
	return list_grow((void **)&r->items, r->count, sizeof(*r->items), err);
}

/* ---- Making ------------------------------------------------------------ */

static int add_item(struct recipe *r, const struct recipe_item *item,
		    struct dsv_err *err)
{
	struct recipe_item *last = r->count ? &r->items[r->count - 1] : NULL;
	int ret;

	if (item->length > INT64_MAX - r->size_bytes)
		return dsv_fail(err, DSV_ESYS, "file too large");
	if (item->length == 0)
		return 0;
	if (last && joins(last, item)) {
		last->length += item->length;
	} else {
		ret = grow(r, err);
		if (ret < 0)
			return ret;
		r->items[r->count] = *item;
		r->items[r->count++].start = r->size_bytes;
	}
	r->size_bytes += item->length;
	return 0;
}

int recipe_add_range(struct recipe *r, const unsigned char chunk[HASH_BYTES],
		     int64_t chunk_offset, int64_t length,
		     struct dsv_err *err)
{
	struct recipe_item item = {
		.op = RECIPE_RANGE,
		.chunk_offset = chunk_offset,
		.length = length,
	};

	memcpy(item.chunk, chunk, HASH_BYTES);
	return add_item(r, &item, err);
}

int recipe_add_zeros(struct recipe *r, int64_t length, struct dsv_err *err)
{
	struct recipe_item item = { .op = RECIPE_ZERO, .length = length };

	return add_item(r, &item, err);
}

/* ---- Reading ----------------------------------------------------------- */

/* Returns the item that has the byte at offset, which is inside the file. */
static const struct recipe_item *find_item(const struct recipe *r,
					   int64_t offset)
{
	size_t low = 0;
	size_t high = r->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (r->items[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &r->items[low];
}

bool recipe_at(const struct recipe *r, int64_t offset,
	       struct recipe_piece *out)
{
	const struct recipe_item *item;
	int64_t skip;

	if (offset < 0 || offset >= r->size_bytes)
		return false;
	item = find_item(r, offset);
	skip = offset - item->start;
	*out = (struct recipe_piece){
		.start = offset, .length = item->length - skip,
	};
	if (item->op == RECIPE_RANGE) {
		out->chunk = item->chunk;
		out->chunk_offset = item->chunk_offset + skip;
	}
	return true;
}

bool recipe_next_chunk(const struct recipe *r, size_t *at,
		       struct recipe_chunk *out)
{
	const struct recipe_item *item;

	while (*at < r->count) {
		item = &r->items[(*at)++];
		if (item->op != RECIPE_RANGE)
			continue;
		out->hash = item->chunk;
		out->length = item->chunk_offset + item->length;
		return true;
	}
	return false;
}

/* ---- As bytes ---------------------------------------------------------- */

int recipe_encode(const struct recipe *r, struct str *out, struct dsv_err *err)
{
	size_t i;

	str_add(out, magic, sizeof(magic));
	str_u8(out, VERSION);
	str_u64(out, (uint64_t)r->size_bytes);
	str_u32(out, (uint32_t)r->count);
	for (i = 0; i < r->count; i++) {
		const struct recipe_item *item = &r->items[i];

		str_u8(out, (uint8_t)item->op);
		if (item->op == RECIPE_RANGE) {
			str_add(out, item->chunk, HASH_BYTES);
			str_u64(out, (uint64_t)item->chunk_offset);
		}
		str_u64(out, (uint64_t)item->length);
	}
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

static int corrupt(struct dsv_err *err, const char *what)
{
	return dsv_fail(err, DSV_ECORRUPT, "recipe: %s", what);
}

/* Decodes the item at p, where len bytes are left; *used is how many it has. */
static int decode_item(const unsigned char *p, size_t len,
		       struct recipe_item *item, size_t *used,
		       struct dsv_err *err)
{
	uint64_t offset = 0;
	uint64_t length;

	if (len == 0)
		return corrupt(err, "truncated");
	switch (p[0]) {
	case RECIPE_RANGE:
		*used = RANGE_BYTES;
		break;
	case RECIPE_ZERO:
		*used = ZERO_BYTES;
		break;
	default:
		return dsv_fail(err, DSV_ECORRUPT,
				"recipe: operation %d needs a newer dsv",
				p[0]);
	}
	if (len < *used)
		return corrupt(err, "truncated");
	memset(item, 0, sizeof(*item));
	item->op = (enum recipe_op)p[0];
	if (item->op == RECIPE_RANGE) {
		memcpy(item->chunk, p + 1, HASH_BYTES);
		offset = get_u64(p + 1 + HASH_BYTES);
	}
	length = get_u64(p + *used - 8);
	if (length == 0 || length > INT64_MAX || offset > INT64_MAX - length)
		return corrupt(err, "impossible length");
	item->chunk_offset = (int64_t)offset;
	item->length = (int64_t)length;
	return 0;
}

static int decode_items(const unsigned char *p, size_t len, uint32_t count,
			struct recipe *r, struct dsv_err *err)
{
	struct recipe_item item;
	size_t used = 0;
	uint32_t i;
	int ret;

	for (i = 0; i < count; i++, p += used, len -= used) {
		ret = decode_item(p, len, &item, &used, err);
		if (ret < 0)
			return ret;
		if (r->count > 0 && joins(&r->items[r->count - 1], &item))
			return corrupt(err, "not in canonical form");
		if (item.length > INT64_MAX - r->size_bytes)
			return corrupt(err, "impossible length");
		ret = add_item(r, &item, err);
		if (ret < 0)
			return ret;
	}
	return len == 0 ? 0 : corrupt(err, "bytes after its end");
}

int recipe_decode(const void *data, size_t len, struct recipe *out,
		  struct dsv_err *err)
{
	const unsigned char *p = data;
	struct recipe r = RECIPE_INIT;
	uint64_t size;
	int ret;

	if (len < HEADER_BYTES || memcmp(p, magic, sizeof(magic)))
		return corrupt(err, "not a recipe");
	if (p[4] != VERSION)
		return dsv_fail(err, DSV_ECORRUPT,
				"recipe: version %d needs a newer dsv", p[4]);
	size = get_u64(p + 5);
	ret = decode_items(p + HEADER_BYTES, len - HEADER_BYTES,
			   get_u32(p + 13), &r, err);
	if (ret == 0 && size != (uint64_t)r.size_bytes)
		ret = corrupt(err, "lengths do not add up");
	if (ret < 0) {
		recipe_release(&r);
		return ret;
	}
	*out = r;
	return 0;
}
