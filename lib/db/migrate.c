/* SPDX-License-Identifier: MIT */
#include "migrate.h"

#include <stdio.h>

#include "schema.h"

/* Returns the version of the database, or < 0. */
static int read_version(struct db *db, struct dsv_err *err)
{
	int64_t version = 0, application = 0;
	struct query q;
	int ret;

	q = db_query(db, "PRAGMA user_version");
	ret = query_one_int(&q, &version, err);
	if (ret < 0)
		return ret;
	q = db_query(db, "PRAGMA application_id");
	ret = query_one_int(&q, &application, err);
	if (ret < 0)
		return ret;
	if (application != SCHEMA_APPLICATION_ID)
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD, NULL,
				     "'%s' is not a catalog of dsv", db->path);
	return (int)version;
}

int migrate_check(struct db *db, struct dsv_err *err)
{
	int version = read_version(db, err);

	if (version < 0)
		return version;
	if (version > schema_version)
		return dsv_fail(err, DSV_ENOREPO, "'%s' was made by a newer dsv"
				" (schema %d, this one knows %d)", db->path,
				version, schema_version);
	return version < schema_version;
}

int migrate(struct db *db, struct dsv_err *err)
{
	char pragma[64];
	int64_t version = 0;
	struct query q;
	int ret;

	q = db_query(db, "PRAGMA user_version");
	ret = query_one_int(&q, &version, err);
	for (; ret >= 0 && version < schema_version; version++)
		ret = db_exec(db, schema_migrations[version], err);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d;"
		 "PRAGMA application_id = %d;", schema_version,
		 SCHEMA_APPLICATION_ID);
	if (ret >= 0)
		ret = db_exec(db, pragma, err);
	if (ret >= 0)
		return db_exec(db, "COMMIT", err);
	db_exec(db, "ROLLBACK", NULL);
	return ret;
}
