/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <string.h>

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

const struct manifest_entry *files_find(const struct manifest *m,
					const char *path)
{
	size_t i;

	for (i = 0; i < m->count; i++) {
		if (!strcmp(m->entries[i].path, path))
			return &m->entries[i];
	}
	return NULL;
}
