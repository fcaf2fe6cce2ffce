/* SPDX-License-Identifier: MIT */
/*
 * This checks that everything is present and is what was stored.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/options.h"
#include "../base/texts.h"
#include "../fsck/rebuild.h"
#include "../os/fs.h"
#include "../repo/repo.h"

void dsv_fsck_report_free(struct dsv_fsck_report *report)
{
	size_t i;

	for (i = 0; i < report->count; i++) {
		struct dsv_problem *p = &report->items[i];

		texts_free_view(&p->states);
		text_free(p->kind);
		text_free(p->object);
		text_free(p->message);
	}
	free(report->items);
	memset(report, 0, sizeof(*report));
}

static int fill_states(struct dsv *d, struct check_problem *from,
		       struct dsv_problem *to, struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	struct texts ids = TEXTS_INIT;
	size_t i;
	int ret = 0;

	if (from->state_count > 0)
		qsort(from->states, from->state_count, sizeof(*from->states),
		      compare_int64);
	for (i = 0; ret == 0 && i < from->state_count; i++) {
		if (i > 0 && from->states[i - 1] == from->states[i])
			continue;
		ret = catalog_id(d->catalog, from->states[i], id, err);
		if (ret < 0)
			break;
		hash_to_hex(id, hex);
		ret = texts_add(&ids, hex, err);
	}
	to->states = texts_view(&ids);
	return ret;
}

static char *problem_text(const struct check_problem *p)
{
	if (!p->files)
		return strdup(p->message);
	return str_format("%s; files: %s%s", p->message, p->files,
			  p->file_count > CHECK_FILES_NAMED ? ", ..." : "");
}

static int fill_report(struct dsv *d, struct check *k,
		       struct dsv_fsck_report *out, struct dsv_err *err)
{
	struct dsv_fsck_report r = {
		.states = k->states,
		.segments = k->segments,
		.chunks = k->chunks,
		.data_bytes = k->data_bytes,
	};
	size_t i;
	int ret = 0;

	r.items = calloc(k->count + 1, sizeof(*r.items));
	if (!r.items)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < k->count; i++) {
		struct check_problem *from = &k->problems[i];
		struct dsv_problem *to = &r.items[r.count++];

		to->kind = strdup(from->kind);
		to->object = strdup(from->object);
		to->message = problem_text(from);
		to->hint = from->hint;
		to->repaired = from->repaired;
		ret = to->kind && to->object && to->message ?
			fill_states(d, from, to, err) : dsv_fail_nomem(err);
	}
	if (ret < 0)
		dsv_fsck_report_free(&r);
	else
		*out = r;
	return ret;
}

static int verdict(const struct dsv_fsck_report *r, struct dsv_err *err)
{
	size_t i, left = 0;

	for (i = 0; i < r->count; i++)
		left += !r->items[i].repaired;
	if (left == 0)
		return 0;
	if (left == r->count)
		return dsv_fail(err, DSV_ECORRUPT, "%zu problem%s", left,
				left == 1 ? "" : "s");
	return dsv_fail(err, DSV_ECORRUPT, "%zu problems, %zu of them repaired",
			r->count, r->count - left);
}

static int fsck(struct dsv *d, const struct dsv_fsck_options *options,
		struct dsv_fsck_report *out, struct dsv_err *err)
{
	struct check k = {
		.c = d->catalog,
		.s = d->store,
		.repair = options->repair,
		.shared = d->shared,
		.data_percent = options->data_percent,
	};
	int ret = 0;

	if (options->repair)
		ret = repo_writable(d, err);
	if (ret == 0)
		ret = catalog_check(&k, err);
	if (ret == 0)
		ret = fill_report(d, &k, out, err);
	check_release(&k);
	return ret < 0 ? ret : verdict(out, err);
}

int dsv_fsck(struct dsv *d, const struct dsv_fsck_options *given,
	     struct dsv_fsck_report *out, struct dsv_err *err)
{
	struct dsv_fsck_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : fsck(d, &o, out, err);
}

static int lookup_rebuilt(void *arg, const unsigned char hash[HASH_BYTES],
			  struct chunk *rows, size_t max, struct dsv_err *err)
{
	return catalog_chunks_from(((struct check *)arg)->c, hash, rows, max,
				   err);
}

int dsv_rebuild(const struct dsv_options *options,
		struct dsv_fsck_report *out, struct dsv_err *err)
{
	struct dsv *d = NULL;
	struct check k = { .repair = true };
	struct catalog_options catalog;
	struct store_options store;
	int ret;

	ret = repo_open_dir(options, &d, err);
	if (ret < 0)
		return ret;
	repo_part_options(d, &catalog, &store);
	store.lookup = lookup_rebuilt;
	store.lookup_arg = &k;
	store.remember = false;
	ret = config_bool(&d->config, "core.guardlock", false, &catalog.guard,
			  err);
	if (ret == 0)
		ret = repo_writable(d, err);
	if (ret == 0)
		ret = store_open(&store, &k.s, err);
	if (ret == 0)
		ret = catalog_rebuild(&catalog, &k, err);
	store_close(k.s);
	k.s = NULL;
	if (ret == 0)
		ret = repo_open_parts(d, err);
	if (ret == 0)
		ret = fill_report(d, &k, out, err);
	check_release(&k);
	dsv_close(d);
	return ret;
}
