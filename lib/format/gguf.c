/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

#include "../base/str.h"

#define WINDOW_BYTES (64 << 10)
#define METADATA_MAX (64 << 20)	/* tokenizers are large */
#define ALIGNMENT_DEFAULT 32
#define ALIGNMENT_MAX (64 << 10)
#define DIMENSIONS_MAX 8
#define NESTING_MAX 4

/* These are types of metadata values. */
enum { GGUF_STRING = 8, GGUF_ARRAY = 9, GGUF_UINT32 = 4 };

static const int value_bytes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

#define VALUE_TYPES (sizeof(value_bytes) / sizeof(*value_bytes))

/*
 * A block of block elements takes bytes, as in ggml, whose enum is the index.
 */
static const struct dtype {
	const char *name;
	int block, bytes;
} dtypes[] = {
	[0] = { "F32", 1, 4 }, [1] = { "F16", 1, 2 },
	[2] = { "Q4_0", 32, 18 }, [3] = { "Q4_1", 32, 20 },
	[6] = { "Q5_0", 32, 22 }, [7] = { "Q5_1", 32, 24 },
	[8] = { "Q8_0", 32, 34 }, [9] = { "Q8_1", 32, 36 },
	[10] = { "Q2_K", 256, 84 }, [11] = { "Q3_K", 256, 110 },
	[12] = { "Q4_K", 256, 144 }, [13] = { "Q5_K", 256, 176 },
	[14] = { "Q6_K", 256, 210 }, [15] = { "Q8_K", 256, 292 },
	[16] = { "IQ2_XXS", 256, 66 }, [17] = { "IQ2_XS", 256, 74 },
	[18] = { "IQ3_XXS", 256, 98 }, [19] = { "IQ1_S", 256, 50 },
	[20] = { "IQ4_NL", 32, 18 }, [21] = { "IQ3_S", 256, 110 },
	[22] = { "IQ2_S", 256, 82 }, [23] = { "IQ4_XS", 256, 136 },
	[24] = { "I8", 1, 1 }, [25] = { "I16", 1, 2 },
	[26] = { "I32", 1, 4 }, [27] = { "I64", 1, 8 },
	[28] = { "F64", 1, 8 }, [29] = { "IQ1_M", 256, 56 },
	[30] = { "BF16", 1, 2 }, [34] = { "TQ1_0", 256, 54 },
	[35] = { "TQ2_0", 256, 66 }, [39] = { "MXFP4", 32, 17 },
};

/*
 * A reader is a window that moves over the file; it stops for good when status
 * is not FORMAT_YES.
 */
struct reader {
	const struct format_source *src;
	struct dsv_err *err;
	unsigned char *window;
	int64_t window_start, window_end;
	int64_t pos;
	int status;		/* FORMAT_YES, FORMAT_NO or an error */
	int64_t alignment;
};

static void refuse(struct reader *r)
{
	if (r->status == FORMAT_YES)
		r->status = FORMAT_NO;
}

/*
 * Returns the next len bytes, at most WINDOW_BYTES, or NULL when the reader has
 * stopped.
 */
static const unsigned char *look(struct reader *r, size_t len)
{
	int64_t size = r->src->size_bytes - r->pos;

	if (r->status != FORMAT_YES)
		return NULL;
	if (r->pos < r->window_start ||
	    r->pos + (int64_t)len > r->window_end) {
		if (size > WINDOW_BYTES)
			size = WINDOW_BYTES;
		if (size < (int64_t)len || r->pos > METADATA_MAX) {
			r->status = FORMAT_NO;
			return NULL;
		}
		r->status = source_read(r->src, r->window, (size_t)size,
					r->pos, r->err);
		if (r->status != FORMAT_YES)
			return NULL;
		r->window_start = r->pos;
		r->window_end = r->pos + size;
	}
	r->pos += (int64_t)len;
	return r->window + (r->pos - (int64_t)len - r->window_start);
}

static uint32_t read_u32(struct reader *r)
{
	const unsigned char *b = look(r, 4);

	return b ? get_u32(b) : 0;
}

static uint64_t read_u64(struct reader *r)
{
	const unsigned char *b = look(r, 8);

	return b ? get_u64(b) : 0;
}

static void skip(struct reader *r, uint64_t len)
{
	if (r->status == FORMAT_YES &&
	    len > (uint64_t)(r->src->size_bytes - r->pos))
		r->status = FORMAT_NO;
	else if (r->status == FORMAT_YES)
		r->pos += (int64_t)len;
}

static void skip_value(struct reader *r, uint32_t type, int depth)
{
	uint64_t count;

	if (type >= VALUE_TYPES || depth > NESTING_MAX) {
		refuse(r);
	} else if (type == GGUF_STRING) {
		skip(r, read_u64(r));
	} else if (type == GGUF_ARRAY) {
		type = read_u32(r);
		count = read_u64(r);
		if (type < VALUE_TYPES && value_bytes[type]) {
			if (__builtin_mul_overflow(
					count, (uint64_t)value_bytes[type],
					&count))
				refuse(r);
			skip(r, count);
			return;
		}
		/*
		 * Each takes at least 8 bytes, so the file's size bounds the
		 * loop.
		 */
		while (count-- && r->status == FORMAT_YES)
			skip_value(r, type, depth + 1);
	} else {
		skip(r, (uint64_t)value_bytes[type]);
	}
}

