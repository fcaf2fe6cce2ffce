/* SPDX-License-Identifier: MIT */
#include "ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../format/format.h"

/*
 * Stores through mmap leave size and times unchanged until they are written
 * back: without this a change would not show.
 */
static int settle_source(const struct taking *t, struct dsv_err *err)
{
	if (fsync(t->fd) < 0 && errno != EBADF && errno != EINVAL &&
	    errno != EROFS)
		return dsv_fail_errno(err, "sync '%s'", t->path);
	return 0;
}

static int stat_source(const struct taking *t, struct stat *st,
		       struct dsv_err *err)
{
	if (fstat(t->fd, st) < 0)
		return dsv_fail_errno(err, "stat '%s'", t->path);
	if (!S_ISREG(st->st_mode))
		return dsv_fail(err, DSV_ESYS, "'%s' is not a regular file",
				t->path);
	return 0;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static int check_unchanged(const struct taking *t, const struct stat *before,
			   struct dsv_err *err)
{
	struct stat after;
	int ret;

	ret = stat_source(t, &after, err);
	if (ret < 0)
		return ret;
	if (before->st_size != after.st_size ||
	    !is_same_time(&before->st_mtim, &after.st_mtim) ||
	    !is_same_time(&before->st_ctim, &after.st_ctim))
		return taking_changed(t, err);
	return 0;
}

/* All pieces, whatever went wrong: the jobs hold t. */
static int take_pieces(struct taking *t, struct dsv_err *err)
{
	struct dsv_err job_err;
	int ret;
	int job_ret = 0;

	ret = taking_cut(t, err);
	if (t->in->pool)
		job_ret = pool_wait(t->in->pool, &job_err);
	if (ret < 0 || job_ret == 0)
		return ret;
	if (err)
		*err = job_err;
	return job_ret;
}

static int make_recipe(struct taking *t, unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct recipe r = RECIPE_INIT;
	struct str text = STR_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < t->count; i++) {
		const struct piece *piece = &t->pieces[i];
		struct recipe_item item = { .length = piece->length };

		item.op = piece->is_zero ? RECIPE_ZERO : RECIPE_RANGE;
		memcpy(item.chunk, piece->hash, HASH_BYTES);
		ret = recipe_add(&r, &item, err);
	}
	if (ret == 0)
		ret = recipe_encode(&r, &text, err);
	if (ret == 0)
		ret = ingest_bytes(t->in, text.data, text.len, hash, err);
	if (ret == 0)
		ret = ingest_note_recipe(t->in, &r, hash, err);
	str_release(&text);
	recipe_release(&r);
	return ret;
}

int ingest_file(struct ingest *in, int fd, const char *path,
		unsigned char recipe[HASH_BYTES], int64_t *size_bytes,
		struct dsv_err *err)
{
	struct taking t = { .in = in, .fd = fd, .path = path };
	unsigned char hash[HASH_BYTES];
	struct stat before;
	int ret;

	if (in->broken || in->finished)
		return dsv_fail(err, DSV_ESYS, "an earlier file failed");
	ret = settle_source(&t, err);
	if (ret == 0)
		ret = stat_source(&t, &before, err);
	if (ret < 0)
		return ret;
	t.size_bytes = before.st_size;
	t.parallel = t.size_bytes >= FORMAT_SMALL_BYTES;
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	ret = take_pieces(&t, err);
	if (ret == 0)
		ret = check_unchanged(&t, &before, err);
	if (ret == 0)
		ret = make_recipe(&t, hash, err);
	store_tell(in->s);
	free(t.pieces);
	if (ret < 0) {
		in->broken = true;
		return ret;
	}
	memcpy(recipe, hash, HASH_BYTES);
	*size_bytes = t.size_bytes;
	return 0;
}
