/* SPDX-License-Identifier: MIT */
/*
 * From captures to durable states.  Each host stores its own; a capture in
 * the repository any host may store (binding it twice does nothing).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../base/str.h"
#include "../base/texts.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../os/lock.h"
#include "../os/paths.h"
#include "parts.h"
#include "queue.h"

enum { POLL_MS = 100, POLLS_TO_LOST = 50 };

void dsv_queue_free(struct dsv_queue *queue)
{
	size_t i;

	for (i = 0; i < queue->count; i++) {
		text_free(queue->items[i].host);
		text_free(queue->items[i].dir);
	}
	free(queue->items);
	*queue = (struct dsv_queue){ 0, NULL };
}

static int add_item(struct dsv_queue *list, const struct catalog_pending *of,
		    struct part *part, int64_t rank, struct dsv_err *err)
{
	struct dsv_queue_item *item;
	int ret = list_grow((void **)&list->items, list->count,
			    sizeof(*list->items), err);

	if (ret < 0)
		return ret;
	item = &list->items[list->count++];
	memset(item, 0, sizeof(*item));
	hash_to_hex(of->id, item->id);
	item->rank = rank;
	item->size_bytes = of->size_bytes;
	item->created_ns = of->created_ns;
	if (!part)
		return 0;
	item->here = part_is_here(part);
	item->host = part->host;
	item->dir = part->capture.dir;
	part->host = part->capture.dir = NULL;
	return 0;
}

/* Says what of a state is not stored. */
static int list_parts(struct dsv *d, const struct catalog_pending *of,
		      struct dsv_queue *list, struct dsv_err *err)
{
	struct parts p;
	size_t i;
	int ret = 0;

	if (parts_find(d, of->capture, &p, NULL) < 0)
		return add_item(list, of, NULL, -1, err);
	for (i = 0; ret == 0 && i < p.count; i++) {
		if (!p.items[i].stored)
			ret = add_item(list, of, &p.items[i],
				       p.dir ? (int64_t)i : -1, err);
	}
	parts_release(&p);
	return ret;
}

int dsv_queue(struct dsv *d, struct dsv_queue *out, struct dsv_err *err)
{
	struct dsv_queue list = { 0, NULL };
	struct catalog_pending *pending;
	size_t count, i;
	int ret;

	ret = catalog_pending(d->catalog, false, &pending, &count, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < count; i++)
		ret = list_parts(d, &pending[i], &list, err);
	free(pending);
	if (ret < 0)
		dsv_queue_free(&list);
	else
		*out = list;
	return ret;
}

int queue_find_lost(struct dsv *d, int64_t *lost, struct dsv_err *err)
{
	struct catalog_pending *pending;
	size_t count, i;
	int ret;

	*lost = 0;
	ret = catalog_pending(d->catalog, false, &pending, &count, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < count; i++) {
		struct parts p;
		int found = parts_find(d, pending[i].capture, &p, NULL);
		bool is_lost = found == DSV_ENOTFOUND;

		if (found == 0) {
			is_lost = parts_lost(d, &p, true);
			parts_release(&p);
		}
		if (!is_lost)
			continue;
		/* Bound meanwhile, its capture is gone too: then a no-op. */
		ret = catalog_lose(d->catalog, pending[i].seq, err);
		*lost += ret == 0;
	}
	free(pending);
	return ret;
}

/* *fd is locked, or -1 when another process of this host is at it. */
static int lock_queue(struct dsv *d, bool wait, int *fd, struct dsv_err *err)
{
	char *dir = repo_path(d, DIR_QUEUE "/%s", d->process.host);
	char *path = repo_path(d, DIR_QUEUE "/%s/lock", d->process.host);
	int locked, ret;

	*fd = -1;
	ret = dir && path ? fs_make_own_dirs(dir, d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0) {
		*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			   0666);
		if (*fd < 0)
			ret = dsv_fail_errno(err, "open '%s'", path);
		else if (d->file_mode)	/* fails if another made it */
			fchmod(*fd, d->file_mode);
	}
	if (ret == 0) {
		/* Without locks two may run: slower, not wrong. */
		locked = file_lock(*fd, wait, d->options.interrupted);
		if (locked < 0 && errno == EINTR)
			ret = repo_poll(d, err);
		if (locked == 0) {
			close(*fd);
			*fd = -1;
		}
	}
	if (ret < 0 && *fd >= 0)
		close(*fd);
	free(dir);
	free(path);
	return ret;
}

/* Another host's worker was faster, and has removed what was captured. */
static bool was_stored(struct dsv *d, int64_t seq)
{
	struct dsv_state *s;
	bool stored;

	if (catalog_load(d->catalog, &seq, 1, &s, NULL) < 0)
		return false;
	stored = !s->pending && !s->lost;
	dsv_state_free(s);
	return stored;
}

/*
 * Those of this host (own), or those in the repository that others made;
 * *worked: another look may find more.
 */
static int run_once(struct dsv *d, bool own, int64_t *stored, bool *worked,
		    struct dsv_err *err)
{
	struct catalog_pending *pending;
	size_t count, i;
	int first = 0;
	int ret;

	ret = catalog_pending(d->catalog, true, &pending, &count, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < count; i++) {
		struct parts p;

		ret = parts_find(d, pending[i].capture, &p, NULL);
		if (ret < 0)
			continue;
		ret = parts_store(d, pending[i].seq, &p, own, worked,
				  first < 0 ? NULL : err);
		*stored += ret > 0;
		parts_release(&p);
		if (ret < 0 && first == 0 && !was_stored(d, pending[i].seq))
			first = ret;
		if (ret == DSV_EINTERRUPTED)
			break;
	}
	free(pending);
	parts_tidy(d, 0);
	return first;
}

