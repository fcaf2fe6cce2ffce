/* SPDX-License-Identifier: MIT */
/*
 * SQLite, as the catalog uses it: connections, and statements that are
 * prepared once.  Nothing of SQLite's own is seen outside of this room.
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
	 * Of a reader: a writer that was killed has left a journal that must
	 * be rolled back; NULL, or 0 when that is done.
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
 * Open path; write: it exists or is made by db_create().  Waits at most
 * wait_ms for a lock.
 */
int db_open(struct db *db, const char *path, bool write, int64_t wait_ms,
	    struct dsv_err *err);
void db_close(struct db *db);
int db_exec(struct db *db, const char *sql, struct dsv_err *err);
/* The id of the row that was inserted last. */
int64_t db_inserted(struct db *db);
/* The rows that the last statement has inserted, changed or deleted. */
int64_t db_changes(struct db *db);

/* A call of one of our functions by a statement. */
struct db_call;
int64_t db_call_int(const struct db_call *call, int argument);
/* Borrowed until the function returns; NULL for NULL. */
const char *db_call_text(const struct db_call *call, int argument);
/* Returns the value of the call; < 0 is NULL. */
typedef int db_function(void *arg, const struct db_call *call);

/* name(...) in SQL, with so many arguments, calls function with arg. */
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
/* For SQL that is made at run time; not kept.  NULL: memory has run out. */
struct query db_query_once(struct db *db, const char *sql);

void query_int(struct query *q, const char *name, int64_t value);
void query_real(struct query *q, const char *name, double value);
/* NULL binds NULL.  Not copied: stays until the query ends. */
void query_text(struct query *q, const char *name, const char *text);
void query_blob(struct query *q, const char *name, const void *data,
		size_t len);
void query_hash(struct query *q, const char *name,
		const unsigned char hash[HASH_BYTES]);
void query_null(struct query *q, const char *name);

/* 1: a row; 0: done; < 0: failed.  The end resets the statement. */
int query_step(struct query *q, struct dsv_err *err);
/* Run to the end, rows ignored: 0 or < 0. */
int query_run(struct query *q, struct dsv_err *err);
/* The first column of the only row: 1, none: 0; DSV_ECORRUPT: no integer. */
int query_one_int(struct query *q, int64_t *out, struct dsv_err *err);
/* Before the end was reached. */
void query_end(struct query *q);

int64_t query_get_int(struct query *q, int column);
double query_get_real(struct query *q, int column);
bool query_is_null(struct query *q, int column);
/* Borrowed until the next step; NULL for NULL. */
const char *query_get_text(struct query *q, int column);
const void *query_get_blob(struct query *q, int column, size_t *len);
/* False (and zeros) unless it is a blob of HASH_BYTES. */
bool query_get_hash(struct query *q, int column,
		    unsigned char out[HASH_BYTES]);

/* Reports what rc means, with the database's message. */
int db_fail(struct db *db, int rc, struct dsv_err *err);

#endif
