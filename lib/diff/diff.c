/* SPDX-License-Identifier: MIT */
/*
 * Compares two states, or a state and a directory: files, parameters,
 * attributes.
 */
#include "../base/options.h"
#include "../files/files.h"
#include "diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/list.h"
#include "../base/value.h"
#include "../lineage/rev.h"

/* ---- Parameters and attributes ---- */

static int add_value(const char *key, const struct dsv_value *before,
		     const struct dsv_value *after,
		     struct dsv_diff_value **items, size_t *count,
		     struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)items, *count, sizeof(**items), err);
	if (ret == 0)
		(*items)[(*count)++] =
			(struct dsv_diff_value){ key, before, after };
	return ret;
}

static int diff_values(const struct dsv_kvs *a, const struct dsv_kvs *b,
		       struct dsv_diff_value **items, size_t *count,
		       struct dsv_err *err)
{
	size_t i = 0;
	size_t k = 0;
	int ret = 0;

	while (ret == 0 && (i < a->count || k < b->count)) {
		const struct dsv_kv *x = i < a->count ? &a->items[i] : NULL;
		const struct dsv_kv *y = k < b->count ? &b->items[k] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->key, y->key);

		if (order < 0)
			ret = add_value(x->key, &x->value, NULL, items, count,
					err);
		else if (order > 0)
			ret = add_value(y->key, NULL, &y->value, items, count,
					err);
		else if (!value_equal(&x->value, &y->value))
			ret = add_value(x->key, &x->value, &y->value, items,
					count, err);
		i += order <= 0;
		k += order >= 0;
	}
	return ret;
}

/* ---- Files ---- */

static int add_entry(struct dsv_diff *diff, const struct manifest_entry *x,
		     const struct manifest_entry *y, const char *what,
		     struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&diff->entries, diff->entry_count,
			sizeof(*diff->entries), err);
	if (ret < 0)
		return ret;
	diff->entries[diff->entry_count++] = (struct dsv_diff_entry){
		.path = x ? x->path : y->path,
		.change = !x ? DSV_ADDED : !y ? DSV_REMOVED : DSV_CHANGED,
		.what = what,
		.old_type = x ? x->type : y->type,
		.new_type = y ? y->type : x->type,
		.old_size_bytes = x ? x->size_bytes : -1,
		.new_size_bytes = y ? y->size_bytes : -1,
	};
	return 0;
}

/* Adds all tensors of a file that is only in one of the two. */
static int tensors_of_one(const struct side *s, const struct manifest_entry *e,
			  bool added, struct dsv_diff *diff,
			  struct dsv_err *err)
{
	struct side_file file;
	bool held;
	int ret;

	if (e->type != DSV_FILE)
		return 0;
	ret = side_open(s, e, &file, err);
	if (ret < 0)
		return ret;
	ret = diff_tensors(e->path, added ? NULL : &file,
			   added ? &file : NULL, -1, diff, &held, err);
	side_close(&file);
	return ret;
}

/* Compares two files whose recipes do not say that they are the same. */
static int diff_files(const struct diff_memory *m,
		      const struct dsv_diff_options *o,
		      const struct manifest_entry *x,
		      const struct manifest_entry *y, struct dsv_diff *diff,
		      struct dsv_err *err)
{
	struct side_file a = SIDE_FILE_INIT, b = SIDE_FILE_INIT;
	size_t before = diff->tensor_count;
	bool same = false, held = false;
	int ret;

	ret = side_open(&m->a, x, &a, err);
	if (ret == 0)
		ret = side_open(&m->b, y, &b, err);
	if (ret == 0)
		ret = side_same_bytes(&a, &b, &same, err);
	if (ret == 0 && !same && o->tensors)
		ret = diff_tensors(x->path, &a, &b, o->tolerance, diff, &held,
				   err);
	if (o->tolerance >= 0 && held && diff->tensor_count == before)
		same = true;
	side_close(&a);
	side_close(&b);
	if (ret < 0)
		return dsv_fail_in(err, ret, "compare '%s'", x->path);
	if (!same)
		return add_entry(diff, x, y, "content", err);
	if (x->executable != y->executable)
		return add_entry(diff, x, y, "mode", err);
	return 0;
}

static int diff_pair(const struct diff_memory *m,
		     const struct dsv_diff_options *o,
		     const struct manifest_entry *x,
		     const struct manifest_entry *y, struct dsv_diff *diff,
		     struct dsv_err *err)
{
	if (x->type != y->type)
		return add_entry(diff, x, y, "type", err);
	if (x->type == DSV_DIR)
		return 0;
	if (x->type == DSV_LINK)
		return strcmp(x->target, y->target) ?
			add_entry(diff, x, y, "target", err) : 0;
	if (m->b.dir || memcmp(x->recipe, y->recipe, HASH_BYTES))
		return diff_files(m, o, x, y, diff, err);
	if (x->executable != y->executable)
		return add_entry(diff, x, y, "mode", err);
	return 0;
}

static int diff_entries(const struct diff_memory *m,
			const struct dsv_diff_options *o,
			struct dsv_diff *diff, struct dsv_err *err)
{
	const struct manifest *a = &m->a.files, *b = &m->b.files;
	size_t i = 0;
	size_t k = 0;
	int ret = 0;

