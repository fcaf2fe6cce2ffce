/* SPDX-License-Identifier: MIT */
/* What copy.c and clone.c share. */
#ifndef DSV_STORE_COPYING_H
#define DSV_STORE_COPYING_H

#include "internal.h"

/* Bytes of an item that are yet to be copied. */
struct span {
	size_t item;
	int64_t skip;		/* from the start of the item */
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
	int64_t *start;		/* of each item, in the file */
	struct chunk *rows;	/* of each item that is a range */
	struct span *spans;
	size_t span_count;
	size_t span_capacity;
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
