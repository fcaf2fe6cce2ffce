/* SPDX-License-Identifier: MIT */
/*
 * What tagging alone and tagging together share.
 */
#ifndef DSV_LINEAGE_TAGGING_H
#define DSV_LINEAGE_TAGGING_H

#include "group.h"
#include "line.h"
#include "tree.h"

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

/* What a rank keeps until the group's state is committed. */
struct collective_part {
	struct ingest *ingest;
	const struct ingest_result *result;
	struct manifest files;	/* a replica's are without recipes */
	json_t *json;		/* what the others are told */
};

/*
 * The state of all parts, committed: an enum catalog_outcome.  *staged: the
 * catalog may know segments of the parts.
 */
int collective_commit(struct group *g, struct collective_part *own,
		      char id[DSV_ID_SIZE], struct dsv_err *err);

/* ---- replica.c ---------------------------------------------------------- */

/* This rank's share of the files, into part->files and part->json. */
int replica_store(struct group *g, const struct tree *tree,
		  struct collective_part *part, struct dsv_err *err);
/* DSV_EREFUSED: a rank has other files; names it and the path. */
int replica_compare(struct group *g, json_t *const *parts,
		    struct dsv_err *err);
/* Put the shares together: the recipes in files, taken in by in. */
int replica_assemble(struct group *g, json_t *const *parts,
		     struct ingest *in, struct manifest *files,
		     struct dsv_err *err);

#endif
