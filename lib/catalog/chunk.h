/* SPDX-License-Identifier: MIT */
/*
 * The rows of chunks, and of the segments that hold them.
 */
#ifndef DSV_CATALOG_CHUNK_H
#define DSV_CATALOG_CHUNK_H

#include "internal.h"

/*
 * The columns that make a struct chunk, of the table that is called t: the
 * first of a statement.  segment: the name of its segment, which is not there.
 */
#define CHUNK_COLUMNS(t) \
	t ".hash, " t ".offset, " t ".length, " t ".stored, " t ".encoding, " \
	t ".crc"
enum { CHUNK_COLUMN_COUNT = 6 };
/* False: its hash is none. */
bool catalog_get_chunk(struct query *q, const char *segment,
		       struct chunk *out);

/*
 * A new segment holds what is committed now: it is no leftover, unless all
 * that it holds was stored elsewhere meanwhile.  Adds the rows of one that was
 * not worth staging; inside of the write transaction, before content_use().
 * CATALOG_MISSING: it was swept.
 */
int content_settle(struct catalog *c, const struct ingest_segment *segment,
		   struct dsv_err *err);

#endif
