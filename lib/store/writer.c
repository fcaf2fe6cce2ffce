/* SPDX-License-Identifier: MIT */
/* This writes new segments. */
#include "ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/list.h"
#include "../os/fs.h"
#include "../os/paths.h"

#define PACKED_BUFFER_BYTES (1 << 20)
#define OPEN_WRITERS 128	/* beyond that, synced and closed early */

/*
 * All segments of an ingest go to one directory, so that only one has to be
 * synced; which one is as random as the names.
 */
static int make_name(struct ingest *in, char name[SEGMENT_NAME_SIZE],
		     struct dsv_err *err)
{
	unsigned char bytes[(SEGMENT_NAME_SIZE - 1) / 2];

	if (!random_bytes(bytes, sizeof(bytes)))
		return dsv_fail_errno(err, "get random bytes");
	hex_encode(bytes, sizeof(bytes), name);
	if (in->dir[0])
		memcpy(name, in->dir, 2);
	else
		memcpy(in->dir, name, 2);
	return 0;
}

static int make_dir(struct ingest *in, struct dsv_err *err)
{
	struct store *s = in->s;
	char *top = str_format("%s/" DIR_SEGMENTS, s->dir);
	char *dir = segment_dir_path(s->dir, in->dir);
	int ret = 0;

	if (!top || !dir)
		ret = dsv_fail_nomem(err);
	else if (!fs_is_dir(dir)) {
		ret = fs_make_own_dirs(dir, s->dir_mode, err);
		if (ret == 0 && s->fsync)
			ret = fs_sync_dir(top, err);
	}
	free(dir);
	free(top);
	return ret;
}

static int open_new(struct ingest *in, struct writer *w, struct dsv_err *err)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	int ret = in->writer_count == 0 ? make_dir(in, err) : 0;

	if (ret == 0)
		w->fd = open(w->path, flags, 0666);
	/* A sweep removes a directory that is empty. */
	if (ret == 0 && w->fd < 0 && errno == ENOENT) {
		ret = make_dir(in, err);
		if (ret == 0)
			w->fd = open(w->path, flags, 0666);
	}
	if (ret < 0)
		return ret;
	if (w->fd < 0)
		return dsv_fail_errno(err, "create '%s'", w->path);
	return 0;
}

/* Makes room in the list first: ingest_close() must know what is on disk. */
static int grow_list(struct ingest *in, struct dsv_err *err)
{
	return list_grow((void **)&in->writers, in->writer_count,
			 sizeof(*in->writers), err);
}

static int close_oldest(struct ingest *in, struct dsv_err *err)
{
	size_t i;

	if (in->open_count < OPEN_WRITERS)
		return 0;
	for (i = 0; i < in->writer_count; i++) {
		struct writer *w = in->writers[i];

		if (w->fd >= 0 && w->kind == SEGMENT_MIRROR) {
			in->open_count--;
			return writer_sync(in->s, w, err);
		}
	}
	return 0;
}

int writer_new(struct ingest *in, enum segment_kind kind, int64_t size_bytes,
	       struct writer **out, struct dsv_err *err)
{
	struct writer *w;
	int ret;

	ret = close_oldest(in, err);
	if (ret == 0)
		ret = grow_list(in, err);
	if (ret < 0)
		return ret;
	w = calloc(1, sizeof(*w));
	if (!w)
		return dsv_fail_nomem(err);
	w->kind = kind;
	w->fd = -1;
	w->index_fd = -1;
	ret = make_name(in, w->name, err);
	if (ret == 0) {
		w->path = segment_path(in->s->dir, w->name, "");
		ret = w->path ? open_new(in, w, err) : dsv_fail_nomem(err);
	}
	if (ret == 0 && size_bytes > 0 && ftruncate(w->fd, size_bytes) < 0)
		ret = dsv_fail_errno(err, "grow '%s'", w->path);
	if (ret < 0) {
		writer_free(w, false);
		return ret;
	}
	in->writers[in->writer_count++] = w;
	in->open_count++;
	*out = w;
	return 0;
}

void writer_free(struct writer *w, bool keep)
{
	char *index = NULL;

	if (!keep && w->path) {
		if (w->indexed)
			index = str_format("%s.idx", w->path);
		if (index)
			unlink(index);
		free(index);
		unlink(w->path);
	}
	if (w->index_path && !w->indexed)
		unlink(w->index_path);
	if (w->index_fd >= 0)
		close(w->index_fd);
	if (w->fd >= 0)
		close(w->fd);
	str_release(&w->buffer);
	free(w->index_path);
	free(w->chunks);
	free(w->path);
	free(w);
}

void writer_drop(struct ingest *in, struct writer *w)
{
	size_t i;

	for (i = in->writer_count; i > 0; i--) {
		if (in->writers[i - 1] != w)
			continue;
		in->writer_count--;
		memmove(in->writers + i - 1, in->writers + i,
			(in->writer_count - i + 1) * sizeof(*in->writers));
		break;
	}
	in->open_count -= w->fd >= 0;
	writer_free(w, false);
}

