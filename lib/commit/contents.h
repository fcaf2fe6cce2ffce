/* SPDX-License-Identifier: MIT */
/*
 * Puts files into the store: they are durable and known to the catalog as
 * staged, but do not belong to a state yet.
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
 * Stores the files for this process to commit at once.  The commit, which gets
 * the result, makes a few new chunks known to the catalog.
 */
int contents_store(struct dsv *d, const struct tree *tree,
		   struct contents *out, struct dsv_err *err);
/* Only ingests them and their manifest: c->ingest is not finished yet. */
int contents_take(struct contents *c, const struct tree *tree,
		  struct dsv_err *err);
/* keep is true if the catalog knows the segments, so that they stay. */
void contents_release(struct contents *c, bool keep);

#endif
