/* SPDX-License-Identifier: MIT */
/*
 * The reserve is space that is set aside so that a full disk can still be
 * pruned: DIR/reserve is removed when no space is left for the database's own
 * journal.
 */
#ifndef DSV_DB_RESERVE_H
#define DSV_DB_RESERVE_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes the reserve unless there is one.  A failure does not matter. */
void reserve_make(const char *dir, mode_t file_mode);
/* Removes the reserve.  Returns false if there was none. */
bool reserve_use(const char *dir);

#endif
