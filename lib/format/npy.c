/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "zip.h"

#define HEADER_MAX (64 << 10)
#define MAGIC "\223NUMPY"
#define MAGIC_LEN 6

struct array {
	const char *dtype;	/* NULL: we have no name for it */
	int64_t width;		/* bytes of an element; 0: not known yet */
	bool shaped;
	bool column_major;
	size_t rank;
	int64_t shape[FORMAT_RANK_MAX];
	int64_t data_offset;	/* in the file */
	int64_t size_bytes;
};

static const struct {
	char kind;
	int64_t width;
	const char *name;
} dtypes[] = {
	{ 'f', 2, "F16" }, { 'f', 4, "F32" }, { 'f', 8, "F64" },
	{ 'i', 1, "I8" }, { 'i', 2, "I16" }, { 'i', 4, "I32" },
	{ 'i', 8, "I64" }, { 'u', 1, "U8" }, { 'u', 2, "U16" },
	{ 'u', 4, "U32" }, { 'u', 8, "U64" }, { 'b', 1, "BOOL" },
	{ 'c', 8, "C64" }, { 'c', 16, "C128" },
};

/* ---- The header: a Python literal, NUL-terminated here ---- */

static void skip_space(const char **p)
{
	*p += strspn(*p, " \t\n\r\f");
}

static bool skip(const char **p, char c)
{
	skip_space(p);
	if (**p != c)
		return false;
	++*p;
	return true;
}

/* Reads a quoted string without escapes; *text is borrowed. */
static bool read_text(const char **p, const char **text, size_t *len)
{
	char quote[] = { 0, '\\', 0 };

	skip_space(p);
	quote[0] = **p;
	if (quote[0] != '\'' && quote[0] != '"')
		return false;
	*text = ++*p;
	*len = strcspn(*p, quote);
	*p += *len;
	return *(*p)++ == quote[0];
}

static bool read_number(const char **p, int64_t *out)
{
	int64_t n = 0;

	skip_space(p);
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; ++*p)
		if (__builtin_mul_overflow(n, (int64_t)10, &n) ||
		    __builtin_add_overflow(n, (int64_t)(**p - '0'), &n))
			return false;
	if (**p == 'L')		/* in Python 2 */
		++*p;
	*out = n;
	return true;
}

/*
 * Reads "<f4", "|b1", "<U10", "<M8[ns]".  Arrays with fields have a list
 * instead, and those of objects are pickles: neither is an array of numbers.
 */
static bool read_descr(const char **p, struct array *a)
{
	const char *text, *at;
	size_t len, i;
	char kind;

	if (!read_text(p, &text, &len) || len < 3 ||
	    !strchr("<>|=", text[0]) || !strchr("biufcSUVmM", text[1]))
		return false;
	at = text + 2;
	kind = text[1];
	if (!read_number(&at, &a->width) || a->width <= 0 ||
	    (at != text + len && *at != '['))
		return false;
	if (kind == 'U' && __builtin_mul_overflow(a->width, (int64_t)4,
						  &a->width))
		return false;
	if (text[0] == '>' && a->width > 1)
		return true;
	for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++)
		if (dtypes[i].kind == kind && dtypes[i].width == a->width)
			a->dtype = dtypes[i].name;
	return true;
}

static bool read_order(const char **p, struct array *a)
{
	skip_space(p);
	a->column_major = !strncmp(*p, "True", 4);
	if (!a->column_major && strncmp(*p, "False", 5))
		return false;
	*p += a->column_major ? 4 : 5;
	return true;
}

static bool read_shape(const char **p, struct array *a)
{
	if (!skip(p, '('))
		return false;
	a->rank = 0;
	while (!skip(p, ')')) {
		if (a->rank == FORMAT_RANK_MAX ||
		    !read_number(p, &a->shape[a->rank++]))
			return false;
		if (!skip(p, ',') && **p != ')')
			return false;
	}
	a->shaped = true;
	return true;
}

static bool read_header(const char *p, struct array *a)
{
	const char *key;
	size_t len;
	bool good;

	if (!skip(&p, '{'))
		return false;
	while (!skip(&p, '}')) {
		if (!read_text(&p, &key, &len) || !skip(&p, ':'))
			return false;
		if (len == 5 && !memcmp(key, "descr", len))
			good = read_descr(&p, a);
		else if (len == 13 && !memcmp(key, "fortran_order", len))
			good = read_order(&p, a);
		else if (len == 5 && !memcmp(key, "shape", len))
			good = read_shape(&p, a);
		else
			good = false;
		if (!good || (!skip(&p, ',') && *p != '}'))
			return false;
	}
	skip_space(&p);
	return !*p && a->width && a->shaped;
}

