/* SPDX-License-Identifier: MIT */
/*
 * The files of lib/db share this.
 */
#ifndef DSV_DB_INTERNAL_H
#define DSV_DB_INTERNAL_H

#include "database.h"
#include "guard.h"
#include "turn.h"

struct database {
	struct database_options options;
	char *path, *dir, *job;	/* what options point to */
	struct db reader;
	struct db writer;	/* handle NULL until something is written */
	bool locked;		/* a transaction of writer has the lock */
	struct guard *guard;	/* held meanwhile; NULL: none is needed */
	struct turn turn;
};

#endif
