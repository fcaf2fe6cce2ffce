/* SPDX-License-Identifier: MIT */
#include "torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

struct archives {
	struct torch_archive *items;	/* the last one in the file is first */
	size_t count;
	size_t members;
	size_t directory_bytes;		/* all are kept until the end */
};

const struct zip_entry *torch_member(const struct torch_archive *a,
				     const char *name, size_t name_len)
{
	char path[2 * FORMAT_NAME_MAX];

	if (a->root_len + name_len > sizeof(path))
		return NULL;
	memcpy(path, a->root, a->root_len);
	memcpy(path + a->root_len, name, name_len);
	return zip_find(&a->zip, path, a->root_len + name_len);
}

/* PyTorch, like us, takes the root from the first member. */
static bool identify(struct torch_archive *a)
{
	const struct zip_entry *first = &a->zip.entries[0];
	const char *slash = memchr(first->name, '/', first->name_len);

	if (!slash)
		return false;
	a->root = first->name;
	a->root_len = (size_t)(slash - first->name) + 1;
	a->pickle = torch_member(a, "data.pkl", 8);
	return a->pickle && a->pickle->method == ZIP_STORED &&
		torch_member(a, "version", 7);
}

static bool is_storage(const struct torch_archive *a,
		       const struct zip_entry *e)
{
	return e->method == ZIP_STORED && e->name_len > a->root_len + 5 &&
		!memcmp(e->name, a->root, a->root_len) &&
		!memcmp(e->name + a->root_len, "data/", 5);
}

static int add_extents(struct layout *l, const struct torch_archive *a,
		       struct dsv_err *err)
{
	const struct zip_entry *e;
	size_t i;

	for (i = 0; i < a->zip.count; i++) {
		e = &a->zip.entries[i];
		if (is_storage(a, e) &&
		    layout_extent(l, e->data_offset,
				  e->data_offset + e->size_bytes, err) < 0)
			return dsv_fail_nomem(err);
	}
	return FORMAT_YES;
}

/*
 * The archive at the end of a file says where it starts; before it there is
 * nothing, or the end of another one (.distcp: one for each tensor).
 */
static int read_archives(const struct format_source *src, struct archives *as,
			 struct dsv_err *err)
{
	int64_t end = src->size_bytes;
	struct torch_archive *a;
	int ret;

	while (end > 0) {
		ret = list_grow((void **)&as->items, as->count, sizeof(*a),
				err);
		if (ret < 0)
			return ret;
		a = &as->items[as->count];
		ret = zip_read(src, end, &a->zip, err);
		if (ret != FORMAT_YES)
			return ret;
		as->count++;
		as->members += a->zip.count;
		as->directory_bytes += a->zip.directory_bytes;
		if (!identify(a) || as->members > FORMAT_TENSORS_MAX ||
		    as->directory_bytes > FORMAT_HEADER_MAX)
			return FORMAT_NO;
		end = a->zip.start;
	}
	return as->count ? FORMAT_YES : FORMAT_NO;
}

static int add_tensors(const struct format_source *src, struct layout *l,
		       const struct archives *as, size_t i,
		       struct dsv_err *err)
{
	size_t before = layout_tensor_count(l);
	char prefix[24] = "";
	int ret;

	if (!l->tensors)
		return FORMAT_YES;
	if (as->count > 1)
		snprintf(prefix, sizeof(prefix), "%zu", i);
	ret = torch_tensors(src, &as->items[as->count - 1 - i], prefix, l,
			    err);
	if (ret != FORMAT_NO)
		return ret;
	layout_truncate(l, before);
	return FORMAT_YES;
}

int torch_parse(const struct format_source *src, struct layout *l,
		struct dsv_err *err)
{
	struct archives as = { 0 };
	size_t i;
	int ret;

	ret = read_archives(src, &as, err);
	for (i = 0; i < as.count && ret == FORMAT_YES; i++) {
		ret = add_extents(l, &as.items[as.count - 1 - i], err);
		if (ret == FORMAT_YES)
			ret = add_tensors(src, l, &as, i, err);
	}
	for (i = 0; i < as.count; i++)
		zip_release(&as.items[i].zip);
	free(as.items);
	return ret;
}
