/* SPDX-License-Identifier: MIT */
/*
 * Opening and making the catalog; transactions are in txn.c.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "turn.h"

/* The database's version, or < 0. */
static int read_version(struct db *db, struct dsv_err *err)
{
	int64_t version = 0, application = 0;
	struct query q;
	int ret;

	q = db_query(db, "PRAGMA user_version");
	ret = query_one_int(&q, &version, err);
	if (ret < 0)
		return ret;
	q = db_query(db, "PRAGMA application_id");
	ret = query_one_int(&q, &application, err);
	if (ret < 0)
		return ret;
	if (application != SCHEMA_APPLICATION_ID)
		return dsv_fail(err, DSV_ECORRUPT, "'%s' is no catalog of dsv"
				" ('dsv fsck --rebuild' makes it anew)",
				db->path);
	return (int)version;
}

/* 1: it is of an older dsv. */
static int check_version(struct db *db, struct dsv_err *err)
{
	int version = read_version(db, err);

	if (version < 0)
		return version;
	if (version > schema_version)
		return dsv_fail(err, DSV_ENOREPO, "'%s' was made by a newer dsv"
				" (schema %d, this one knows %d)", db->path,
				version, schema_version);
	return version < schema_version;
}

/* In a transaction, which is then ended. */
static int migrate(struct db *db, struct dsv_err *err)
{
	char pragma[64];
	int64_t version = 0;
	struct query q;
	int ret;

	q = db_query(db, "PRAGMA user_version");
	ret = query_one_int(&q, &version, err);
	for (; ret >= 0 && version < schema_version; version++)
		ret = db_exec(db, schema_migrations[version], err);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d;"
		 "PRAGMA application_id = %d;", schema_version,
		 SCHEMA_APPLICATION_ID);
	if (ret >= 0)
		ret = db_exec(db, pragma, err);
	if (ret >= 0)
		return db_exec(db, "COMMIT", err);
	db_exec(db, "ROLLBACK", NULL);
	return ret;
}

/* A new database, which nobody else knows. */
static int make_tables(struct catalog *c, struct dsv_err *err)
{
	int ret = db_open(&c->writer, c->path, true, c->options.lock_wait_ms,
			  err);

	if (ret == 0)
		ret = db_exec(&c->writer, "BEGIN IMMEDIATE", err);
	return ret < 0 ? ret : migrate(&c->writer, err);
}

static int upgrade(struct catalog *c, struct dsv_err *err)
{
	int ret = catalog_lock(c, err);

	if (ret < 0)
		return ret;
	/* Others may have been faster, or know more. */
	ret = check_version(&c->writer, err);
	if (ret > 0)
		ret = migrate(&c->writer, err);
	else
		db_exec(&c->writer, "ROLLBACK", NULL);
	/* Whether it was made cannot be known: the next one finds out. */
	c->has_turn = c->has_turn && ret == 0;
	catalog_unlock(c);
	return ret;
}

/*
 * A reader may not recover a hot journal that a crash has left: a writer
 * must, and does so when it takes its lock.
 */
static int recover(struct catalog *c, struct dsv_err *err)
{
	int ret = catalog_lock(c, err);

	if (ret < 0)
		return ret;
	ret = db_exec(&c->writer, "ROLLBACK", err);
	catalog_unlock(c);
	return ret;
}

/* Later: a writer was killed while we read. */
static int recover_again(void *arg)
{
	struct catalog *c = arg;

	return c->writing ? DSV_ELOCKED : recover(c, NULL);
}

static int open_once(struct catalog *c, struct dsv_err *err)
{
	int ret;

	turn_look_anew(c);
	ret = db_open(&c->reader, c->path, false, c->options.lock_wait_ms,
		      err);
	c->reader.recover = recover_again;
	c->reader.recover_arg = c;
	c->reader.guarded = c->options.guard;
	return ret;
}

static int open_reader(struct catalog *c, struct dsv_err *err)
{
	struct query q;
	int ret, rc;

	ret = open_once(c, err);
	if (ret < 0)
		return ret;
	q = db_query(&c->reader, "PRAGMA user_version");
	rc = q.rc;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q.stmt);
	query_end(&q);
	if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_CANTOPEN ||
	    rc == SQLITE_READONLY_RECOVERY) {
		db_close(&c->reader);
		ret = recover(c, err);
		if (ret == 0)
			ret = open_once(c, err);
	} else if (rc != SQLITE_ROW) {
		ret = db_fail(&c->reader, rc, err);
	}
	if (ret == 0)
		ret = check_version(&c->reader, err);
	if (ret > 0) {
		db_close(&c->reader);
		/* Of an older dsv. */
		ret = upgrade(c, err);
		if (ret == 0)
			ret = open_once(c, err);
	}
	return ret;
}

