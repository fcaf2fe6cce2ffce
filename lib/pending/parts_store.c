/* SPDX-License-Identifier: MIT */
/* From captures to contents. */
#include "parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/json_text.h"
#include "../commit/contents.h"
#include "../group/gather.h"
#include "../group/group_file.h"
#include "../group/replica.h"

enum { MAX_TRIES = 10, RANKS_NAMED = 8 };

static int freed_again(struct dsv_err *err)
{
	return dsv_fail(err, DSV_ESYS, "chunks were freed again and again while"
			" they were stored: a prune that frees at once runs"
			" too often");
}

static int walk(struct dsv *d, const struct capture *c, struct tree *out,
		struct dsv_err *err)
{
	char *root = str_format("%s/files/.", c->dir);
	const char *const paths[] = { root };
	const struct dsv_strings roots = { 1, paths }, none = { 0, NULL };
	int ret = root ? tree_walk(d, &roots, &none, 0, out, err) :
		dsv_fail_nomem(err);

	free(root);
	return ret;
}

/* ---- A state of one ------------------------------------------------------ */

static int bind_contents(struct dsv *d, int64_t seq, const struct contents *c,
			 struct dsv_err *err)
{
	struct catalog_content content = {
		.files_of = &c->manifest,
		.ingest = c->result,
		.files = c->files,
		.size_bytes = c->size_bytes,
		.stored_bytes = c->result->stored_bytes,
	};

	memcpy(content.manifest, c->hash, HASH_BYTES);
	return catalog_bind(d->catalog, seq, &content, err);
}

static int store_single(struct dsv *d, int64_t seq, const struct capture *c,
			struct dsv_err *err)
{
	struct dsv_err why = { .msg = "" };
	struct tree tree = TREE_INIT;
	struct contents contents;
	int tries;
	int ret = walk(d, c, &tree, err);

	for (tries = 0; ret == 0; tries++) {
		ret = contents_store(d, &tree, &contents, err);
		if (ret < 0)
			break;
		ret = bind_contents(d, seq, &contents, err);
		contents_release(&contents, true);
		if (ret != CATALOG_MISSING)
			break;
		ret = tries < MAX_TRIES ? 0 : freed_again(err);
	}
	/* It is stored all the same. */
	if (ret == 0 && capture_remove(d, c, &why) < 0)
		repo_warn(d, "%s; a prune removes what was captured when it is"
			  " a day old", why.msg);
	tree_release(&tree);
	return ret;
}

/* ---- A rank's part ------------------------------------------------------- */

char *part_list_text(struct manifest *m)
{
	struct str text = STR_INIT;
	char *hex = NULL;

	if (manifest_encode(m, &text, NULL) == 0)
		hex = malloc(2 * text.len + 1);
	if (hex)
		hex_encode(text.data, text.len, hex);
	str_release(&text);
	return hex;
}

/* files: of a replica, else NULL. */
static int note_stored(struct group *g, struct contents *c, json_t *files,
		       struct dsv_err *err)
{
	char *list = files ? part_list_text(&c->manifest) : NULL;
	char hex[HASH_HEX_SIZE], name[24];
	json_t *json;
	int ret;

	hash_to_hex(c->hash, hex);
	snprintf(name, sizeof(name), "%" PRId64, g->rank);
	json = json_pack("{s:i, s:{s:I, s:b}, s:o, s:s, s:O*, s:s*}",
			 "format", 1, "says", "ranks", (json_int_t)g->ranks,
			 "replicated", files != NULL, "segments",
			 gathering_segments(c->result), "manifest", hex,
			 "files", files, "list", list);
	ret = json && (!files || list) ? group_file_make(g, name, json, err) :
		dsv_fail_nomem(err);
	json_decref(json);
	free(list);
	return ret < 0 ? ret : 0;
}

static int store_once(struct group *g, const struct tree *tree,
		      bool replicated, struct dsv_err *err)
{
	struct contents c = { .manifest = MANIFEST_INIT };
	json_t *files = NULL;
	bool known = false;	/* the catalog may know the segments */
	int ret;

	ret = ingest_new(g->d->store, &c.ingest, err);
	if (ret < 0)
		return ret;
	ret = replicated ? replica_store(g, tree, &c, &files, err) :
		contents_take(&c, tree, err);
	if (ret == 0)
		ret = ingest_finish(c.ingest, &c.result, err);
	if (ret == 0) {
		/* Staged at once, for the ranks that are stored next. */
		known = true;
		ret = catalog_stage(g->d->catalog, c.result->segments,
				    c.result->segment_count, err);
	}
	if (ret == 0)
		ret = note_stored(g, &c, files, err);
	json_decref(files);
	contents_release(&c, known);
	return ret;
}