bool writer_clone(struct writer *w, int fd)
{
	w->cloned = fs_clone(fd, w->fd) == 0;
	return w->cloned;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct chunk *p = a, *q = b;

	return (p->offset > q->offset) - (p->offset < q->offset);
}

int writer_punch(struct writer *w, int64_t size_bytes, struct dsv_err *err)
{
	int64_t from = 0, to;
	size_t i;

	qsort(w->chunks, w->count, sizeof(*w->chunks), compare_offsets);
	for (i = 0; i <= w->count; i++) {
		to = i < w->count ? w->chunks[i].offset : size_bytes;
		if (to > from &&
		    fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      from, to - from) < 0)
			return dsv_fail_errno(err, "punch a hole into '%s'",
					      w->path);
		if (i < w->count)
			from = to + w->chunks[i].stored_length;
	}
	return 0;
}

static int note_chunk(struct writer *w, const struct chunk *c,
		      struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&w->chunks, w->count, sizeof(*c), err);
	if (ret == 0)
		w->chunks[w->count++] = *c;
	return ret;
}

/* Fills in everything but how its bytes are stored. */
static void place_chunk(struct chunk *c, const struct writer *w,
			const unsigned char hash[HASH_BYTES], int64_t offset)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->hash, hash, HASH_BYTES);
	memcpy(c->segment, w->name, SEGMENT_NAME_SIZE);
	c->offset = offset;
}

/*
 * Starts writeback at once: what the disk does now, the fsync at the end need
 * not do.  It is a hint; its failure means nothing.
 */
static void begin_writeback(const struct store *s, int fd, int64_t offset,
			    size_t len)
{
	if (s->fsync)
		sync_file_range(fd, offset, (off_t)len,
				SYNC_FILE_RANGE_WRITE);
}

int writer_put(struct ingest *in, struct writer *w,
	       const unsigned char hash[HASH_BYTES], const void *data,
	       size_t len, int64_t offset, struct dsv_err *err)
{
	struct chunk c;
	int ret;

	place_chunk(&c, w, hash, offset);
	codec_keep(&c, data, len);	/* a mirror equals its file */
	if (!w->cloned) {
		if (pwrite_all(w->fd, data, len, offset) < 0)
			return dsv_fail_errno(err, "write '%s'", w->path);
		begin_writeback(in->s, w->fd, offset, len);
	}
	pthread_mutex_lock(&in->lock);
	ret = note_chunk(w, &c, err);
	pthread_mutex_unlock(&in->lock);
	return ret;
}

int writer_flush(struct ingest *in, struct writer *w, struct dsv_err *err)
{
	size_t len = w->buffer.len;

	if (len == 0)
		return 0;
	if (pwrite_all(w->fd, w->buffer.data, len, w->buffer_start) < 0)
		return dsv_fail_errno(err, "write '%s'", w->path);
	begin_writeback(in->s, w->fd, w->buffer_start, len);
	w->buffer_start += (int64_t)len;
	str_clear(&w->buffer);
	return 0;
}

/* Appends at the end of the packed segment. */
static int append_bytes(struct ingest *in, struct writer *w, const void *data,
			size_t len, struct dsv_err *err)
{
	int ret;

	w->end += (int64_t)len;
	if (w->buffer.len + len > PACKED_BUFFER_BYTES) {
		ret = writer_flush(in, w, err);
		if (ret < 0)
			return ret;
	}
	if (len <= PACKED_BUFFER_BYTES) {
		str_add(&w->buffer, data, len);
		return str_failed(&w->buffer) ? dsv_fail_nomem(err) : 0;
	}
	if (pwrite_all(w->fd, data, len, w->buffer_start) < 0)
		return dsv_fail_errno(err, "write '%s'", w->path);
	begin_writeback(in->s, w->fd, w->buffer_start, len);
	w->buffer_start += (int64_t)len;
	return 0;
}

int writer_append(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  const void *data, size_t len, struct dsv_err *err)
{
	struct writer *w = in->packed;
	const void *stored;
	struct chunk c;
	int ret;

	if (!w) {
		ret = writer_new(in, SEGMENT_PACKED, 0, &w, err);
		if (ret < 0)
			return ret;
		in->packed = w;
	}
	place_chunk(&c, w, hash, w->end);
	stored = codec_encode(&c, data, len);
	ret = note_chunk(w, &c, err);
	return ret < 0 ? ret :
		append_bytes(in, w, stored, c.stored_length, err);
}

int writer_sync(const struct store *s, struct writer *w, struct dsv_err *err)
{
	int ret = 0;

	if (w->fd < 0)
		return 0;
	if (store_seal(s, w->fd) < 0 ||
	    (s->fsync && fsync(w->fd) < 0))
		ret = dsv_fail_errno(err, "sync '%s'", w->path);
	if (close(w->fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", w->path);
	w->fd = -1;
	return ret;
}
