/* SPDX-License-Identifier: MIT */
/* Making one state of the parts of all ranks. */
#include <stdlib.h>
#include <string.h>

#include "tagging.h"

/* What is gathered from the parts. */
struct gathering {
	struct group *g;
	json_t **parts;			/* by rank */
	bool replicated;
	struct manifest top;		/* with what is in the parts */
	unsigned char hash[HASH_BYTES];	/* of the top manifest */
	struct ingest *ingest;		/* of what we add */
	struct ingest_result all;
	size_t index_count;
	struct segment_index *indexes;	/* whose chunks all borrows */
	int64_t files, size_bytes;
};

static void gathering_release(struct gathering *x)
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
	catalog_recipes_release(&x->all);
	manifest_release(&x->top);
	/* Its segments are staged, or leftovers. */
	ingest_close(x->ingest, true);
}

static int damaged(int64_t rank, struct dsv_err *err)
{
	return dsv_fail(err, DSV_ESYS, "the part of rank %lld is damaged",
			(long long)rank);
}

/* ---- What the ranks say ---------------------------------------------- */

static int contradict(const char *key, const json_t *first,
		      const json_t *other, int64_t rank, struct dsv_err *err)
{
	char *a = json_dumps(first, JSON_ENCODE_ANY);
	char *b = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
	int ret;

	ret = dsv_fail(err, DSV_EREFUSED, "the ranks contradict one another:"
		       " '%s' is %s for rank 0 and %s for rank %lld", key,
		       a ? a : "?", b ? b : "not set", (long long)rank);
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
		return dsv_fail(err, DSV_EREFUSED, "rank %lld runs another"
				" version of dsv", (long long)rank);
	json_object_foreach(first, key, value) {
		const json_t *other = json_object_get(says, key);

		if (!other || !json_equal(value, other))
			return contradict(key, value, other, rank, err);
	}
	return 0;
}

static int read_parts(struct gathering *x, struct dsv_err *err)
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
		return dsv_fail_in(err, ret, "part of rank %lld",
				   (long long)rank);
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

static int stage(struct gathering *x, const struct ingest_segment *segments,
		 size_t count, struct dsv_err *err)
{
	int ret = catalog_stage(x->g->d->catalog, segments, count, err);

	if (ret != CATALOG_MISSING)
		return ret;
	return dsv_fail(err, DSV_ESYS, "segments of the group were swept before"
			" it was whole: tag again");
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
	return stage(x, x->all.segments, x->all.segment_count, err);
}

