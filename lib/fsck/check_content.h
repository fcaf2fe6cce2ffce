/* SPDX-License-Identifier: MIT */
/*
 * What check_content.c and check_chunk.c share: one pass from the states down.
 */
#ifndef DSV_FSCK_CHECK_CONTENT_H
#define DSV_FSCK_CHECK_CONTENT_H

#include "check.h"

/* This is known of a recipe, by its row. */
struct known {
	int32_t uses;		/* manifests in use that name it */
	int32_t manifest;	/* that was counted last */
	bool seen;
	int64_t size_bytes;	/* -1: cannot be read */
	size_t problem_count;
	size_t *problems;
};

struct pass {
	struct check *k;
	bool unreadable;	/* a manifest: recipes cannot be counted */
	int64_t limit;		/* rows of recipes are below */
	struct known *known;
	int64_t manifest;	/* row */
	unsigned char hash[HASH_BYTES];
	int64_t refs, expected;
	int64_t length_bytes;	/* of the chunk that was looked at last */
};

/* A problem of the recipe's, of all that use it. */
int known_add_problem(struct known *r, size_t problem, struct dsv_err *err);
/* The states of the manifest that is looked at, and a file or NULL. */
int pass_concerns(struct pass *p, size_t problem, const char *file,
		  struct dsv_err *err);
/* A statement with :hash and :id, in the second look. */
int pass_run(struct pass *p, const char *sql,
	     const unsigned char hash[HASH_BYTES], int64_t id,
	     struct dsv_err *err);
/*
 * The chunk of something in use, a manifest or a recipe, by its row: 1:
 * *problem says why it cannot be had; 0: it is there.
 */
int check_chunk(struct pass *p, const unsigned char hash[HASH_BYTES],
		int64_t id, bool manifest, size_t *problem,
		struct dsv_err *err);

#endif
