/* SPDX-License-Identifier: MIT */
/*
 * This finds out which version of the schema a database has, and brings an
 * older one up to the version that this dsv knows.
 */
#ifndef DSV_DB_MIGRATE_H
#define DSV_DB_MIGRATE_H

#include "db.h"

/*
 * Returns 1 when an older dsv made the schema, 0 when it is the current one.
 * DSV_ENOREPO: a newer dsv made it; DSV_ECORRUPT: it is not a catalog.
 */
int migrate_check(struct db *db, struct dsv_err *err);
/* Brings the schema up to date in the open transaction, and ends that. */
int migrate(struct db *db, struct dsv_err *err);

#endif
