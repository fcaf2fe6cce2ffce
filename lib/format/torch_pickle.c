/* SPDX-License-Identifier: MIT */
#include "torch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle.h"

#define DEPTH_MAX 100
#define STEPS_MAX (2 << 20)

struct walk {
	const struct torch_archive *archive;
	struct layout *l;
	int steps;
	char name[FORMAT_NAME_MAX];
};

static const struct dtype {
	const char *storage;	/* NULL: only a dtype is known */
	const char *torch;
	const char *name;
	int bytes;
} dtypes[] = {
	{ "FloatStorage", "float32", "F32", 4 },
	{ "DoubleStorage", "float64", "F64", 8 },
	{ "HalfStorage", "float16", "F16", 2 },
	{ "BFloat16Storage", "bfloat16", "BF16", 2 },
	{ "LongStorage", "int64", "I64", 8 },
	{ "IntStorage", "int32", "I32", 4 },
	{ "ShortStorage", "int16", "I16", 2 },
	{ "CharStorage", "int8", "I8", 1 },
	{ "ByteStorage", "uint8", "U8", 1 },
	{ "BoolStorage", "bool", "BOOL", 1 },
	{ "ComplexFloatStorage", "complex64", "C64", 8 },
	{ "ComplexDoubleStorage", "complex128", "C128", 16 },
	{ "UntypedStorage", "uint8", "U8", 1 },
	{ NULL, "uint16", "U16", 2 },
	{ NULL, "uint32", "U32", 4 },
	{ NULL, "uint64", "U64", 8 },
	{ NULL, "float8_e5m2", "F8_E5M2", 1 },
	{ NULL, "float8_e4m3fn", "F8_E4M3", 1 },
	{ NULL, "float8_e5m2fnuz", "F8_E5M2FNUZ", 1 },
	{ NULL, "float8_e4m3fnuz", "F8_E4M3FNUZ", 1 },
	{ NULL, "float8_e8m0fnu", "F8_E8M0", 1 },
};

/*
 * The arguments of v2 are storage, offset, size, stride, grad, hooks, metadata;
 * v3 has a dtype before the last.
 */
enum { ARG_STORAGE, ARG_OFFSET, ARG_SIZE, ARG_STRIDE, ARG_DTYPE = 6 };
enum { ID_TAG, ID_TYPE, ID_KEY, ID_COUNT };

static const struct dtype *find_dtype(const struct pickle_value *tensor)
{
	const struct pickle_value *id = tensor->u.items[ARG_STORAGE];
	const struct pickle_value *type = id->u.items[ID_TYPE];
	bool own = tensor->len > ARG_DTYPE &&
		tensor->u.items[ARG_DTYPE]->type == PICKLE_GLOBAL;
	const char *want;
	size_t i;

	if (own)
		type = tensor->u.items[ARG_DTYPE];
	if (type->type != PICKLE_GLOBAL)
		return NULL;
	for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++) {
		want = own ? dtypes[i].torch : dtypes[i].storage;
		if (want && pickle_is_text(type->u.items[1], want))
			return &dtypes[i];
	}
	return NULL;
}

static bool get_sizes(const struct pickle_value *v, int64_t *sizes)
{
	uint32_t i;

	if (v->type != PICKLE_TUPLE || v->len > FORMAT_RANK_MAX)
		return false;
	for (i = 0; i < v->len; i++) {
		if (v->u.items[i]->type != PICKLE_INT ||
		    v->u.items[i]->u.number < 0)
			return false;
		sizes[i] = v->u.items[i]->u.number;
	}
	return true;
}

/* Computes how many elements, from the storage's first, the view covers. */
static bool view_reach(const struct tensor_view *view, int64_t offset,
		       int64_t elements, int64_t *out)
{
	int64_t step;
	size_t i;

	*out = offset;
	if (elements == 0)
		return true;
	for (i = 0; i < view->rank; i++)
		if (__builtin_mul_overflow(view->shape[i] - 1,
					   view->stride[i], &step) ||
		    __builtin_add_overflow(*out, step, out))
			return false;
	return !__builtin_add_overflow(*out, 1, out);
}

