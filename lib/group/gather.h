/* SPDX-License-Identifier: MIT */
/*
 * The parts of all ranks of a group, made one content.
 */
#ifndef DSV_GROUP_GATHER_H
#define DSV_GROUP_GATHER_H

#include "group.h"

/* This is what is gathered from the parts. */
struct gathering {
	struct group *g;
	json_t **parts;			/* by rank */
	bool replicated;
	struct manifest top;		/* with what is in the parts */
	unsigned char hash[HASH_BYTES];	/* of the top manifest */
	struct ingest *ingest;		/* of what we add */
	struct ingest_result all;
	size_t index_count;
	struct segment_index *indexes;	/* whose chunks all borrows */
	int64_t files, size_bytes;
};

void gathering_release(struct gathering *x);

/*
 * The parts, which must agree: DSV_EREFUSED.  g and an empty top are there
 * already.
 */
int gathering_read(struct gathering *x, struct dsv_err *err);

/*
 * Stage what they have stored and make the manifest: all but parts is filled
 * then.  own, of replicas, is the manifest of one but for the recipes.
 *
 * CATALOG_MISSING: chunks have been freed since: all must store again.
 * DSV_EREFUSED: two ranks have the same path and other bytes.
 */
int gathering_store(struct gathering *x, const struct manifest *own,
		    struct dsv_err *err);

/*
 * Sort top and count its files.  DSV_EREFUSED: two ranks have the same path
 * and other bytes.
 */
int gathering_settle(struct gathering *x, struct dsv_err *err);

/* The names of the segments; the caller's. */
json_t *gathering_segments(const struct ingest_result *result);

#endif
