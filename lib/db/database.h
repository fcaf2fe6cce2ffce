/* SPDX-License-Identifier: MIT */
/*
 * A database is a file that other processes and other hosts use as well.
 * This opens and makes it, decides who may write to it, makes sure that what
 * is seen here is the newest, and notices when another file has taken its
 * place.  Its owner decides what is read and written, through database_db().
 *
 * Readers hold no lock between two reads.  A writer waits for the lock, which
 * is SQLite's; on network file systems a guard and a turn stand around it.
 */
#ifndef DSV_DB_DATABASE_H
#define DSV_DB_DATABASE_H

#include <sys/types.h>

#include "db.h"

struct database;

struct database_options {
	const char *path;	/* of the file; copied, as dir and job are */
	const char *dir;	/* of the guard, the turns and the reserve */
	int64_t lock_wait_ms;
	mode_t file_mode, dir_mode;	/* 0: by the umask */
	bool guard;		/* the guard even on a local file system */
	const char *job;	/* the Slurm job of this process, or NULL */
};

/* Makes an empty database, and the reserve. */
int database_create(const struct database_options *options,
		    struct dsv_err *err);
/*
 * Opens the database for reading; the first lock opens it for writing.  Rolls
 * back what a killed writer has left, and brings an older schema up to date.
 */
int database_open(const struct database_options *options,
		  struct database **out, struct dsv_err *err);
/*
 * Makes an empty database that nobody else knows, and begins the transaction
 * that its owner fills it in; that one is not durable.  It counts as locked
 * until it is closed.  See database_replace().
 */
int database_open_new(const struct database_options *options,
		      struct database **out, struct dsv_err *err);
void database_close(struct database *d);
/* Names the database and its journal mode for people; static. */
const char *database_describe(struct database *d);

/* Returns the writer while the database is locked, else the reader. */
struct db *database_db(struct database *d);
bool database_is_locked(const struct database *d);

/*
 * Waits for the lock and begins a transaction.  The owner ends it before
 * unlocking.
 */
int database_lock(struct database *d, struct dsv_err *err);
void database_unlock(struct database *d);
/*
 * Says, before the database is unlocked, that nobody can know whether the
 * transaction was committed.  Whoever locks it next finds out.
 */
void database_doubt(struct database *d);

/*
 * Begins a read whose statements must agree with each other.  It has to be
 * short, since it blocks commits.  It reads the newest file, even if that was
 * replaced.  While the database is locked it does nothing, because everything
 * agrees anyway.
 */
int database_read_begin(struct database *d, struct dsv_err *err);
void database_read_end(struct database *d);

/* Returns whether another file has taken the place of the open one. */
bool database_is_replaced(struct database *d);
/* Opens that file.  Fails with DSV_ELOCKED if a statement is still in use. */
int database_reopen(struct database *d, struct dsv_err *err);
/*
 * Fails with DSV_ENOREPO if another version of dsv has changed the schema
 * since.
 */
int database_check_version(struct database *d, struct dsv_err *err);

/*
 * Puts the database at temp, which is closed, in the place of the one at path,
 * which is kept as PATH.damaged-<ns>.  old is the database at path, locked; if
 * it is NULL, that one cannot be opened, and the caller holds the guard
 * instead.
 */
int database_replace(const char *dir, const char *path, struct database *old,
		     const char *temp, struct dsv_err *err);

/*
 * Removes the guard that a rebuild left on a local file system when it died;
 * nothing else takes one there.  Returns whether there was one.
 */
bool database_sweep_guard(struct database *d);

#endif