bool dsv_queue_is_automatic(struct dsv *d)
{
	return d->queue_auto;
}

int dsv_queue_run(struct dsv *d, bool wait, int64_t *stored,
		  struct dsv_err *err)
{
	int64_t done = 0;
	bool worked;
	int fd;
	int ret;

	ret = lock_queue(d, wait, &fd, err);
	if (ret < 0)
		return ret;
	if (fd < 0) {
		if (stored)
			*stored = 0;
		return 0;
	}
	/* Until a look finds nothing: who came meanwhile saw us at it. */
	do {
		worked = false;
		ret = run_once(d, true, &done, &worked, err);
	} while (ret == 0 && worked);
	close(fd);
	if (stored)
		*stored = done;
	return ret;
}

int queue_flush_state(struct dsv *d, int64_t seq, struct dsv_err *err)
{
	struct dsv_state *s;
	bool pending;
	int ret;

	ret = catalog_load(d->catalog, &seq, 1, &s, err);
	if (ret < 0)
		return ret;
	pending = s->pending;
	dsv_state_free(s);
	return pending ? dsv_queue_run(d, true, NULL, err) : 0;
}

static int fail_lost(struct dsv *d, const struct dsv_state *s,
		     const int64_t seq, struct dsv_err *err)
{
	char *why = NULL;
	int ret = parts_why_failed(d, seq, &why, err);

	if (ret > 0)
		ret = dsv_fail(err, DSV_EREFUSED, "%.12s cannot be stored: %s",
			       s->id, why);
	else if (ret == 0)
		ret = dsv_fail(err, DSV_ENOTFOUND, "%.12s is lost: its node"
			       " died before it was stored, or its local tier"
			       " cannot be reached", s->id);
	free(why);
	return ret;
}

/* DSV_NO: one is still pending. */
static int check_states(struct dsv *d, const int64_t *seqs, size_t count,
			struct dsv_err *err)
{
	bool waits = false;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++) {
		struct dsv_state *s;

		ret = catalog_load(d->catalog, &seqs[i], 1, &s, err);
		if (ret < 0)
			return ret;
		if (s->lost)
			ret = fail_lost(d, s, seqs[i], err);
		waits |= s->pending;
		dsv_state_free(s);
	}
	return ret == 0 && waits ? DSV_NO : ret;
}

/*
 * Of those that were given up, what this job made must not be passed over in
 * silence, and what is here again can be stored after all.
 */
static bool is_concern(struct dsv *d, const struct catalog_pending *p,
		       const struct parts *parts)
{
	struct dsv_state *s;
	bool ours;

	if (!parts_concern(d, parts))
		return false;
	if (!p->lost || !parts_lost(d, parts, false))
		return true;
	if (!d->process.job_id ||
	    catalog_load(d->catalog, &p->seq, 1, &s, NULL) < 0)
		return false;
	ours = s->job && s->job->id && !strcmp(s->job->id, d->process.job_id);
	dsv_state_free(s);
	return ours;
}

/* The states that were named, or those this host has captured. */
static int targets(struct dsv *d, const struct dsv_strings *revs,
		   int64_t **out, size_t *count, struct dsv_err *err)
{
	struct catalog_pending *pending = NULL;
	size_t n = revs->count, i;
	int64_t *seqs;
	int ret = 0;

	if (revs->count == 0)
		ret = catalog_pending(d->catalog, true, &pending, &n, err);
	if (ret < 0)
		return ret;
	seqs = calloc(n + 1, sizeof(*seqs));
	*count = 0;
	if (!seqs)
		ret = dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < n; i++) {
		struct parts p;

		if (!pending) {
			ret = rev_resolve(d, revs->items[i],
					  &seqs[(*count)++], err);
		} else if (parts_find(d, pending[i].capture, &p, NULL) == 0) {
			if (is_concern(d, &pending[i], &p))
				seqs[(*count)++] = pending[i].seq;
			parts_release(&p);
		}
	}
	free(pending);
	if (ret < 0)
		free(seqs);
	else
		*out = seqs;
	return ret;
}

int dsv_wait(struct dsv *d, const struct dsv_strings *revs,
	     int64_t timeout_ms, struct dsv_err *err)
{
	const struct timespec pause = { 0, POLL_MS * 1000000L };
	int64_t deadline_ms = monotonic_ms() + timeout_ms;
	int64_t stored = 0, lost;
	int64_t *seqs;
	size_t count, polls = 0;
	bool worked = false;
	int ret;

	ret = targets(d, revs, &seqs, &count, err);
	if (ret < 0)
		return ret;
	for (;;) {
		ret = check_states(d, seqs, count, err);
		/* A lost one is looked for once more. */
		if (ret != DSV_NO && ret != DSV_ENOTFOUND)
			break;
		ret = dsv_queue_run(d, timeout_ms < 0, &stored, err);
		if (ret == 0 && revs->count > 0)
			ret = run_once(d, false, &stored, &worked, err);
		/* Slurm is asked about other nodes. */
		if (ret == 0 && polls++ % POLLS_TO_LOST == 0)
			ret = queue_find_lost(d, &lost, err);
		if (ret < 0)
			break;
		ret = check_states(d, seqs, count, err);
		if (ret != DSV_NO)
			break;
		if (timeout_ms >= 0 && monotonic_ms() >= deadline_ms) {
			ret = dsv_fail(err, DSV_NO, "not durable in time");
			break;
		}
		ret = repo_poll(d, err);
		if (ret < 0)
			break;
		nanosleep(&pause, NULL);
	}
	free(seqs);
	/* Others may have finished what we have captured. */
	if (ret == 0)
		parts_tidy(d, 0);
	return ret;
}
