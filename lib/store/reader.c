/* SPDX-License-Identifier: MIT */
/* This reads the file of a recipe piece by piece. */
#include "internal.h"

#include <string.h>

#include "../os/fs.h"

int reader_open(struct store *s, const unsigned char recipe[HASH_BYTES],
		int64_t size_bytes, struct reader *out, struct dsv_err *err)
{
	struct reader rd = READER_INIT;
	int ret = store_read_file(s, recipe, size_bytes, &rd.recipe, err);

	if (ret < 0)
		return ret;
	rd.store = s;
	*out = rd;
	return 0;
}

void reader_close(struct reader *rd)
{
	recipe_release(&rd->recipe);
	str_release(&rd->chunk);
}

/*
 * Gets the stored bytes of a piece, borrowed until the next call.  The last
 * chunk is kept: whoever reads a header reads it in small pieces.
 */
static int piece_bytes(struct reader *rd, const struct recipe_piece *piece,
		       const char **out, struct dsv_err *err)
{
	struct str *chunk = &rd->chunk;
	int ret;

	if (!chunk->data || memcmp(rd->hash, piece->chunk, HASH_BYTES)) {
		ret = store_read_chunk(rd->store, piece->chunk, chunk, err);
		if (ret < 0) {
			str_release(chunk);
			return ret;
		}
		memcpy(rd->hash, piece->chunk, HASH_BYTES);
	}
	if ((uint64_t)piece->chunk_offset > chunk->len ||
	    (uint64_t)piece->length >
	    chunk->len - (uint64_t)piece->chunk_offset)
		return dsv_fail(err, DSV_ECORRUPT,
				"recipe: range beyond the end of a chunk");
	*out = chunk->data + piece->chunk_offset;
	return 0;
}

static const char zeros[64 << 10];

/* Calls fn with the bytes in order; data is NULL for zeros. */
static int each_piece(struct reader *rd, int64_t offset, int64_t length,
		      int (*fn)(void *arg, const char *data, size_t len,
				struct dsv_err *err),
		      void *arg, struct dsv_err *err)
{
	const int64_t size_bytes = rd->recipe.size_bytes;
	struct recipe_piece piece;
	const char *data;
	int ret = 0;

	if (offset < 0 || length < 0 || offset > size_bytes ||
	    length > size_bytes - offset)
		return dsv_fail(err, DSV_EUSAGE, "past the end of the file");
	while (ret == 0 && length > 0 &&
	       recipe_at(&rd->recipe, offset, &piece)) {
		if (piece.length > length)
			piece.length = length;
		data = NULL;
		if (piece.chunk)
			ret = piece_bytes(rd, &piece, &data, err);
		if (ret == 0)
			ret = store_poll(rd->store, err);
		if (ret == 0)
			ret = fn(arg, data, (size_t)piece.length, err);
		offset += piece.length;
		length -= piece.length;
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

int reader_read(struct reader *rd, void *buf, size_t len, int64_t offset,
		struct dsv_err *err)
{
	char *to = buf;

	if (len > INT64_MAX)
		return dsv_fail(err, DSV_EUSAGE, "past the end of the file");
	return each_piece(rd, offset, (int64_t)len, copy_piece, &to, err);
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
	struct reader rd;
	int ret;

	ret = reader_open(s, recipe, size_bytes, &rd, err);
	if (ret < 0)
		return ret;
	ret = each_piece(&rd, offset, length, write_piece, &out, err);
	reader_close(&rd);
	return ret;
}
