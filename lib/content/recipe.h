/* SPDX-License-Identifier: MIT */
/*
 * A recipe says how a file is put together from ranges of chunks; see
 * dsv-format(5).
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

/* ---- Making: an item that continues the one before it is joined with it - */

/* Adds bytes of a chunk. */
int recipe_add_range(struct recipe *r, const unsigned char chunk[HASH_BYTES],
		     int64_t chunk_offset, int64_t length,
		     struct dsv_err *err);
/* Adds zero bytes, which are not stored anywhere. */
int recipe_add_zeros(struct recipe *r, int64_t length, struct dsv_err *err);

/* ---- Reading ------------------------------------------------------------ */

/*
 * A piece is neighbouring bytes of the file that are neighbours in a chunk as
 * well, or are zeros.
 */
struct recipe_piece {
	int64_t start;			/* in the file */
	int64_t length;
	const unsigned char *chunk;	/* its hash; NULL: zeros */
	int64_t chunk_offset;
};

/*
 * Gets the piece that has the byte at offset: from that byte to the end of the
 * piece.  Returns false if the file has no such byte.
 */
bool recipe_at(const struct recipe *r, int64_t offset,
	       struct recipe_piece *out);

/* This is a chunk that a recipe names, and the least size it must have. */
struct recipe_chunk {
	const unsigned char *hash;	/* the recipe's */
	int64_t length;
};

/*
 * Gets the next chunk that the recipe names, which may have been returned
 * before. *at is 0 at first.  Returns false if there are no more.
 */
bool recipe_next_chunk(const struct recipe *r, size_t *at,
		       struct recipe_chunk *out);

/* ---- As bytes ----------------------------------------------------------- */

/* Writes the canonical bytes; the recipe's id is their SHA-256. */
int recipe_encode(const struct recipe *r, struct str *out,
		  struct dsv_err *err);
/*
 * Decodes a recipe, at a cost within what len suggests.  Returns DSV_ECORRUPT
 * if data is not a recipe, or has an operation that this version does not know.
 */
int recipe_decode(const void *data, size_t len, struct recipe *out,
		  struct dsv_err *err);

#endif
