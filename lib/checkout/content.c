/* SPDX-License-Identifier: MIT */
/*
 * What is in a state: its entries, a file's bytes, its tensors.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "../files/files.h"
#include "../format/format.h"
#include "../lineage/rev.h"
#include "../repo/repo.h"

static int files_of_rev(struct dsv *d, const char *rev, int64_t *seq,
			struct manifest *out, struct dsv_err *err)
{
	int ret = rev_resolve(d, rev ? rev : "HEAD", seq, err);

	return ret < 0 ? ret : files_of(d, *seq, out, err);
}

int dsv_entries(struct dsv *d, const char *rev, struct dsv_entries *out,
		struct dsv_err *err)
{
	struct manifest *m = calloc(1, sizeof(*m));
	struct dsv_entry *items = NULL;
	int64_t seq;
	size_t i;
	int ret;

	if (!m)
		return dsv_fail_nomem(err);
	ret = files_of_rev(d, rev, &seq, m, err);
	if (ret < 0)
		goto fail;
	items = calloc(m->count + 1, sizeof(*items));
	if (!items) {
		ret = dsv_fail_nomem(err);
		goto fail;
	}
	for (i = 0; i < m->count; i++) {
		const struct manifest_entry *e = &m->entries[i];

		items[i].path = e->path;
		items[i].type = e->type;
		items[i].executable = e->executable;
		items[i].size_bytes = e->size_bytes;
		items[i].target = e->target;
		items[i].part = e->part;
		if (e->type == DSV_FILE)
			hash_to_hex(e->recipe, items[i].recipe);
	}
	out->count = m->count;
	out->items = items;
	out->memory = m;
	return 0;
fail:
	manifest_release(m);
	free(m);
	return ret;
}

void dsv_entries_free(struct dsv_entries *entries)
{
	if (entries->memory) {
		manifest_release(entries->memory);
		free(entries->memory);
	}
	free(entries->items);
	*entries = (struct dsv_entries){ 0, NULL, NULL };
}

/* A file of a state as lib/format reads it. */
static int read_stored(void *arg, void *buf, size_t len, int64_t offset,
		       struct dsv_err *err)
{
	return reader_read(arg, buf, len, offset, err);
}

static int tensors_of(struct dsv *d, const struct manifest_entry *entry,
		      struct format_tensors *out, struct dsv_err *err)
{
	struct reader stored = READER_INIT;
	struct format_source source = {
		.size_bytes = entry->size_bytes,
		.read = read_stored,
		.arg = &stored,
	};
	int ret;

	ret = reader_open(d->store, entry->recipe, entry->size_bytes, &stored,
			  err);
	if (ret == 0)
		ret = format_tensors(&source, out, err);
	reader_close(&stored);
	return ret < 0 ? dsv_fail_in(err, ret, "'%s'", entry->path) : 0;
}

/* Owns what the items of a struct dsv_tensors borrow. */
struct tensor_memory {
	struct manifest manifest;
	size_t count;
	struct format_tensors *files;
};

static void tensor_memory_free(struct tensor_memory *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		format_tensors_release(&m->files[i]);
	free(m->files);
	manifest_release(&m->manifest);
	free(m);
}

static int add_tensors(struct dsv_tensors *list, const char *path,
		       const struct format_tensors *tensors,
		       struct dsv_err *err)
{
	struct dsv_tensor *items;
	size_t i;

	if (tensors->count == 0)
		return 0;
	items = realloc(list->items,
			(list->count + tensors->count) * sizeof(*items));
	if (!items)
		return dsv_fail_nomem(err);
	list->items = items;
	for (i = 0; i < tensors->count; i++) {
		const struct format_tensor *from = &tensors->items[i];
		struct dsv_tensor *to = &items[list->count++];

		to->path = path;
		to->name = from->name;
		to->dtype = from->dtype;
		to->rank = from->rank;
		to->shape = from->shape;
		to->offset_bytes = from->contiguous ? from->offset_bytes : -1;
		to->size_bytes = from->size_bytes;
	}
	return 0;
}

