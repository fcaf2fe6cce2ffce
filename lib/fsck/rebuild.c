/* SPDX-License-Identifier: MIT */
#include "rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/paths.h"
#include "../catalog/internal.h"
#include "../catalog/turn.h"

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
 * At no time is there none, and nothing is overwritten.  A journal of SQLite's
 * that is hot goes first: it would be rolled back into the new database.
 */
static int move_aside(const char *path, bool hot, struct dsv_err *err)
{
	static const char *const suffixes[] = { "-journal", "-wal" };
	char *prefix = str_format("%s.damaged", path);
	char *aside = prefix ? fs_unused_name(prefix) : NULL;
	size_t i;
	int ret = aside ? 0 : dsv_fail_nomem(err);

	for (i = 0; ret == 0 && hot && i < sizeof(suffixes) /
	     sizeof(suffixes[0]); i++) {
		char *from = str_format("%s%s", path, suffixes[i]);
		char *to = str_format("%s%s", aside, suffixes[i]);

		if (!from || !to)
			ret = dsv_fail_nomem(err);
		else if (rename(from, to) < 0 && errno != ENOENT)
			ret = dsv_fail_errno(err, "move '%s' aside", from);
		free(from);
		free(to);
	}
	if (ret == 0 && link(path, aside) < 0 && errno != ENOENT &&
	    rename(path, aside) < 0)
		ret = dsv_fail_errno(err, "move '%s' aside", path);
	free(prefix);
	free(aside);
	return ret;
}

/* Numbers from that of old on, if there is one, were never used. */
static int fill(struct check *k, struct catalog *old, struct dsv_err *err)
{
	static int (*const parts[])(struct check *k, struct dsv_err *err) = {
		rebuild_segments, rebuild_journal, rebuild_orphans,
		rebuild_content,
	};
	int64_t least = old ? old->seq : 0;
	struct query q;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		ret = parts[i](k, err);
		if (ret == 0)
			ret = check_interrupted(k, err);
	}
	if (ret == 0)
		ret = rebuild_doubtful(k, old, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(k->c), "UPDATE meta SET value = :seq"
		     " WHERE key = 'seq'");
	query_int(&q, ":seq", k->c->seq < least ? least - 1 : k->c->seq);
	ret = query_run(&q, err);
	return ret < 0 ? ret : db_exec(catalog_db(k->c), "COMMIT", err);
}

/* What holds others off while the catalog is replaced. */
struct holding {
	struct catalog *old;	/* its lock; NULL: it cannot be had */
	struct guard *guard;	/* then: one rebuild at a time */
};

/*
 * Nobody writes to the old catalog once we have its lock, and who waits for it
 * sees that it has moved.  A damaged one nobody can write to.
 */
static int hold(const struct catalog_options *options, const char *path,
		struct holding *h, struct dsv_err *err)
{
	struct dsv_err why = { DSV_OK, "" };
	struct stat before, now;
	bool was_there = stat(path, &before) == 0;
	int ret = catalog_open(options, &h->old, &why);

	if (ret == 0)
		ret = catalog_begin_still(h->old, &why);
	if (ret == 0)
		return catalog_publish(h->old, err);
	catalog_close(h->old);
	h->old = NULL;
	/* Others may be able to read it, and commit to it. */
	if (ret == DSV_ESYS)
		return dsv_fail(err, DSV_ESYS, "%s (to do without what is in"
				" it, move it away)", why.msg);
	if (ret != DSV_ECORRUPT)
		return dsv_fail(err, (enum dsv_code)ret, "%s", why.msg);
	ret = guard_acquire(options->dir, options->lock_wait_ms, &h->guard,
			    err);
	if (ret < 0)
		return ret;
	if (stat(path, &now) < 0 || (was_there && now.st_ino == before.st_ino &&
				     now.st_dev == before.st_dev))
		return 0;
	return dsv_fail(err, DSV_ELOCKED, "another command has made the catalog"
			" anew meanwhile");
}

static void let_go(struct holding *h)
{
	if (h->old)
		catalog_end(h->old, -1, NULL);
	catalog_close(h->old);
	guard_release(h->guard);
}

static int make_new(const struct catalog_options *options, struct check *k,
		    const char *temp, struct catalog *old, struct dsv_err *err)
{
	int ret = catalog_open_new(options, temp, &k->c, err);

	if (ret == 0)
		ret = fill(k, old, err);
	catalog_close(k->c);
	k->c = NULL;
	return ret;
}

static int put_in_place(struct holding *h, const char *temp, const char *path,
			struct dsv_err *err)
{
	if (rename(temp, path) < 0)
		return dsv_fail_errno(err, "rename '%s'", temp);
	/* The new one counts on from it. */
	if (h->old)
		h->old->has_turn = false;
	return 0;
}

int catalog_rebuild(const struct catalog_options *options, struct check *k,
		    struct dsv_err *err)
{
	char *path = str_format("%s/catalog.db", options->dir);
	char *temp = str_format("%s/" DIR_TMP "/catalog.db.new-%ld",
				options->dir, (long)getpid());
	struct holding h = { NULL, NULL };
	uint32_t turn = 0;
	int ret;

	if (!path || !temp) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	ret = hold(options, path, &h, err);
	if (ret < 0)
		goto out;
	unlink(temp);
	ret = make_new(options, k, temp, h.old, err);
	if (ret == 0)
		ret = turn_go_on(options->dir, temp, &turn, err);
	if (ret == 0)
		ret = sync_file(temp, err);
	if (ret == 0)
		ret = move_aside(path, !h.old, err);
	if (ret == 0)
		ret = put_in_place(&h, temp, path, err);
	if (ret == 0)
		ret = fs_sync_dir(options->dir, err);
	if (ret == 0)
		turn_done(options->dir, turn);
	if (ret < 0)
		unlink(temp);
out:
	let_go(&h);
	free(path);
	free(temp);
	return ret;
}
