/* SPDX-License-Identifier: MIT */
/*
 * Inside lib/format, this is what a parser finds, and what it finds it with.
 *
 * A parser returns FORMAT_YES with the layout filled, FORMAT_NO when the file
 * is not exactly of its format (the layout is then discarded), or an error of
 * read() or of memory.
 */
#ifndef DSV_FORMAT_PARSE_H
#define DSV_FORMAT_PARSE_H

#include "format.h"

#define FORMAT_NO 0
#define FORMAT_YES 1

/* Files that list more are opaque: looking at them would cost memory. */
#define FORMAT_TENSORS_MAX 65536
#define FORMAT_RANK_MAX 64
#define FORMAT_NAME_MAX 1024	/* bytes of a tensor's name */
#define FORMAT_HEADER_MAX (16 << 20)
#define FORMAT_PICKLE_MAX (16 << 20)

/* An extent is the bytes of a tensor, a storage or an array. */
struct extent {
	int64_t start, end;
};

struct layout {
	struct extent *extents;		/* not empty, ascending, disjoint */
	size_t count;
	struct format_tensors *tensors;	/* NULL: not wanted */
};

int safetensors_parse(const struct format_source *src, struct layout *l,
		      struct dsv_err *err);
int torch_parse(const struct format_source *src, struct layout *l,
		struct dsv_err *err);
int npy_parse(const struct format_source *src, struct layout *l,
	      struct dsv_err *err);
int npz_parse(const struct format_source *src, struct layout *l,
	      struct dsv_err *err);
int gguf_parse(const struct format_source *src, struct layout *l,
	       struct dsv_err *err);

/* Reads len bytes; returns FORMAT_NO if they are not all inside the file. */
int source_read(const struct format_source *src, void *buf, size_t len,
		int64_t offset, struct dsv_err *err);

/* Does the same into memory that the caller frees, followed by a NUL. */
int source_load(const struct format_source *src, int64_t offset, size_t len,
		unsigned char **out, struct dsv_err *err);

/* Adds an extent unless it is empty.  Returns 0 or < 0. */
int layout_extent(struct layout *l, int64_t start, int64_t end,
		  struct dsv_err *err);
void layout_clear(struct layout *l);

/*
 * Adds a tensor, copying name, shape and stride; stride (in elements) may be
 * NULL: row-major.  Strides that are row-major are dropped.  Does nothing when
 * tensors are not wanted.
 */
struct tensor_view {
	const char *name;
	size_t name_len;
	const char *dtype;
	size_t rank;
	const int64_t *shape;
	const int64_t *stride;
	int64_t offset_bytes;
	int64_t size_bytes;
};

int layout_tensor(struct layout *l, const struct tensor_view *view,
		  struct dsv_err *err);

/* Returns how many tensors there are; the other goes back to that many. */
size_t layout_tensor_count(const struct layout *l);
void layout_truncate(struct layout *l, size_t count);

/* Returns false if a size is negative or the product overflows. */
bool shape_elements(size_t rank, const int64_t *shape, int64_t *out);

/* Applies the cutting rule of format.h; out->kind is left alone. */
int cuts_from_extents(const struct layout *l, int64_t size_bytes,
		      struct format_cuts *out, struct dsv_err *err);

#endif
