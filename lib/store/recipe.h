/* SPDX-License-Identifier: MIT */
/*
 * Recipes: how a file is put together from ranges of chunks; dsv-format(5).
 */
#ifndef DSV_STORE_RECIPE_H
#define DSV_STORE_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../dsv.h"

enum recipe_op {
	RECIPE_RANGE = 1,	/* bytes of a chunk */
	RECIPE_ZERO = 2		/* zero bytes, stored nowhere */
};

struct recipe_item {
	enum recipe_op op;
	unsigned char chunk[HASH_BYTES];	/* RECIPE_RANGE */
	int64_t chunk_offset;			/* RECIPE_RANGE */
	int64_t length;
};

struct recipe {
	int64_t size_bytes;	/* sum of the lengths */
	size_t count;
	size_t capacity;
	struct recipe_item *items;
};

#define RECIPE_INIT { 0, 0, 0, NULL }

void recipe_release(struct recipe *r);
/* Neighbouring zero runs, and ranges that continue one another, are joined. */
int recipe_add(struct recipe *r, const struct recipe_item *item,
	       struct dsv_err *err);
/* The canonical bytes; the recipe's id is their SHA-256. */
int recipe_encode(const struct recipe *r, struct str *out,
		  struct dsv_err *err);
/*
 * DSV_ECORRUPT: not a recipe, or an operation that this version does not
 * know.  Costs no more than len suggests.
 */
int recipe_decode(const void *data, size_t len, struct recipe *out,
		  struct dsv_err *err);

#endif
