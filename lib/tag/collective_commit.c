/* SPDX-License-Identifier: MIT */
/* Making one state of the parts of all ranks. */
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "tagging.h"

static void options_release(struct dsv_tag_options *o)
{
	free((void *)o->params.items);
	free((void *)o->attrs.items);
	free((void *)o->unset_params.items);
	free((void *)o->scopes.items);
	free((void *)o->parents.items);
}

/* Reads the options of rank 0; they are borrowed from its part. */
static int lead_options(const json_t *part, struct dsv_tag_options *o,
			struct dsv_err *err)
{
	const json_t *lead = json_object_get(part, "lead");
	const json_t *says = json_object_get(part, "says");
	int ret;

	o->message = json_text(lead, "message");
	o->name = json_text(lead, "name");
	o->params_from = json_text(lead, "params_from");
	o->attrs_from = json_text(lead, "attrs_from");
	o->pin = json_is_true(json_object_get(lead, "pin"));
	ret = strings_from_json(lead, "params", &o->params, err);
	if (ret == 0)
		ret = strings_from_json(lead, "attrs", &o->attrs, err);
	if (ret == 0)
		ret = strings_from_json(lead, "unset", &o->unset_params, err);
	if (ret == 0)
		ret = strings_from_json(lead, "scopes", &o->scopes, err);
	if (ret == 0)
		ret = strings_from_json(says, "parents", &o->parents, err);
	return ret;
}

static int add_state(struct gathering *x, struct draft *draft,
		     struct catalog_state *s, char id[DSV_ID_SIZE],
		     struct dsv_err *err)
{
	struct draft_text text;
	char hex[DSV_ID_SIZE];
	int ret;

	ret = draft_encode(draft, s, &text, err);
	if (ret < 0)
		return ret;
	hash_to_hex(s->id, hex);
	ret = group_trying(x->g, hex, err);
	if (ret == 0)
		ret = catalog_add_state(x->g->d->catalog, s, err);
	if (ret == 0)
		memcpy(id, hex, sizeof(hex));
	draft_text_release(&text);
	return ret;
}

/* One try: an enum catalog_outcome. */
static int try_commit(struct gathering *x, const struct dsv_tag_options *o,
		      const unsigned char *capture, char id[DSV_ID_SIZE],
		      struct dsv_err *err)
{
	const json_t *lead = json_object_get(x->parts[0], "lead");
	struct catalog_state s = {
		.files = x->files,
		.size_bytes = x->size_bytes,
		.stored_bytes = x->all.stored_bytes,
		.pin = o->pin,
		.scopes = o->scopes,
		.name = o->name,
		.capture = capture,
		.ingest = capture ? NULL : &x->all,
		.files_of = capture ? NULL : &x->top,
	};
	struct draft draft;
	int ret;

	memcpy(s.manifest, x->hash, HASH_BYTES);
	ret = tag_describe(x->g->d, o, &draft, err);
	if (ret < 0)
		return ret;
	draft.record.author = json_text(lead, "author");
	draft.record.host = json_text(lead, "host");
	draft.record.job_id = json_text(lead, "job");
	draft.record.cluster = json_text(lead, "cluster");
	draft.nodes = json_text(lead, "nodes");
	/* Only now, with the branch's head known: see group.h. */
	ret = group_tried(x->g, id, err);
	if (ret == 0)
		ret = add_state(x, &draft, &s, id, err);
	else if (ret > 0)
		ret = 0;
	draft_release(&draft);
	return ret;
}

int collective_commit(struct group *g, const struct manifest *own,
		      char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct gathering x = { .g = g, .top = MANIFEST_INIT };
	struct dsv_tag_options o = { .message = NULL };
	unsigned char capture[HASH_BYTES];
	int ret;

	g->staged = false;
	ret = gathering_read(&x, err);
	if (ret == 0)
		ret = own ? gathering_store(&x, own, err) :
			collective_captured(&x, capture, err);
	if (ret == 0)
		ret = lead_options(x.parts[0], &o, err);
	if (ret == 0) {
		do
			ret = try_commit(&x, &o, own ? NULL : capture, id,
					 err);
		while (ret == CATALOG_STALE);
	}
	options_release(&o);
	gathering_release(&x);
	return ret;
}
