/* SPDX-License-Identifier: MIT */
/*
 * Whether this host sees what another has committed last.  Bytes and sizes
 * of files may be remembered, and a transaction on an old catalog would undo
 * the newer ones; that a name is there already, the server says.  So each
 * change of the catalog makes one: DIR/turns/<n> before, <n>.done after it,
 * where n is SQLite's change counter.  Under the guard only.
 */
#ifndef DSV_CATALOG_TURN_H
#define DSV_CATALOG_TURN_H

#include <stdint.h>

#include "../dsv.h"

struct catalog;

/* Forget what this host remembers of the catalog.  To write, with the guard. */
void turn_look_anew(struct catalog *c);
/*
 * Before the catalog is opened: SQLite would roll its journal back.  A writer
 * was killed, or this host remembers the journal of a transaction that has
 * been committed, which would be undone.
 */
bool turn_looks_torn(struct catalog *c);
/*
 * In a write transaction: 1: ours is the next change; 0: what we see is old,
 * or whoever came to make it has not ended.  insist: take it from the latter.
 */
int turn_take(struct catalog *c, bool insist, struct dsv_err *err);
/* Before the guard goes: the change was made, or it was not. */
void turn_end(struct catalog *c);
/*
 * The new catalog at path goes on counting at *n, the last turn: that of who
 * replaces the catalog, which is done once it has.  So who still sees the old
 * one, or its names come back after a power cut, does not write to it.
 */
int turn_go_on(const char *dir, const char *path, uint32_t *n,
	       struct dsv_err *err);
void turn_done(const char *dir, uint32_t n);

#endif
