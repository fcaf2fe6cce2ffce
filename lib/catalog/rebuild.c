/* SPDX-License-Identifier: MIT */
#include "rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/fs.h"
#include "internal.h"

static int sync_file(const char *path, struct dsv_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || fsync(fd) < 0)
		ret = dsv_fail_errno(err, "sync '%s'", path);
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * The old journal of SQLite goes first: it would be rolled back into the new
 * database.
 */
static int move_aside(const char *path, struct dsv_err *err)
{
	int64_t now = now_ns();
	char *aside = str_format("%s.damaged-%lld", path, (long long)now);
	char *hot = str_format("%s-journal", path);
	char *hot_aside = str_format("%s.damaged-%lld-journal", path,
				     (long long)now);
	int ret = 0;

	if (!aside || !hot || !hot_aside)
		ret = dsv_fail_nomem(err);
	else if ((rename(hot, hot_aside) < 0 && errno != ENOENT) ||
		 (rename(path, aside) < 0 && errno != ENOENT))
		ret = dsv_fail_errno(err, "move '%s' aside", path);
	free(aside);
	free(hot);
	free(hot_aside);
	return ret;
}

static int fill(struct check *k, struct dsv_err *err)
{
	static int (*const parts[])(struct check *k, struct dsv_err *err) = {
		rebuild_segments, rebuild_journal, rebuild_orphans,
		rebuild_content,
	};
	struct query q;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		ret = parts[i](k, err);
		if (ret == 0)
			ret = check_interrupted(k, err);
	}
	if (ret < 0)
		return ret;
	q = db_query(&k->c->writer, "UPDATE meta SET value = :seq"
		     " WHERE key = 'seq'");
	query_int(&q, ":seq", k->c->seq);
	ret = query_run(&q, err);
	return ret < 0 ? ret : db_exec(&k->c->writer, "COMMIT", err);
}

/* Who holds the old catalog's lock keeps others from writing meanwhile. */
static void lock_old(const struct catalog_options *options,
		     struct catalog **old)
{
	*old = NULL;
	if (catalog_open(options, old, NULL) == 0 &&
	    catalog_begin(*old, NULL) < 0) {
		catalog_close(*old);
		*old = NULL;
	}
}

int catalog_rebuild(const struct catalog_options *options, struct check *k,
		    struct dsv_err *err)
{
	char *path = str_format("%s/catalog.db", options->dir);
	char *temp = str_format("%s/catalog.db.new-%ld", options->dir,
				(long)getpid());
	struct catalog *old = NULL;
	int ret;

	if (!path || !temp) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	lock_old(options, &old);
	unlink(temp);
	ret = catalog_open_new(options, temp, &k->c, err);
	if (ret == 0)
		ret = fill(k, err);
	catalog_close(k->c);
	k->c = NULL;
	if (ret == 0)
		ret = sync_file(temp, err);
	if (ret == 0)
		ret = move_aside(path, err);
	if (ret == 0 && rename(temp, path) < 0)
		ret = dsv_fail_errno(err, "rename '%s'", temp);
	if (ret == 0)
		ret = fs_sync_dir(options->dir, err);
	if (ret < 0)
		unlink(temp);
out:
	if (old)
		catalog_end(old, -1, NULL);
	catalog_close(old);
	free(path);
	free(temp);
	return ret;
}
