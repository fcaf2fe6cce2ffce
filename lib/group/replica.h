/* SPDX-License-Identifier: MIT */
/* Files that all ranks of a group hold: each takes in its share of them. */
#ifndef DSV_GROUP_REPLICA_H
#define DSV_GROUP_REPLICA_H

#include "../commit/contents.h"
#include "../files/tree.h"
#include "group.h"

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