static const struct zip_entry *find_storage(const struct walk *w,
					    const struct pickle_value *id)
{
	char name[64] = "data/";
	const struct pickle_value *key;
	const struct zip_entry *e;

	if (id->type != PICKLE_STORAGE || id->len < ID_COUNT)
		return NULL;
	key = id->u.items[ID_KEY];
	if (!pickle_is_text(id->u.items[ID_TAG], "storage") ||
	    key->type != PICKLE_STRING || key->len > sizeof(name) - 5)
		return NULL;
	memcpy(name + 5, key->u.text, key->len);
	e = torch_member(w->archive, name, 5 + (size_t)key->len);
	return e && e->method == ZIP_STORED ? e : NULL;
}

/*
 * Adds a tensor.  One whose type or name is unknown is left out; one that lies
 * spoils everything.
 */
static int add_tensor(struct walk *w, const struct pickle_value *v,
		      size_t name_len, struct dsv_err *err)
{
	int64_t shape[FORMAT_RANK_MAX], stride[FORMAT_RANK_MAX];
	struct tensor_view view = { .shape = shape, .stride = stride };
	const struct pickle_value *offset;
	const struct zip_entry *storage;
	const struct dtype *dtype;
	int64_t elements, reach;

	if (v->len <= ARG_STRIDE)
		return FORMAT_NO;
	storage = find_storage(w, v->u.items[ARG_STORAGE]);
	offset = v->u.items[ARG_OFFSET];
	if (!storage || offset->type != PICKLE_INT || offset->u.number < 0 ||
	    !get_sizes(v->u.items[ARG_SIZE], shape) ||
	    !get_sizes(v->u.items[ARG_STRIDE], stride) ||
	    v->u.items[ARG_SIZE]->len != v->u.items[ARG_STRIDE]->len)
		return FORMAT_NO;
	dtype = find_dtype(v);
	if (!dtype)
		return FORMAT_YES;
	view.rank = v->u.items[ARG_SIZE]->len;
	if (!shape_elements(view.rank, shape, &elements) ||
	    !view_reach(&view, offset->u.number, elements, &reach) ||
	    reach > storage->size_bytes / dtype->bytes ||
	    __builtin_mul_overflow(elements, (int64_t)dtype->bytes,
				   &view.size_bytes))
		return FORMAT_NO;
	view.name = name_len ? w->name : "data";
	view.name_len = name_len ? name_len : 4;
	view.dtype = dtype->name;
	view.offset_bytes = storage->data_offset +
		offset->u.number * dtype->bytes;
	if (w->l->tensors->count == FORMAT_TENSORS_MAX)
		return FORMAT_NO;
	return layout_tensor(w->l, &view, err) < 0 ? dsv_fail_nomem(err) :
		FORMAT_YES;
}

/*
 * Returns the length of the longer name, or 0 if it is too long or not a name.
 */
static size_t add_name(struct walk *w, size_t len, const char *text,
		       size_t text_len)
{
	if (text_len == 0 || text_len > sizeof(w->name) - 1 - len ||
	    memchr(text, '\0', text_len))
		return 0;
	if (len)
		w->name[len++] = '.';
	memcpy(w->name + len, text, text_len);
	return len + text_len;
}

static size_t add_number(struct walk *w, size_t len, int64_t number)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, number);

	return add_name(w, len, text, (size_t)n);
}

static int walk_value(struct walk *w, const struct pickle_value *v,
		      size_t name_len, int depth, struct dsv_err *err);

static int walk_items(struct walk *w, const struct pickle_value *v,
		      size_t name_len, int depth, struct dsv_err *err)
{
	size_t len;
	uint32_t i;
	int ret;

	for (i = 0; i < v->len; i++) {
		if (++w->steps > STEPS_MAX)
			return FORMAT_NO;
		if (v->u.items[i]->type < PICKLE_TUPLE)
			continue;
		len = add_number(w, name_len, i);
		if (!len)
			continue;
		ret = walk_value(w, v->u.items[i], len, depth + 1, err);
		if (ret != FORMAT_YES)
			return ret;
	}
	return FORMAT_YES;
}

static bool add_key(struct walk *w, size_t name_len,
		    const struct pickle_value *key, size_t *out)
{
	*out = 0;
	if (key->type == PICKLE_STRING)
		*out = add_name(w, name_len, key->u.text, key->len);
	else if (key->type == PICKLE_INT)
		*out = add_number(w, name_len, key->u.number);
	return *out > 0;
}

