/* SPDX-License-Identifier: MIT */
/*
 * Is the schema the one that schema.c makes?  A constraint that was taken
 * away or a trigger that was added is no damage that SQLite sees.
 */
#include "../catalog/internal.h"
#include "../db/schema.h"
#include "check.h"

#include <string.h>

/* SQLite's own tables and indexes are its business. */
static const char list_schema[] =
	"SELECT name, type, sql FROM sqlite_schema"
	" WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

static int make_model(struct db *model, struct dsv_err *err)
{
	int ret = db_open(model, ":memory:", true, 0, err);
	int i;

	for (i = 0; ret == 0 && i < schema_version; i++)
		ret = db_exec(model, schema_migrations[i], err);
	return ret;
}

static bool same_text(struct query *a, struct query *b, int column)
{
	const char *x = query_get_text(a, column);
	const char *y = query_get_text(b, column);

	return x && y && !strcmp(x, y);
}

/* Orders two rows, of which one may be missing; < 0: the first is first. */
static int compare_names(struct query *ours, bool has_ours,
			 struct query *theirs, bool has_theirs)
{
	const char *name;

	if (!has_ours || !has_theirs)
		return has_ours ? -1 : 1;
	name = query_get_text(theirs, 0);
	return strcmp(query_get_text(ours, 0), name ? name : "");
}

static int problem(struct check *k, struct query *row, const char *what,
		   struct dsv_err *err)
{
	const char *name = query_get_text(row, 0);
	const char *type = query_get_text(row, 1);

	return check_problem(k, "schema", name ? name : "", false, err,
			     "the %s %s", type ? type : "entry", what);
}

static int compare(struct check *k, struct query *ours, struct query *theirs,
		   struct dsv_err *err)
{
	int a = query_step(ours, err);
	int b = a < 0 ? a : query_step(theirs, err);
	int ret = 0;

	while (ret == 0 && a >= 0 && b >= 0 && a + b > 0) {
		int order = compare_names(ours, a, theirs, b);

		if (order < 0)
			ret = problem(k, ours, "is missing", err);
		else if (order > 0)
			ret = problem(k, theirs, "is none of dsv's", err);
		else if (!same_text(ours, theirs, 1) ||
			 !same_text(ours, theirs, 2))
			ret = problem(k, theirs, "is not as dsv makes it",
				      err);
		if (ret == 0 && order <= 0)
			a = query_step(ours, err);
		if (ret == 0 && a >= 0 && order >= 0)
			b = query_step(theirs, err);
	}
	if (ret < 0)
		return ret;
	return a < 0 ? a : b;
}

int check_schema(struct check *k, struct dsv_err *err)
{
	struct query ours, theirs;
	struct db model;
	int ret;

	ret = make_model(&model, err);
	if (ret == 0) {
		ours = db_query_once(&model, list_schema);
		theirs = db_query_once(catalog_db(k->c), list_schema);
		ret = compare(k, &ours, &theirs, err);
		query_end(&ours);
		query_end(&theirs);
	}
	db_close(&model);
	return ret;
}
