/* SPDX-License-Identifier: MIT */
/* One content of the parts of all ranks. */
#include "gather.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "replica.h"

void gathering_release(struct gathering *x)
{
	int64_t rank;
	size_t i;

	for (rank = 0; x->parts && rank < x->g->ranks; rank++)
		json_decref(x->parts[rank]);
	free(x->parts);
	for (i = 0; i < x->index_count; i++)
		segment_index_release(&x->indexes[i]);
	free(x->indexes);
	free(x->all.segments);
	store_recipes_release(&x->all);
	manifest_release(&x->top);
	/* Its segments are staged, or leftovers. */
	ingest_close(x->ingest, true);
}

static int damaged(int64_t rank, struct dsv_err *err)
{
	return dsv_fail(err, DSV_ESYS, "the part of rank %" PRId64 " is"
			" damaged", rank);
}

/* ---- What the ranks say ---------------------------------------------- */

static int contradict(const char *key, const json_t *first,
		      const json_t *other, int64_t rank, struct dsv_err *err)
{
	char *a = json_dumps(first, JSON_ENCODE_ANY);
	char *b = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
	int ret;

	ret = dsv_fail(err, DSV_EREFUSED, "the ranks contradict one another:"
		       " '%s' is %s for rank 0 and %s for rank %" PRId64, key,
		       a ? a : "?", b ? b : "not set", rank);
	free(a);
	free(b);
	return ret;
}

static int check_says(const struct gathering *x, int64_t rank,
		      struct dsv_err *err)
{
	json_t *first = json_object_get(x->parts[0], "says");
	const json_t *says = json_object_get(x->parts[rank], "says");
	const char *key;
	json_t *value;

	if (json_integer_value(json_object_get(x->parts[rank], "format")) != 1)
		return dsv_fail(err, DSV_EREFUSED, "rank %" PRId64 " runs"
				" another version of dsv", rank);
	json_object_foreach(first, key, value) {
		const json_t *other = json_object_get(says, key);

		if (!other || !json_equal(value, other))
			return contradict(key, value, other, rank, err);
	}
	return 0;
}

int gathering_read(struct gathering *x, struct dsv_err *err)
{
	int64_t rank;
	int ret = 0;

	x->parts = calloc((size_t)x->g->ranks, sizeof(*x->parts));
	if (!x->parts)
		return dsv_fail_nomem(err);
	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++) {
		ret = group_part(x->g, rank, &x->parts[rank], err);
		if (ret == 0)
			ret = check_says(x, rank, err);
	}
	x->replicated = json_is_true(json_object_get(
		json_object_get(x->parts[0], "says"), "replicated"));
	if (ret == 0 && x->replicated)
		ret = replica_compare(x->parts, x->g->ranks, err);
	return ret;
}

/* ---- Segments -------------------------------------------------------- */

static int add_segment(struct gathering *x, const char *name, int64_t rank,
		       struct dsv_err *err)
{
	struct segment_index *index = &x->indexes[x->index_count];
	struct ingest_segment *segment = &x->all.segments[x->index_count];
	int ret;

	if (!name || strlen(name) != SEGMENT_NAME_SIZE - 1)
		return damaged(rank, err);
	ret = segment_index_read(x->g->d->store, name, index, err);
	if (ret < 0)
		return dsv_fail_in(err, ret, "part of rank %" PRId64, rank);
	memcpy(segment->name, name, SEGMENT_NAME_SIZE);
	segment->kind = index->kind;
	segment->count = index->count;
	segment->chunks = index->chunks;
	x->index_count++;
	return 0;
}

static int add_segments(struct gathering *x, int64_t rank, struct dsv_err *err)
{
	json_t *list = json_object_get(x->parts[rank], "segments");
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < json_array_size(list); i++)
		ret = add_segment(x, json_string_value(json_array_get(list, i)),
				  rank, err);
	return ret;
}

static int stage_segments(struct gathering *x, struct dsv_err *err)
{
	size_t n = 0;
	int64_t rank;
	int ret = 0;

	for (rank = 0; rank < x->g->ranks; rank++)
		n += json_array_size(json_object_get(x->parts[rank],
						     "segments"));
	x->indexes = calloc(n + 1, sizeof(*x->indexes));
	x->all.segments = calloc(n + 1, sizeof(*x->all.segments));
	if (!x->indexes || !x->all.segments)
		return dsv_fail_nomem(err);
	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++)
		ret = add_segments(x, rank, err);
	if (ret < 0)
		return ret;
	x->g->staged = true;
	x->all.segment_count = x->index_count;
	return catalog_stage(x->g->d->catalog, x->all.segments,
			     x->all.segment_count, err);
}

