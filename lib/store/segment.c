/* SPDX-License-Identifier: MIT */
/* This is about segments on disk. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../os/fs.h"
#include "../os/paths.h"

bool chunk_is_sane(const struct chunk *c, int64_t size_bytes)
{
	if (c->length == 0 || c->stored_length == 0 || c->offset < 0 ||
	    c->offset > size_bytes)
		return false;
	if (codec_is_raw(c) && c->length != c->stored_length)
		return false;
	return c->stored_length <= size_bytes - c->offset;
}

/* ---- Open segments ----------------------------------------------------- */

static int open_segment(struct store *s, const char *name, int *fd,
			int64_t *size_bytes, struct dsv_err *err)
{
	char *path;
	struct statx st;
	int ret = 0;

	path = segment_path(s->dir, name, "");
	if (!path)
		return dsv_fail_nomem(err);
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		   O_NONBLOCK);
	if (*fd < 0 && errno == ENOENT)
		ret = dsv_fail(err, DSV_ECORRUPT, "segment '%s' is missing",
			       path);
	else if (*fd < 0 && errno == ELOOP)
		ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is not a file", path);
	else if (*fd < 0)
		ret = dsv_fail_errno(err, "open '%s'", path);
	/* FUSE caches a size, and nothing is read beyond it. */
	else if (statx(*fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
		       STATX_BASIC_STATS, &st) < 0)
		ret = dsv_fail_errno(err, "stat '%s'", path);
	else if (!S_ISREG(st.stx_mode))
		ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is not a file", path);
	else
		*size_bytes = (int64_t)st.stx_size;
	if (ret < 0 && *fd >= 0)
		close(*fd);
	free(path);
	return ret;
}

/* Returns the slot of name, else the one to use for it. */
static struct open_segment *find_slot(struct store *s, const char *name)
{
	struct open_segment *best = NULL;
	size_t i;

	for (i = 0; i < OPEN_SEGMENTS; i++) {
		struct open_segment *o = &s->open[i];

		if (!strcmp(o->name, name))
			return o;
		if (o->users == 0 && (!best || o->last_use < best->last_use))
			best = o;
	}
	return best;
}

int segment_get(struct store *s, const char *name, struct open_segment **out,
		struct dsv_err *err)
{
	struct open_segment *o;
	int64_t size_bytes = 0;
	int fd = -1;
	int ret = 0;

	if (!segment_name_is_valid(name))
		return dsv_fail(err, DSV_ECORRUPT, "not a segment name");
	pthread_mutex_lock(&s->lock);
	o = find_slot(s, name);
	if (!o) {
		ret = dsv_fail(err, DSV_ESYS, "too many open segments");
	} else if (o->name[0] == '\0' || strcmp(o->name, name)) {
		ret = open_segment(s, name, &fd, &size_bytes, err);
		if (ret == 0) {
			if (o->name[0])
				close(o->fd);
			memcpy(o->name, name, SEGMENT_NAME_SIZE);
			o->fd = fd;
			o->size_bytes = size_bytes;
		}
	}
	if (ret == 0) {
		o->users++;
		o->last_use = ++s->use_count;
		*out = o;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

void segment_put(struct store *s, struct open_segment *segment)
{
	pthread_mutex_lock(&s->lock);
	segment->users--;
	pthread_mutex_unlock(&s->lock);
}

void segment_close_all(struct store *s)
{
	size_t i;

	for (i = 0; i < OPEN_SEGMENTS; i++) {
		if (s->open[i].name[0])
			close(s->open[i].fd);
		s->open[i].name[0] = '\0';
	}
}

/* ---- Verify ------------------------------------------------------------ */

static int wrong(const struct chunk *c, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(c->hash, hex);
	return dsv_fail(err, DSV_ECORRUPT,
			"chunk %.12s in segment %.12s has wrong bytes", hex,
			c->segment);
}

/* Drops the bytes, which are only verified. */
static int drop_block(void *arg, const char *data, size_t len, int64_t offset,
		      struct dsv_err *err)
{
	(void)arg;
	(void)data;
	(void)len;
	(void)offset;
	(void)err;
	return 0;
}

int segment_verify(struct store *s, const struct chunk *chunk,
		   struct dsv_err *err)
{
	uint32_t crc = 0;
	struct chunk_sink sink = {
		.buf = store_buffer_get(s), .fn = drop_block, .crc = &crc,
	};
	struct open_segment *o;
	int ret;

	if (!sink.buf)
		return dsv_fail_nomem(err);
	ret = segment_get(s, chunk->segment, &o, err);
	if (ret == 0) {
		ret = codec_read(o, chunk, &sink, err);
		segment_put(s, o);
		if (ret == DSV_ECORRUPT || (ret == 0 && crc != chunk->crc32c))
			ret = wrong(chunk, err);
	}
	store_buffer_put(s, sink.buf);
	return ret;
}

/* ---- Free -------------------------------------------------------------- */

static int unlink_there(const char *path, struct dsv_err *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return dsv_fail_errno(err, "remove '%s'", path);
	return 0;
}

/*
 * Removes the index first: a segment without one is a leftover, and gets swept.
 */
static int free_whole(struct store *s, const char *path, const char *name,
		      int64_t *freed_bytes, struct dsv_err *err)
{
	char *index_path = segment_path(s->dir, name, ".idx");
	struct stat st;
	int ret;

	if (!index_path)
		return dsv_fail_nomem(err);
	if (lstat(path, &st) < 0)
		st.st_blocks = 0;
	ret = unlink_there(index_path, err);
	if (ret == 0)
		ret = unlink_there(path, err);
	if (ret == 0)
		*freed_bytes = (int64_t)st.st_blocks * 512;
	free(index_path);
	return ret;
}

static int by_offset(const void *a, const void *b)
{
	const struct segment_range *left = a;
	const struct segment_range *right = b;

	return (left->offset > right->offset) - (left->offset < right->offset);
}

/*
 * Sorts and joins the ranges: two neighbours may share a block, which only a
 * hole over both frees.
 */
static int join_ranges(const struct segment_range *ranges, size_t *count,
		       struct segment_range **out, struct dsv_err *err)
{
	struct segment_range *r = malloc(*count * sizeof(*r));
	size_t kept = 0;
	size_t i;

	if (!r)
		return dsv_fail_nomem(err);
	memcpy(r, ranges, *count * sizeof(*r));
	qsort(r, *count, sizeof(*r), by_offset);
	for (i = 0; i < *count; i++) {
		if (r[i].offset < 0 || r[i].length <= 0 ||
		    r[i].length > INT64_MAX - r[i].offset) {
			free(r);
			return dsv_fail(err, DSV_ECORRUPT,
					"impossible range of a segment");
		}
		if (kept > 0 && r[i].offset <= r[kept - 1].offset +
					       r[kept - 1].length) {
			int64_t end = r[i].offset + r[i].length;

			if (end > r[kept - 1].offset + r[kept - 1].length)
				r[kept - 1].length = end - r[kept - 1].offset;
		} else {
			r[kept++] = r[i];
		}
	}
	*count = kept;
	*out = r;
	return 0;
}

/*
 * Segments are read-only to prevent accidents: the owner gets write permission
 * only for as long as needed.
 */
static int open_for_punching(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 || errno != EACCES)
		return fd;
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    chmod(path, (st.st_mode & 0777) | 0200) < 0) {
		errno = EACCES;
		return -1;
	}
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (chmod(path, st.st_mode & 0777) < 0 && fd >= 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int punch(int fd, const char *path, const struct segment_range *r,
		 size_t count, int64_t *freed_bytes, struct dsv_err *err)
{
	struct stat before, after;
	size_t i;

	if (fstat(fd, &before) < 0)
		return dsv_fail_errno(err, "stat '%s'", path);
	for (i = 0; i < count; i++) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      r[i].offset, r[i].length) == 0)
			continue;
		if (errno == EOPNOTSUPP || errno == ENOSYS)
			break;
		return dsv_fail_errno(err, "free space in '%s'", path);
	}
	if (fstat(fd, &after) < 0)
		return dsv_fail_errno(err, "stat '%s'", path);
	*freed_bytes = (int64_t)(before.st_blocks - after.st_blocks) * 512;
	if (*freed_bytes < 0)
		*freed_bytes = 0;
	return 0;
}

