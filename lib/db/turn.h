/* SPDX-License-Identifier: MIT */
/*
 * Whether this host sees what another has committed last.  Bytes and sizes
 * of files may be remembered, and a transaction on an old database would undo
 * the newer ones; that a name is there already, the server says.  So each
 * change of the database makes one: DIR/turns/<n> before, <n>.done after it,
 * where n is SQLite's change counter.  Under the guard only, and on network
 * file systems only: on a local one all see all, and nothing is done.
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
 * Forgets what this host remembers of the database.  To write, with the
 * guard.
 */
void turn_look_anew(struct turn *t);
/* Once SQLite has closed the database: drops what that holds open. */
void turn_forget_pages(struct turn *t);
/*
 * Before the database is opened: SQLite would roll its journal back.  A writer
 * was killed, or this host remembers the journal of a transaction that has
 * been committed, which would be undone.
 */
bool turn_looks_torn(const struct turn *t);
/*
 * In a transaction of writer: 1: ours is the next change; 0: what we see is
 * old, or whoever came to make it has not ended.  insist: take it from the
 * latter.
 */
int turn_take(struct turn *t, struct db *writer, bool insist,
	      struct dsv_err *err);
/* Before the guard goes: the change was made, or it was not. */
void turn_end(struct turn *t, struct db *writer);
/*
 * The new database at path goes on counting at *n, the last turn: that of who
 * replaces the old one, which is done once it has.  So who still sees the old
 * one, or its names come back after a power cut, does not write to it.
 */
int turn_go_on(const char *dir, const char *path, uint32_t *n,
	       struct dsv_err *err);
void turn_done(const char *dir, uint32_t n);

#endif
