/* SPDX-License-Identifier: MIT */
/*
 * This converts between stored and plain bytes: only this file knows how a
 * chunk can be encoded.  So far every chunk is raw: stored bytes are plain
 * bytes.
 */
#include "internal.h"

#include <string.h>

#include "../os/fs.h"

bool codec_is_raw(const struct chunk *c)
{
	return c->encoding == CHUNK_RAW;
}

bool codec_is_known(const struct chunk *c)
{
	return codec_is_raw(c);
}

/* ---- Reading ----------------------------------------------------------- */

int chunk_fail(const unsigned char hash[HASH_BYTES], const char *what,
	       struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(hash, hex);
	return dsv_fail(err, DSV_ECORRUPT, "chunk %.12s %s", hex, what);
}

static int read_raw(const struct open_segment *o, const struct chunk *c,
		    const struct chunk_sink *sink, struct hash *h,
		    struct dsv_err *err)
{
	uint32_t done = 0;
	char *to;
	size_t len;
	ssize_t n;
	int ret = 0;

	for (; ret == 0 && done < c->length; done += (uint32_t)len) {
		len = c->length - done;
		if (len > BLOCK_BYTES)
			len = BLOCK_BYTES;
		to = sink->fn ? sink->buf : sink->buf + done;
		n = pread_full(o->fd, to, len, c->offset + done);
		if (n < 0)
			return dsv_fail_errno(err, "read segment '%s'",
					      c->segment);
		if ((size_t)n != len)
			return chunk_fail(c->hash, "is truncated", err);
		if (!hash_add(h, to, len))
			return dsv_fail_nomem(err);
		if (sink->crc)
			*sink->crc = crc32c(*sink->crc, to, len);
		if (sink->fn)
			ret = sink->fn(sink->arg, to, len, done, err);
	}
	return ret;
}

int codec_read(const struct open_segment *o, const struct chunk *c,
	       const struct chunk_sink *sink, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	struct hash *h;
	int ret;

	if (!codec_is_known(c))
		return chunk_fail(c->hash, "needs a newer dsv to decode",
				  err);
	if (!chunk_is_sane(c, o->size_bytes))
		return chunk_fail(c->hash, "lies outside its segment", err);
	h = hash_new();
	if (!h)
		return dsv_fail_nomem(err);
	ret = read_raw(o, c, sink, h, err);
	if (ret == 0 && !hash_finish(h, hash))
		ret = dsv_fail_nomem(err);
	if (ret == 0 && memcmp(hash, c->hash, HASH_BYTES))
		ret = chunk_fail(c->hash, "has wrong bytes", err);
	hash_free(h);
	return ret;
}

/* ---- Writing ----------------------------------------------------------- */

void codec_keep(struct chunk *c, const void *data, size_t len)
{
	c->length = (uint32_t)len;
	c->stored_length = (uint32_t)len;
	c->crc32c = crc32c(0, data, len);
	c->encoding = CHUNK_RAW;
}

const void *codec_encode(struct chunk *c, const void *data, size_t len)
{
	codec_keep(c, data, len);
	return data;
}
