/* SPDX-License-Identifier: MIT */
/* A rank's side of a collective tag. */
#include <stdlib.h>
#include <string.h>

#include "../base/utf8.h"
#include "group_file.h"
#include "tagging.h"

enum { MAX_ROUNDS = 10 };

static json_t *clean_json(const char *text)
{
	struct str clean = STR_INIT;
	json_t *json;

	if (!text)
		return json_null();
	utf8_clean(&clean, text, strlen(text));
	json = json_string(str_text(&clean));
	str_release(&clean);
	return json;
}

static json_t *strings_json(const struct dsv_strings *strings)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < strings->count; i++)
		json_array_append_new(list, clean_json(strings->items[i]));
	return list;
}

/* What all ranks must say alike. */
static int says_json(struct group *g, const struct dsv_tag_options *o,
		     json_t **out, struct dsv_err *err)
{
	char *branch = NULL;
	int ret;

	ret = repo_branch(g->d, &branch, err);
	if (ret < 0)
		return ret;
	*out = json_pack("{s:I, s:o, s:o, s:b}", "ranks",
			 (json_int_t)g->ranks, "branch", clean_json(branch),
			 "parents", strings_json(&o->parents),
			 "replicated", o->replicated);
	free(branch);
	return *out ? 0 : dsv_fail_nomem(err);
}

/* What only rank 0 says. */
static json_t *lead_json(struct group *g, const struct dsv_tag_options *o)
{
	const struct place *p = &g->d->place;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o,"
			 " s:o, s:o, s:o}",
			 "message", clean_json(o->message),
			 "name", clean_json(o->name),
			 "params", strings_json(&o->params),
			 "attrs", strings_json(&o->attrs),
			 "unset", strings_json(&o->unset_params),
			 "params_from", clean_json(o->params_from),
			 "attrs_from", clean_json(o->attrs_from),
			 "scopes", strings_json(&o->scopes),
			 "pin", o->pin,
			 "author", clean_json(p->author),
			 "host", clean_json(p->host),
			 "job", clean_json(p->job_id),
			 "cluster", clean_json(p->cluster));
}

static json_t *segments_json(const struct ingest_result *result)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < result->segment_count; i++)
		json_array_append_new(list,
				      json_string(result->segments[i].name));
	return list;
}

/* files: of a replica, else NULL. */
static int part_json(struct group *g, const struct dsv_tag_options *o,
		     const struct contents *c, json_t *files, json_t **out,
		     struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	json_t *says = NULL;
	json_t *json;
	int ret;

	ret = says_json(g, o, &says, err);
	if (ret < 0)
		return ret;
	hash_to_hex(c->hash, hex);
	json = json_pack("{s:i, s:o, s:o, s:s}", "format", 1, "says", says,
			 "segments", segments_json(c->result),
			 "manifest", hex);
	if (!json || (files && json_object_set(json, "files", files) < 0) ||
	    (g->rank == 0 &&
	     json_object_set_new(json, "lead", lead_json(g, o)) < 0)) {
		json_decref(json);
		return dsv_fail_nomem(err);
	}
	*out = json;
	return 0;
}

static int store_part(struct group *g, const struct dsv_tag_options *o,
		      const struct tree *tree, struct contents *c,
		      json_t **json, struct dsv_err *err)
{
	json_t *files = NULL;
	int ret;

	ret = ingest_new(g->d->store, &c->ingest, err);
	if (ret < 0)
		return ret;
	ret = o->replicated ? replica_store(g, tree, c, &files, err) :
		contents_take(c, tree, err);
	if (ret == 0)
		ret = ingest_finish(c->ingest, &c->result, err);
	if (ret == 0)
		ret = part_json(g, o, c, files, json, err);
	json_decref(files);
	return ret;
}

/* The others are told before our caller. */
static int commit(struct group *g, const struct contents *c,
		  char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct dsv_err why = { DSV_OK, "" };
	int ret = collective_commit(g, &c->manifest, id, &why);
	int told = 0;

	/* Somebody else may finish what we were kept from. */
	if (ret != DSV_EINTERRUPTED)
		told = group_tell(g, ret, id, &why, err);
	if (ret < 0)
		return dsv_fail(err, (enum dsv_code)ret, "%s", why.msg);
	if (told < 0)
		return told;
	return ret == 0 ? (int)GROUP_DONE : (int)GROUP_AGAIN;
}

static int one_round(struct group *g, const struct dsv_tag_options *o,
		     const struct tree *tree, char id[DSV_ID_SIZE],
		     struct dsv_err *err)
{
	struct contents c = { .manifest = MANIFEST_INIT };
	json_t *json = NULL;
	int ret;

	ret = store_part(g, o, tree, &c, &json, err);
	if (ret == 0)
		ret = group_join(g, json, err);
	json_decref(json);
	if (ret == 0) {
		g->staged = true;
		ret = group_wait(g, id, err);
		if (ret == GROUP_COMMIT)
			ret = commit(g, &c, id, err);
	}
	/* Until it is told that we have failed, others may commit our part. */
	if (ret < 0 && g->staged && g->decided_ms == 0) {
		group_fail(g, err);
		g->staged = group_file_verdict(g, NULL) >= 0;
	}
	/* What is staged and was not committed the sweep takes. */
	contents_release(&c, g->staged);
	return ret;
}

int collective_tag(struct group *g, const struct dsv_tag_options *o,
		   const struct tree *tree, char id[DSV_ID_SIZE],
		   struct dsv_err *err)
{
	int round;
	int ret;

	for (round = 1; round <= MAX_ROUNDS; round++) {
		ret = one_round(g, o, tree, id, err);
		if (ret == GROUP_AGAIN)
			ret = group_again(g, round, err);
		else
			return ret;
		if (ret < 0)
			return ret;
	}
	return dsv_fail(err, DSV_ESYS, "chunks were freed %d times while they"
			" were tagged: a prune with --expire=now runs too"
			" often", MAX_ROUNDS);
}