/* Reads the array that takes exactly size_bytes at offset. */
static int read_array(const struct format_source *src, int64_t offset,
		      int64_t size_bytes, struct array *out,
		      struct dsv_err *err)
{
	unsigned char b[12], *text;
	struct array a = { 0 };
	int64_t elements;
	size_t prefix, len;
	int ret;

	if (size_bytes < (int64_t)sizeof(b))
		return FORMAT_NO;
	ret = source_read(src, b, sizeof(b), offset, err);
	if (ret != FORMAT_YES)
		return ret;
	if (memcmp(b, MAGIC, MAGIC_LEN) || b[6] < 1 || b[6] > 3)
		return FORMAT_NO;
	prefix = b[6] == 1 ? 10 : 12;
	len = b[6] == 1 ? get_u16(b + 8) : get_u32(b + 8);
	if (len > HEADER_MAX || (int64_t)(prefix + len) > size_bytes)
		return FORMAT_NO;
	ret = source_load(src, offset + (int64_t)prefix, len, &text, err);
	if (ret != FORMAT_YES)
		return ret;
	a.data_offset = offset + (int64_t)(prefix + len);
	if (strlen((char *)text) != len || !read_header((char *)text, &a) ||
	    !shape_elements(a.rank, a.shape, &elements) ||
	    __builtin_mul_overflow(elements, a.width, &a.size_bytes) ||
	    a.size_bytes != size_bytes - (int64_t)(prefix + len))
		ret = FORMAT_NO;
	free(text);
	if (ret == FORMAT_YES)
		*out = a;
	return ret;
}

static int add_array(struct layout *l, const struct array *a, const char *name,
		     size_t name_len, struct dsv_err *err)
{
	int64_t stride[FORMAT_RANK_MAX], next = 1;
	size_t i;

	if (layout_extent(l, a->data_offset, a->data_offset + a->size_bytes,
			  err) < 0)
		return dsv_fail_nomem(err);
	if (!a->dtype)
		return FORMAT_YES;
	/*
	 * Without elements there are no strides to compute; else the product is
	 * known not to overflow.
	 */
	for (i = 0; i < a->rank && a->size_bytes; i++) {
		stride[i] = next;
		next *= a->shape[i];
	}
	if (layout_tensor(l, &(struct tensor_view){
			.name = name, .name_len = name_len,
			.dtype = a->dtype, .rank = a->rank,
			.shape = a->shape,
			.stride = a->column_major ? stride : NULL,
			.offset_bytes = a->data_offset,
			.size_bytes = a->size_bytes }, err) < 0)
		return dsv_fail_nomem(err);
	return FORMAT_YES;
}

int npy_parse(const struct format_source *src, struct layout *l,
	      struct dsv_err *err)
{
	struct array a;
	int ret = read_array(src, 0, src->size_bytes, &a, err);

	return ret == FORMAT_YES ? add_array(l, &a, "data", 4, err) : ret;
}

static bool is_npy(const struct zip_entry *e)
{
	return e->name_len > 4 && e->name_len - 4 <= FORMAT_NAME_MAX &&
		!memchr(e->name, '\0', e->name_len) &&
		!memcmp(e->name + e->name_len - 4, ".npy", 4);
}

/*
 * Adds a member; if it is compressed, or an array of objects, as one extent
 * without a tensor.
 */
static int add_member(const struct format_source *src, struct layout *l,
		      const struct zip_entry *e, struct dsv_err *err)
{
	struct array a;
	int ret = FORMAT_NO;

	if (e->method == ZIP_STORED)
		ret = read_array(src, e->data_offset, e->size_bytes, &a, err);
	if (ret < 0)
		return ret;
	if (ret == FORMAT_YES)
		return add_array(l, &a, e->name, e->name_len - 4, err);
	if (layout_extent(l, e->data_offset, e->data_offset + e->size_bytes,
			  err) < 0)
		return dsv_fail_nomem(err);
	return FORMAT_YES;
}

int npz_parse(const struct format_source *src, struct layout *l,
	      struct dsv_err *err)
{
	struct zip zip;
	size_t i;
	int ret;

	ret = zip_read(src, src->size_bytes, &zip, err);
	if (ret != FORMAT_YES)
		return ret;
	if (zip.start != 0 || zip.count > FORMAT_TENSORS_MAX)
		ret = FORMAT_NO;
	for (i = 0; i < zip.count && ret == FORMAT_YES; i++)
		ret = is_npy(&zip.entries[i]) ?
			add_member(src, l, &zip.entries[i], err) : FORMAT_NO;
	zip_release(&zip);
	return ret;
}
