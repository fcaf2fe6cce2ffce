/* SPDX-License-Identifier: MIT */
/* This cuts a file that is taken in, and takes in its pieces. */
#include "ingest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/list.h"
#include "../format/cdc.h"
#include "../format/format.h"
#include "../os/fs.h"

#define STREAM_BYTES (CHUNK_LIMIT_BYTES)

int taking_changed(const struct taking *t, struct dsv_err *err)
{
	return dsv_fail(err, DSV_ESYS, "'%s' changed while it was read",
			t->path);
}

int taking_read(const struct taking *t, void *buf, size_t len, int64_t offset,
		struct dsv_err *err)
{
	ssize_t n = pread_full(t->fd, buf, len, offset);

	if (t->source)
		source_yield(t->source);
	if (n < 0)
		return dsv_fail_errno(err, "read '%s'", t->path);
	return (size_t)n == len ? 0 : taking_changed(t, err);
}

/* ---- A piece ----------------------------------------------------------- */

struct job {
	struct taking *t;
	size_t number;
	int64_t offset;
	size_t len;
	void *data;
};

/*
 * Decides, with the lock held, whether the chunk must be written to *w; NULL:
 * it has been, or need not be.
 */
static int place(struct taking *t, const struct job *job,
		 const unsigned char hash[HASH_BYTES], struct writer **w,
		 struct dsv_err *err)
{
	struct ingest *in = t->in;
	int ret;

	*w = NULL;
	ret = ingest_claim(in, hash, err);
	if (ret <= 0)
		return ret;
	if (!t->parallel)
		return writer_append(in, hash, job->data, job->len, err);
	if (!t->mirror) {
		ret = writer_new(in, SEGMENT_MIRROR, t->size_bytes, &t->mirror,
				 err);
		if (ret < 0)
			return ret;
	}
	*w = t->mirror;
	return 0;
}

/*
 * Reads block by block, and hashes each while it is in the processor's cache.
 */
static int read_blocks(struct taking *t, struct job *job, bool read,
		       struct piece *piece, struct hash *h,
		       struct dsv_err *err)
{
	char *data = job->data;
	size_t done, len;
	int ret = 0;

	piece->is_zero = true;
	for (done = 0; ret == 0 && done < job->len; done += len) {
		len = job->len - done;
		if (len > BLOCK_BYTES)
			len = BLOCK_BYTES;
		if (read)
			ret = taking_read(t, data + done, len,
					  job->offset + (int64_t)done, err);
		if (ret == 0 && !hash_add(h, data + done, len))
			ret = dsv_fail_nomem(err);
		piece->is_zero = piece->is_zero && ret == 0 &&
				 is_zero(data + done, len);
	}
	return ret;
}

static int read_piece(struct taking *t, struct job *job, struct piece *piece,
		      struct dsv_err *err)
{
	bool read = !job->data;
	struct hash *h = hash_new();
	int ret;

	if (read)
		job->data = store_buffer_get(t->in->s);
	if (!job->data || !h)
		ret = dsv_fail_nomem(err);
	else
		ret = read_blocks(t, job, read, piece, h, err);
	if (ret == 0 && !hash_finish(h, piece->hash))
		ret = dsv_fail_nomem(err);
	hash_free(h);
	return ret;
}

static int take(struct taking *t, struct job *job, struct dsv_err *err)
{
	struct ingest *in = t->in;
	struct piece piece = {
		.offset = job->offset, .length = (int64_t)job->len,
	};
	struct writer *w = NULL;
	int ret;

	ret = read_piece(t, job, &piece, err);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&in->lock);
	t->pieces[job->number] = piece;
	if (!piece.is_zero)
		ret = place(t, job, piece.hash, &w, err);
	pthread_mutex_unlock(&in->lock);
	if (ret == 0 && w)
		ret = writer_put(in, w, piece.hash, job->data, job->len,
				 job->offset, err);
	return ret;
}

static int run_job(void *arg, bool cancelled, struct dsv_err *err)
{
	struct job *job = arg;
	struct store *s = job->t->in->s;
	int ret = 0;

	if (!cancelled)
		ret = take(job->t, job, err);
	store_buffer_put(s, job->data);
	store_count(s, (int64_t)job->len);
	free(job);
	return ret;
}