int dsv_tensors(struct dsv *d, const char *rev, struct dsv_tensors *out,
		struct dsv_err *err)
{
	struct tensor_memory *m = calloc(1, sizeof(*m));
	struct dsv_tensors list = { 0, NULL, NULL };
	int64_t seq;
	size_t i;
	int ret;

	if (!m)
		return dsv_fail_nomem(err);
	ret = files_of_rev(d, rev, &seq, &m->manifest, err);
	if (ret == 0) {
		m->files = calloc(m->manifest.count + 1, sizeof(*m->files));
		if (!m->files)
			ret = dsv_fail_nomem(err);
	}
	for (i = 0; ret == 0 && i < m->manifest.count; i++) {
		const struct manifest_entry *entry = &m->manifest.entries[i];

		if (entry->type != DSV_FILE)
			continue;
		ret = tensors_of(d, entry, &m->files[m->count], err);
		if (ret == 0)
			ret = add_tensors(&list, entry->path,
					  &m->files[m->count++], err);
		ret = files_failed(d, seq, ret, err);
	}
	if (ret < 0) {
		tensor_memory_free(m);
		free(list.items);
		return ret;
	}
	list.memory = m;
	*out = list;
	return 0;
}

void dsv_tensors_free(struct dsv_tensors *tensors)
{
	if (tensors->memory)
		tensor_memory_free(tensors->memory);
	free(tensors->items);
	*tensors = (struct dsv_tensors){ 0, NULL, NULL };
}

static int cat_tensor(struct dsv *d, const struct manifest_entry *entry,
		      const char *name, int fd, struct dsv_err *err)
{
	struct format_tensors tensors;
	const struct format_tensor *t = NULL;
	size_t i;
	int ret;

	ret = tensors_of(d, entry, &tensors, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < tensors.count; i++) {
		if (!strcmp(tensors.items[i].name, name))
			t = &tensors.items[i];
	}
	if (!t)
		ret = dsv_fail_hint(err, DSV_ENOTFOUND, DSV_HINT_TENSORS, NULL,
				    "'%s' has no tensor '%s'", entry->path,
				    name);
	else if (!t->contiguous)
		ret = dsv_fail(err, DSV_EREFUSED, "tensor '%s' is a strided"
			       " view of its storage: its elements do not lie"
			       " together", name);
	else
		ret = store_cat(d->store, entry->recipe, entry->size_bytes,
				t->offset_bytes, t->size_bytes, fd, err);
	format_tensors_release(&tensors);
	return ret;
}

int dsv_cat(struct dsv *d, const char *spec, const char *tensor, int fd,
	    struct dsv_err *err)
{
	const char *colon = strchr(spec, ':');
	const struct manifest_entry *entry;
	struct manifest m = MANIFEST_INIT;
	int64_t seq;
	char *rev;
	int ret;

	/* max:KEY and min:KEY hold a colon of their own. */
	if (colon && (!strncmp(spec, "max:", 4) || !strncmp(spec, "min:", 4)))
		colon = strchr(colon + 1, ':');
	if (!colon || !colon[1])
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not of the form"
				" REV:PATH", spec);
	rev = strndup(spec, (size_t)(colon - spec));
	if (!rev)
		return dsv_fail_nomem(err);
	ret = files_of_rev(d, *rev ? rev : NULL, &seq, &m, err);
	free(rev);
	if (ret < 0)
		return ret;
	entry = files_find(&m, colon + 1);
	if (!entry)
		ret = dsv_fail(err, DSV_ENOTFOUND, "the state has no file '%s'",
			       colon + 1);
	else if (entry->type != DSV_FILE)
		ret = dsv_fail(err, DSV_ENOTFOUND, "'%s' is not a file",
			       colon + 1);
	else if (tensor)
		ret = cat_tensor(d, entry, tensor, fd, err);
	else
		ret = store_cat(d->store, entry->recipe, entry->size_bytes, 0,
				entry->size_bytes, fd, err);
	manifest_release(&m);
	return files_failed(d, seq, ret, err);
}
