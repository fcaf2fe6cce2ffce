/* SPDX-License-Identifier: MIT */
/*
 * Removing what crashed commands left.  Age is respected, and the write lock
 * held: a commit looks under it whether its segments are still there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../catalog/internal.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "space.h"

#define CACHE_AGE_NS (30 * DAY_NS)

static int next_staged(struct catalog *c, int64_t before_ns, int64_t after,
		       int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM segment WHERE staged IS NOT NULL"
		" AND staged < :before AND id > :after ORDER BY id LIMIT 1");

	query_int(&q, ":before", before_ns);
	query_int(&q, ":after", after);
	return query_one_int(&q, id, err);
}

/*
 * No state has been made of it, but others may have found its chunks: then
 * it stays, without those that nobody needs.
 */
static int unstage(struct catalog *c, int64_t id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE segment SET staged = NULL WHERE id = :id");
	int ret;

	query_int(&q, ":id", id);
	ret = query_run(&q, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "INSERT OR REPLACE INTO unswept"
		     " (segment, since) VALUES (:id, 0)");
	query_int(&q, ":id", id);
	return query_run(&q, err);
}

static int unstage_all(struct catalog *c, int64_t before_ns,
		       struct catalog_swept *out, struct dsv_err *err)
{
	int64_t id = 0, n = 0;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	while ((ret = next_staged(c, before_ns, id, &id, err)) > 0) {
		ret = unstage(c, id, err);
		if (ret < 0)
			break;
		n++;
	}
	ret = catalog_end(c, ret, err);
	if (ret == 0)
		out->segments += n;
	return ret;
}

struct names {
	size_t count;
	char (*items)[SEGMENT_NAME_SIZE];
};

static int add_name(void *arg, const char *name, struct dsv_err *err)
{
	struct names *names = arg;
	int ret;

	ret = list_grow((void **)&names->items, names->count,
			sizeof(*names->items), err);
	if (ret < 0)
		return ret;
	snprintf(names->items[names->count++], SEGMENT_NAME_SIZE, "%s", name);
	return 0;
}

static int is_segment_known(struct catalog *c, const char *name,
			    struct dsv_err *err)
{
	int64_t n;
	struct query q = db_query(catalog_db(c),
		"SELECT 1 FROM segment WHERE name = :name UNION ALL"
		" SELECT 1 FROM freeing WHERE segment = :name LIMIT 1");

	query_text(&q, ":name", name);
	return query_one_int(&q, &n, err);
}

/* 1: it is old and unknown. */
static int is_leftover(struct catalog *c, struct store *s, const char *name,
		       int64_t before_ns, int64_t *bytes, struct dsv_err *err)
{
	int64_t mtime_ns = 0;
	int ret;

	ret = is_segment_known(c, name, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = segment_stat(s, name, bytes, &mtime_ns, err);
	/* Only the .idx is there, or it went meanwhile. */
	if (ret == DSV_ENOTFOUND) {
		*bytes = 0;
		return 1;
	}
	return ret < 0 ? ret : mtime_ns < before_ns;
}

static int sweep_segments(struct catalog *c, struct store *s,
			  int64_t before_ns, struct catalog_swept *out,
			  struct dsv_err *err)
{
	struct names names = { 0, NULL };
	int64_t bytes, freed;
	size_t i;
	int ret;

	ret = segment_each(s, add_name, &names, err);
	for (i = 0; ret == 0 && i < names.count; i++) {
		ret = is_leftover(c, s, names.items[i], before_ns, &bytes,
				  err);
		if (ret <= 0)
			continue;
		ret = catalog_begin(c, err);
		if (ret < 0)
			break;
		ret = is_leftover(c, s, names.items[i], before_ns, &bytes,
				  err);
		if (ret > 0) {
			ret = segment_free(s, names.items[i], NULL, 0, &freed,
					   err);
			if (ret == DSV_ENOTFOUND)
				ret = 0;
			out->segments++;
			out->bytes += bytes;
		}
		ret = catalog_end(c, ret, err);
	}
	free(names.items);
	return ret;
}

/* Files that are merely slow to make again are kept for longer. */
static bool is_old(const char *name, const struct stat *st, int64_t before_ns)
{
	if (!strncmp(name, "statcache-", 10))
		before_ns -= CACHE_AGE_NS;
	return stat_mtime_ns(st) < before_ns;
}

/* Files of a directory of ours whose names say that they are temporary. */
static void sweep_dir(const char *dir, const char *part, int64_t before_ns,
		      struct catalog_swept *out)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;

	if (!d)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' &&
		    (!e->d_name[1] || !strcmp(e->d_name, "..")))
			continue;
		if (!strstr(e->d_name, part) ||
		    fstatat(dirfd(d), e->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || !is_old(e->d_name, &st, before_ns))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0) {
			out->files++;
			out->bytes += st.st_blocks * 512;
		}
	}
	closedir(d);
}

/* The repositories that were not made beside this one. */
static void sweep_inits(struct catalog *c, int64_t before_ns,
			struct catalog_swept *out)
{
	char *parent = str_format("%s/..", c->dir);
	DIR *d = parent ? opendir(parent) : NULL;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)) != NULL) {
		char *path;

		if (strncmp(e->d_name, ".dsv.tmp-", 9) != 0 ||
		    fstatat(dirfd(d), e->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
		    !is_old(e->d_name, &st, before_ns))
			continue;
		path = str_format("%s/%s", parent, e->d_name);
		out->files += path && fs_remove_tree(path, NULL) == 0;
		free(path);
	}
	if (d)
		closedir(d);
	free(parent);
}

static void sweep_files(struct catalog *c, int64_t before_ns,
			struct catalog_swept *out)
{
	static const struct {
		const char *dir, *part;
	} places[] = {
		{ DIR_TMP, "" }, { ".", FILE_GUARD ".own." },
		{ ".", FILE_GUARD ".break." }, { ".", ".tmp-" },
		{ DIR_HEADS, ".tmp-" },
	};
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *dir = str_format("%s/%s", c->dir, places[i].dir);

		if (dir)
			sweep_dir(dir, places[i].part, before_ns, out);
		free(dir);
	}
	out->files += database_sweep_guard(c->database);
	sweep_inits(c, before_ns, out);
}

int catalog_sweep(struct catalog *c, struct store *s, int64_t before_ns,
		  struct catalog_swept *out, struct dsv_err *err)
{
	int64_t n = 0;
	struct query q;
	int ret;

	memset(out, 0, sizeof(*out));
	q = db_query(catalog_db(c), "SELECT 1 FROM segment"
		     " WHERE staged IS NOT NULL AND staged < :before LIMIT 1");
	query_int(&q, ":before", before_ns);
	ret = query_one_int(&q, &n, err);
	if (ret > 0)
		ret = unstage_all(c, before_ns, out, err);
	if (ret == 0)
		ret = sweep_segments(c, s, before_ns, out, err);
	if (ret == 0)
		sweep_files(c, before_ns, out);
	return ret;
}
