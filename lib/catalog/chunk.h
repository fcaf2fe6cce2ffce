/* SPDX-License-Identifier: MIT */
/*
 * This handles the rows of chunks, and of the segments that hold them.
 */
#ifndef DSV_CATALOG_CHUNK_H
#define DSV_CATALOG_CHUNK_H

#include "internal.h"

/*
 * These columns of the table that is called t make a struct chunk; they are the
 * first of a statement.  segment is the name of its segment, which is not among
 * them.
 */
#define CHUNK_COLUMNS(t) \
	t ".hash, " t ".offset, " t ".length, " t ".stored, " t ".encoding, " \
	t ".crc"
enum { CHUNK_COLUMN_COUNT = 6 };
/* Returns false if it has no valid hash. */
bool catalog_get_chunk(struct query *q, const char *segment,
		       struct chunk *out);

/*
 * Settles a new segment that holds what is committed now: it is no leftover,
 * unless everything it holds has been stored elsewhere since.  Adds the rows of
 * a segment that was not worth staging.  It is called inside the write
 * transaction, before content_use().  Returns CATALOG_MISSING if the segment
 * was swept.
 */
int content_settle(struct catalog *c, const struct ingest_segment *segment,
		   struct dsv_err *err);

#endif
