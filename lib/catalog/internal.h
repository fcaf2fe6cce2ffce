/* SPDX-License-Identifier: MIT */
/*
 * The files of lib/catalog share this.
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
 * Returns where statements go to read, and in a write transaction to write:
 * what it wrote is then visible.
 */
struct db *catalog_db(struct catalog *c);

/*
 * Begins a read that needs several statements to agree.  It is short, since it
 * blocks commits.  It may be inside a write transaction, which gives the same.
 */
int catalog_read_begin(struct catalog *c, struct dsv_err *err);
void catalog_read_end(struct catalog *c);

/*
 * Begins a write transaction: takes the locks and finishes what a crash
 * interrupted.
 */
int catalog_begin(struct catalog *c, struct dsv_err *err);
/*
 * Takes the locks alone: what others have left undone stays undone, and the
 * database's journal stays cold until the caller writes.  This transaction has
 * no time, and writes nothing to the journal.
 */
int catalog_begin_still(struct catalog *c, struct dsv_err *err);
/* Then ensures that what can be read of the outbox is published, or fails. */
int catalog_publish(struct catalog *c, struct dsv_err *err);
/* Makes an open, migrated, empty database at path, for a rebuild. */
int catalog_open_new(const struct catalog_options *options, const char *path,
		     struct catalog **out, struct dsv_err *err);
/* If ret < 0, rolls back and returns ret; otherwise commits and publishes. */
int catalog_end(struct catalog *c, int ret, struct dsv_err *err);

/*
 * Adds what the transaction does to the journal; steals op (also on failure;
 * NULL means out of memory).  Without any op, nothing is written to the
 * journal.
 */
int journal_op(struct catalog *c, json_t *op, struct dsv_err *err);

/* Turns what journal_op() was given into the line of c->seq, in the outbox. */
struct str;
int catalog_write_outbox(struct catalog *c, struct str *line,
			 struct dsv_err *err);

/*
 * Hashes a set of parameters, which is known by the SHA-256 of its canonical
 * JSON.
 */
int catalog_params_hash(const struct dsv_kvs *params,
			unsigned char hash[HASH_BYTES], struct dsv_err *err);
/* Loads the set of a row; params is empty before, and the caller frees it. */
int catalog_load_params(struct catalog *c, int64_t id, struct dsv_kvs *params,
			struct dsv_err *err);

/*
 * Reads a list of things that begin with their name, which is column 0; fill
 * sets the rest of an item, which is size bytes that are 0.
 */
int catalog_load_named(struct query *q, size_t size,
		       void (*fill)(struct query *q, void *item), void **items,
		       size_t *count, struct dsv_err *err);
void catalog_free_named(void *items, size_t count, size_t size);

/*
 * Gets the id of a row, which is made if it is missing.  It is called in a
 * write transaction.
 */
int catalog_key(struct catalog *c, const char *name, bool make, int64_t *id,
		struct dsv_err *err);
int catalog_branch_id(struct catalog *c, const char *name, bool make,
		      int64_t *id, struct dsv_err *err);
int catalog_scope_id(struct catalog *c, const char *name, bool make,
		     int64_t *id, struct dsv_err *err);
/* Gets the id of a state as hex, for the journal.  Fails with DSV_ENOTFOUND. */
int catalog_state_hex(struct catalog *c, int64_t seq, char hex[HASH_HEX_SIZE],
		      struct dsv_err *err);
/*
 * Fails with DSV_ENOTFOUND if the state is pruned.  An operation that makes
 * something point at a state, or keeps it, checks this in its transaction,
 * since a prune may be faster.
 */
int catalog_check_live(struct catalog *c, int64_t seq, struct dsv_err *err);
/* Leaves *out unchanged if there is no such row of job. */
int catalog_load_job(struct catalog *c, int64_t id, struct dsv_job **out,
		     struct dsv_err *err);
/* Writes the current row of a job to the journal. */
int catalog_job_op(struct catalog *c, int64_t row, struct dsv_err *err);

/*
 * These make the changes of operations in the tables, without the journal and
 * without refusing anything; a rebuild repeats them.  They are called in a
 * write transaction.
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
/* Fails with DSV_ENOTFOUND if the state has no such attribute. */
int catalog_attr_remove(struct catalog *c, int64_t seq, const char *key,
			const char *author, struct dsv_err *err);
/*
 * Adds or replaces one attribute, with its history.  It is called in a write
 * transaction.
 */
int catalog_attr_put(struct catalog *c, int64_t seq, const char *key,
		     const struct dsv_value *value, const char *author,
		     struct dsv_err *err);

#endif