static void read_pair(struct reader *r)
{
	static const char key[] = "general.alignment";
	uint64_t len = read_u64(r);
	const unsigned char *text;
	bool alignment = false;
	uint32_t type;

	if (len == sizeof(key) - 1) {
		text = look(r, (size_t)len);
		alignment = text && !memcmp(text, key, sizeof(key) - 1);
	} else {
		skip(r, len);
	}
	type = read_u32(r);
	if (!alignment || type != GGUF_UINT32) {
		skip_value(r, type, 0);
		return;
	}
	r->alignment = read_u32(r);
	if (r->alignment < 1 || r->alignment > ALIGNMENT_MAX ||
	    r->alignment & (r->alignment - 1))
		refuse(r);
}

struct info {
	char name[FORMAT_NAME_MAX];
	const struct dtype *dtype;
	size_t name_len, rank;
	int64_t shape[DIMENSIONS_MAX];
	struct extent place;	/* at first from the start of the data */
};

static bool measure(struct info *info)
{
	int64_t elements, row = info->rank ? info->shape[info->rank - 1] : 1;

	return shape_elements(info->rank, info->shape, &elements) &&
		row % info->dtype->block == 0 &&
		!__builtin_mul_overflow(elements / info->dtype->block,
					(int64_t)info->dtype->bytes,
					&info->place.end) &&
		!__builtin_add_overflow(info->place.end, info->place.start,
					&info->place.end);
}

/*
 * Reads an info.  ggml's first dimension is the innermost one; ours is the
 * last.
 */
static int read_info(struct reader *r, struct info *info)
{
	const unsigned char *text;
	uint64_t size;
	uint32_t i, type;

	size = read_u64(r);
	text = size <= sizeof(info->name) ? look(r, (size_t)size) : NULL;
	if (!text || memchr(text, '\0', (size_t)size))
		return r->status < 0 ? r->status : FORMAT_NO;
	info->name_len = (size_t)size;
	memcpy(info->name, text, info->name_len);
	info->rank = read_u32(r);
	if (info->rank > DIMENSIONS_MAX)
		return FORMAT_NO;
	for (i = 0; i < info->rank; i++) {
		size = read_u64(r);
		if (size > INT64_MAX)
			return FORMAT_NO;
		info->shape[info->rank - 1 - i] = (int64_t)size;
	}
	type = read_u32(r);
	size = read_u64(r);
	if (r->status != FORMAT_YES)
		return r->status;
	if (type >= sizeof(dtypes) / sizeof(*dtypes) || !dtypes[type].name ||
	    size > INT64_MAX || size % (uint64_t)r->alignment)
		return FORMAT_NO;
	info->dtype = &dtypes[type];
	info->place.start = (int64_t)size;
	return measure(info) ? FORMAT_YES : FORMAT_NO;
}

static int compare_places(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/*
 * Sorts the places, checks that none overlap, and adds to each the padding
 * after it.
 */
static int add_places(struct layout *l, const struct reader *r,
		      struct extent *places, size_t count)
{
	int64_t next;
	size_t i;

	if (count)
		qsort(places, count, sizeof(*places), compare_places);
	for (i = 0; i < count; i++) {
		next = i + 1 < count ? places[i + 1].start :
			r->src->size_bytes;
		if (places[i].end > next)
			return FORMAT_NO;
		if (next - places[i].end < r->alignment)
			places[i].end = next;
		if (layout_extent(l, places[i].start, places[i].end,
				  r->err) < 0)
			return dsv_fail_nomem(r->err);
	}
	return FORMAT_YES;
}

/*
 * Moves the places, whose offsets count from base, which is known only when the
 * last info has been read.
 */
static bool move(struct layout *l, struct extent *places, size_t count,
		 int64_t base)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (__builtin_add_overflow(places[i].end, base,
					   &places[i].end))
			return false;
		places[i].start += base;
		if (l->tensors)
			l->tensors->items[i].offset_bytes += base;
	}
	return true;
}

static int read_infos(struct reader *r, struct layout *l, size_t count)
{
	struct extent *places = calloc(count + 1, sizeof(*places));
	struct info info;
	size_t i;
	int ret = FORMAT_YES;

	if (!places)
		return dsv_fail_nomem(r->err);
	for (i = 0; i < count && ret == FORMAT_YES; i++) {
		ret = read_info(r, &info);
		if (ret != FORMAT_YES)
			break;
		places[i] = info.place;
		if (layout_tensor(l, &(struct tensor_view){
				.name = info.name, .name_len = info.name_len,
				.dtype = info.dtype->name, .rank = info.rank,
				.shape = info.shape,
				.offset_bytes = info.place.start,
				.size_bytes = info.place.end -
					info.place.start }, r->err) < 0)
			ret = dsv_fail_nomem(r->err);
	}
	if (ret == FORMAT_YES && !move(l, places, count,
				       (r->pos + r->alignment - 1) &
				       -r->alignment))
		ret = FORMAT_NO;
	if (ret == FORMAT_YES)
		ret = add_places(l, r, places, count);
	free(places);
	return ret;
}

int gguf_parse(const struct format_source *src, struct layout *l,
	       struct dsv_err *err)
{
	struct reader r = {
		.src = src, .err = err, .status = FORMAT_YES,
		.alignment = ALIGNMENT_DEFAULT,
	};
	uint64_t tensor_count, pair_count;
	uint32_t version;
	int ret;

	r.window = malloc(WINDOW_BYTES);
	if (!r.window)
		return dsv_fail_nomem(err);
	skip(&r, 4);		/* skips the magic */
	version = read_u32(&r);
	tensor_count = read_u64(&r);
	pair_count = read_u64(&r);
	if (version < 2 || version > 3 || tensor_count > FORMAT_TENSORS_MAX)
		refuse(&r);
	while (pair_count-- && r.status == FORMAT_YES)
		read_pair(&r);
	ret = r.status;
	if (ret == FORMAT_YES)
		ret = read_infos(&r, l, (size_t)tensor_count);
	free(r.window);
	return ret;
}
