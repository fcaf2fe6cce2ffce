/* SPDX-License-Identifier: MIT */
/*
 * What the files of lib/catalog share.
 */
#ifndef DSV_CATALOG_INTERNAL_H
#define DSV_CATALOG_INTERNAL_H

#include "../db/database.h"
#include "../db/schema.h"
#include "catalog.h"

struct catalog {
	char *dir;
	mode_t file_mode, dir_mode;	/* of records and journal */
	struct database *database;
	bool rebuilding;	/* what content lacks is no obstacle */
	int64_t linked[2];	/* see copy_links(), in this transaction */
	int64_t seq;		/* of the transaction */
	int64_t time_ns;	/* of the transaction */
	json_t *ops;		/* for the journal */
	const unsigned char *record_id;	/* of the state it makes, borrowed */
	const void *record;
	size_t record_len;
	struct dsv_err unpublished;	/* why something is, or DSV_OK */
};

/*
 * Where statements go, to read, and in a write transaction to write: what it
 * wrote is then seen.
 */
struct db *catalog_db(struct catalog *c);

/*
 * A read that needs several statements to agree.  Short: it blocks commits.
 * May stand inside of a write transaction, which gives the same.
 */
int catalog_read_begin(struct catalog *c, struct dsv_err *err);
void catalog_read_end(struct catalog *c);

/*
 * A write transaction: takes the locks, finishes what a crash interrupted.
 */
int catalog_begin(struct catalog *c, struct dsv_err *err);
/*
 * The locks alone: what others have left undone stays so, and the database's
 * journal cold until the caller writes.  It has no time, and tells no journal.
 */
int catalog_begin_still(struct catalog *c, struct dsv_err *err);
/* Then: see that what can be read of the outbox is published, or fail. */
int catalog_publish(struct catalog *c, struct dsv_err *err);
/* An open, migrated, empty database at path, for a rebuild. */
int catalog_open_new(const struct catalog_options *options, const char *path,
		     struct catalog **out, struct dsv_err *err);
/* ret < 0: rolls back and returns ret; else commits and publishes. */
int catalog_end(struct catalog *c, int ret, struct dsv_err *err);

/*
 * Say in the journal what the transaction does; steals op (also on failure,
 * and NULL is out of memory).  No op: nothing is written to the journal.
 */
int journal_op(struct catalog *c, json_t *op, struct dsv_err *err);

/* Makes what journal_op() was given the line of c->seq, in the outbox. */
struct str;
int catalog_write_outbox(struct catalog *c, struct str *line,
			 struct dsv_err *err);

/* A set of parameters is known by the SHA-256 of its canonical JSON. */
int catalog_params_hash(const struct dsv_kvs *params,
			unsigned char hash[HASH_BYTES], struct dsv_err *err);
/* The set of a row; params is empty before, and to be freed. */
int catalog_load_params(struct catalog *c, int64_t id, struct dsv_kvs *params,
			struct dsv_err *err);

/*
 * Reads a list of things that begin with their name, which is column 0; the
 * rest of an item, size bytes that are 0, is for fill.
 */
int catalog_load_named(struct query *q, size_t size,
		       void (*fill)(struct query *q, void *item), void **items,
		       size_t *count, struct dsv_err *err);
void catalog_free_named(void *items, size_t count, size_t size);

/* The id of a row, made when missing.  In a write transaction. */
int catalog_key(struct catalog *c, const char *name, bool make, int64_t *id,
		struct dsv_err *err);
int catalog_branch_id(struct catalog *c, const char *name, bool make,
		      int64_t *id, struct dsv_err *err);
int catalog_scope_id(struct catalog *c, const char *name, bool make,
		     int64_t *id, struct dsv_err *err);
/* The id of a state as hex, for the journal.  DSV_ENOTFOUND. */
int catalog_state_hex(struct catalog *c, int64_t seq, char hex[HASH_HEX_SIZE],
		      struct dsv_err *err);
/*
 * DSV_ENOTFOUND: the state is pruned.  What is to point at a state or to keep
 * it looks in its transaction, since a prune may be faster.
 */
int catalog_check_live(struct catalog *c, int64_t seq, struct dsv_err *err);
/* *out stays untouched when there is no such row of job. */
int catalog_load_job(struct catalog *c, int64_t id, struct dsv_job **out,
		     struct dsv_err *err);
/* Tell the journal how the row of a job is now. */
int catalog_job_op(struct catalog *c, int64_t row, struct dsv_err *err);

/*
 * What operations change in the tables, without the journal and without
 * refusing anything; a rebuild does them again.  In a write transaction.
 */
int catalog_state_rows(struct catalog *c, const struct catalog_state *s,
		       int64_t manifest, struct dsv_err *err);
int catalog_scope_row(struct catalog *c, const char *name, bool open,
		      struct dsv_err *err);
int catalog_scope_rows(struct catalog *c, const char *name,
		       const int64_t *seqs, size_t count, bool add,
		       struct dsv_err *err);
int catalog_pin_rows(struct catalog *c, const int64_t *seqs, size_t count,
		     bool pinned, struct dsv_err *err);
/* DSV_ENOTFOUND: it has none. */
int catalog_attr_remove(struct catalog *c, int64_t seq, const char *key,
			const char *author, struct dsv_err *err);
/* Add or replace one attribute, with its history.  In a write transaction. */
int catalog_attr_put(struct catalog *c, int64_t seq, const char *key,
		     const struct dsv_value *value, const char *author,
		     struct dsv_err *err);

#endif
