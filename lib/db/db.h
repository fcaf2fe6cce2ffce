/* SPDX-License-Identifier: MIT */
/*
 * This is SQLite as the catalog uses it: connections, and statements that are
 * prepared once.  Nothing of SQLite itself is visible outside this room.
 */
#ifndef DSV_DB_DB_H
#define DSV_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/hash.h"
#include "../dsv.h"

enum { DB_MAX_STATEMENTS = 192 };

struct sqlite3;
struct sqlite3_stmt;

struct db {
	struct sqlite3 *handle;
	const char *path;
	int64_t wait_ms;	/* for a lock */
	int64_t waited_us;	/* since the statement began */
	/*
	 * A reader calls this when a killed writer has left a journal that must
	 * be rolled back.  It may be NULL, and returns 0 when that is done.
	 */
	int (*recover)(void *arg);
	void *recover_arg;
	bool guarded;		/* others may commit while we read */
	size_t statement_count;
	struct {
		const char *sql;
		struct sqlite3_stmt *stmt;
	} statements[DB_MAX_STATEMENTS];
};

/*
 * Opens path.  With write, the file exists or is made by db_create().  Waits at
 * most wait_ms for a lock.
 */
int db_open(struct db *db, const char *path, bool write, int64_t wait_ms,
	    struct dsv_err *err);
void db_close(struct db *db);
int db_exec(struct db *db, const char *sql, struct dsv_err *err);
/* Returns the id of the row that was inserted last. */
int64_t db_inserted(struct db *db);
/* Returns how many rows the last statement inserted, changed or deleted. */
int64_t db_changes(struct db *db);

/* This is a call of one of our functions by a statement. */
struct db_call;
int64_t db_call_int(const struct db_call *call, int argument);
/* The text is borrowed until the function returns.  Returns NULL for NULL. */
const char *db_call_text(const struct db_call *call, int argument);
/* Returns the value of the call; a value < 0 stands for NULL. */
typedef int db_function(void *arg, const struct db_call *call);

/* Makes name(...) in SQL, with that many arguments, call function with arg. */
int db_function_add(struct db *db, const char *name, int arguments,
		    db_function *function, void *arg, struct dsv_err *err);
void db_function_remove(struct db *db, const char *name, int arguments);

/*
 * A statement in use.  sql is a literal: statements are found again by its
 * address.  A failed bind is kept and told by query_step().
 *
 *	struct query q = db_query(db, sql_add);
 *
 *	query_text(&q, ":name", name);
 *	return query_run(&q, err);
 */
struct query {
	struct db *db;
	struct sqlite3_stmt *stmt;
	int rc;
	bool owned;	/* finalized at the end, not kept */
};

struct query db_query(struct db *db, const char *sql);
/*
 * This is for SQL that is made at run time; the statement is not kept.  If sql
 * is NULL, memory has run out.
 */
struct query db_query_once(struct db *db, const char *sql);

void query_int(struct query *q, const char *name, int64_t value);
void query_real(struct query *q, const char *name, double value);
/*
 * NULL binds NULL.  The text is not copied: it must stay until the query ends.
 */
void query_text(struct query *q, const char *name, const char *text);
void query_blob(struct query *q, const char *name, const void *data,
		size_t len);
void query_hash(struct query *q, const char *name,
		const unsigned char hash[HASH_BYTES]);
void query_null(struct query *q, const char *name);

/*
 * Returns 1 for a row, 0 at the end, which resets the statement, or < 0 on
 * failure.
 */
int query_step(struct query *q, struct dsv_err *err);
/* Runs the statement to its end and ignores rows.  Returns 0 or < 0. */
int query_run(struct query *q, struct dsv_err *err);
/*
 * Gets the first column of the only row.  Returns 1, or 0 if there is no row.
 * Fails with DSV_ECORRUPT if the value is not an integer.
 */
int query_one_int(struct query *q, int64_t *out, struct dsv_err *err);
/* Ends a query before it has reached its end. */
void query_end(struct query *q);

int64_t query_get_int(struct query *q, int column);
double query_get_real(struct query *q, int column);
bool query_is_null(struct query *q, int column);
/* The text is borrowed until the next step.  Returns NULL for NULL. */
const char *query_get_text(struct query *q, int column);
const void *query_get_blob(struct query *q, int column, size_t *len);
/*
 * Returns false, and fills out with zeros, unless it is a blob of HASH_BYTES.
 */
bool query_get_hash(struct query *q, int column,
		    unsigned char out[HASH_BYTES]);

/* Reports what rc means, with the database's message. */
int db_fail(struct db *db, int rc, struct dsv_err *err);

#endif
