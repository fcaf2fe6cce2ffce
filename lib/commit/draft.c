/* SPDX-License-Identifier: MIT */
#include "draft.h"

#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/texts.h"
#include "../base/utf8.h"
#include "../base/value.h"
#include "../lineage/rev.h"
#include "../os/fs.h"

void draft_release(struct draft *draft)
{
	free(draft->branch);
	free(draft->record.parents);
	dsv_kvs_free(&draft->record.params);
	dsv_kvs_free(&draft->record.set);
	dsv_kvs_free(&draft->record.attrs);
	texts_release(&draft->record.unset);
	memset(draft, 0, sizeof(*draft));
}

/* Adds the requested parents; the head must be among them. */
static int given_parents(struct dsv *d, const struct dsv_strings *revs,
			 struct draft *draft, struct dsv_err *err)
{
	bool head_seen = !draft->has_head;
	struct record *r = &draft->record;
	size_t i, j;

	for (i = 0; i < revs->count; i++) {
		int64_t seq;
		int ret = rev_resolve(d, revs->items[i], &seq, err);

		if (ret == 0)
			ret = catalog_id(d->catalog, seq,
					 r->parents[r->parent_count], err);
		if (ret < 0)
			return ret;
		for (j = 0; j < r->parent_count; j++) {
			if (!memcmp(r->parents[j], r->parents[r->parent_count],
				    HASH_BYTES))
				return dsv_fail(err, DSV_EUSAGE, "parent '%s'"
						" is given twice",
						revs->items[i]);
		}
		if (draft->has_head && !memcmp(r->parents[r->parent_count],
					       draft->head, HASH_BYTES))
			head_seen = true;
		r->parent_count++;
	}
	if (!head_seen)
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_PARENT_HEAD,
				     NULL, "branch '%s' has a head that is not"
				     " among the parents", draft->branch);
	return 0;
}

int draft_place(struct dsv *d, const struct dsv_strings *parents,
		struct draft *out, struct dsv_err *err)
{
	struct draft draft = { 0 };
	int64_t head = 0;
	int ret;

	ret = repo_branch(d, &draft.branch, err);
	if (ret < 0)
		return ret;
	draft.record.parents = calloc(parents->count + 1,
				      sizeof(*draft.record.parents));
	if (!draft.record.parents) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	ret = catalog_branch_head(d->catalog, draft.branch, &head, err);
	if (ret == DSV_ENOTFOUND)
		ret = 0;
	if (ret == 0 && head > 0) {
		ret = catalog_id(d->catalog, head, draft.head, err);
		draft.has_head = true;
	}
	if (ret == 0 && parents->count > 0) {
		ret = given_parents(d, parents, &draft, err);
	} else if (ret == 0 && draft.has_head) {
		memcpy(draft.record.parents[0], draft.head, HASH_BYTES);
		draft.record.parent_count = 1;
	}
out:
	if (ret < 0)
		draft_release(&draft);
	else
		*out = draft;
	return ret;
}

int draft_stamp(struct dsv *d, struct draft *draft, struct dsv_err *err)
{
	struct record *r = &draft->record;

	r->author = d->process.author;
	r->host = d->process.host;
	r->job_id = d->process.job_id;
	r->cluster = d->process.cluster;
	draft->nodes = d->process.nodes;
	r->created_ns = now_ns();
	if (!random_bytes(r->nonce, sizeof(r->nonce)))
		return dsv_fail_errno(err, "get random bytes");
	return 0;
}

int draft_changes(struct draft *draft, const struct dsv_kvs *inherited,
		  struct dsv_err *err)
{
	struct record *r = &draft->record;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < r->params.count; i++) {
		const struct dsv_kv *kv = &r->params.items[i];
		const struct dsv_value *old = dsv_kvs_get(inherited, kv->key);

		if (!old || !value_equal(old, &kv->value))
			ret = kvs_set(&r->set, kv->key, &kv->value, err);
	}
	for (i = 0; ret == 0 && i < inherited->count; i++) {
		if (!dsv_kvs_get(&r->params, inherited->items[i].key))
			ret = texts_add(&r->unset, inherited->items[i].key,
					err);
	}
	return ret;
}

