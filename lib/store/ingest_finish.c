/* SPDX-License-Identifier: MIT */
/* This ends an ingest: it makes everything durable, in the right order. */
#include "ingest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../os/fs.h"
#include "../os/paths.h"

static int by_offset(const void *a, const void *b)
{
	const struct chunk *left = a;
	const struct chunk *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/*
 * Writes the index under a temporary name before the segment is synced, and
 * starts its writeback, so that one commit of the file system's journal serves
 * both.
 */
static int stage(struct ingest *in, struct writer *w, struct dsv_err *err)
{
	struct segment_index index = { .kind = w->kind };
	int ret;

	if (w->fd >= 0) {
		ret = writer_flush(in, w, err);
		if (ret < 0)
			return ret;
	}
	if (w->count > 0)
		qsort(w->chunks, w->count, sizeof(*w->chunks), by_offset);
	index.count = w->count;
	index.chunks = w->chunks;
	ret = segment_index_stage(in->s, w->name, &index, &w->index_path,
				  &w->index_fd, err);
	if (ret == 0 && in->s->fsync)
		sync_file_range(w->index_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return ret;
}

/* Gives the index its name, once the segment is durable. */
static int settle(struct ingest *in, struct writer *w, struct dsv_err *err)
{
	char *path = segment_path(in->s->dir, w->name, ".idx");
	int fd = w->index_fd;
	int ret = 0;

	if (!path)
		return dsv_fail_nomem(err);
	w->index_fd = -1;
	if (in->s->fsync && fsync(fd) < 0)
		ret = dsv_fail_errno(err, "sync '%s'", w->index_path);
	if (close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", w->index_path);
	if (ret == 0 && rename(w->index_path, path) < 0)
		ret = dsv_fail_errno(err, "create '%s'", path);
	if (ret == 0)
		w->indexed = true;
	free(path);
	return ret;
}

static int sync_dir(struct ingest *in, struct dsv_err *err)
{
	char *dir;
	int ret;

	if (!in->s->fsync || in->writer_count == 0)
		return 0;
	dir = segment_dir_path(in->s->dir, in->dir);
	if (!dir)
		return dsv_fail_nomem(err);
	ret = fs_sync_dir(dir, err);
	free(dir);
	return ret;
}

static int fill_result(struct ingest *in, struct dsv_err *err)
{
	struct ingest_result *r = &in->result;
	size_t i, k;

	r->segments = calloc(in->writer_count + 1, sizeof(*r->segments));
	if (!r->segments)
		return dsv_fail_nomem(err);
	for (i = 0; i < in->writer_count; i++) {
		const struct writer *w = in->writers[i];
		struct ingest_segment *out = &r->segments[i];

		memcpy(out->name, w->name, SEGMENT_NAME_SIZE);
		out->kind = w->kind;
		out->count = w->count;
		out->chunks = w->chunks;
		for (k = 0; k < w->count; k++)
			r->stored_bytes += w->chunks[k].stored_length;
	}
	r->segment_count = in->writer_count;
	return 0;
}

int ingest_finish(struct ingest *in, const struct ingest_result **out,
		  struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	if (in->broken)
		return dsv_fail(err, DSV_ESYS, "an earlier write failed");
	if (in->finished) {
		*out = &in->result;
		return 0;
	}
	for (i = 0; ret == 0 && i < in->writer_count; i++)
		ret = stage(in, in->writers[i], err);
	for (i = 0; ret == 0 && i < in->writer_count; i++) {
		ret = store_poll(in->s, err);
		if (ret == 0)
			ret = writer_sync(in->s, in->writers[i], err);
	}
	for (i = 0; ret == 0 && i < in->writer_count; i++)
		ret = settle(in, in->writers[i], err);
	if (ret == 0)
		ret = sync_dir(in, err);
	if (ret == 0)
		ret = fill_result(in, err);
	if (ret < 0) {
		in->broken = true;
		return ret;
	}
	in->finished = true;
	*out = &in->result;
	return 0;
}