static int store_part(struct dsv *d, struct parts *p, size_t rank,
		      struct dsv_err *err)
{
	struct group g = parts_group(d, p, rank);
	struct tree tree = TREE_INIT;
	int tries = 0;
	int ret = walk(d, &p->items[rank].capture, &tree, err);

	while (ret == 0) {
		ret = store_once(&g, &tree, p->replicated, err);
		if (ret != CATALOG_MISSING)
			break;
		ret = ++tries < MAX_TRIES ? 0 : freed_again(err);
	}
	if (ret == 0)
		p->items[rank].stored = true;
	tree_release(&tree);
	return ret;
}

/* ---- All parts ----------------------------------------------------------- */

int part_list(const json_t *part, struct manifest *out, struct dsv_err *err)
{
	const char *hex = json_text(part, "list");
	size_t len = hex ? strlen(hex) / 2 : 0;
	char *text = malloc(len + 1);
	int ret;

	if (!text)
		return dsv_fail_nomem(err);
	ret = hex && hex_decode(hex, len, text) ?
		manifest_decode(text, len, out, err) :
		dsv_fail(err, DSV_ECORRUPT, "the list of a part is malformed");
	free(text);
	return ret;
}

static int bind_gathering(struct gathering *x, int64_t seq,
			  struct dsv_err *err)
{
	struct manifest own = MANIFEST_INIT;
	struct catalog_content content = { .files_of = &x->top };
	int ret;

	ret = gathering_read(x, err);
	if (ret == 0 && x->replicated)
		ret = part_list(x->parts[0], &own, err);
	if (ret == 0)
		ret = gathering_store(x, &own, err);
	manifest_release(&own);
	if (ret != 0)
		return ret;
	content.ingest = &x->all;
	content.files = x->files;
	content.size_bytes = x->size_bytes;
	content.stored_bytes = x->all.stored_bytes;
	memcpy(content.manifest, x->hash, HASH_BYTES);
	return catalog_bind(x->g->d->catalog, seq, &content, err);
}

/* The captures are still there: all begin again. */
static void forget_stored(struct parts *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		char *path = str_format("%s/%zu", p->dir, i);

		if (path)
			unlink(path);
		free(path);
		p->items[i].stored = false;
	}
}

/* Never, since the ranks do not fit together. */
static int give_up(struct group *g, int64_t seq, const struct dsv_err *why,
		   struct dsv_err *err)
{
	json_t *json = json_pack("{s:s}", "message", why->msg);
	int ret = json ? group_file_make(g, "failed", json, err) :
		dsv_fail_nomem(err);

	json_decref(json);
	if (ret >= 0)
		ret = catalog_lose(g->d->catalog, seq, err);
	return ret < 0 ? ret : dsv_fail_as(err, DSV_EREFUSED, why);
}

static int bind_parts(struct dsv *d, int64_t seq, struct parts *p,
		      struct dsv_err *err)
{
	struct group g = parts_group(d, p, 0);
	struct gathering x = { .g = &g, .top = MANIFEST_INIT };
	struct dsv_err why = { .msg = "" };
	int ret = bind_gathering(&x, seq, &why);

	gathering_release(&x);
	if (ret == DSV_EREFUSED)
		return give_up(&g, seq, &why, err);
	if (ret == CATALOG_MISSING)
		forget_stored(p);
	else if (ret < 0)
		dsv_fail_as(err, ret, &why);
	return ret;
}

static bool is_ours(struct dsv *d, const struct part *part, bool own)
{
	bool ours = !strcmp(part->host, d->process.host);

	return own == ours && (own || part->capture.shared) &&
		part_is_here(part);
}

