/* SPDX-License-Identifier: MIT */
/*
 * This runs statements, and adds our own functions to SQL.
 */
#include "db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int64_t db_inserted(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes(db->handle);
}

struct db_call {
	sqlite3_value **arguments;
};

struct binding {
	db_function *function;
	void *arg;
};

static void call_function(sqlite3_context *context, int count,
			  sqlite3_value **arguments)
{
	const struct binding *b = sqlite3_user_data(context);
	const struct db_call call = { arguments };
	int value = b->function(b->arg, &call);

	(void)count;
	if (value >= 0)
		sqlite3_result_int(context, value);
}

int64_t db_call_int(const struct db_call *call, int argument)
{
	return sqlite3_value_int64(call->arguments[argument]);
}

const char *db_call_text(const struct db_call *call, int argument)
{
	return (const char *)sqlite3_value_text(call->arguments[argument]);
}

int db_function_add(struct db *db, const char *name, int arguments,
		    db_function *function, void *arg, struct dsv_err *err)
{
	struct binding *b = malloc(sizeof(*b));
	int rc;

	if (!b)
		return dsv_fail_nomem(err);
	*b = (struct binding){ function, arg };
	/* It frees b even if it fails. */
	rc = sqlite3_create_function_v2(db->handle, name, arguments,
					SQLITE_UTF8, b, call_function, NULL,
					NULL, free);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err);
}

void db_function_remove(struct db *db, const char *name, int arguments)
{
	sqlite3_create_function_v2(db->handle, name, arguments, SQLITE_UTF8,
				   NULL, NULL, NULL, NULL, NULL);
}

enum { RECOVER_TRIES = 10 };	/* the next writer may be killed, too */

/*
 * Where others commit without a lock that we can see, we may have read half of
 * a commit.  That is over once we have held the guard and forgotten the pages.
 */
static bool is_recovered(struct db *db, int rc)
{
	bool torn = (rc & 0xff) == SQLITE_CORRUPT && db->guarded &&
		sqlite3_get_autocommit(db->handle);

	if (!torn && rc != SQLITE_READONLY_ROLLBACK &&
	    rc != SQLITE_READONLY_RECOVERY)
		return false;
	if (!db->recover || db->recover(db->recover_arg) < 0)
		return false;
	if (torn)
		sqlite3_db_release_memory(db->handle);
	return true;
}

static int prepare(struct db *db, const char *sql, unsigned int flags,
		   sqlite3_stmt **stmt)
{
	int tries = RECOVER_TRIES;
	int rc;

	do {
		rc = sqlite3_prepare_v3(db->handle, sql, -1, flags, stmt,
					NULL);
	} while (rc != SQLITE_OK && tries-- > 0 && is_recovered(db, rc));
	return rc;
}

static int step(struct query *q)
{
	int tries = sqlite3_stmt_busy(q->stmt) ? 0 : RECOVER_TRIES;
	int rc = sqlite3_step(q->stmt);

	while (rc != SQLITE_ROW && rc != SQLITE_DONE && tries-- > 0 &&
	       is_recovered(q->db, rc)) {
		sqlite3_reset(q->stmt);
		rc = sqlite3_step(q->stmt);
	}
	return rc;
}

struct query db_query_once(struct db *db, const char *sql)
{
	struct query q = { db, NULL, SQLITE_NOMEM, true };

	if (sql)
		q.rc = prepare(db, sql, 0, &q.stmt);
	return q;
}

struct query db_query(struct db *db, const char *sql)
{
	struct query q = { db, NULL, SQLITE_OK, false };
	size_t i;

	for (i = 0; i < db->statement_count; i++) {
		if (db->statements[i].sql == sql &&
		    !sqlite3_stmt_busy(db->statements[i].stmt)) {
			q.stmt = db->statements[i].stmt;
			return q;
		}
	}
	if (db->statement_count == DB_MAX_STATEMENTS)
		return db_query_once(db, sql);
	q.rc = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &q.stmt);
	if (q.rc == SQLITE_OK) {
		db->statements[i].sql = sql;
		db->statements[i].stmt = q.stmt;
		db->statement_count++;
	}
	return q;
}

