/* SPDX-License-Identifier: MIT */
/* This is shared by copy.c and clone.c. */
#ifndef DSV_STORE_COPYING_H
#define DSV_STORE_COPYING_H

#include "internal.h"

/*
 * A stretch is a piece of the file, and where its chunk is unless it is zeros.
 */
struct stretch {
	struct recipe_piece piece;
	struct chunk row;
};

/* A span is bytes of a stretch that still have to be copied. */
struct span {
	size_t stretch;
	int64_t skip;		/* from the start of the stretch */
	int64_t length;
	bool only_verify;	/* already there by reflink */
};

struct copying {
	struct store *s;
	const struct recipe *r;
	int fd;
	bool verify;
	bool must_clone;	/* it is an error if this is impossible */
	bool cloned;
	struct stretch *stretches;	/* all of the file, in order */
	size_t count;
	struct span *spans;
	size_t span_count;
};

int copying_add_span(struct copying *c, const struct span *span,
		     struct dsv_err *err);

/*
 * Clones what can be cloned, and lists the rest as spans.  Returns 1 when done,
 * 0 if nothing can be cloned; the file and the list are then as before.
 */
int copying_clone(struct copying *c, struct dsv_err *err);

/* Empties the file, at its size. */
int copying_reset(struct copying *c, struct dsv_err *err);

#endif
