/* SPDX-License-Identifier: MIT */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/str.h"
#include "schema.h"

/* Wait 1 to 20 ms, differently in each process, until wait_ms are over. */
static int on_busy(void *arg, int count)
{
	struct db *db = arg;
	uint16_t noise = 0;
	int64_t us;

	if (count == 0)
		db->waited_us = 0;
	if (db->waited_us >= db->wait_ms * 1000)
		return 0;
	random_bytes(&noise, sizeof(noise));
	us = 1000 + noise % (count < 10 ? 2000 : 20000);
	usleep((useconds_t)us);
	db->waited_us += us;
	return 1;
}

static bool is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

static bool is_shortage(int error)
{
	return is_full(error) || error == EMFILE || error == ENFILE;
}

/* Whether a file can be written beside the database. */
static int probe_errno(struct db *db)
{
	static const char block[4096] = "dsv";
	char *path = str_format("%s.tmp-%ld", db->path, (long)getpid());
	int error = 0;
	int fd;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, block, sizeof(block)) < 0 || fsync(fd) < 0)
		error = errno;
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	free(path);
	return error;
}

/*
 * Why a call of SQLite's has failed.  That is kept for the database file
 * only; what failed with its journal is lost to the calls that roll back, so
 * it is tried whether the disk is full, or no file can be opened.
 */
static int io_errno(struct db *db)
{
	int error = 0, probed;

	if (!db->handle)
		return EIO;
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_LAST_ERRNO,
			     &error);
	if (!is_shortage(error))
		error = sqlite3_system_errno(db->handle);
	if (is_shortage(error))
		return error;
	probed = probe_errno(db);
	return is_shortage(probed) ? probed : error;
}

/* Of errno. */
static int fail_shortage(struct db *db, struct dsv_err *err)
{
	return dsv_fail_errno(err, "%s '%s'", is_full(errno) ? "write" :
			      "open", db->path);
}

int db_fail(struct db *db, int rc, struct dsv_err *err)
{
	const char *what = db->handle ? sqlite3_errmsg(db->handle) :
		sqlite3_errstr(rc);
	enum dsv_code code = DSV_ESYS;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return dsv_fail(err, DSV_ELOCKED, "'%s' is locked by another"
				" command (waited %lld ms)", db->path,
				(long long)db->wait_ms);
	case SQLITE_NOMEM:
		return dsv_fail_nomem(err);
	case SQLITE_FULL:
		return dsv_fail(err, DSV_ENOSPC, "write '%s': no space left",
				db->path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		errno = io_errno(db);
		if (is_shortage(errno))
			return fail_shortage(db, err);
		break;
	case SQLITE_ERROR:	/* no such table: our statements are right */
	case SQLITE_CONSTRAINT:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		code = DSV_ECORRUPT;
		break;
	case SQLITE_READONLY:
		/* Or it cannot undo what a full disk has broken off. */
		errno = probe_errno(db);
		if (is_shortage(errno))
			return fail_shortage(db, err);
		return dsv_fail(err, DSV_ESYS, "write '%s': no permission, or a"
				" read-only file system", db->path);
	default:
		break;
	}
	return dsv_fail(err, code, "'%s': %s", db->path, what);
}

int db_exec(struct db *db, const char *sql, struct dsv_err *err)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err);
}

/* SQLite would wait for a FIFO, and go through a link. */
static int check_files(const char *path, struct dsv_err *err)
{
	static const char *const suffixes[] = { "", "-journal", "-wal" };
	struct stat st;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(suffixes) / sizeof(suffixes[0]);
	     i++) {
		char *file = str_format("%s%s", path, suffixes[i]);

		if (!file)
			ret = dsv_fail_nomem(err);
		else if (lstat(file, &st) == 0 && !S_ISREG(st.st_mode) &&
			 !S_ISDIR(st.st_mode))
			ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is not a file"
				       " ('dsv fsck --rebuild' makes it anew)",
				       file);
		free(file);
	}
	return ret;
}

int db_open(struct db *db, const char *path, bool write, int64_t wait_ms,
	    struct dsv_err *err)
{
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE :
		SQLITE_OPEN_READONLY;
	int ret, rc;

	memset(db, 0, sizeof(*db));
	db->path = path;
	db->wait_ms = wait_ms;
	ret = check_files(path, err);
	if (ret < 0)
		return ret;
	rc = sqlite3_open_v2(path, &db->handle,
			     flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		ret = db_fail(db, rc, err);
		goto fail;
	}
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_handler(db->handle, on_busy, db);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* What the schema has none of, an enemy has put there. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER,
			  schema_has_triggers, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	/*
	 * FULL does not sync the directory after the journal is unlinked:
	 * a committed transaction could come undone.  PERSIST: the journal's
	 * head is overwritten instead, so that a commit makes, grows and
	 * unlinks no file, each of which is a commit of the file system's
	 * own journal.
	 */
	ret = db_exec(db, write ? "PRAGMA synchronous = EXTRA;"
		      "PRAGMA journal_mode = PERSIST;"
		      "PRAGMA journal_size_limit = 4194304;"
		      "PRAGMA temp_store = MEMORY;" :
		      "PRAGMA temp_store = MEMORY;", err);
	if (ret == 0)
		return 0;
fail:
	sqlite3_close(db->handle);
	db->handle = NULL;
	return ret;
}

void db_close(struct db *db)
{
	size_t i;

	for (i = 0; i < db->statement_count; i++)
		sqlite3_finalize(db->statements[i].stmt);
	db->statement_count = 0;
	sqlite3_close(db->handle);
	db->handle = NULL;
}

enum { RECOVER_TRIES = 10 };	/* the next writer may be killed, too */

/*
 * Where others commit without a lock that we see, what we have read may be
 * half of that: not any more once we have had the guard, and forget the pages.
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
	struct query q = { db, NULL, SQLITE_OK, true };

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

/* The place of a name; an unknown one is an error, not a silent NULL. */
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
		ret = dsv_fail(err, DSV_ECORRUPT, "'%s' has no integer where"
			       " one belongs: dsv fsck --rebuild",
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
