/* SPDX-License-Identifier: MIT */
/*
 * This opens and makes the catalog; transactions are in txn.c.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "../db/reserve.h"
#include "../os/paths.h"

static struct database_options place(const struct catalog_options *options,
				     const char *path)
{
	return (struct database_options){
		.path = path,
		.dir = options->dir,
		.lock_wait_ms = options->lock_wait_ms,
		.file_mode = options->file_mode,
		.dir_mode = options->dir_mode,
		.guard = options->guard,
		.job = options->job,
	};
}

static char *usual_path(const struct catalog_options *options)
{
	return str_format("%s/" FILE_DATABASE, options->dir);
}

int catalog_create(const struct catalog_options *options, struct dsv_err *err)
{
	char *path = usual_path(options);
	struct database_options o = place(options, path);
	int ret = path ? database_create(&o, err) : dsv_fail_nomem(err);

	free(path);
	return ret;
}

typedef int open_fn(const struct database_options *options,
		    struct database **out, struct dsv_err *err);

static int open_with(open_fn *open, const struct catalog_options *options,
		     const char *path, struct catalog **out,
		     struct dsv_err *err)
{
	struct database_options o = place(options, path);
	struct catalog *c = calloc(1, sizeof(*c));
	int ret = 0;

	if (c)
		c->dir = strdup(options->dir);
	if (!c || !c->dir || !path)
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = open(&o, &c->database, err);
	if (ret < 0) {
		catalog_close(c);
		return ret;
	}
	c->file_mode = options->file_mode;
	c->dir_mode = options->dir_mode;
	*out = c;
	return 0;
}

int catalog_open(const struct catalog_options *options, struct catalog **out,
		 struct dsv_err *err)
{
	char *path = usual_path(options);
	int ret = open_with(database_open, options, path, out, err);

	free(path);
	return ret;
}

int catalog_open_new(const struct catalog_options *options, const char *path,
		     struct catalog **out, struct dsv_err *err)
{
	int ret = open_with(database_open_new, options, path, out, err);

	if (ret == 0)
		(*out)->rebuilding = true;
	return ret;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	database_close(c->database);
	json_decref(c->ops);
	free(c->dir);
	free(c);
}

const char *catalog_describe(struct catalog *c)
{
	return database_describe(c->database);
}

void catalog_reserve(struct catalog *c)
{
	reserve_make(c->dir, c->file_mode);
}

bool catalog_reserve_use(struct catalog *c)
{
	return reserve_use(c->dir);
}
