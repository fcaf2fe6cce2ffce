/* SPDX-License-Identifier: MIT */
/* A rank's side of a collective tag. */
#include <stdlib.h>

#include "../base/json_text.h"
#include "../group/group_file.h"
#include "../group/replica.h"
#include "../pending/parts.h"
#include "tagging.h"

enum { MAX_ROUNDS = 10 };

/* All ranks must say this alike. */
static int says_json(struct group *g, const struct dsv_tag_options *o,
		     json_t **out, struct dsv_err *err)
{
	char *branch = NULL;
	int ret;

	ret = repo_branch(g->d, &branch, err);
	if (ret < 0)
		return ret;
	*out = json_pack("{s:I, s:o, s:o, s:b, s:b}", "ranks",
			 (json_int_t)g->ranks, "branch", text_to_json(branch),
			 "parents", strings_to_json(&o->parents),
			 "replicated", o->replicated, "async", o->async);
	free(branch);
	return *out ? 0 : dsv_fail_nomem(err);
}

/* Only rank 0 says this. */
static json_t *lead_json(struct group *g, const struct dsv_tag_options *o)
{
	const struct process *p = &g->d->process;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o,"
			 " s:o, s:o, s:o, s:o}",
			 "message", text_to_json(o->message),
			 "name", text_to_json(o->name),
			 "params", strings_to_json(&o->params),
			 "attrs", strings_to_json(&o->attrs),
			 "unset", strings_to_json(&o->unset_params),
			 "params_from", text_to_json(o->params_from),
			 "attrs_from", text_to_json(o->attrs_from),
			 "scopes", strings_to_json(&o->scopes),
			 "pin", o->pin,
			 "author", text_to_json(p->author),
			 "host", text_to_json(p->host),
			 "job", text_to_json(p->job_id),
			 "cluster", text_to_json(p->cluster),
			 "nodes", text_to_json(p->nodes));
}

/* Every part says this; the caller frees *out. */
static int part_json(struct group *g, const struct dsv_tag_options *o,
		     json_t **out, struct dsv_err *err)
{
	json_t *says = NULL;
	json_t *json;
	int ret;

	ret = says_json(g, o, &says, err);
	if (ret < 0)
		return ret;
	json = json_pack("{s:i, s:o}", "format", 1, "says", says);
	if (!json ||
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
		      json_t *json, struct dsv_err *err)
{
	json_t *files = NULL, *stored;
	char hex[HASH_HEX_SIZE];
	int ret;

	ret = ingest_new(g->d->store, &c->ingest, err);
	if (ret < 0)
		return ret;
	ret = o->replicated ? replica_store(g, tree, c, &files, err) :
		contents_take(c, tree, err);
	if (ret == 0)
		ret = ingest_finish(c->ingest, &c->result, err);
	if (ret == 0) {
		hash_to_hex(c->hash, hex);
		stored = json_pack("{s:o, s:s, s:O*}", "segments",
				   gathering_segments(c->result), "manifest",
				   hex, "files", files);
		if (!stored || json_object_update(json, stored) < 0)
			ret = dsv_fail_nomem(err);
		json_decref(stored);
	}
	json_decref(files);
	return ret;
}

/* The others are told before our caller.  own: as of collective_commit(). */
static int commit(struct group *g, const struct manifest *own,
		  char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct dsv_err why = { .msg = "" };
	int ret = collective_commit(g, own, id, &why);
	int told = 0;

	g->staged |= ret >= 0 || ret == DSV_EINTERRUPTED;
	/* Somebody else may finish what we were kept from. */
	if (ret != DSV_EINTERRUPTED)
		told = group_tell(g, ret, id, &why, err);
	if (ret < 0)
		return dsv_fail_as(err, ret, &why);
	if (told < 0)
		return told;
	return ret == 0 ? (int)GROUP_DONE : (int)GROUP_AGAIN;
}

static int join_and_wait(struct group *g, const json_t *part,
			 const struct manifest *own, char id[DSV_ID_SIZE],
			 struct dsv_err *err)
{
	int ret = group_join(g, part, err);

	if (ret < 0)
		return ret;
	g->staged = true;
	ret = group_wait(g, id, err);
	return ret == GROUP_COMMIT ? commit(g, own, id, err) : ret;
}

static int store_round(struct group *g, const struct dsv_tag_options *o,
		       const struct tree *tree, char id[DSV_ID_SIZE],
		       struct dsv_err *err)
{
	struct contents c = { .manifest = MANIFEST_INIT };
	json_t *json = NULL;
	int ret = part_json(g, o, &json, err);

	if (ret == 0)
		ret = store_part(g, o, tree, &c, json, err);
	if (ret == 0)
		ret = join_and_wait(g, json, &c.manifest, id, err);
	json_decref(json);
	/* Until it is told that we have failed, others may commit our part. */
	if (ret < 0 && g->staged && g->decided_ms == 0) {
		group_fail(g, err);
		g->staged = group_file_verdict(g, NULL) >= 0;
	}
	/* The sweep takes what is staged and was not committed. */
	contents_release(&c, g->staged);
	return ret;
}

/* Returns whether a state may have been made of our capture. */
static bool may_be_made(struct group *g, const struct capture *c,
			const struct dsv_err *why)
{
	char id[DSV_ID_SIZE];

	if (!g->has_part)
		return false;
	group_fail(g, why);
	if (group_file_verdict(g, NULL) < 0)
		return false;
	/* The rank that commits reports a failure at the end. */
	return group_file_result(g, id, NULL) >= 0 ||
		parts_wanted(g->d, c->id, false, NULL) != 0;
}

static int capture_round(struct group *g, const struct dsv_tag_options *o,
			 const struct tree *tree, char id[DSV_ID_SIZE],
			 struct dsv_err *err)
{
	struct capture c;
	json_t *json = NULL;
	int ret = part_json(g, o, &json, err);

	if (ret == 0) {
		ret = collective_capture(g, tree, o->move, &c, json, err);
		if (ret == 0) {
			ret = join_and_wait(g, json, NULL, id, err);
			if (ret < 0 && !may_be_made(g, &c, err))
				capture_undo(g->d, tree, &c);
			capture_release(&c);
		}
	}
	json_decref(json);
	return ret;
}

int collective_tag(struct group *g, const struct dsv_tag_options *o,
		   const struct tree *tree, char id[DSV_ID_SIZE],
		   struct dsv_err *err)
{
	int round;
	int ret;

	if (o->async)
		return capture_round(g, o, tree, id, err);
	for (round = 1; round <= MAX_ROUNDS; round++) {
		ret = store_round(g, o, tree, id, err);
		if (ret == GROUP_AGAIN)
			ret = group_again(g, round, err);
		else
			return ret;
		if (ret < 0)
			return ret;
	}
	return dsv_fail(err, DSV_ESYS, "chunks were freed %d times while they"
			" were tagged: a prune that frees at once runs too"
			" often", MAX_ROUNDS);
}
