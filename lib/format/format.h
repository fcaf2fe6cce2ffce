/* SPDX-License-Identifier: MIT */
/*
 * Where a file's natural boundaries are, and which tensors it holds.
 *
 * Formats: safetensors, PyTorch zip (storage by storage through the central
 * directory), NumPy .npy and .npz; anything else has no natural boundaries
 * and is cut by its content (see cdc.h).  All bytes are foreign: what does
 * not parse, exactly, is opaque, never an error, and costs neither memory nor
 * time in proportion to what it claims.
 */
#ifndef DSV_FORMAT_FORMAT_H
#define DSV_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../dsv.h"

/* Part of what chunk boundaries are a pure function of; see dsv-format(5). */
#define FORMAT_CHUNKER_VERSION 1

#define FORMAT_BLOCK_BYTES (4 << 20)	/* cut inside a large tensor */
#define FORMAT_SMALL_BYTES (1 << 20)	/* smaller neighbours share a chunk */

/*
 * How to read the file: size_bytes long; read() fills len bytes at offset
 * (never past the end) and returns 0, or < 0 with err set.
 */
struct format_source {
	int64_t size_bytes;
	int (*read)(void *arg, void *buf, size_t len, int64_t offset,
		    struct dsv_err *err);
	void *arg;
};

enum format_kind {
	FORMAT_OPAQUE,
	FORMAT_SAFETENSORS,
	FORMAT_TORCH_ZIP,
	FORMAT_NPY,
	FORMAT_NPZ,
	FORMAT_GGUF
};

/*
 * The file as consecutive ranges [end[i-1], end[i]), end[count-1] being the
 * size.  content_defined[i]: nothing is known of the range's inside and it
 * is to be cut by FastCDC (if larger than CDC_MIN_BYTES); else it is a chunk.
 */
struct format_cuts {
	enum format_kind kind;
	size_t count;
	int64_t *end;
	bool *content_defined;
};

/* A pure function of the bytes.  Fails only when read() or memory does. */
int format_cut(const struct format_source *src, struct format_cuts *out,
	       struct dsv_err *err);
void format_cuts_release(struct format_cuts *cuts);

struct format_tensor {
	char *name;
	char dtype[16];		/* as safetensors names them: "F32" */
	size_t rank;
	int64_t *shape;
	int64_t offset_bytes;	/* of the first element in the file */
	int64_t size_bytes;	/* of the elements, contiguous */
	bool contiguous;	/* row-major in the file; else a strided view */
	int64_t *stride;	/* in elements, NULL when contiguous */
};

struct format_tensors {
	enum format_kind kind;
	size_t count;
	struct format_tensor *items;	/* in the order of the file's names */
};

/* An opaque file has none. */
int format_tensors(const struct format_source *src, struct format_tensors *out,
		   struct dsv_err *err);
void format_tensors_release(struct format_tensors *tensors);

#endif
