/* SPDX-License-Identifier: MIT */
/*
 * What tagging alone and tagging together share.
 */
#ifndef DSV_TAG_TAGGING_H
#define DSV_TAG_TAGGING_H

#include "../commit/contents.h"
#include "../commit/describe.h"
#include "../files/tree.h"
#include "../group/gather.h"
#include "../group/group.h"
#include "../pending/capture.h"

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

/* ---- move.c ------------------------------------------------------------ */

/*
 * The state id holds the files of the tree: remove those that are as it has
 * them and that nobody can write to; warns of each that stays.
 */
void move_remove(struct dsv *d, const struct tree *tree, const char *id);

#endif