static int new_piece(struct taking *t, size_t *number, struct dsv_err *err)
{
	int ret;

	pthread_mutex_lock(&t->in->lock);
	ret = list_grow((void **)&t->pieces, t->count, sizeof(*t->pieces), err);
	if (ret == 0)
		*number = t->count++;
	pthread_mutex_unlock(&t->in->lock);
	return ret;
}

int taking_piece(struct taking *t, int64_t offset, size_t len, void *data,
		 struct dsv_err *err)
{
	struct store *s = t->in->s;
	struct pool *pool;
	struct job *job;
	size_t number = 0;
	int ret;

	ret = store_poll(s, err);
	if (ret == 0 && t->sharing) {
		ret = sharing_piece(t, offset, len, &data, err);
		if (ret == 0)
			goto out;	/* another rank's */
		ret = ret < 0 ? ret : 0;
	}
	if (ret == 0)
		ret = new_piece(t, &number, err);
	if (ret < 0)
		goto out;
	job = malloc(sizeof(*job));
	if (!job) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	*job = (struct job){ t, number, offset, len, data };
	if (!t->parallel)
		return run_job(job, false, err);
	ret = ingest_pool(t->in, &pool, err);
	if (ret == 0)
		ret = pool_submit(pool, run_job, job, err);
	if (ret < 0) {
		free(job);
		goto out;
	}
	store_tell(s);
	return 0;
out:
	store_buffer_put(s, data);
	return ret;
}

int taking_zeros(struct taking *t, int64_t offset, int64_t len,
		 struct dsv_err *err)
{
	size_t number = 0;
	int ret = store_poll(t->in->s, err);

	if (ret == 0)
		ret = new_piece(t, &number, err);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&t->in->lock);
	t->pieces[number] = (struct piece){
		.offset = offset, .length = len, .is_zero = true,
	};
	pthread_mutex_unlock(&t->in->lock);
	store_count(t->in->s, len);
	store_tell(t->in->s);
	return 0;
}

int64_t taking_hole(struct taking *t, int64_t offset)
{
	int64_t next;

	if (!t->sparse)
		return 0;
	if (offset < t->known_from || offset >= t->known_to) {
		next = lseek(t->fd, offset, SEEK_DATA);
		if (next < 0 && errno == ENXIO)
			next = t->size_bytes;
		t->is_hole = next > offset;
		if (next == offset)
			next = lseek(t->fd, offset, SEEK_HOLE);
		/*
		 * The file system lacks these calls, or the file just changed.
		 */
		if (next <= offset) {
			t->sparse = false;
			return 0;
		}
		t->known_from = offset;
		t->known_to = next < t->size_bytes ? next : t->size_bytes;
	}
	return t->is_hole ? t->known_to - offset : 0;
}

/* ---- Cuts -------------------------------------------------------------- */

static int read_source(void *arg, void *buf, size_t len, int64_t offset,
		       struct dsv_err *err)
{
	return taking_read(arg, buf, len, offset, err);
}

/*
 * Returns how much of a hole is one piece, however large it is: all cuts of len
 * that lie in it and begin where limit bytes of room or more are left.
 */
static int64_t zeros_in(int64_t hole, int64_t room, int64_t len, int64_t limit)
{
	int64_t most = (hole < room ? hole : room) / len;
	int64_t until = (room - limit) / len + 1;

	return len * (most < until ? most : until);
}

/* Cuts a natural range: one chunk, unless it is larger than chunks may be. */
static int cut_range(struct taking *t, int64_t offset, int64_t end,
		     struct dsv_err *err)
{
	int64_t len, hole;
	int ret = 0;

	while (ret == 0 && offset < end) {
		len = end - offset;
		if (len > CHUNK_LIMIT_BYTES)
			len = FORMAT_BLOCK_BYTES;
		hole = taking_hole(t, offset);
		if (hole >= len && len < end - offset)
			len = zeros_in(hole, end - offset, len,
				       CHUNK_LIMIT_BYTES + 1);
		ret = hole >= len ? taking_zeros(t, offset, len, err) :
			taking_piece(t, offset, (size_t)len, NULL, err);
		offset += len;
	}
	return ret;
}

