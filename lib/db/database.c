/* SPDX-License-Identifier: MIT */
/*
 * This opens, makes and reads a database; lock.c has the lock.
 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "internal.h"
#include "migrate.h"
#include "reserve.h"
#include "schema.h"

struct db *database_db(struct database *d)
{
	return d->locked ? &d->writer : &d->reader;
}

bool database_is_locked(const struct database *d)
{
	return d->locked;
}

static int upgrade(struct database *d, struct dsv_err *err)
{
	int ret = database_lock(d, err);

	if (ret < 0)
		return ret;
	/* Others may have been faster, or may know a newer schema. */
	ret = migrate_check(&d->writer, err);
	if (ret > 0)
		ret = migrate(&d->writer, err);
	else
		db_exec(&d->writer, "ROLLBACK", NULL);
	if (ret != 0)
		database_doubt(d);
	database_unlock(d);
	return ret;
}

/*
 * A reader may not recover a hot journal that a crash has left: a writer must
 * do that, and does so when it takes its lock.
 */
static int recover(struct database *d, struct dsv_err *err)
{
	int ret = database_lock(d, err);

	if (ret < 0)
		return ret;
	ret = db_exec(&d->writer, "ROLLBACK", err);
	database_unlock(d);
	return ret;
}

/* This is called later, when a writer was killed while we read. */
static int recover_again(void *arg)
{
	struct database *d = arg;

	return d->locked ? DSV_ELOCKED : recover(d, NULL);
}

static int open_once(struct database *d, struct dsv_err *err)
{
	int ret;

	turn_look_anew(&d->turn);
	ret = db_open(&d->reader, d->path, false, d->options.lock_wait_ms,
		      err);
	d->reader.recover = recover_again;
	d->reader.recover_arg = d;
	d->reader.guarded = d->options.guard;
	return ret;
}

static int open_reader(struct database *d, struct dsv_err *err)
{
	struct query q;
	int ret, rc;

	ret = open_once(d, err);
	if (ret < 0)
		return ret;
	q = db_query(&d->reader, "PRAGMA user_version");
	rc = q.rc;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q.stmt);
	query_end(&q);
	if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_CANTOPEN ||
	    rc == SQLITE_READONLY_RECOVERY) {
		db_close(&d->reader);
		ret = recover(d, err);
		if (ret == 0)
			ret = open_once(d, err);
	} else if (rc != SQLITE_ROW) {
		ret = db_fail(&d->reader, rc, err);
	}
	if (ret == 0)
		ret = migrate_check(&d->reader, err);
	if (ret > 0) {
		db_close(&d->reader);
		/* An older dsv made it. */
		ret = upgrade(d, err);
		if (ret == 0)
			ret = open_once(d, err);
	}
	return ret;
}

static void close_files(struct database *d)
{
	db_close(&d->writer);
	db_close(&d->reader);
	turn_forget_pages(&d->turn);
}

/* Returns whether a statement of db has not ended. */
static bool is_in_use(struct db *db)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(db->handle, stmt)) != NULL)
		if (sqlite3_stmt_busy(stmt))
			return true;
	return false;
}

int database_reopen(struct database *d, struct dsv_err *err)
{
	if (is_in_use(&d->reader))
		return dsv_fail(err, DSV_ELOCKED, "'%s' was rebuilt in"
				" the meantime: try again", d->path);
	close_files(d);
	return open_reader(d, err);
}

bool database_is_replaced(struct database *d)
{
	struct db *db = database_db(d);
	int moved = 0;

	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED,
			     &moved);
	return moved;
}

int database_check_version(struct database *d, struct dsv_err *err)
{
	int64_t version = schema_version;
	struct query q = db_query(database_db(d), "PRAGMA user_version");
	int ret = query_one_int(&q, &version, err);

	if (ret >= 0 && version != schema_version)
		return dsv_fail(err, DSV_ENOREPO, "another version of dsv has"
				" changed '%s' in the meantime: try again",
				d->path);
	return ret < 0 ? ret : 0;
}

int database_read_begin(struct database *d, struct dsv_err *err)
{
	if (d->locked)
		return 0;
	/* Otherwise a long wait would last forever and see nothing new. */
	if (database_is_replaced(d)) {
		int ret = database_reopen(d, err);

		if (ret < 0)
			return ret;
	}
	turn_look_anew(&d->turn);
	return db_exec(&d->reader, "BEGIN", err);
}

