/* SPDX-License-Identifier: MIT */
/* Making one state of the parts of all ranks. */
#include <stdlib.h>
#include <string.h>

#include "tagging.h"

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
	draft.record.author = text_of(lead, "author");
	draft.record.host = text_of(lead, "host");
	draft.record.job_id = text_of(lead, "job");
	draft.record.cluster = text_of(lead, "cluster");
	draft.nodes = text_of(lead, "nodes");
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