/*
 * Returns whether the segment is really there.  Through a link in place of its
 * directory the segments of others would be freed; holes can be punched only
 * into files, and opening a FIFO would wait.
 */
static bool is_there(const char *path, bool whole)
{
	const char *slash = strrchr(path, '/');
	char *dir = strndup(path, (size_t)(slash - path));
	struct stat st;
	bool there = dir && fs_is_dir(dir) &&
		(whole || (lstat(path, &st) == 0 && S_ISREG(st.st_mode)));

	free(dir);
	return there;
}

int segment_free(struct store *s, const char *name,
		 const struct segment_range *ranges, size_t count,
		 int64_t *freed_bytes, struct dsv_err *err)
{
	struct segment_range *joined = NULL;
	char *path = NULL;
	int fd = -1;
	int ret;

	if (!segment_name_is_valid(name))
		return dsv_fail(err, DSV_ECORRUPT, "not a segment name");
	path = segment_path(s->dir, name, "");
	if (!path)
		return dsv_fail_nomem(err);
	if (!is_there(path, count == 0)) {
		ret = dsv_fail(err, DSV_ENOTFOUND, "segment '%s' is missing",
			       path);
		goto out;
	}
	if (count == 0) {
		ret = free_whole(s, path, name, freed_bytes, err);
		goto out;
	}
	ret = join_ranges(ranges, &count, &joined, err);
	if (ret < 0)
		goto out;
	fd = open_for_punching(path);
	if (fd < 0 && errno == ENOENT)
		ret = dsv_fail(err, DSV_ENOTFOUND, "segment '%s' is missing",
			       path);
	else if (fd < 0)
		ret = dsv_fail_errno(err, "open '%s'", path);
	else
		ret = punch(fd, path, joined, count, freed_bytes, err);
out:
	if (fd >= 0)
		close(fd);
	free(joined);
	free(path);
	return ret;
}

int64_t segment_size(const struct store *s, const char *name)
{
	char *path = segment_name_is_valid(name) ?
		segment_path(s->dir, name, "") : NULL;
	struct stat st;
	int64_t size = 0;

	if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		size = st.st_size;
	free(path);
	return size;
}

int segment_stat(struct store *s, const char *name, int64_t *allocated_bytes,
		 int64_t *mtime_ns, struct dsv_err *err)
{
	char *path;
	struct stat st;
	int ret = 0;

	if (!segment_name_is_valid(name))
		return dsv_fail(err, DSV_ECORRUPT, "not a segment name");
	path = segment_path(s->dir, name, "");
	if (!path)
		return dsv_fail_nomem(err);
	if (lstat(path, &st) < 0 && errno == ENOENT)
		ret = dsv_fail(err, DSV_ENOTFOUND, "segment '%s' is missing",
			       path);
	else if (lstat(path, &st) < 0)
		ret = dsv_fail_errno(err, "stat '%s'", path);
	free(path);
	if (ret < 0)
		return ret;
	*allocated_bytes = (int64_t)st.st_blocks * 512;
	*mtime_ns = stat_mtime_ns(&st);
	return 0;
}
