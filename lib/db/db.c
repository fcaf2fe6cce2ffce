/* SPDX-License-Identifier: MIT */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "schema.h"

/* Waits 1 to 20 ms, differently in each process, until wait_ms are over. */
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

/* Returns 0 if a file can be written beside the database, or else errno. */
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
 * Returns why a call of SQLite has failed.  SQLite keeps the reason only for
 * the database file; the calls that roll back lose the reason why the journal
 * failed.  So a probe finds out whether the disk is full, or no file can be
 * opened.
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

/* Maps errno to an error. */
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
				" command (waited %" PRId64 " ms)", db->path,
				db->wait_ms);
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
		/* Or SQLite cannot undo what was interrupted by a full disk. */
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

/* Checks the files, since SQLite would wait for a FIFO and follow a link. */
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
			ret = dsv_fail_hint(err, DSV_ECORRUPT,
					    DSV_HINT_REBUILD, NULL,
					    "'%s' is not a file", file);
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
	/* The schema has none of these: an attacker has put them there. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER,
			  schema_has_triggers, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	/*
	 * FULL does not sync the directory after the journal is unlinked, so a
	 * committed transaction could be undone.  With PERSIST the head of the
	 * journal is overwritten instead, so that a commit makes, grows and
	 * unlinks no file, each of which is a commit of the file system's own
	 * journal.
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
