/* SPDX-License-Identifier: MIT */
/* This reads chunks, and what is made of them. */
#include "internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3

int chunk_find(struct store *s, const unsigned char hash[HASH_BYTES],
	       struct chunk *out, struct dsv_err *err)
{
	struct chunk row;
	int ret;

	memset(&row, 0, sizeof(row));
	ret = store_lookup(s, hash, &row, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return chunk_fail(hash, "is missing", err);
	if (memcmp(row.hash, hash, HASH_BYTES) ||
	    !segment_name_is_valid(row.segment) ||
	    !chunk_is_sane(&row, INT64_MAX))
		return chunk_fail(hash, "has an impossible place", err);
	*out = row;
	return 0;
}

bool chunk_is_same(const struct chunk *a, const struct chunk *b)
{
	return !memcmp(a->hash, b->hash, HASH_BYTES) &&
	       !strncmp(a->segment, b->segment, SEGMENT_NAME_SIZE) &&
	       a->offset == b->offset && a->length == b->length &&
	       a->stored_length == b->stored_length &&
	       a->encoding == b->encoding;
}

static int read_once(struct store *s, const struct chunk *row,
		     const struct chunk_sink *sink, struct dsv_err *err)
{
	struct open_segment *o;
	int ret = segment_get(s, row->segment, &o, err);

	if (ret < 0)
		return ret;
	ret = codec_read(o, row, sink, err);
	segment_put(s, o);
	return ret;
}

static int read_anywhere(struct store *s, struct chunk *row,
			 const struct chunk_sink *sink, struct dsv_err *err)
{
	struct chunk now;
	int tries;
	int ret;

	for (tries = 1;; tries++) {
		ret = read_once(s, row, sink, err);
		if (ret != DSV_ECORRUPT || tries == TRIES)
			return ret;
		/*
		 * The chunk may just have been freed, and stored again
		 * elsewhere.
		 */
		memset(&now, 0, sizeof(now));
		if (store_lookup_now(s, row->hash, &now, NULL) <= 0 ||
		    chunk_is_same(row, &now) || now.length != row->length)
			return ret;
		*row = now;
	}
}

int chunk_read(struct store *s, struct chunk *row, void *buf,
	       struct dsv_err *err)
{
	struct chunk_sink sink = { .buf = buf };

	return read_anywhere(s, row, &sink, err);
}

int chunk_pass(struct store *s, struct chunk *row, chunk_block *fn, void *arg,
	       struct dsv_err *err)
{
	struct chunk_sink sink = {
		.buf = store_buffer_get(s), .fn = fn, .arg = arg,
	};
	int ret;

	if (!sink.buf)
		return dsv_fail_nomem(err);
	ret = read_anywhere(s, row, &sink, err);
	store_buffer_put(s, sink.buf);
	return ret;
}

/*
 * Checks a length, so that memory is allocated only for what the segment can
 * really hold.
 */
static int check_length(struct store *s, const struct chunk *row,
			struct dsv_err *err)
{
	struct open_segment *o;
	bool good;
	int ret;

	if (row->length <= CHUNK_LIMIT_BYTES)
		return 0;
	ret = segment_get(s, row->segment, &o, err);
	if (ret < 0)
		return ret;
	good = chunk_is_sane(row, o->size_bytes);
	segment_put(s, o);
	return good ? 0 :
		chunk_fail(row->hash, "lies outside its segment", err);
}

int store_read_chunk(struct store *s, const unsigned char hash[HASH_BYTES],
		     struct str *out, struct dsv_err *err)
{
	struct chunk row;
	char *data;
	int ret;

