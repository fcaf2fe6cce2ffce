/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stdlib.h>
#include <string.h>

#include "../base/fs.h"
#include "../base/utf8.h"
#include "../base/value.h"
#include "../lineage/rev.h"

void line_release(struct line *l)
{
	size_t i;

	free(l->branch);
	free(l->record.parents);
	dsv_kvs_free(&l->record.params);
	dsv_kvs_free(&l->record.set);
	dsv_kvs_free(&l->record.attrs);
	for (i = 0; i < l->record.unset.count; i++)
		free((char *)l->record.unset.items[i]);
	free((void *)l->record.unset.items);
	memset(l, 0, sizeof(*l));
}

/* The parents that were asked for; the head must be among them. */
static int given_parents(struct dsv *d, const struct dsv_strings *revs,
			 struct line *l, struct dsv_err *err)
{
	bool head_seen = !l->has_head;
	struct record *r = &l->record;
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
		if (l->has_head && !memcmp(r->parents[r->parent_count],
					   l->head, HASH_BYTES))
			head_seen = true;
		r->parent_count++;
	}
	if (!head_seen)
		return dsv_fail(err, DSV_EREFUSED, "branch '%s' has a head that"
				" is not among the parents: add '--parent"
				" HEAD', or start a new branch with -b",
				l->branch);
	return 0;
}

int line_place(struct dsv *d, const struct dsv_strings *parents,
	       struct line *out, struct dsv_err *err)
{
	struct line l = { 0 };
	int64_t head = 0;
	int ret;

	ret = repo_branch(d, &l.branch, err);
	if (ret < 0)
		return ret;
	l.record.parents = calloc(parents->count + 1,
				  sizeof(*l.record.parents));
	if (!l.record.parents) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	ret = catalog_branch_head(d->catalog, l.branch, &head, err);
	if (ret == DSV_ENOTFOUND)
		ret = 0;
	if (ret == 0 && head > 0) {
		ret = catalog_id(d->catalog, head, l.head, err);
		l.has_head = true;
	}
	if (ret == 0 && parents->count > 0) {
		ret = given_parents(d, parents, &l, err);
	} else if (ret == 0 && l.has_head) {
		memcpy(l.record.parents[0], l.head, HASH_BYTES);
		l.record.parent_count = 1;
	}
out:
	if (ret < 0)
		line_release(&l);
	else
		*out = l;
	return ret;
}

int line_stamp(struct dsv *d, struct line *l, struct dsv_err *err)
{
	struct record *r = &l->record;

	r->author = d->place.author;
	r->host = d->place.host;
	r->job_id = d->place.job_id;
	r->cluster = d->place.cluster;
	l->nodes = d->place.nodes;
	r->created_ns = now_ns();
	if (!random_bytes(r->nonce, sizeof(r->nonce)))
		return dsv_fail_errno(err, "get random bytes");
	return 0;
}

static int add_unset(struct record *r, const char *key, struct dsv_err *err)
{
	const char **items = realloc((void *)r->unset.items,
				     (r->unset.count + 1) * sizeof(*items));

	if (!items)
		return dsv_fail_nomem(err);
	r->unset.items = items;
	items[r->unset.count] = strdup(key);
	if (!items[r->unset.count])
		return dsv_fail_nomem(err);
	r->unset.count++;
	return 0;
}

int line_changes(struct line *l, const struct dsv_kvs *inherited,
		 struct dsv_err *err)
{
	struct record *r = &l->record;
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
			ret = add_unset(r, inherited->items[i].key, err);
	}
	return ret;
}

int line_params(struct line *l, const struct dsv_kvs *inherited,
		const char *from, const struct dsv_strings *assignments,
		const struct dsv_strings *unset, struct dsv_err *err)
{
	struct dsv_kvs *params = &l->record.params;
	size_t i;
	int ret;

	ret = from ? kvs_load(params, from, err) :
		kvs_copy(inherited, params, err);
	if (ret < 0)
		return from ? dsv_fail_in(err, ret, "--params-from") : ret;
	for (i = 0; ret == 0 && i < assignments->count; i++)
		ret = kvs_assign(params, assignments->items[i], err);
	for (i = 0; ret == 0 && i < unset->count; i++) {
		if (!kvs_unset(params, unset->items[i]))
			ret = dsv_fail(err, DSV_ENOTFOUND,
				       "there is no parameter '%s' to unset",
				       unset->items[i]);
	}
	return ret < 0 ? ret : line_changes(l, inherited, err);
}

int line_inherited(struct dsv *d, const struct line *l, struct dsv_kvs *out,
		   struct dsv_err *err)
{
	struct dsv_state *state;
	int64_t seq;
	int ret;

	*out = (struct dsv_kvs)KVS_INIT;
	if (l->record.parent_count == 0)
		return 0;
	ret = catalog_seq(d->catalog, l->record.parents[0], &seq, err);
	if (ret == 0)
		ret = catalog_load(d->catalog, &seq, 1, &state, err);
	if (ret < 0)
		return ret;
	ret = kvs_copy(&state->params, out, err);
	dsv_state_free(state);
	return ret;
}

int line_encode(struct line *l, struct catalog_state *s, struct line_text *out,
		struct dsv_err *err)
{
	struct record *r = &l->record;
	struct line_text text = { STR_INIT, STR_INIT, NULL };
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
		line_text_release(&text);
		return ret;
	}
	s->record = text.record.data;
	s->record_len = text.record.len;
	s->kind = r->kind;
	s->branch = l->branch;
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
	s->nodes = l->nodes;
	s->expected_head = l->has_head ? l->head : NULL;
	*out = text;
	return 0;
}

void line_text_release(struct line_text *text)
{
	free(text->changed);
	str_release(&text->message);
	str_release(&text->record);
}

int line_commit(struct dsv *d, struct line *l, struct catalog_state *s,
		char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct line_text text;
	int ret;

	ret = line_encode(l, s, &text, err);
	if (ret < 0)
		return ret;
	ret = catalog_add_state(d->catalog, s, err);
	if (ret == 0)
		hash_to_hex(s->id, id);
	line_text_release(&text);
	return ret;
}
