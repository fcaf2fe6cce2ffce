/* SPDX-License-Identifier: MIT */
/* Reading the file of a recipe piece by piece. */
#include "internal.h"

#include <string.h>

#include "../base/fs.h"

/*
 * Bytes of a chunk, borrowed until the next call.  The last chunk is kept:
 * who reads a header reads it in small pieces.
 */
static int cached_chunk(struct store *s, const unsigned char hash[HASH_BYTES],
			int64_t offset, int64_t len, const char **out,
			struct dsv_err *err)
{
	int ret;

	if (!s->cached.data || memcmp(s->cached_hash, hash, HASH_BYTES)) {
		ret = store_read_chunk(s, hash, &s->cached, err);
		if (ret < 0) {
			str_release(&s->cached);
			return ret;
		}
		memcpy(s->cached_hash, hash, HASH_BYTES);
	}
	if (offset < 0 || (uint64_t)offset > s->cached.len ||
	    (uint64_t)len > s->cached.len - (uint64_t)offset)
		return dsv_fail(err, DSV_ECORRUPT,
				"recipe: more than there is of a chunk");
	*out = s->cached.data + offset;
	return 0;
}

static const char zeros[64 << 10];

/* Call fn with the bytes in order; data is NULL for zeros. */
static int each_piece(struct store *s, const struct recipe *r, int64_t offset,
		      int64_t length,
		      int (*fn)(void *arg, const char *data, size_t len,
				struct dsv_err *err),
		      void *arg, struct dsv_err *err)
{
	int64_t start = 0;	/* of the item, in the file */
	const char *data;
	int64_t skip, len;
	size_t i;
	int ret = 0;

	if (offset < 0 || length < 0 || offset > r->size_bytes ||
	    length > r->size_bytes - offset)
		return dsv_fail(err, DSV_EUSAGE, "past the end of the file");
	for (i = 0; ret == 0 && length > 0; start += r->items[i++].length) {
		const struct recipe_item *item = &r->items[i];

		skip = offset - start;
		if (skip >= item->length)
			continue;
		len = item->length - skip;
		if (len > length)
			len = length;
		data = NULL;
		if (item->op == RECIPE_RANGE)
			ret = cached_chunk(s, item->chunk,
					   item->chunk_offset + skip, len,
					   &data, err);
		if (ret == 0)
			ret = store_poll(s, err);
		if (ret == 0)
			ret = fn(arg, data, (size_t)len, err);
		offset += len;
		length -= len;
	}
	return ret;
}

static int copy_piece(void *arg, const char *data, size_t len,
		      struct dsv_err *err)
{
	char **to = arg;

	(void)err;
	if (data)
		memcpy(*to, data, len);
	else
		memset(*to, 0, len);
	*to += len;
	return 0;
}

int store_pread(struct store *s, const struct recipe *r, void *buf, size_t len,
		int64_t offset, struct dsv_err *err)
{
	char *to = buf;

	if (len > INT64_MAX)
		return dsv_fail(err, DSV_EUSAGE, "past the end of the file");
	return each_piece(s, r, offset, (int64_t)len, copy_piece, &to, err);
}

struct output {
	struct store *s;
	int fd;
};

static int write_piece(void *arg, const char *data, size_t len,
		       struct dsv_err *err)
{
	const struct output *out = arg;
	size_t n;
	int ret = 0;

	store_count(out->s, (int64_t)len);
	store_tell(out->s);
	if (data && write_all(out->fd, data, len) < 0)
		return dsv_fail_errno(err, "write");
	for (; !data && ret == 0 && len > 0; len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		if (write_all(out->fd, zeros, n) < 0)
			return dsv_fail_errno(err, "write");
		ret = store_poll(out->s, err);
	}
	return ret;
}

int store_cat(struct store *s, const unsigned char recipe[HASH_BYTES],
	      int64_t size_bytes, int64_t offset, int64_t length, int fd,
	      struct dsv_err *err)
{
	struct output out = { s, fd };
	struct recipe r = RECIPE_INIT;
	int ret;

	ret = store_read_file(s, recipe, size_bytes, &r, err);
	if (ret < 0)
		return ret;
	ret = each_piece(s, &r, offset, length, write_piece, &out, err);
	recipe_release(&r);
	return ret;
}