/*
 * Returns the place of a name; an unknown one is an error, not a silent NULL.
 */
static int place(struct query *q, const char *name)
{
	int i;

	if (q->rc != SQLITE_OK)
		return 0;
	i = sqlite3_bind_parameter_index(q->stmt, name);
	if (i == 0)
		q->rc = SQLITE_MISUSE;
	return i;
}

static void keep(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void query_int(struct query *q, const char *name, int64_t value)
{
	int i = place(q, name);

	if (i > 0)
		keep(q, sqlite3_bind_int64(q->stmt, i, value));
}

void query_real(struct query *q, const char *name, double value)
{
	int i = place(q, name);

	if (i > 0)
		keep(q, sqlite3_bind_double(q->stmt, i, value));
}

void query_text(struct query *q, const char *name, const char *text)
{
	int i = place(q, name);

	if (i > 0)
		keep(q, sqlite3_bind_text(q->stmt, i, text, -1,
					  SQLITE_STATIC));
}

void query_blob(struct query *q, const char *name, const void *data,
		size_t len)
{
	int i = place(q, name);

	if (i > 0)
		keep(q, sqlite3_bind_blob64(q->stmt, i, data, len,
					    SQLITE_STATIC));
}

void query_hash(struct query *q, const char *name,
		const unsigned char hash[HASH_BYTES])
{
	query_blob(q, name, hash, HASH_BYTES);
}

void query_null(struct query *q, const char *name)
{
	int i = place(q, name);

	if (i > 0)
		keep(q, sqlite3_bind_null(q->stmt, i));
}

void query_end(struct query *q)
{
	if (!q->stmt)
		return;
	if (q->owned) {
		sqlite3_finalize(q->stmt);
	} else {
		sqlite3_reset(q->stmt);
		sqlite3_clear_bindings(q->stmt);
	}
	q->stmt = NULL;
}

int query_step(struct query *q, struct dsv_err *err)
{
	int ret;

	if (q->rc == SQLITE_OK)
		q->rc = step(q);
	if (q->rc == SQLITE_ROW) {
		q->rc = SQLITE_OK;
		return 1;
	}
	ret = q->rc == SQLITE_DONE ? 0 : db_fail(q->db, q->rc, err);
	query_end(q);
	return ret;
}

int query_run(struct query *q, struct dsv_err *err)
{
	int ret;

	while ((ret = query_step(q, err)) > 0)
		;
	return ret;
}

int query_one_int(struct query *q, int64_t *out, struct dsv_err *err)
{
	int ret = query_step(q, err);
	int type;

	if (ret <= 0)
		return ret;
	type = sqlite3_column_type(q->stmt, 0);
	if (type == SQLITE_INTEGER || type == SQLITE_NULL)
		*out = query_get_int(q, 0);
	else
		ret = dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD, NULL,
				    "'%s' has no integer where one belongs",
				    q->db->path);
	query_end(q);
	return ret;
}

int64_t query_get_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

double query_get_real(struct query *q, int column)
{
	return sqlite3_column_double(q->stmt, column);
}

bool query_is_null(struct query *q, int column)
{
	return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

const char *query_get_text(struct query *q, int column)
{
	return (const char *)sqlite3_column_text(q->stmt, column);
}

const void *query_get_blob(struct query *q, int column, size_t *len)
{
	const void *data = sqlite3_column_blob(q->stmt, column);

	*len = (size_t)sqlite3_column_bytes(q->stmt, column);
	return data;
}

bool query_get_hash(struct query *q, int column, unsigned char out[HASH_BYTES])
{
	size_t len;
	const void *data = query_get_blob(q, column, &len);

	if (!data || len != HASH_BYTES) {
		memset(out, 0, HASH_BYTES);
		return false;
	}
	memcpy(out, data, HASH_BYTES);
	return true;
}