/* A stream is a window that moves over the file. */
struct stream {
	unsigned char *data;
	size_t start;		/* of what has not been cut */
	size_t end;
	int64_t read_to;	/* in the file */
};

static int refill(struct taking *t, struct stream *st, int64_t end,
		  struct dsv_err *err)
{
	size_t have = st->end - st->start;
	size_t len;
	int ret;

	if (have >= CDC_MAX_BYTES || st->read_to == end)
		return 0;
	memmove(st->data, st->data + st->start, have);
	st->start = 0;
	st->end = have;
	len = STREAM_BYTES - have;
	if ((int64_t)len > end - st->read_to)
		len = (size_t)(end - st->read_to);
	ret = taking_read(t, st->data + have, len, st->read_to, err);
	if (ret < 0)
		return ret;
	st->end += len;
	st->read_to += (int64_t)len;
	return 0;
}

/*
 * Skips len bytes that have been cut, up to offset; they may not have been
 * read.
 */
static void skip(struct stream *st, int64_t len, int64_t offset)
{
	if ((int64_t)(st->end - st->start) >= len) {
		st->start += (size_t)len;
	} else {
		st->start = st->end = 0;
		st->read_to = offset;
	}
}

/*
 * Returns where a hole is cut, which is where its bytes would be: a cut sees no
 * more than CDC_MAX_BYTES.  Returns 0 if the file has no holes.
 */
static size_t zeros_cut(const struct taking *t, const struct cdc *cdc)
{
	unsigned char *zeros = t->sparse ? calloc(1, CDC_MAX_BYTES) : NULL;
	size_t len = zeros ? cdc_cut(cdc, zeros, CDC_MAX_BYTES) : 0;

	free(zeros);
	return len;
}

/* Cuts by content: cutting is sequential, the pieces are taken in parallel. */
static int cut_content(struct taking *t, const struct cdc *cdc, int64_t offset,
		       int64_t end, struct dsv_err *err)
{
	struct store *s = t->in->s;
	struct stream st = { .data = store_buffer_get(s), .read_to = offset };
	size_t zeros = zeros_cut(t, cdc);
	int64_t hole;
	void *copy;
	size_t len;
	int ret = 0;

	if (!st.data)
		return dsv_fail_nomem(err);
	while (ret == 0 && offset < end) {
		if (zeros > 0 && end - offset >= CDC_MAX_BYTES &&
		    (hole = taking_hole(t, offset)) >= CDC_MAX_BYTES) {
			hole = hole < end - offset ? hole : end - offset;
			hole = zeros_in(hole, hole, (int64_t)zeros,
					CDC_MAX_BYTES);
			ret = taking_zeros(t, offset, hole, err);
			offset += hole;
			skip(&st, hole, offset);
			continue;
		}
		ret = refill(t, &st, end, err);
		if (ret < 0)
			break;
		len = cdc_cut(cdc, st.data + st.start, st.end - st.start);
		copy = store_buffer_get(s);
		if (!copy) {
			ret = dsv_fail_nomem(err);
			break;
		}
		memcpy(copy, st.data + st.start, len);
		ret = taking_piece(t, offset, len, copy, err);
		st.start += len;
		offset += (int64_t)len;
	}
	store_buffer_put(s, st.data);
	return ret;
}

int taking_cut(struct taking *t, struct dsv_err *err)
{
	struct format_source source = { t->size_bytes, read_source, t };
	struct format_cuts cuts = { 0 };
	struct cdc cdc;
	int64_t offset = 0;
	bool have_cdc = false;
	size_t i;
	int ret;

	if (t->size_bytes == 0)
		return 0;
	ret = format_cut(&source, &cuts, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < cuts.count; offset = cuts.end[i++]) {
		if (!cuts.content_defined[i] ||
		    cuts.end[i] - offset <= CDC_MIN_BYTES) {
			ret = cut_range(t, offset, cuts.end[i], err);
			continue;
		}
		if (!have_cdc)
			cdc_init(&cdc);
		have_cdc = true;
		ret = cut_content(t, &cdc, offset, cuts.end[i], err);
	}
	format_cuts_release(&cuts);
	return ret;
}