static void close_files(struct catalog *c)
{
	db_close(&c->writer);
	db_close(&c->reader);
	if (c->pages_fd >= 0)
		close(c->pages_fd);
	c->pages_fd = -1;
}

int catalog_reopen(struct catalog *c, struct dsv_err *err)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(c->reader.handle, stmt)) != NULL)
		if (sqlite3_stmt_busy(stmt))
			return dsv_fail(err, DSV_ELOCKED, "'%s' was made anew"
					" meanwhile: run the command again",
					c->path);
	close_files(c);
	return open_reader(c, err);
}

static int new_catalog(const struct catalog_options *options,
		       struct catalog **out, struct dsv_err *err)
{
	struct catalog *c = calloc(1, sizeof(*c));

	if (!c)
		return dsv_fail_nomem(err);
	c->pages_fd = -1;
	c->options = *options;
	c->dir = strdup(options->dir);
	c->path = str_format("%s/catalog.db", options->dir);
	if (!c->dir || !c->path) {
		catalog_close(c);
		return dsv_fail_nomem(err);
	}
	c->options.dir = c->dir;
	c->network = fs_is_network(c->dir);
	if (c->network)
		c->options.guard = true;
	*out = c;
	return 0;
}

int catalog_open(const struct catalog_options *options, struct catalog **out,
		 struct dsv_err *err)
{
	struct catalog *c;
	int ret;

	ret = new_catalog(options, &c, err);
	if (ret < 0)
		return ret;
	if (access(c->path, F_OK) < 0 && errno == ENOENT)
		ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is missing ('dsv fsck"
			       " --rebuild' makes it anew)", c->path);
	else
		ret = open_reader(c, err);
	if (ret < 0) {
		catalog_close(c);
		return ret;
	}
	*out = c;
	return 0;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	close_files(c);
	json_decref(c->ops);
	free(c->dir);
	free(c->path);
	free(c);
}

/* The file itself, so that SQLite takes over its mode for the journal. */
static int make_file(struct catalog *c, struct dsv_err *err)
{
	int fd = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	int ret = 0;

	if (fd < 0)
		return dsv_fail_errno(err, "create '%s'", c->path);
	if (c->options.file_mode && fchmod(fd, c->options.file_mode) < 0)
		ret = dsv_fail_errno(err, "chmod '%s'", c->path);
	close(fd);
	return ret;
}

int catalog_create(const struct catalog_options *options, struct dsv_err *err)
{
	struct catalog *c;
	int ret;

	ret = new_catalog(options, &c, err);
	if (ret < 0)
		return ret;
	ret = make_file(c, err);
	if (ret == 0)
		ret = make_tables(c, err);
	if (ret == 0)
		catalog_reserve(c);
	catalog_close(c);
	return ret;
}

const char *catalog_describe(struct catalog *c)
{
	/* DELETE is what a rollback journal is called in SQLite's words. */
	struct query q = db_query(&c->reader, "PRAGMA journal_mode");
	const char *mode = query_step(&q, NULL) > 0 ? query_get_text(&q, 0) :
		NULL;
	bool rollback = mode && !strcmp(mode, "delete");

	query_end(&q);
	return rollback ? "rollback, SQLite " SQLITE_VERSION :
		"not a rollback journal, SQLite " SQLITE_VERSION;
}

int catalog_open_new(const struct catalog_options *options, const char *path,
		     struct catalog **out, struct dsv_err *err)
{
	struct catalog *c;
	int ret;

	ret = new_catalog(options, &c, err);
	if (ret < 0)
		return ret;
	free(c->path);
	c->path = strdup(path);
	ret = c->path ? make_file(c, err) : dsv_fail_nomem(err);
	if (ret == 0)
		ret = make_tables(c, err);
	/* It is fsynced as a whole before it gets its name. */
	if (ret == 0)
		ret = db_exec(&c->writer, "PRAGMA synchronous = OFF;"
			      "PRAGMA journal_mode = MEMORY;"
			      "BEGIN IMMEDIATE", err);
	if (ret < 0) {
		catalog_close(c);
		return ret;
	}
	c->writing = c->rebuilding = true;
	*out = c;
	return 0;
}
