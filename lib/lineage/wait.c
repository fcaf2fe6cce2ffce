/* SPDX-License-Identifier: MIT */
/*
 * Waits until a state satisfies an expression.  If the catalog can report
 * changes, we wait for them; otherwise we poll at growing intervals.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../repo/repo.h"

enum {
	SLICE_MS = 500,		/* how soon an interruption is noticed */
	POLL_FIRST_MS = 500,
	POLL_LAST_MS = 10000,
	WATCHED_MS = 30000,	/* look again even if nothing was heard */
};

/* Sleeps until something may have been committed, or until end_ms. */
static int sleep_until(struct dsv *d, int fd, int64_t end_ms,
		       struct dsv_err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left;

	while ((left = end_ms - monotonic_ms()) > 0) {
		int ret = repo_poll(d, err);

		if (ret < 0)
			return ret;
		if (poll(&p, fd >= 0, left < SLICE_MS ? (int)left :
			 SLICE_MS) > 0 && catalog_watch_heard(fd))
			return 0;
	}
	return 0;
}

/* Returns 1 if id is the newest that satisfies the query. */
static int look(struct dsv *d, const struct catalog_query *query,
		char id[DSV_ID_SIZE], struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t *seqs = NULL;
	size_t count = 0;
	int ret;

	ret = catalog_find(d->catalog, query, &seqs, &count, err);
	if (ret == 0 && count > 0)
		ret = catalog_id(d->catalog, seqs[0], hash, err);
	if (ret == 0 && count > 0) {
		hash_to_hex(hash, id);
		ret = 1;
	}
	free(seqs);
	return ret;
}

int dsv_wait_for(struct dsv *d, const char *expr, int64_t timeout_ms,
		 char id[DSV_ID_SIZE], struct dsv_err *err)
{
	const struct catalog_query query = { .expr = expr, .limit = 1 };
	int64_t start = monotonic_ms();
	int64_t pause = POLL_FIRST_MS, end;
	/* We watch before the first look, so that nothing is missed. */
	int fd = catalog_watch(d->catalog);
	int ret;

	while ((ret = look(d, &query, id, err)) == 0) {
		end = monotonic_ms() + (fd >= 0 ? (int64_t)WATCHED_MS : pause);
		if (timeout_ms >= 0 && monotonic_ms() >= start + timeout_ms) {
			ret = dsv_fail(err, DSV_NO, "no state satisfies the"
				       " expression yet");
			break;
		}
		if (timeout_ms >= 0 && end > start + timeout_ms)
			end = start + timeout_ms;
		ret = sleep_until(d, fd, end, err);
		if (ret < 0)
			break;
		pause = pause * 2 < POLL_LAST_MS ? pause * 2 : POLL_LAST_MS;
	}
	if (fd >= 0)
		close(fd);
	return ret < 0 ? ret : 0;
}
