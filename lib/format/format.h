/* SPDX-License-Identifier: MIT */
/*
 * This finds a file's natural boundaries, and the tensors that it holds.
 *
 * Formats: safetensors, PyTorch zip (storage by storage through the central
 * directory; also several one after the other, as .distcp files are), NumPy
 * .npy and .npz, GGUF; anything else has no natural boundaries and is cut by
 * its content (see cdc.h).  The bytes decide, never the name.  All bytes are
 * untrusted: what does not parse exactly is opaque, never an error, and does
 * not cost memory or time in proportion to what it claims.
 *
 * This is the cutting rule, version 1.  A parser gives the extents of the
 * tensors (storages, arrays) in file order: not empty, disjoint.  Only their
 * sizes, and the sizes of the gaps between them, decide:
 *
 * 1. The head (all before the first extent) and the tail (all after the last)
 *    are ranges of their own, so a header that grows moves nothing else.
 * 2. An extent of FORMAT_SMALL_BYTES or more is cut every FORMAT_BLOCK_BYTES
 *    from its start; the rest is a range whatever its size.
 * 3. A gap longer than FORMAT_GAP_BYTES is a range of its own.
 * 4. Small extents and short gaps are left.  From left to right, neighbours go
 *    into one range as long as
 *    - the range is not followed by a range of rules 1 to 3,
 *    - a gap and an extent are joined only if the extent has fewer than
 *      FORMAT_TINY_BYTES (the bytes between the storages of a zip hold the
 *      archive's name: they would make a frozen storage look new),
 *    - the extents of a range have at most FORMAT_SMALL_BYTES together and
 *      are at most FORMAT_GROUP_COUNT.
 *    The first neighbour that does not fit begins the next range.
 *
 * Ranges of rules 1 and 3 that are larger than CDC_MIN_BYTES are cut further
 * by their content.  No other range is larger than FORMAT_BLOCK_BYTES.  GGUF
 * pads each tensor; the padding is part of the extent before it.
 */
#ifndef DSV_FORMAT_FORMAT_H
#define DSV_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../dsv.h"

/* Chunk boundaries are a pure function of this, too; see dsv-format(5). */
#define FORMAT_CHUNKER_VERSION 1

#define FORMAT_BLOCK_BYTES (4 << 20)	/* cut inside a large tensor */
#define FORMAT_SMALL_BYTES (1 << 20)	/* smaller neighbours share a chunk */
#define FORMAT_TINY_BYTES (64 << 10)	/* even with a gap between them */
#define FORMAT_GAP_BYTES (4 << 10)	/* the longest such gap */
#define FORMAT_GROUP_COUNT 512		/* extents that share a chunk */

/*
 * This says how to read a file of size_bytes: read() fills len bytes at offset
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
 * This is the file as consecutive ranges [end[i-1], end[i]), where end[count-1]
 * is its size.  If content_defined[i], nothing is known of the inside of the
 * range and FastCDC has to cut it (if larger than CDC_MIN_BYTES); else it is
 * one chunk.
 */
struct format_cuts {
	enum format_kind kind;
	size_t count;
	int64_t *end;
	bool *content_defined;
};

/*
 * Cuts the file, as a pure function of its bytes.  Fails only if read() does or
 * memory runs out.
 */
int format_cut(const struct format_source *src, struct format_cuts *out,
	       struct dsv_err *err);
void format_cuts_release(struct format_cuts *cuts);

/*
 * Names are dotted paths, "optimizer.state.0.exp_avg"; what has no name in its
 * file is "data" (in the i-th of several zips: "<i>").  Types that safetensors
 * lacks are "C128", and GGUF's blocks under their ggml names.
 */
struct format_tensor {
	char *name;
	char dtype[16];		/* as safetensors names them: "F32" */
	size_t rank;
	int64_t *shape;
	int64_t offset_bytes;	/* of the first element, in the file */
	int64_t size_bytes;	/* of the elements, packed */
	bool contiguous;	/* row-major in the file; else a strided view */
	int64_t *stride;	/* in elements, NULL when contiguous */
};

struct format_tensors {
	enum format_kind kind;
	size_t count;
	struct format_tensor *items;	/* in the order of their names */
};

/*
 * Lists the tensors.  An opaque file has none, nor has a PyTorch zip whose
 * pickle we do not understand.
 */
int format_tensors(const struct format_source *src, struct format_tensors *out,
		   struct dsv_err *err);
void format_tensors_release(struct format_tensors *tensors);

#endif
