/* SPDX-License-Identifier: MIT */
/* What copy.c and clone.c share. */
#ifndef DSV_STORE_COPYING_H
#define DSV_STORE_COPYING_H

#include "internal.h"

/* A piece of the file, and where its chunk is, unless it is zeros. */
struct stretch {
	struct recipe_piece piece;
	struct chunk row;
};

/* Bytes of a stretch that are yet to be copied. */
struct span {
	size_t stretch;
	int64_t skip;		/* from the start of the stretch */
	int64_t length;
	bool only_verify;	/* they are there by reflink */
};

struct copying {
	struct store *s;
	const struct recipe *r;
	int fd;
	bool verify;
	bool must_clone;	/* that the file system cannot is an error */
	bool cloned;
	struct stretch *stretches;	/* all of the file, in order */
	size_t count;
	struct span *spans;
	size_t span_count;
};

int copying_add_span(struct copying *c, const struct span *span,
		     struct dsv_err *err);

/*
 * Clone what can be cloned, and list the rest as spans.  1: done; 0: nothing
 * can, the file and the list are as before.
 */
int copying_clone(struct copying *c, struct dsv_err *err);

/* The file empty, at its size. */
int copying_reset(struct copying *c, struct dsv_err *err);

#endif
