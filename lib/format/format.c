/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/str.h"

typedef int parser(const struct format_source *src, struct layout *l,
		   struct dsv_err *err);

static const struct {
	enum format_kind kind;
	const char *magic;
	size_t magic_len;
	parser *parse;
} parsers[] = {
	{ FORMAT_TORCH_ZIP, "PK\3\4", 4, torch_parse },
	{ FORMAT_NPZ, "PK\3\4", 4, npz_parse },
	{ FORMAT_NPY, "\223NUMPY", 6, npy_parse },
	{ FORMAT_GGUF, "GGUF", 4, gguf_parse },
	/* Its magic is a '{' after 8 arbitrary bytes. */
	{ FORMAT_SAFETENSORS, "", 0, safetensors_parse },
};

int source_read(const struct format_source *src, void *buf, size_t len,
		int64_t offset, struct dsv_err *err)
{
	int ret;

	if (offset < 0 || offset > src->size_bytes ||
	    len > (uint64_t)(src->size_bytes - offset))
		return FORMAT_NO;
	if (len == 0)
		return FORMAT_YES;
	ret = src->read(src->arg, buf, len, offset, err);
	return ret < 0 ? ret : FORMAT_YES;
}

int source_load(const struct format_source *src, int64_t offset, size_t len,
		unsigned char **out, struct dsv_err *err)
{
	unsigned char *buf;
	int ret;

	/* We check before we allocate: the length may be a lie. */
	if (offset < 0 || offset > src->size_bytes ||
	    len > (uint64_t)(src->size_bytes - offset))
		return FORMAT_NO;
	buf = malloc(len + 1);
	if (!buf)
		return dsv_fail_nomem(err);
	ret = source_read(src, buf, len, offset, err);
	if (ret != FORMAT_YES) {
		free(buf);
		return ret;
	}
	buf[len] = '\0';
	*out = buf;
	return FORMAT_YES;
}

int layout_extent(struct layout *l, int64_t start, int64_t end,
		  struct dsv_err *err)
{
	int ret;

	if (start == end)
		return 0;
	ret = list_grow((void **)&l->extents, l->count, sizeof(*l->extents),
			err);
	if (ret == 0)
		l->extents[l->count++] = (struct extent){ start, end };
	return ret;
}

static void truncate_items(struct format_tensors *tensors, size_t count)
{
	struct format_tensor *t;

	while (tensors->count > count) {
		t = &tensors->items[--tensors->count];
		free(t->name);
		free(t->shape);
		free(t->stride);
	}
}

static void release_items(struct format_tensors *tensors)
{
	truncate_items(tensors, 0);
	free(tensors->items);
	tensors->items = NULL;
}

size_t layout_tensor_count(const struct layout *l)
{
	return l->tensors ? l->tensors->count : 0;
}

void layout_truncate(struct layout *l, size_t count)
{
	if (l->tensors)
		truncate_items(l->tensors, count);
}

void layout_clear(struct layout *l)
{
	free(l->extents);
	l->extents = NULL;
	l->count = 0;
	if (l->tensors)
		release_items(l->tensors);
}

bool shape_elements(size_t rank, const int64_t *shape, int64_t *out)
{
	int64_t n = 1;
	size_t i;

	for (i = 0; i < rank; i++)
		if (shape[i] < 0 || __builtin_mul_overflow(n, shape[i], &n))
			return false;
	*out = n;
	return true;
}

/*
 * Returns whether the view is row-major.  A dimension of 1 may have any stride,
 * and so may all dimensions when one is 0.
 */
static bool row_major(const struct tensor_view *view)
{
	int64_t want = 1;
	size_t i;

	if (!view->stride || view->size_bytes == 0)
		return true;
	for (i = view->rank; i-- > 0;) {
		if (view->shape[i] != 1 && view->stride[i] != want)
			return false;
		want *= view->shape[i];
	}
	return true;
}

static int64_t *copy_sizes(const int64_t *sizes, size_t count)
{
	/* malloc(0) is avoided: its NULL would not be a failure. */
	int64_t *copy = malloc((count + 1) * sizeof(*copy));

	if (copy && count)
		memcpy(copy, sizes, count * sizeof(*copy));
	return copy;
}

int layout_tensor(struct layout *l, const struct tensor_view *view,
		  struct dsv_err *err)
{
	struct format_tensor *t;

	if (!l->tensors)
		return 0;
	if (list_grow((void **)&l->tensors->items, l->tensors->count,
		      sizeof(*t), err) < 0)
		return dsv_fail_nomem(err);
	t = &l->tensors->items[l->tensors->count];
	memset(t, 0, sizeof(*t));
	strncpy(t->dtype, view->dtype, sizeof(t->dtype) - 1);
	t->rank = view->rank;
	t->offset_bytes = view->offset_bytes;
	t->size_bytes = view->size_bytes;
	t->contiguous = row_major(view);
	t->name = strndup(view->name, view->name_len);
	t->shape = copy_sizes(view->shape, view->rank);
	if (!t->contiguous)
		t->stride = copy_sizes(view->stride, view->rank);
	l->tensors->count++;	/* even if incomplete: released with the rest */
	if (!t->name || !t->shape || (!t->contiguous && !t->stride))
		return dsv_fail_nomem(err);
	return 0;
}

/* Sets *kind and l as the first parser does that says yes, else to opaque. */
static int parse(const struct format_source *src, struct layout *l,
		 enum format_kind *kind, struct dsv_err *err)
{
	size_t i, len = src->size_bytes < 8 ? (size_t)src->size_bytes : 8;
	unsigned char magic[8];
	int ret;

	*kind = FORMAT_OPAQUE;
	ret = source_read(src, magic, len, 0, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < sizeof(parsers) / sizeof(*parsers); i++) {
		if (len < parsers[i].magic_len ||
		    memcmp(magic, parsers[i].magic, parsers[i].magic_len))
			continue;
		ret = parsers[i].parse(src, l, err);
		if (ret == FORMAT_YES) {
			*kind = parsers[i].kind;
			return 0;
		}
		layout_clear(l);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int format_cut(const struct format_source *src, struct format_cuts *out,
	       struct dsv_err *err)
{
	struct layout l = { 0 };
	struct format_cuts cuts = { 0 };
	int ret;

	ret = parse(src, &l, &cuts.kind, err);
	if (ret == 0)
		ret = cuts_from_extents(&l, src->size_bytes, &cuts, err);
	layout_clear(&l);
	if (ret == 0)
		*out = cuts;
	return ret;
}

void format_cuts_release(struct format_cuts *cuts)
{
	free(cuts->end);
	free(cuts->content_defined);
	memset(cuts, 0, sizeof(*cuts));
}

int format_tensors(const struct format_source *src, struct format_tensors *out,
		   struct dsv_err *err)
{
	struct format_tensors tensors = { 0 };
	struct layout l = { .tensors = &tensors };
	int ret;

	ret = parse(src, &l, &tensors.kind, err);
	free(l.extents);
	if (ret < 0)
		return ret;
	*out = tensors;
	return 0;
}

void format_tensors_release(struct format_tensors *tensors)
{
	release_items(tensors);
	memset(tensors, 0, sizeof(*tensors));
}
