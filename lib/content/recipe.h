/* SPDX-License-Identifier: MIT */
/*
 * Recipes: how a file is put together from ranges of chunks; dsv-format(5).
 */
#ifndef DSV_CONTENT_RECIPE_H
#define DSV_CONTENT_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../dsv.h"

struct recipe {
	int64_t size_bytes;	/* of the file */
	size_t count;
	struct recipe_item *items;	/* operations; recipe.c knows which */
};

#define RECIPE_INIT { 0, 0, NULL }

void recipe_release(struct recipe *r);

/* ---- Making: what continues what comes before it is joined with it ------ */

/* Bytes of a chunk come next. */
int recipe_add_range(struct recipe *r, const unsigned char chunk[HASH_BYTES],
		     int64_t chunk_offset, int64_t length,
		     struct dsv_err *err);
/* Zero bytes, which are stored nowhere, come next. */
int recipe_add_zeros(struct recipe *r, int64_t length, struct dsv_err *err);

/* ---- Reading ------------------------------------------------------------ */

/* Neighbouring bytes of the file: neighbours in a chunk as well, or zeros. */
struct recipe_piece {
	int64_t start;			/* in the file */
	int64_t length;
	const unsigned char *chunk;	/* its hash; NULL: zeros */
	int64_t chunk_offset;
};

/*
 * The piece that has the byte at offset: from that byte to the end of the
 * piece.  False: the file has no such byte.
 */
bool recipe_at(const struct recipe *r, int64_t offset,
	       struct recipe_piece *out);

/* A chunk that a recipe names, and how much of it there must be at least. */
struct recipe_chunk {
	const unsigned char *hash;	/* the recipe's */
	int64_t length;
};

/*
 * The next chunk that the recipe names, which may have been given before.
 * *at is 0 at first.  False: there are no more.
 */
bool recipe_next_chunk(const struct recipe *r, size_t *at,
		       struct recipe_chunk *out);

/* ---- As bytes ----------------------------------------------------------- */

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
