/* SPDX-License-Identifier: MIT */
/*
 * A database as a file that other processes, and other hosts, use as well:
 * opening and making it, who may write to it, whether what is seen here is
 * the newest, and which file it is by now.  What is read and written is the
 * business of whoever has it, by database_db().
 *
 * Readers take no lock that lasts.  Whoever writes waits for the lock, which
 * is SQLite's, on network file systems with a guard and a turn around it.
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

/* Makes an empty one, and the reserve. */
int database_create(const struct database_options *options,
		    struct dsv_err *err);
/*
 * Opens it for reading; the first lock opens it for writing.  What a writer
 * that was killed has left is rolled back, and a schema of an older dsv is
 * brought up to that of this one.
 */
int database_open(const struct database_options *options,
		  struct database **out, struct dsv_err *err);
/*
 * Makes an empty one that nobody else knows, to be filled in a transaction
 * that has begun and is not durable, and then to be closed.  It counts as
 * locked.  See database_replace().
 */
int database_open_new(const struct database_options *options,
		      struct database **out, struct dsv_err *err);
void database_close(struct database *d);
/* The database and its journal mode, for people; static. */
const char *database_describe(struct database *d);

/* Where to ask: the writer while it is locked, else the reader. */
struct db *database_db(struct database *d);
bool database_is_locked(const struct database *d);

/*
 * Waits for the lock and begins a transaction.  That is ended by its owner,
 * who then unlocks.
 */
int database_lock(struct database *d, struct dsv_err *err);
void database_unlock(struct database *d);
/*
 * Before it is unlocked: whether the transaction was committed cannot be
 * known.  The next one to lock it finds out.
 */
void database_doubt(struct database *d);

/*
 * A read that needs several statements to agree.  Short: it blocks commits.
 * Reads the newest, also when the file was replaced.  May stand where it is
 * locked, which gives the same.
 */
int database_read_begin(struct database *d, struct dsv_err *err);
void database_read_end(struct database *d);

/* Another file has taken the place of the one that is open. */
bool database_is_replaced(struct database *d);
/* Opens that, unlocked.  DSV_ELOCKED: a statement is still in use. */
int database_reopen(struct database *d, struct dsv_err *err);
/* DSV_ENOREPO: another version of dsv has changed it since it was opened. */
int database_check_version(struct database *d, struct dsv_err *err);

/*
 * Puts the database at temp, which is closed, in the place of the one at path,
 * and that aside, as PATH.damaged-<ns>.  old is that one, locked; NULL: it
 * cannot be opened, and the guard is held.
 */
int database_replace(const char *dir, const char *path, struct database *old,
		     const char *temp, struct dsv_err *err);

/*
 * On a local file system only a rebuild takes the guard: that of one which
 * has died would stay.  True: there was one, and it is gone.
 */
bool database_sweep_guard(struct database *d);

#endif