int draft_params(struct draft *draft, const struct dsv_kvs *inherited,
		 const char *from, const struct dsv_strings *assignments,
		 const struct dsv_strings *unset, struct dsv_err *err)
{
	struct dsv_kvs *params = &draft->record.params;
	size_t i;
	int ret;

	ret = from ? kvs_load(params, from, err) :
		kvs_copy(inherited, params, err);
	if (ret < 0)
		return !from ? ret :
			dsv_fail_in(err, ret, "the JSON of the parameters");
	for (i = 0; ret == 0 && i < assignments->count; i++)
		ret = kvs_assign(params, assignments->items[i], err);
	for (i = 0; ret == 0 && i < unset->count; i++) {
		if (!kvs_unset(params, unset->items[i]))
			ret = dsv_fail(err, DSV_ENOTFOUND,
				       "there is no parameter '%s' to unset",
				       unset->items[i]);
	}
	return ret < 0 ? ret : draft_changes(draft, inherited, err);
}

int draft_inherited(struct dsv *d, const struct draft *draft,
		    struct dsv_kvs *out, struct dsv_err *err)
{
	struct dsv_state *state;
	int64_t seq;
	int ret;

	*out = (struct dsv_kvs)KVS_INIT;
	if (draft->record.parent_count == 0)
		return 0;
	ret = catalog_seq(d->catalog, draft->record.parents[0], &seq, err);
	if (ret == 0)
		ret = catalog_load(d->catalog, &seq, 1, &state, err);
	if (ret < 0)
		return ret;
	ret = kvs_copy(&state->params, out, err);
	dsv_state_free(state);
	return ret;
}

int draft_encode(struct draft *draft, struct catalog_state *s,
		 struct draft_text *out, struct dsv_err *err)
{
	struct record *r = &draft->record;
	struct draft_text text = { STR_INIT, STR_INIT, NULL };
	const char *given = r->message;
	int ret;

	r->is_capture = s->capture;
	memcpy(r->content, s->capture ? s->capture : s->manifest, HASH_BYTES);
	if (given) {
		utf8_clean(&text.message, given, strlen(given));
		r->message = str_text(&text.message);
	}
	s->message = r->message;
	ret = str_failed(&text.message) ? dsv_fail_nomem(err) :
		record_encode(r, &text.record, s->id, err);
	r->message = given;
	if (ret == 0)
		ret = record_changes(r, &text.changed, err);
	if (ret < 0) {
		draft_text_release(&text);
		return ret;
	}
	s->record = text.record.data;
	s->record_len = text.record.len;
	s->kind = r->kind;
	s->branch = draft->branch;
	s->parent_count = r->parent_count;
	s->parents = (const unsigned char (*)[HASH_BYTES])r->parents;
	s->params = &r->params;
	s->changed = text.changed;
	s->attrs = &r->attrs;
	s->author = r->author;
	s->host = r->host;
	s->created_ns = r->created_ns;
	s->job_id = r->job_id;
	s->cluster = r->cluster;
	s->nodes = draft->nodes;
	s->expected_head = draft->has_head ? draft->head : NULL;
	*out = text;
	return 0;
}

void draft_text_release(struct draft_text *text)
{
	free(text->changed);
	str_release(&text->message);
	str_release(&text->record);
}

int draft_commit(struct dsv *d, struct draft *draft, struct catalog_state *s,
		 char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct draft_text text;
	int ret;

	ret = draft_encode(draft, s, &text, err);
	if (ret < 0)
		return ret;
	ret = catalog_add_state(d->catalog, s, err);
	if (ret == 0)
		hash_to_hex(s->id, id);
	draft_text_release(&text);
	return ret;
}