	ret = chunk_find(s, hash, &row, err);
	if (ret == 0)
		ret = check_length(s, &row, err);
	if (ret < 0)
		return ret;
	data = malloc((size_t)row.length + 1);
	if (!data)
		return dsv_fail_nomem(err);
	ret = chunk_read(s, &row, data, err);
	if (ret < 0) {
		free(data);
		return ret;
	}
	data[row.length] = '\0';
	str_release(out);
	out->data = data;
	out->len = row.length;
	out->capacity = (size_t)row.length + 1;
	return 0;
}

int store_read_recipe(struct store *s, const unsigned char hash[HASH_BYTES],
		      struct recipe *out, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret;

	ret = store_read_chunk(s, hash, &text, err);
	if (ret == 0)
		ret = recipe_decode(text.data, text.len, out, err);
	str_release(&text);
	return ret;
}

int store_read_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, struct recipe *out,
		    struct dsv_err *err)
{
	struct recipe r = RECIPE_INIT;
	int ret = store_read_recipe(s, recipe, &r, err);

	if (ret == 0 && r.size_bytes != size_bytes)
		ret = dsv_fail(err, DSV_ECORRUPT, "its recipe makes %" PRId64
			       " bytes, not %" PRId64, r.size_bytes,
			       size_bytes);
	if (ret == 0)
		*out = r;
	else
		recipe_release(&r);
	return ret;
}

static int read_one_manifest(struct store *s,
			     const unsigned char hash[HASH_BYTES],
			     struct manifest *out, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret;

	ret = store_read_chunk(s, hash, &text, err);
	if (ret == 0)
		ret = manifest_decode(text.data, text.len, out, err);
	str_release(&text);
	return ret;
}

static int merge_parts(struct store *s, struct manifest *m,
		       struct dsv_err *err)
{
	struct manifest part = MANIFEST_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < m->part_count; i++) {
		/* The parts of replicas are the same. */
		if (i > 0 && !memcmp(m->parts[i - 1].manifest,
				     m->parts[i].manifest, HASH_BYTES))
			continue;
		ret = read_one_manifest(s, m->parts[i].manifest, &part, err);
		if (ret < 0)
			break;
		if (part.part_count > 0)
			ret = dsv_fail(err, DSV_ECORRUPT,
				       "manifest: a part has parts");
		else
			ret = manifest_merge(m, &part, m->parts[i].rank, err);
		manifest_release(&part);
	}
	return ret < 0 ? ret : manifest_settle(m, err);
}

int store_read_manifest(struct store *s, const unsigned char hash[HASH_BYTES],
			struct manifest *out, struct dsv_err *err)
{
	struct manifest m = MANIFEST_INIT;
	int ret;

	ret = read_one_manifest(s, hash, &m, err);
	if (ret == 0 && m.part_count > 0)
		ret = merge_parts(s, &m, err);
	if (ret < 0) {
		manifest_release(&m);
		return ret;
	}
	*out = m;
	return 0;
}

int store_count_parts(struct store *s, const unsigned char hash[HASH_BYTES],
		      int64_t *out, struct dsv_err *err)
{
	struct manifest m = MANIFEST_INIT;
	int ret = read_one_manifest(s, hash, &m, err);

	if (ret == 0)
		*out = (int64_t)m.part_count;
	manifest_release(&m);
	return ret;
}

int store_read_part(struct store *s, const unsigned char hash[HASH_BYTES],
		    int64_t rank, struct manifest *out, struct dsv_err *err)
{
	struct manifest m = MANIFEST_INIT;
	struct manifest part = MANIFEST_INIT;
	size_t i;
	int ret;

	ret = read_one_manifest(s, hash, &m, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < m.part_count && m.parts[i].rank != rank; i++)
		;
	if (i == m.part_count)
		ret = dsv_fail(err, DSV_ENOTFOUND, "the state has no part of"
			       " rank %" PRId64, rank);
	else
		ret = read_one_manifest(s, m.parts[i].manifest, &part, err);
	manifest_release(&m);
	if (ret == 0 && part.part_count > 0)
		ret = dsv_fail(err, DSV_ECORRUPT,
			       "manifest: a part has parts");
	if (ret < 0) {
		manifest_release(&part);
		return ret;
	}
	for (i = 0; i < part.count; i++)
		part.entries[i].part = rank;
	*out = part;
	return 0;
}
