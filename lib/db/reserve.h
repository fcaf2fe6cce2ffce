/* SPDX-License-Identifier: MIT */
/*
 * Space that is put by, so that a full disk can still be pruned: DIR/reserve
 * is given back when there is none for the database's own journal.
 */
#ifndef DSV_DB_RESERVE_H
#define DSV_DB_RESERVE_H

#include <stdbool.h>
#include <sys/types.h>

/* Puts it by, unless it is there.  Failure is no matter. */
void reserve_make(const char *dir, mode_t file_mode);
/* Gives it back; false: there was none. */
bool reserve_use(const char *dir);

#endif
