/* SPDX-License-Identifier: MIT */
/*
 * This finds out which version of the schema a database has, and brings an
 * older one up to the version that this dsv knows.
 */
#ifndef DSV_DB_MIGRATE_H
#define DSV_DB_MIGRATE_H

#include "db.h"

/*
 * Returns 1 if an older dsv made the schema, 0 if it is the current one.  Fails
 * with DSV_ENOREPO if a newer dsv made it, and with DSV_ECORRUPT if it is not a
 * catalog.
 */
int migrate_check(struct db *db, struct dsv_err *err);
/*
 * Brings the schema up to date in the open transaction, and ends the
 * transaction.
 */
int migrate(struct db *db, struct dsv_err *err);

#endif
