/* SPDX-License-Identifier: MIT */
#include "rebuild.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../catalog/internal.h"
#include "../db/guard.h"
#include "../os/paths.h"

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
			ret = store_poll(k->s, err);
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

/* This holds others off while the catalog is replaced. */
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
	struct dsv_err why = { .msg = "" };
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
		return dsv_fail_as(err, ret, &why);
	ret = guard_acquire(options->dir, options->job, options->lock_wait_ms,
			    &h->guard, err);
	if (ret < 0)
		return ret;
	if (stat(path, &now) < 0 || (was_there && now.st_ino == before.st_ino &&
				     now.st_dev == before.st_dev))
		return 0;
	return dsv_fail(err, DSV_ELOCKED, "another command has rebuilt the"
			" catalog in the meantime");
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

int catalog_rebuild(const struct catalog_options *options, struct check *k,
		    struct dsv_err *err)
{
	char *path = str_format("%s/" FILE_DATABASE, options->dir);
	char *temp = str_format("%s/" DIR_TMP "/" FILE_DATABASE ".new-%ld",
				options->dir, (long)getpid());
	struct holding h = { NULL, NULL };
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
		ret = database_replace(options->dir, path,
				       h.old ? h.old->database : NULL, temp,
				       err);
	if (ret < 0)
		unlink(temp);
out:
	let_go(&h);
	free(path);
	free(temp);
	return ret;
}