	while (ret == 0 && (i < a->count || k < b->count)) {
		const struct manifest_entry *x, *y;
		int order;

		x = i < a->count ? &a->entries[i] : NULL;
		y = k < b->count ? &b->entries[k] : NULL;
		order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
		if (order == 0) {
			ret = diff_pair(m, o, x, y, diff, err);
		} else {
			ret = add_entry(diff, order < 0 ? x : NULL,
					order < 0 ? NULL : y, NULL, err);
			if (ret == 0 && o->tensors)
				ret = tensors_of_one(order < 0 ? &m->a : &m->b,
						     order < 0 ? x : y,
						     order > 0, diff, err);
		}
		i += order <= 0;
		k += order >= 0;
	}
	return ret;
}

/* ---- The whole ---- */

static int load_dir(struct side *s, const char *dir, struct globs *globs,
		    struct dsv_err *err)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return errno == ENOENT ?
			dsv_fail(err, DSV_ENOTFOUND, "no directory '%s'",
				 dir) :
			dsv_fail_errno(err, "look at '%s'", dir);
	if (!S_ISDIR(st.st_mode))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a directory",
				dir);
	return side_load_dir(s, dir, globs, err);
}

static int load_files(struct dsv *d, struct diff_memory *m,
		      const struct dsv_diff_options *o, struct dsv_err *err)
{
	struct globs globs = GLOBS_INIT;
	int ret = globs_add_all(&globs, &o->paths, err);

	if (ret == 0)
		ret = side_load_state(&m->a, m->seq_a, &globs, err);
	if (ret == 0)
		ret = o->dir ? load_dir(&m->b, o->dir, &globs, err) :
			side_load_state(&m->b, m->seq_b, &globs, err);
	if (ret == 0)
		files_tell_unused(d, &globs, &o->paths);
	globs_release(&globs);
	return ret;
}

static int load(struct dsv *d, struct diff_memory *m,
		const struct dsv_diff_options *o, struct dsv_err *err)
{
	unsigned char x[HASH_BYTES], y[HASH_BYTES];
	int64_t a, b = 0;
	int ret;

	ret = rev_resolve(d, o->a, &a, err);
	if (ret == 0 && !o->dir)
		ret = rev_resolve(d, o->b, &b, err);
	if (ret == 0)
		ret = catalog_load(d->catalog, &a, 1, &m->state_a, err);
	if (ret == 0 && !o->dir)
		ret = catalog_load(d->catalog, &b, 1, &m->state_b, err);
	if (ret == 0)
		ret = catalog_content(d->catalog, a, x, err);
	if (ret == 0 && !o->dir)
		ret = catalog_content(d->catalog, b, y, err);
	if (ret == 0) {
		m->seq_a = a;
		m->seq_b = b;
	}
	/* A fork: nothing to look at. */
	if (ret < 0 || (!o->dir && !memcmp(x, y, HASH_BYTES)))
		return ret;
	return load_files(d, m, o, err);
}

static int diff_states(struct dsv *d, const struct dsv_diff_options *o,
		       struct dsv_diff *out, struct dsv_err *err)
{
	struct diff_memory *m = calloc(1, sizeof(*m));
	struct dsv_diff diff = { .memory = m };
	int ret;

	if (!m)
		return dsv_fail_nomem(err);
	m->a.d = m->b.d = d;
	ret = load(d, m, o, err);
	if (ret == 0)
		ret = diff_entries(m, o, &diff, err);
	if (ret == 0 && m->state_b)
		ret = diff_values(&m->state_a->params, &m->state_b->params,
				  &diff.params, &diff.param_count, err);
	if (ret == 0 && m->state_b)
		ret = diff_values(&m->state_a->attrs, &m->state_b->attrs,
				  &diff.attrs, &diff.attr_count, err);
	if (ret < 0) {
		if (m->seq_a)
			ret = files_failed(d, m->seq_a, ret, err);
		if (m->seq_b)
			ret = files_failed(d, m->seq_b, ret, err);
		dsv_diff_free(&diff);
		return ret;
	}
	memcpy(diff.a, m->state_a->id, DSV_ID_SIZE);
	if (m->state_b)
		memcpy(diff.b, m->state_b->id, DSV_ID_SIZE);
	*out = diff;
	return 0;
}

int dsv_diff(struct dsv *d, const struct dsv_diff_options *given,
	     struct dsv_diff *out, struct dsv_err *err)
{
	struct dsv_diff_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : diff_states(d, &o, out, err);
}

void dsv_diff_free(struct dsv_diff *diff)
{
	struct diff_memory *m = diff->memory;
	size_t i;

	for (i = 0; i < diff->tensor_count; i++)
		diff_tensor_release(&diff->tensors[i]);
	free(diff->tensors);
	free(diff->entries);
	free(diff->params);
	free(diff->attrs);
	if (m) {
		side_release(&m->a);
		side_release(&m->b);
		dsv_state_free(m->state_a);
		dsv_state_free(m->state_b);
		free(m);
	}
	*diff = (struct dsv_diff){ .memory = NULL };
}
