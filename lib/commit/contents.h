/* SPDX-License-Identifier: MIT */
/*
 * Files into the store: durable, known to the catalog as staged, of no state
 * yet.
 */
#ifndef DSV_COMMIT_CONTENTS_H
#define DSV_COMMIT_CONTENTS_H

#include "../files/tree.h"
#include "../repo/repo.h"

struct contents {
	struct ingest *ingest;
	const struct ingest_result *result;
	struct manifest manifest;
	unsigned char hash[HASH_BYTES];	/* of the manifest */
	int64_t files;
	int64_t size_bytes;
};

/*
 * Store the files, for this process to commit them at once: a few new chunks
 * are made known by the commit, which is given result.
 */
int contents_store(struct dsv *d, const struct tree *tree,
		   struct contents *out, struct dsv_err *err);
/* Only take them in, and their manifest: c->ingest is not finished yet. */
int contents_take(struct contents *c, const struct tree *tree,
		  struct dsv_err *err);
/* keep: the catalog knows the segments, they stay. */
void contents_release(struct contents *c, bool keep);

#endif