/* This is what we have added: the manifest, recipes of replicas. */
static int stage_own(struct gathering *x, struct dsv_err *err)
{
	const struct ingest_result *own;
	struct ingest_segment *segments;
	size_t n = x->all.segment_count;
	int ret;

	ret = ingest_finish(x->ingest, &own, err);
	if (ret == 0)
		ret = catalog_stage(x->g->d->catalog, own->segments,
				    own->segment_count, err);
	if (ret != 0 || own->segment_count == 0)
		return ret;
	segments = realloc(x->all.segments,
			   (n + own->segment_count) * sizeof(*segments));
	if (!segments)
		return dsv_fail_nomem(err);
	memcpy(segments + n, own->segments,
	       own->segment_count * sizeof(*segments));
	x->all.segments = segments;
	x->all.segment_count += own->segment_count;
	return 0;
}

/* Bytes that are used: what two ranks have both stored counts once. */
static int count_stored(struct gathering *x, struct dsv_err *err)
{
	struct chunk row;
	size_t i, k;

	for (i = 0; i < x->all.segment_count; i++) {
		const struct ingest_segment *s = &x->all.segments[i];

		for (k = 0; k < s->count; k++) {
			int ret = catalog_chunk_lookup(x->g->d->catalog,
						       s->chunks[k].hash, &row,
						       err);

			if (ret < 0)
				return ret;
			if (ret > 0 && !strcmp(row.segment, s->name))
				x->all.stored_bytes += row.stored_length;
		}
	}
	return 0;
}

/* ---- The manifest ---------------------------------------------------- */

int gathering_settle(struct gathering *x, struct dsv_err *err)
{
	const struct manifest *m = &x->top;
	struct dsv_err why = { .msg = "" };
	size_t i;
	int ret = manifest_settle(&x->top, &why);

	if (ret == 0) {
		manifest_totals(m, &x->files, &x->size_bytes);
		return 0;
	}
	for (i = 1; i < m->count; i++) {
		const struct manifest_entry *a = &m->entries[i - 1];
		const struct manifest_entry *b = &m->entries[i];

		if (strcmp(a->path, b->path) != 0)
			continue;
		return dsv_fail(err, DSV_EREFUSED, "'%s' of rank %" PRId64
				" and '%s' of rank %" PRId64 " differ: files of"
				" several ranks need paths of their own, or the"
				" same bytes", a->path, a->part, b->path,
				b->part);
	}
	return dsv_fail_as(err, ret == DSV_ECORRUPT ? DSV_EREFUSED : ret,
			   &why);
}

/* Read what each rank has. */
static int merge_parts(struct gathering *x, struct dsv_err *err)
{
	struct manifest part = MANIFEST_INIT;
	int64_t rank;
	int ret = 0;

	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++) {
		ret = store_read_manifest(x->g->d->store,
					  x->top.parts[rank].manifest, &part,
					  err);
		if (ret == 0)
			ret = manifest_merge(&x->top, &part, rank, err);
		manifest_release(&part);
		/* Replicas have one. */
		if (x->replicated)
			break;
	}
	return ret < 0 ? ret : gathering_settle(x, err);
}

/* The one manifest of all replicas; own has all but the recipes. */
static int put_replica(struct gathering *x, const struct manifest *own,
		       unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	struct manifest files = *own;
	struct str text = STR_INIT;
	int ret;

	ret = replica_assemble(x->parts, x->g->ranks, x->ingest, own, err);
	if (ret == 0)
		ret = manifest_encode(&files, &text, err);
	if (ret == 0)
		ret = ingest_bytes(x->ingest, text.data, text.len, hash, err);
	str_release(&text);
	return ret;
}

static int list_parts(struct gathering *x, const struct manifest *own,
		      struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t rank;
	int ret = 0;

	if (x->replicated)
		ret = put_replica(x, own, hash, err);
	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++) {
		const char *hex = json_text(x->parts[rank], "manifest");

		if (!x->replicated && (!hex || !hash_from_hex(hex, hash)))
			ret = damaged(rank, err);
		else
			ret = manifest_add_part(&x->top, rank, hash, err);
	}
	return ret;
}

static int make_manifest(struct gathering *x, const struct manifest *own,
			 struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret;

	ret = ingest_new(x->g->d->store, &x->ingest, err);
	if (ret == 0)
		ret = list_parts(x, own, err);
	if (ret == 0)
		ret = manifest_encode(&x->top, &text, err);
	if (ret == 0)
		ret = ingest_bytes(x->ingest, text.data, text.len, x->hash,
				   err);
	if (ret == 0)
		ret = stage_own(x, err);
	if (ret == 0)
		ret = merge_parts(x, err);
	str_release(&text);
	return ret;
}

int gathering_store(struct gathering *x, const struct manifest *own,
		    struct dsv_err *err)
{
	int ret = stage_segments(x, err);

	if (ret == 0)
		ret = make_manifest(x, own, err);
	if (ret == 0)
		ret = store_read_recipes(x->g->d->store, &x->top, &x->all,
					 err);
	if (ret == 0)
		ret = count_stored(x, err);
	/* Something a rank had found or stored has since been freed. */
	if (ret == DSV_ECORRUPT || ret == DSV_ENOTFOUND)
		ret = CATALOG_MISSING;
	return ret;
}

json_t *gathering_segments(const struct ingest_result *result)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < result->segment_count; i++)
		json_array_append_new(list,
				      json_string(result->segments[i].name));
	return list;
}
