/* SPDX-License-Identifier: MIT */
#include "contents.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TRIES = 10 };

void contents_release(struct contents *c, bool keep)
{
	ingest_close(c->ingest, keep);
	manifest_release(&c->manifest);
	memset(c, 0, sizeof(*c));
}

static int store_file(struct contents *c, const struct tree_file *file,
			struct dsv_err *err)
{
	struct manifest_entry entry = {
		.type = file->type,
		.executable = file->executable,
		.part = -1,
	};
	int ret;

	if (file->type == DSV_FILE) {
		int fd = open(file->source, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return dsv_fail_errno(err, "read '%s'", file->source);
		ret = ingest_file(c->ingest, fd, file->source, entry.recipe,
				  &entry.size_bytes, err);
		close(fd);
		if (ret < 0)
			return ret;
	}
	entry.path = strdup(file->path);
	entry.target = file->target ? strdup(file->target) : NULL;
	if (!entry.path || (file->target && !entry.target)) {
		free(entry.path);
		free(entry.target);
		return dsv_fail_nomem(err);
	}
	return manifest_add(&c->manifest, &entry, err);
}

int contents_take(struct contents *c, const struct tree *tree,
		  struct dsv_err *err)
{
	struct str text = STR_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < tree->count; i++)
		ret = store_file(c, &tree->files[i], err);
	manifest_totals(&c->manifest, &c->files, &c->size_bytes);
	if (ret == 0)
		ret = manifest_encode(&c->manifest, &text, err);
	if (ret == 0)
		ret = ingest_bytes(c->ingest, text.data, text.len, c->hash,
				   err);
	str_release(&text);
	return ret;
}

/* Returns CATALOG_MISSING if the sweep has removed a segment. */
static int store_once(struct dsv *d, const struct tree *tree,
		      struct contents *out, struct dsv_err *err)
{
	struct contents c = { .manifest = MANIFEST_INIT };
	bool known = false;	/* the catalog may know the segments */
	int ret;

	ret = ingest_new(d->store, &c.ingest, err);
	if (ret < 0)
		return ret;
	ret = contents_take(&c, tree, err);
	if (ret == 0)
		ret = ingest_finish(c.ingest, &c.result, err);
	if (ret == 0) {
		known = true;
		if (catalog_is_stage_worthwhile(c.result->segments,
						c.result->segment_count))
			ret = catalog_stage(d->catalog, c.result->segments,
					    c.result->segment_count, err);
	}
	if (ret != 0)
		contents_release(&c, known);
	else
		*out = c;
	return ret;
}

int contents_store(struct dsv *d, const struct tree *tree,
		   struct contents *out, struct dsv_err *err)
{
	int tries;
	int ret;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		ret = store_once(d, tree, out, err);
		if (ret != CATALOG_MISSING)
			return ret;
	}
	return dsv_fail(err, DSV_ESYS, "new segments were swept %d times before"
			" they were known: does the clock jump?", tries);
}
