/* SPDX-License-Identifier: MIT */
/*
 * Which version of the schema a database has, and how an older one becomes
 * that of this dsv.
 */
#ifndef DSV_DB_MIGRATE_H
#define DSV_DB_MIGRATE_H

#include "db.h"

/*
 * 1: it is of an older dsv; 0: of this one.  DSV_ENOREPO: of a newer one;
 * DSV_ECORRUPT: it is no catalog.
 */
int migrate_check(struct db *db, struct dsv_err *err);
/* Makes it that of this dsv; in a transaction, which is then ended. */
int migrate(struct db *db, struct dsv_err *err);

#endif
