/* SPDX-License-Identifier: MIT */
/* Fuzzes what users' files are cut by, and the names of their tensors. */
#include <assert.h>
#include <string.h>

#include "../../lib/format/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *data;
	size_t len;
};

static int read_bytes(void *arg, void *buf, size_t len, int64_t offset,
		      struct dsv_err *err)
{
	const struct bytes *b = arg;

	(void)err;
	assert(offset >= 0 && (size_t)offset <= b->len);
	assert(len <= b->len - (size_t)offset);
	memcpy(buf, b->data + offset, len);
	return 0;
}

static void check_cuts(const struct format_cuts *cuts, int64_t size_bytes)
{
	int64_t start = 0;
	size_t i;

	for (i = 0; i < cuts->count; i++) {
		assert(cuts->end[i] > start);
		assert(cuts->content_defined[i] ||
		       cuts->end[i] - start <= FORMAT_BLOCK_BYTES);
		start = cuts->end[i];
	}
	assert(start == size_bytes);
}

static void check_tensors(const struct format_tensors *tensors,
			  int64_t size_bytes)
{
	const struct format_tensor *t;
	size_t i;

	for (i = 0; i < tensors->count; i++) {
		t = &tensors->items[i];
		assert(t->name && t->shape && t->dtype[0]);
		assert(t->contiguous == !t->stride);
		assert(t->offset_bytes >= 0 && t->size_bytes >= 0);
		assert(!t->contiguous || t->size_bytes == 0 ||
		       t->size_bytes <= size_bytes - t->offset_bytes);
	}
}

/*
 * A pickle alone (a zip around it would break whenever its length changes),
 * as if it were in an archive whose two storages are the same bytes.
 */
static void try_pickle(const struct format_source *src)
{
	struct zip_entry entries[] = {
		{ .name = "a/data/0", .name_len = 8 },
		{ .name = "a/data/1", .name_len = 8, .data_offset = 1 },
		{ .name = "a/data.pkl", .name_len = 10 },
	};
	struct zip_entry *by_name[] = { &entries[2], &entries[0], &entries[1] };
	struct torch_archive archive = {
		.zip = { .count = 3, .entries = entries, .by_name = by_name },
		.root = "a/", .root_len = 2, .pickle = &entries[2],
	};
	struct format_tensors tensors = { 0 };
	struct layout l = { .tensors = &tensors };
	struct dsv_err err;

	entries[0].size_bytes = src->size_bytes;
	entries[1].size_bytes = src->size_bytes - 1;
	entries[2].size_bytes = src->size_bytes;
	torch_tensors(src, &archive, "", &l, &err);
	check_tensors(&tensors, src->size_bytes);
	layout_clear(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = { data, size };
	struct format_source src = { (int64_t)size, read_bytes, &bytes };
	struct format_tensors tensors;
	struct format_cuts cuts;
	struct dsv_err err;

	if (size > 2 && data[0] == 0x80)
		try_pickle(&src);
	if (format_cut(&src, &cuts, &err) == 0) {
		check_cuts(&cuts, src.size_bytes);
		format_cuts_release(&cuts);
	}
	if (format_tensors(&src, &tensors, &err) == 0) {
		check_tensors(&tensors, src.size_bytes);
		format_tensors_release(&tensors);
	}
	return 0;
}
