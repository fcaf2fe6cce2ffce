/* SPDX-License-Identifier: MIT */
/*
 * A turn makes sure that this host sees what another has committed last.  Bytes
 * and sizes of files may be cached, and a transaction on an old database would
 * undo the newer ones; but whether a name already exists is answered by the
 * server.  So each change of the database makes a name: DIR/turns/<n> before it
 * and <n>.done after it, where n is SQLite's change counter.  This is done only
 * under the guard and only on network file systems: on a local one every
 * process sees everything, and nothing is done.
 */
#ifndef DSV_DB_TURN_H
#define DSV_DB_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../dsv.h"

struct db;

struct turn {
	const char *dir, *path;	/* see struct database_options; borrowed */
	mode_t dir_mode;
	bool network;		/* dir is on such a file system */
	int pages_fd;		/* see turn_look_anew(); -1 */
	bool taken;		/* the next change is ours ... */
	uint32_t number;	/* ... and that is its number */
};

/*
 * Forgets what this host has cached of the database.  It is called in order to
 * write, with the guard held.
 */
void turn_look_anew(struct turn *t);
/* Drops what keeps the database open, once SQLite has closed it. */
void turn_forget_pages(struct turn *t);
/*
 * Returns whether SQLite would roll a journal back; it is called before the
 * database is opened.  Either a writer was killed, or this host has cached the
 * journal of a transaction that has been committed, which would be undone.
 */
bool turn_looks_torn(const struct turn *t);
/*
 * Takes the next change in a transaction of writer.  Returns 1 if that change
 * is ours, or 0 if what we see is old, or if whoever came to make it has not
 * ended.  With insist, the change is taken from the latter.
 */
int turn_take(struct turn *t, struct db *writer, bool insist,
	      struct dsv_err *err);
/*
 * Records whether the change was made; it is called before the guard is
 * released.
 */
void turn_end(struct turn *t, struct db *writer);
/*
 * Makes the new database at path go on counting at *n, the last turn.  That
 * turn belongs to the process that replaces the old database, and is done once
 * it has.  So a process that still sees the old database, or sees its names
 * come back after a power cut, does not write to it.
 */
int turn_go_on(const char *dir, const char *path, uint32_t *n,
	       struct dsv_err *err);
void turn_done(const char *dir, uint32_t n);

#endif
