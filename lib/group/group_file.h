/* SPDX-License-Identifier: MIT */
/* The files by which a group agrees; see group.h. */
#ifndef DSV_GROUP_GROUP_FILE_H
#define DSV_GROUP_GROUP_FILE_H

#include "group.h"

/* 1: made by us, exactly once; 0: there already. */
int group_file_make(struct group *g, const char *name, const json_t *json,
		    struct dsv_err *err);
/* *out is the caller's.  1: there; 0: not yet. */
int group_file_read(struct group *g, const char *name, json_t **out,
		    struct dsv_err *err);
bool group_file_has_part(struct group *g, int64_t rank);
/* 1: it is to be committed; 0: undecided; < 0: the group has failed. */
int group_file_verdict(struct group *g, struct dsv_err *err);
/* 1: *id; 2: to be done again; 0: not yet; < 0: the group has failed. */
int group_file_result(struct group *g, char id[DSV_ID_SIZE],
		      struct dsv_err *err);

#endif