/*
 * Returns whether key is where torch.nn.Module keeps its tensors; the names it
 * gives them leave it out.
 */
static bool is_module_part(const struct pickle_value *key)
{
	return pickle_is_text(key, "_parameters") ||
		pickle_is_text(key, "_buffers") ||
		pickle_is_text(key, "_modules");
}

static int walk_dict(struct walk *w, const struct pickle_value *v,
		     size_t name_len, bool object, int depth,
		     struct dsv_err *err)
{
	const struct pickle_value *key;
	size_t len;
	uint32_t i;
	int ret;

	for (i = 0; i + 1 < v->len; i += 2) {
		if (++w->steps > STEPS_MAX)
			return FORMAT_NO;
		key = v->u.items[i];
		if (v->u.items[i + 1]->type < PICKLE_TUPLE)
			continue;
		if (object && is_module_part(key))
			len = name_len;
		else if (!add_key(w, name_len, key, &len))
			continue;
		ret = walk_value(w, v->u.items[i + 1], len, depth + 1, err);
		if (ret != FORMAT_YES)
			return ret;
	}
	return FORMAT_YES;
}

/* Walks the states given by BUILD: a dict, or a pair of two for __slots__. */
static int walk_object(struct walk *w, const struct pickle_value *v,
		       size_t name_len, int depth, struct dsv_err *err)
{
	const struct pickle_value *state;
	int ret = FORMAT_YES;
	uint32_t i;

	for (i = 2; i < v->len && ret == FORMAT_YES; i++) {
		state = v->u.items[i];
		if (state->type == PICKLE_TUPLE && state->len == 2)
			state = state->u.items[0];
		if (state->type == PICKLE_DICT)
			ret = walk_dict(w, state, name_len, true, depth, err);
	}
	return ret;
}

static int walk_value(struct walk *w, const struct pickle_value *v,
		      size_t name_len, int depth, struct dsv_err *err)
{
	if (depth > DEPTH_MAX || ++w->steps > STEPS_MAX)
		return FORMAT_NO;
	switch (v->type) {
	case PICKLE_TENSOR:
		return add_tensor(w, v, name_len, err);
	case PICKLE_TUPLE:
	case PICKLE_LIST:
		return walk_items(w, v, name_len, depth, err);
	case PICKLE_DICT:
		return walk_dict(w, v, name_len, false, depth, err);
	case PICKLE_OBJECT:
		return walk_object(w, v, name_len, depth, err);
	default:
		return FORMAT_YES;
	}
}

/* Archives older than the record "byteorder" are taken to be little-endian. */
static int check_byteorder(const struct format_source *src,
			   const struct torch_archive *a, struct dsv_err *err)
{
	const struct zip_entry *e = torch_member(a, "byteorder", 9);
	char text[6];
	int ret;

	if (!e)
		return FORMAT_YES;
	if (e->size_bytes != sizeof(text))
		return FORMAT_NO;
	ret = source_read(src, text, sizeof(text), e->data_offset, err);
	if (ret == FORMAT_YES && memcmp(text, "little", sizeof(text)))
		return FORMAT_NO;
	return ret;
}

int torch_tensors(const struct format_source *src,
		  const struct torch_archive *a, const char *prefix,
		  struct layout *l, struct dsv_err *err)
{
	struct walk w = { .archive = a, .l = l };
	unsigned char *data;
	struct pickle *p;
	int ret;

	if (a->pickle->size_bytes > FORMAT_PICKLE_MAX)
		return FORMAT_NO;
	ret = check_byteorder(src, a, err);
	if (ret != FORMAT_YES)
		return ret;
	ret = source_load(src, a->pickle->data_offset,
			  (size_t)a->pickle->size_bytes, &data, err);
	if (ret != FORMAT_YES)
		return ret;
	ret = pickle_read(data, (size_t)a->pickle->size_bytes, &p, err);
	if (ret == FORMAT_YES) {
		ret = walk_value(&w, pickle_root(p),
				 add_name(&w, 0, prefix, strlen(prefix)), 0,
				 err);
		pickle_free(p);
	}
	free(data);
	return ret;
}
