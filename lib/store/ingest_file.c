/* SPDX-License-Identifier: MIT */
#include "ingest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../format/format.h"
#include "source.h"

int taking_run(struct taking *t, struct dsv_err *err)
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

int ingest_recipe(struct ingest *in, const struct recipe *r,
		  unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret;

	ret = recipe_encode(r, &text, err);
	if (ret == 0)
		ret = ingest_bytes(in, text.data, text.len, hash, err);
	if (ret == 0)
		ret = ingest_note_recipe(in, r, hash, err);
	str_release(&text);
	return ret;
}

static int make_recipe(struct taking *t, unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct recipe r = RECIPE_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < t->count; i++) {
		const struct piece *piece = &t->pieces[i];

		if (piece->is_zero)
			ret = recipe_add_zeros(&r, piece->length, err);
		else
			ret = recipe_add_range(&r, piece->hash, 0,
					       piece->length, err);
	}
	if (ret == 0)
		ret = ingest_recipe(t->in, &r, hash, err);
	recipe_release(&r);
	return ret;
}

/* Returns 1 if the file is known by its stat, and all its bytes are there. */
static int take_known(struct taking *t, const struct stat *st,
		      unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	struct store *s = t->in->s;
	struct recipe r = RECIPE_INIT;
	struct recipe_chunk chunk;
	size_t at = 0;
	int noted;
	int ret = 1;

	if (!s->statcache || !statcache_get(s->statcache, st, hash) ||
	    store_read_recipe(s, hash, &r, NULL) < 0)
		return 0;
	if (r.size_bytes != st->st_size)
		ret = 0;
	while (ret > 0 && recipe_next_chunk(&r, &at, &chunk))
		ret = ingest_lookup(t->in, chunk.hash, err);
	if (ret > 0) {
		noted = ingest_note_recipe(t->in, &r, hash, err);
		if (noted < 0)
			ret = noted;
	}
	recipe_release(&r);
	return ret;
}

/*
 * Where the file systems can do it, the segment is a clone of the file, which
 * needs no writing; the bytes are still read and hashed from the file, whose
 * pages are cached.  check_source() checks that it has not changed since.
 */
static int begin_clone(struct taking *t, struct dsv_err *err)
{
	struct ingest *in = t->in;
	struct writer *w = NULL;
	int ret;

	if (!t->parallel || in->cannot_clone ||
	    t->source->lease == LEASE_REFUSED)
		return 0;
	pthread_mutex_lock(&in->lock);
	ret = writer_new(in, SEGMENT_MIRROR, 0, &w, err);
	if (ret == 0 && writer_clone(w, t->fd)) {
		t->mirror = w;
	} else if (ret == 0) {
		in->cannot_clone = true;
		writer_drop(in, w);
	}
	pthread_mutex_unlock(&in->lock);
	return ret;
}

static int end_clone(struct taking *t, struct dsv_err *err)
{
	struct writer *w = t->mirror;
	int ret = 0;

	if (!w || !w->cloned)
		return 0;
	pthread_mutex_lock(&t->in->lock);
	if (w->count == 0)
		writer_drop(t->in, w);
	else
		ret = writer_punch(w, t->size_bytes, err);
	pthread_mutex_unlock(&t->in->lock);
	return ret;
}

/*
 * Checks that the bytes read are those of one version of the file, and those of
 * the clone.
 */
static int check_source(struct taking *t, struct dsv_err *err)
{
	struct writer *w = t->mirror;
	int ret = source_look(t->source, err);

	if (ret != SOURCE_DOUBTFUL)
		return ret;
	return taking_again(t, w && w->cloned ? w->fd : t->fd, err);
}

static int take_new(struct taking *t, struct source *src,
		    unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	int ret;

	t->source = src;
	t->size_bytes = src->st.st_size;
	t->parallel = t->size_bytes >= FORMAT_SMALL_BYTES;
	t->sparse = t->parallel &&
		(int64_t)src->st.st_blocks * 512 < t->size_bytes;
	posix_fadvise(t->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	ret = begin_clone(t, err);
	if (ret == 0)
		ret = taking_run(t, err);
	if (ret == 0)
		ret = check_source(t, err);
	if (ret == 0)
		ret = end_clone(t, err);
	if (ret == 0)
		ret = make_recipe(t, hash, err);
	if (ret == 0 && t->in->s->statcache)
		source_remember(src, t->in->s->statcache, hash);
	free(t->pieces);
	return ret;
}

int ingest_file(struct ingest *in, int fd, const char *path,
		unsigned char recipe[HASH_BYTES], int64_t *size_bytes,
		struct dsv_err *err)
{
	struct taking t = { .in = in, .fd = fd, .path = path };
	struct source src = { .fd = fd, .path = path };
	unsigned char hash[HASH_BYTES];
	int ret;

	if (in->broken || in->finished)
		return dsv_fail(err, DSV_ESYS, "an earlier file failed");
	ret = source_settle(&src, in->s->statcache, err);
	if (ret < 0) {
		source_release(&src);
		return ret;
	}
	ret = take_known(&t, &src.st, hash, err);
	if (ret == 0)
		ret = take_new(&t, &src, hash, err);
	else if (ret > 0)
		store_count(in->s, src.st.st_size);
	source_release(&src);
	store_tell(in->s);
	if (ret < 0) {
		in->broken = true;
		return ret;
	}
	memcpy(recipe, hash, HASH_BYTES);
	*size_bytes = src.st.st_size;
	return 0;
}
