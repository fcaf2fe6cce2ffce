/* SPDX-License-Identifier: MIT */
/* Everything in a tagged state except its content. */
#include "describe.h"

#include "../base/value.h"
#include "../files/origin.h"

/*
 * If files were checked out from a state and are tagged onto another line, it
 * would be lost where they came from.
 */
static int check_origin(struct dsv *d, const struct draft *draft,
			const struct dsv_strings *paths, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; draft->has_head && ret == 0 && i < paths->count; i++) {
		struct origin o;

		if (origin_find(d, paths->items[i], &o) &&
		    !record_has_parent(&draft->record, o.id) &&
		    origin_covers(d, &o))
			ret = dsv_fail_hint(err, DSV_EREFUSED,
				DSV_HINT_FORK_OR_PARENT, o.id,
				"'%s' was checked out from %.12s, which is not"
				" the head of '%s'", paths->items[i], o.id,
				draft->branch);
		origin_release(&o);
	}
	return ret;
}

int tag_describe(struct dsv *d, const struct dsv_tag_options *o,
		 struct draft *out, struct dsv_err *err)
{
	struct dsv_kvs inherited = KVS_INIT;
	struct draft draft;
	size_t i;
	int ret;

	ret = draft_place(d, &o->parents, &draft, err);
	if (ret < 0)
		return ret;
	draft.record.kind = "tag";
	draft.record.message = o->message;
	if (o->parents.count == 0)
		ret = check_origin(d, &draft, &o->paths, err);
	if (ret == 0)
		ret = draft_inherited(d, &draft, &inherited, err);
	if (ret == 0)
		ret = draft_params(&draft, &inherited, o->params_from,
				   &o->params, &o->unset_params, err);
	if (ret == 0 && o->attrs_from) {
		ret = kvs_load(&draft.record.attrs, o->attrs_from, err);
		if (ret < 0)
			dsv_fail_in(err, ret, "the JSON of the attributes");
	}
	for (i = 0; ret == 0 && i < o->attrs.count; i++)
		ret = kvs_assign(&draft.record.attrs, o->attrs.items[i], err);
	if (ret == 0)
		ret = draft_stamp(d, &draft, err);
	dsv_kvs_free(&inherited);
	if (ret < 0)
		draft_release(&draft);
	else
		*out = draft;
	return ret;
}