static int store_group(struct dsv *d, int64_t seq, struct parts *p, bool own,
		       bool *worked, struct dsv_err *err)
{
	bool all = true;
	char *why = NULL;
	size_t i;
	int ret = parts_failed(d, p, &why, err);

	free(why);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	for (i = 0; ret == 0 && i < p->count; i++) {
		if (!p->items[i].stored && is_ours(d, &p->items[i], own)) {
			ret = store_part(d, p, i, err);
			*worked |= ret == 0;
		}
		all &= p->items[i].stored;
	}
	if (ret < 0 || !all)
		return ret;
	ret = bind_parts(d, seq, p, err);
	if (ret == 0)
		*worked = true;
	return ret < 0 ? ret : ret == 0;
}

int parts_store(struct dsv *d, int64_t seq, struct parts *p, bool own,
		bool *worked, struct dsv_err *err)
{
	int ret;

	if (p->dir)
		return store_group(d, seq, p, own, worked, err);
	if (!is_ours(d, &p->items[0], own))
		return 0;
	ret = store_single(d, seq, &p->items[0].capture, err);
	if (ret == 0)
		*worked = true;
	return ret < 0 ? ret : 1;
}

/* ---- Files of a pending state -------------------------------------------- */

static int find_state(struct dsv *d, int64_t seq, struct parts *out,
		      struct dsv_err *err)
{
	struct catalog_pending *pending;
	size_t count, i;
	int ret;

	ret = catalog_pending(d->catalog, true, &pending, &count, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < count && pending[i].seq != seq; i++)
		;
	ret = i < count ? parts_find(d, pending[i].capture, out, err) :
		dsv_fail(err, DSV_ENOTFOUND, "it is not pending");
	free(pending);
	return ret;
}

int parts_why_failed(struct dsv *d, int64_t seq, char **why,
		     struct dsv_err *err)
{
	struct parts p;
	int ret = find_state(d, seq, &p, err);

	if (ret == DSV_ENOTFOUND)
		return 0;
	if (ret == 0) {
		ret = parts_failed(d, &p, why, err);
		parts_release(&p);
	}
	return ret;
}

/* Names the ranks that have not been stored, and where they are. */
static void name_missing(const struct parts *p, struct str *text)
{
	size_t missing = 0, i;

	for (i = 0; i < p->count; i++) {
		if (p->items[i].stored)
			continue;
		if (missing++ < RANKS_NAMED)
			str_printf(text, "%s %zu (on %s)", missing > 1 ? "," :
				   "", i, p->items[i].host);
	}
	if (missing > RANKS_NAMED)
		str_printf(text, " and %zu more", missing - RANKS_NAMED);
}

static int read_stored(struct dsv *d, const struct parts *p, int64_t rank,
		       struct manifest *out, struct dsv_err *err)
{
	struct group g = parts_group(d, p, (size_t)rank);
	unsigned char hash[HASH_BYTES];
	const char *hex;
	json_t *json;
	size_t i;
	int ret = group_part(&g, rank, &json, err);

	if (ret < 0)
		return ret;
	hex = json_text(json, "manifest");
	ret = hex && hash_from_hex(hex, hash) ?
		store_read_manifest(d->store, hash, out, err) :
		dsv_fail(err, DSV_ECORRUPT, "the part of rank %" PRId64 " is"
			 " damaged", rank);
	json_decref(json);
	for (i = 0; ret == 0 && i < out->count; i++)
		out->entries[i].part = rank;
	return ret;
}

int parts_files(struct dsv *d, int64_t seq, int64_t rank, struct manifest *out,
		struct dsv_err *err)
{
	struct parts p = { .count = 0 };
	struct str missing = STR_INIT;
	int ret = find_state(d, seq, &p, NULL);

	if (ret == 0 && !p.dir)
		ret = DSV_ENOTFOUND;
	if (ret == 0 && rank >= 0 && rank < (int64_t)p.count &&
	    !p.replicated && p.items[rank].stored) {
		ret = read_stored(d, &p, rank, out, err);
	} else if (ret == 0) {
		name_missing(&p, &missing);
		ret = dsv_fail_hint(err, DSV_ENOTFOUND, p.replicated ?
				    DSV_HINT_NONE : DSV_HINT_RANK_OTHER, NULL,
				    "the state is pending: the files of these"
				    " ranks are not in the store yet:%s",
				    str_text(&missing));
	}
	str_release(&missing);
	parts_release(&p);
	return ret;
}