void database_read_end(struct database *d)
{
	if (!d->locked)
		db_exec(&d->reader, "COMMIT", NULL);
}

static char *copy(const char *text, bool *failed)
{
	char *out = text ? strdup(text) : NULL;

	*failed = *failed || (text && !out);
	return out;
}

static int new_database(const struct database_options *options,
			struct database **out, struct dsv_err *err)
{
	struct database *d = calloc(1, sizeof(*d));
	bool failed = false;

	if (!d)
		return dsv_fail_nomem(err);
	d->turn.pages_fd = -1;
	d->path = copy(options->path, &failed);
	d->dir = copy(options->dir, &failed);
	d->job = copy(options->job, &failed);
	if (failed) {
		database_close(d);
		return dsv_fail_nomem(err);
	}
	d->options = *options;
	d->options.path = d->turn.path = d->path;
	d->options.dir = d->turn.dir = d->dir;
	d->options.job = d->job;
	d->turn.dir_mode = options->dir_mode;
	d->turn.network = fs_is_network(d->dir);
	if (d->turn.network)
		d->options.guard = true;
	*out = d;
	return 0;
}

int database_open(const struct database_options *options,
		  struct database **out, struct dsv_err *err)
{
	struct database *d;
	int ret;

	ret = new_database(options, &d, err);
	if (ret < 0)
		return ret;
	if (access(d->path, F_OK) < 0 && errno == ENOENT)
		ret = dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD, NULL,
				    "'%s' is missing", d->path);
	else
		ret = open_reader(d, err);
	if (ret < 0) {
		database_close(d);
		return ret;
	}
	*out = d;
	return 0;
}

void database_close(struct database *d)
{
	if (!d)
		return;
	close_files(d);
	free(d->path);
	free(d->dir);
	free(d->job);
	free(d);
}

/* Makes the file itself, so that SQLite uses its mode for the journal, too. */
static int make_file(struct database *d, struct dsv_err *err)
{
	int fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	int ret = 0;

	if (fd < 0)
		return dsv_fail_errno(err, "create '%s'", d->path);
	if (d->options.file_mode && fchmod(fd, d->options.file_mode) < 0)
		ret = dsv_fail_errno(err, "chmod '%s'", d->path);
	close(fd);
	return ret;
}

/* Makes a new database, which nobody else knows. */
static int make(const struct database_options *options, struct database **out,
		struct dsv_err *err)
{
	struct database *d;
	int ret = new_database(options, &d, err);

	if (ret < 0)
		return ret;
	ret = make_file(d, err);
	if (ret == 0)
		ret = db_open(&d->writer, d->path, true,
			      d->options.lock_wait_ms, err);
	if (ret == 0)
		ret = db_exec(&d->writer, "BEGIN IMMEDIATE", err);
	if (ret == 0)
		ret = migrate(&d->writer, err);
	if (ret < 0) {
		database_close(d);
		return ret;
	}
	*out = d;
	return 0;
}

int database_create(const struct database_options *options,
		    struct dsv_err *err)
{
	struct database *d = NULL;
	int ret = make(options, &d, err);

	if (ret == 0)
		reserve_make(options->dir, options->file_mode);
	database_close(d);
	return ret;
}

int database_open_new(const struct database_options *options,
		      struct database **out, struct dsv_err *err)
{
	struct database *d;
	int ret = make(options, &d, err);

	if (ret < 0)
		return ret;
	/* It is fsynced as a whole before it gets its name. */
	ret = db_exec(&d->writer, "PRAGMA synchronous = OFF;"
		      "PRAGMA journal_mode = MEMORY;"
		      "BEGIN IMMEDIATE", err);
	if (ret < 0) {
		database_close(d);
		return ret;
	}
	d->locked = true;
	*out = d;
	return 0;
}

const char *database_describe(struct database *d)
{
	/* DELETE is SQLite's word for a rollback journal. */
	struct query q = db_query(&d->reader, "PRAGMA journal_mode");
	const char *mode = query_step(&q, NULL) > 0 ? query_get_text(&q, 0) :
		NULL;
	bool rollback = mode && !strcmp(mode, "delete");

	query_end(&q);
	return rollback ? "rollback, SQLite " SQLITE_VERSION :
		"not a rollback journal, SQLite " SQLITE_VERSION;
}
