/* SPDX-License-Identifier: MIT */
/*
 * What tagging alone and tagging together share.
 */
#ifndef DSV_LINEAGE_TAGGING_H
#define DSV_LINEAGE_TAGGING_H

#include "../pending/capture.h"
#include "../commit/contents.h"
#include "../group/gather.h"
#include "../group/group.h"
#include "../commit/line.h"
#include "../files/tree.h"

/* All that a state is but its content. */
int tag_describe(struct dsv *d, const struct dsv_tag_options *o,
		 struct line *out, struct dsv_err *err);

/*
 * Tag the tree as this rank's part of the group's state; returns when the
 * state is committed.
 */
int collective_tag(struct group *g, const struct dsv_tag_options *o,
		   const struct tree *tree, char id[DSV_ID_SIZE],
		   struct dsv_err *err);

/*
 * The state of all parts, committed: an enum catalog_outcome.  own: what this
 * rank has stored; NULL: all have only captured.
 */
int collective_commit(struct group *g, const struct manifest *own,
		      char id[DSV_ID_SIZE], struct dsv_err *err);

/* ---- collective_async.c ---------------------------------------------- */

/* Capture the tree; add to the part what the others need to know of it. */
int collective_capture(struct group *g, const struct tree *tree, bool move,
		       struct capture *c, json_t *part, struct dsv_err *err);
/*
 * Note durably whose captures make the state, which fill in top and capture.
 * DSV_EREFUSED: two ranks have the same path and other bytes.
 */
int collective_captured(struct gathering *x, unsigned char capture[HASH_BYTES],
			struct dsv_err *err);

/* The names of the segments. */
json_t *collective_segments(const struct ingest_result *result);

/* ---- replica.c ------------------------------------------------------- */

/*
 * Take in this rank's share of the files: the manifest, by path, is without
 * recipes; *json is what the others need to know.
 */
int replica_store(struct group *g, const struct tree *tree,
		  struct contents *c, json_t **json, struct dsv_err *err);
/* DSV_EREFUSED: a rank has other files; names it and the path. */
int replica_compare(json_t *const *parts, int64_t ranks, struct dsv_err *err);
/* Put the shares together: the recipes of files, taken in by in. */
int replica_assemble(json_t *const *parts, int64_t ranks, struct ingest *in,
		     const struct manifest *files, struct dsv_err *err);

#endif
