/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../base/json_text.h"
#include "../base/str.h"

static const struct {
	const char *name;
	int bits;
} dtypes[] = {
	{ "BOOL", 8 }, { "F4", 4 }, { "F6_E2M3", 6 }, { "F6_E3M2", 6 },
	{ "U8", 8 }, { "I8", 8 }, { "F8_E5M2", 8 }, { "F8_E4M3", 8 },
	{ "F8_E8M0", 8 }, { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 },
	{ "I16", 16 }, { "U16", 16 }, { "F16", 16 }, { "BF16", 16 },
	{ "I32", 32 }, { "U32", 32 }, { "F32", 32 }, { "C64", 64 },
	{ "F64", 64 }, { "I64", 64 }, { "U64", 64 },
};

#define PREFIX_BYTES 8
#define COMMAS_MAX (8 * FORMAT_TENSORS_MAX)

/*
 * A tree of "[0,0,...]" takes twenty times the memory of its text.  Before it
 * is built, this checks that the header does not have more brackets and commas
 * than tensors need.
 */
static bool modest(const char *text, size_t len)
{
	size_t objects = 0, commas = 0, i;
	int depth = 0;
	bool quoted = false;

	for (i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
			continue;
		}
		switch (text[i]) {
		case '"':
			quoted = true;
			break;
		case ',':
			if (++commas > COMMAS_MAX)
				return false;
			break;
		case '{':
			if (++objects > FORMAT_TENSORS_MAX + 2)
				return false;
			/* fall through */
		case '[':
			if (++depth > 3)
				return false;
			break;
		case '}':
		case ']':
			depth--;
			break;
		}
	}
	return true;
}

static int dtype_bits(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(dtypes) / sizeof(*dtypes); i++)
		if (!strcmp(dtypes[i].name, name))
			return dtypes[i].bits;
	return 0;
}

/* Reads at most max whole numbers >= 0; *count is how many there were. */
static bool get_sizes(const json_t *array, int64_t *sizes, size_t max,
		      size_t *count)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(array) || json_array_size(array) > max)
		return false;
	*count = json_array_size(array);
	for (i = 0; i < *count; i++) {
		item = json_array_get(array, i);
		if (!json_is_integer(item) || json_integer_value(item) < 0)
			return false;
		sizes[i] = json_integer_value(item);
	}
	return true;
}

static bool metadata_valid(const json_t *metadata)
{
	void *i;

	if (!json_is_object(metadata))
		return false;
	for (i = json_object_iter((json_t *)metadata); i;
	     i = json_object_iter_next((json_t *)metadata, i))
		if (!json_is_string(json_object_iter_value(i)))
			return false;
	return true;
}

/* Adds one entry of the header; e gets its place in the file. */
static int add_entry(struct layout *l, const char *name, const json_t *info,
		     int64_t base, struct extent *e, struct dsv_err *err)
{
	int64_t shape[FORMAT_RANK_MAX], range[2], elements, bits;
	size_t rank, n;
	const char *dtype = json_text(info, "dtype");
	int width = dtype_bits(dtype);

	if (!width || !json_is_object(info) ||
	    !get_sizes(json_object_get(info, "shape"), shape, FORMAT_RANK_MAX,
		       &rank) ||
	    !get_sizes(json_object_get(info, "data_offsets"), range, 2, &n) ||
	    n != 2 || range[0] > range[1])
		return FORMAT_NO;
	if (!shape_elements(rank, shape, &elements) ||
	    __builtin_mul_overflow(elements, (int64_t)width, &bits) ||
	    bits % 8 != 0 || bits / 8 != range[1] - range[0])
		return FORMAT_NO;
	if (__builtin_add_overflow(base, range[0], &e->start) ||
	    __builtin_add_overflow(base, range[1], &e->end))
		return FORMAT_NO;
	if (layout_tensor(l, &(struct tensor_view){
			.name = name, .name_len = strlen(name),
			.dtype = dtype, .rank = rank, .shape = shape,
			.offset_bytes = e->start,
			.size_bytes = range[1] - range[0] }, err) < 0)
		return dsv_fail_nomem(err);
	return FORMAT_YES;
}

static int compare_extents(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* Sorts and adds the extents, which must fill the file from base to its end. */
static int add_extents(struct layout *l, struct extent *extents, size_t count,
		       int64_t base, int64_t size_bytes, struct dsv_err *err)
{
	int64_t pos = base;
	size_t i;

	if (count)
		qsort(extents, count, sizeof(*extents), compare_extents);
	for (i = 0; i < count; i++) {
		if (extents[i].start != pos)
			return FORMAT_NO;
		pos = extents[i].end;
		if (layout_extent(l, extents[i].start, pos, err) < 0)
			return dsv_fail_nomem(err);
	}
	return pos == size_bytes ? FORMAT_YES : FORMAT_NO;
}

static int parse_header(struct layout *l, const json_t *header, int64_t base,
			int64_t size_bytes, struct dsv_err *err)
{
	json_t *root = (json_t *)header;	/* iterators are not const */
	struct extent *extents;
	const char *name;
	size_t count = 0;
	void *i;
	int ret = FORMAT_YES;

	extents = calloc(json_object_size(header) + 1, sizeof(*extents));
	if (!extents)
		return dsv_fail_nomem(err);
	for (i = json_object_iter(root); i && ret == FORMAT_YES;
	     i = json_object_iter_next(root, i)) {
		name = json_object_iter_key(i);
		if (strcmp(name, "__metadata__"))
			ret = add_entry(l, name, json_object_iter_value(i),
					base, &extents[count++], err);
		else if (!metadata_valid(json_object_iter_value(i)))
			ret = FORMAT_NO;
	}
	if (ret == FORMAT_YES)
		ret = add_extents(l, extents, count, base, size_bytes, err);
	free(extents);
	return ret;
}

int safetensors_parse(const struct format_source *src, struct layout *l,
		      struct dsv_err *err)
{
	unsigned char prefix[PREFIX_BYTES + 1];
	unsigned char *text = NULL;
	json_t *header = NULL;
	json_error_t why;
	uint64_t len;
	int ret;

	ret = source_read(src, prefix, sizeof(prefix), 0, err);
	if (ret != FORMAT_YES)
		return ret;
	len = get_u64(prefix);
	if (prefix[PREFIX_BYTES] != '{' || len < 2 || len > FORMAT_HEADER_MAX)
		return FORMAT_NO;
	ret = source_load(src, PREFIX_BYTES, len, &text, err);
	if (ret != FORMAT_YES)
		return ret;
	ret = FORMAT_NO;
	if (!modest((char *)text, len))
		goto out;
	header = json_loadb((char *)text, len, JSON_REJECT_DUPLICATES, &why);
	if (!header && json_error_code(&why) == json_error_out_of_memory)
		ret = dsv_fail_nomem(err);
	if (json_is_object(header))
		ret = parse_header(l, header, PREFIX_BYTES + (int64_t)len,
				   src->size_bytes, err);
out:
	json_decref(header);
	free(text);
	return ret;
}