/* What we have added ourselves: the manifest, recipes of replicas. */
static int stage_own(struct gathering *x, struct dsv_err *err)
{
	const struct ingest_result *own;
	struct ingest_segment *segments;
	size_t n = x->all.segment_count;
	int ret;

	ret = ingest_finish(x->ingest, &own, err);
	if (ret == 0)
		ret = stage(x, own->segments, own->segment_count, err);
	if (ret < 0 || own->segment_count == 0)
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

/* DSV_EREFUSED: two ranks have the same path and other bytes. */
static int settle(struct gathering *x, struct dsv_err *err)
{
	const struct manifest *m = &x->top;
	struct dsv_err why = { DSV_OK, "" };
	size_t i;
	int ret = manifest_settle(&x->top, &why);

	if (ret == 0)
		return 0;
	for (i = 1; i < m->count; i++) {
		const struct manifest_entry *a = &m->entries[i - 1];
		const struct manifest_entry *b = &m->entries[i];

		if (strcmp(a->path, b->path) != 0)
			continue;
		return dsv_fail(err, DSV_EREFUSED, "'%s' of rank %lld and '%s'"
				" of rank %lld differ: files of several ranks"
				" need paths of their own, or the same bytes",
				a->path, (long long)a->part, b->path,
				(long long)b->part);
	}
	return dsv_fail(err, ret == DSV_ECORRUPT ? DSV_EREFUSED :
			(enum dsv_code)ret, "%s", why.msg);
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
	return ret < 0 ? ret : settle(x, err);
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
		const char *hex = json_string_value(json_object_get(
			x->parts[rank], "manifest"));

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
	size_t i;
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
	for (i = 0; ret == 0 && i < x->top.count; i++) {
		x->files += x->top.entries[i].type == DSV_FILE;
		x->size_bytes += x->top.entries[i].size_bytes;
	}
	str_release(&text);
	return ret;
}

/* ---- The state ------------------------------------------------------- */

static const char *text_of(const json_t *lead, const char *key)
{
	return json_string_value(json_object_get(lead, key));
}

static int list_of(const json_t *list, struct dsv_strings *out,
		   struct dsv_err *err)
{
	size_t n = json_array_size(list), i;
	const char **items = calloc(n + 1, sizeof(*items));

	if (!items)
		return dsv_fail_nomem(err);
	for (i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		items[i] = text ? text : "";
	}
	out->items = items;
	out->count = n;
	return 0;
}

static void options_release(struct dsv_tag_options *o)
{
	free((void *)o->params.items);
	free((void *)o->attrs.items);
	free((void *)o->unset_params.items);
	free((void *)o->scopes.items);
	free((void *)o->parents.items);
}

/* What rank 0 was told; borrows from its part. */
static int lead_options(const json_t *part, struct dsv_tag_options *o,
			struct dsv_err *err)
{
	const json_t *lead = json_object_get(part, "lead");
	const json_t *says = json_object_get(part, "says");
	int ret;

	o->message = text_of(lead, "message");
	o->name = text_of(lead, "name");
	o->params_from = text_of(lead, "params_from");
	o->attrs_from = text_of(lead, "attrs_from");
	o->pin = json_is_true(json_object_get(lead, "pin"));
	ret = list_of(json_object_get(lead, "params"), &o->params, err);
	if (ret == 0)
		ret = list_of(json_object_get(lead, "attrs"), &o->attrs, err);
	if (ret == 0)
		ret = list_of(json_object_get(lead, "unset"),
			      &o->unset_params, err);
	if (ret == 0)
		ret = list_of(json_object_get(lead, "scopes"), &o->scopes,
			      err);
	if (ret == 0)
		ret = list_of(json_object_get(says, "parents"), &o->parents,
			      err);
	return ret;
}

static int add_state(struct gathering *x, struct line *l,
		     struct catalog_state *s, char id[DSV_ID_SIZE],
		     struct dsv_err *err)
{
	struct line_text text;
	char hex[DSV_ID_SIZE];
	int ret;

	ret = line_encode(l, s, &text, err);
	if (ret < 0)
		return ret;
	hash_to_hex(s->id, hex);
	ret = group_trying(x->g, hex, err);
	if (ret == 0)
		ret = catalog_add_state(x->g->d->catalog, s, err);
	if (ret == 0)
		memcpy(id, hex, sizeof(hex));
	line_text_release(&text);
	return ret;
}

/* One try: an enum catalog_outcome. */
static int try_commit(struct gathering *x, const struct dsv_tag_options *o,
		      char id[DSV_ID_SIZE], struct dsv_err *err)
{
	const json_t *lead = json_object_get(x->parts[0], "lead");
	struct catalog_state s = {
		.files = x->files,
		.size_bytes = x->size_bytes,
		.stored_bytes = x->all.stored_bytes,
		.pin = o->pin,
		.scopes = o->scopes,
		.name = o->name,
		.ingest = &x->all,
		.files_of = &x->top,
	};
	struct line l;
	int ret;

	memcpy(s.manifest, x->hash, HASH_BYTES);
	ret = tag_describe(x->g->d, o, &l, err);
	if (ret < 0)
		return ret;
	l.record.author = text_of(lead, "author");
	l.record.host = text_of(lead, "host");
	l.record.job_id = text_of(lead, "job");
	l.record.cluster = text_of(lead, "cluster");
	/* Only now, with the branch's head known: see group.h. */
	ret = group_tried(x->g, id, err);
	if (ret == 0)
		ret = add_state(x, &l, &s, id, err);
	else if (ret > 0)
		ret = 0;
	line_release(&l);
	return ret;
}

int collective_commit(struct group *g, const struct manifest *own,
		      char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct gathering x = { .g = g, .top = MANIFEST_INIT };
	struct dsv_tag_options o = { .message = NULL };
	int ret;

	g->staged = false;
	ret = read_parts(&x, err);
	if (ret == 0)
		ret = stage_segments(&x, err);
	if (ret == 0)
		ret = make_manifest(&x, own, err);
	if (ret == 0)
		ret = catalog_recipes_read(g->d->store, &x.top, &x.all, err);
	if (ret == 0)
		ret = count_stored(&x, err);
	/* A chunk that a rank had found has been freed since. */
	if (ret == DSV_ECORRUPT)
		ret = CATALOG_MISSING;
	if (ret == 0)
		ret = lead_options(x.parts[0], &o, err);
	if (ret == 0) {
		do
			ret = try_commit(&x, &o, id, err);
		while (ret == CATALOG_STALE);
	}
	options_release(&o);
	gathering_release(&x);
	return ret;
}
