/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <stdlib.h>
#include <string.h>

#include "../os/fs.h"

enum { COMPARE_BYTES = 1 << 20 };

int files_failed(struct dsv *d, int64_t seq, int ret, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	struct dsv_err why;

	if (ret != DSV_ECORRUPT ||
	    catalog_content(d->catalog, seq, hash, &why) != DSV_ENOTFOUND)
		return ret;
	if (err)
		*err = why;
	return DSV_ENOTFOUND;
}

int files_of(struct dsv *d, int64_t seq, struct manifest *out,
	     struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int ret = catalog_content(d->catalog, seq, hash, err);

	if (ret < 0)
		return ret;
	ret = store_read_manifest(d->store, hash, out, err);
	return files_failed(d, seq, ret, err);
}

int files_of_rank(struct dsv *d, int64_t seq, int64_t rank,
		  struct manifest *out, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int ret = catalog_content(d->catalog, seq, hash, err);

	if (ret < 0)
		return ret;
	ret = store_read_part(d->store, hash, rank, out, err);
	return files_failed(d, seq, ret, err);
}

int files_parts(struct dsv *d, int64_t seq, int64_t *out,
		struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int ret = catalog_content(d->catalog, seq, hash, err);

	if (ret < 0)
		return ret;
	ret = store_count_parts(d->store, hash, out, err);
	return files_failed(d, seq, ret, err);
}

static int compare_path(const void *key, const void *entry)
{
	return strcmp(key, ((const struct manifest_entry *)entry)->path);
}

const struct manifest_entry *files_find(const struct manifest *m,
					const char *path)
{
	if (m->count == 0)
		return NULL;
	return bsearch(path, m->entries, m->count, sizeof(*m->entries),
		       compare_path);
}

int files_are_bytes(struct dsv *d, const struct manifest_entry *e, int fd,
		    struct dsv_err *err)
{
	struct reader stored = READER_INIT;
	char *ours = malloc(COMPARE_BYTES), *theirs = malloc(COMPARE_BYTES);
	bool same = true;
	int64_t offset;
	int ret = ours && theirs ?
		reader_open(d->store, e->recipe, e->size_bytes, &stored, err) :
		dsv_fail_nomem(err);

	for (offset = 0; ret == 0 && same && offset < e->size_bytes;
	     offset += COMPARE_BYTES) {
		size_t len = e->size_bytes - offset < COMPARE_BYTES ?
			(size_t)(e->size_bytes - offset) : COMPARE_BYTES;
		ssize_t n = pread_full(fd, theirs, len, offset);

		if (n < 0)
			ret = dsv_fail_errno(err, "read '%s'", e->path);
		else
			ret = reader_read(&stored, ours, len, offset, err);
		same = ret == 0 && (size_t)n == len &&
			memcmp(ours, theirs, len) == 0;
	}
	free(ours);
	free(theirs);
	reader_close(&stored);
	return ret < 0 ? ret : same;
}

void files_select(struct manifest *m, struct globs *globs)
{
	size_t kept = 0;
	size_t i;

	if (globs->count == 0)
		return;
	for (i = 0; i < m->count; i++) {
		struct manifest_entry *e = &m->entries[i];

		if (globs_match(globs, e->path, e->type == DSV_DIR)) {
			m->entries[kept++] = *e;
			continue;
		}
		free(e->path);
		free(e->target);
	}
	m->count = kept;
}

void files_tell_unused(struct dsv *d, const struct globs *globs,
		       const struct dsv_strings *patterns)
{
	size_t i;

	for (i = 0; i < patterns->count; i++) {
		if (!globs_used(globs, patterns->items[i]))
			repo_warn(d, "no file matches '%s'",
				  patterns->items[i]);
	}
}
