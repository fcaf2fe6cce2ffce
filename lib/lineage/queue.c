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

#include "../base/fs.h"
#include "../base/proc.h"
#include "../base/str.h"
#include "capture.h"
#include "contents.h"
#include "queue.h"
#include "rev.h"

enum { MAX_TRIES = 10, POLL_MS = 100, SINFO_TIMEOUT_MS = 10000 };

void dsv_queue_free(struct dsv_queue *queue)
{
	size_t i;

	for (i = 0; i < queue->count; i++) {
		free((char *)queue->items[i].host);
		free((char *)queue->items[i].dir);
	}
	free(queue->items);
	*queue = (struct dsv_queue){ 0, NULL };
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
	list.items = calloc(count + 1, sizeof(*list.items));
	if (!list.items) {
		free(pending);
		return dsv_fail_nomem(err);
	}
	for (i = 0; i < count; i++) {
		struct dsv_queue_item *item = &list.items[list.count++];
		struct capture c;

		hash_to_hex(pending[i].id, item->id);
		item->size_bytes = pending[i].size_bytes;
		item->created_ns = pending[i].created_ns;
		if (capture_find(d, pending[i].capture, &c, NULL) < 0)
			continue;
		item->here = capture_is_here(&c);
		item->host = c.host;
		item->dir = c.dir;
	}
	free(pending);
	*out = list;
	return 0;
}

static int bind_contents(struct dsv *d, int64_t seq, const struct contents *c,
			 struct dsv_err *err)
{
	struct catalog_content content = {
		.files_of = &c->manifest,
		.ingest = c->result,
		.files = c->files,
		.size_bytes = c->size_bytes,
		.stored_bytes = c->result->stored_bytes,
	};

	memcpy(content.manifest, c->hash, HASH_BYTES);
	return catalog_bind(d->catalog, seq, &content, err);
}

/* One capture into the store. */
static int store_capture(struct dsv *d, int64_t seq, const struct capture *c,
			 struct dsv_err *err)
{
	char *root = str_format("%s/files/.", c->dir);
	const char *const paths[] = { root };
	const struct dsv_strings roots = { 1, paths }, none = { 0, NULL };
	struct tree tree = TREE_INIT;
	struct contents contents;
	int tries;
	int ret;

	ret = root ? tree_walk(d, &roots, &none, &tree, err) :
		dsv_fail_nomem(err);
	for (tries = 0; ret == 0; tries++) {
		ret = contents_store(d, &tree, &contents, err);
		if (ret < 0)
			break;
		ret = bind_contents(d, seq, &contents, err);
		contents_release(&contents, true);
		if (ret != CATALOG_MISSING)
			break;
		ret = tries < MAX_TRIES ? 0 : dsv_fail(err, DSV_ESYS,
			"chunks were freed again and again while they were"
			" stored: a prune with --expire=now runs too often");
	}
	if (ret == 0)
		ret = capture_remove(d, c, err);
	tree_release(&tree);
	free(root);
	return ret;
}

/* Slurm says that the node is gone; false when it says nothing. */
static bool node_is_down(const char *host)
{
	char sinfo[] = "sinfo", quiet[] = "-h", node_opt[] = "-n",
	     format_opt[] = "-o", format[] = "%T";
	char *node = strdup(host);
	char *argv[] = { sinfo, quiet, node_opt, node, format_opt, format,
			 NULL };
	struct str text = STR_INIT;
	int status = -1;
	bool down;

	down = node && proc_output(argv, SINFO_TIMEOUT_MS, &text, &status,
				   NULL) == 0 && status == 0 &&
	       !strncmp(str_text(&text), "down", 4);
	free(node);
	str_release(&text);
	return down;
}

/* Whether the only copy of a pending state's bytes is gone. */
static bool is_lost(struct dsv *d, const struct catalog_pending *p)
{
	struct capture c;
	bool lost;
	int ret = capture_find(d, p->capture, &c, NULL);

	if (ret == DSV_ENOTFOUND)
		return true;
	if (ret < 0)
		return false;
	if (c.shared || !strcmp(c.host, d->place.host))
		lost = !capture_is_here(&c);
	else
		lost = node_is_down(c.host);
	capture_release(&c);
	return lost;
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
		if (!is_lost(d, &pending[i]))
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
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *dir = repo_path(d, "queue/%s", d->place.host);
	char *path = repo_path(d, "queue/%s/lock", d->place.host);
	int ret;

	*fd = -1;
	ret = dir && path ? fs_make_dirs(dir, d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0) {
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (*fd < 0)
			ret = dsv_fail_errno(err, "open '%s'", path);
		else if (d->file_mode)	/* fails if another made it */
			fchmod(*fd, d->file_mode);
	}
	while (ret == 0 && fcntl(*fd, wait ? F_OFD_SETLKW : F_OFD_SETLK,
				 &lock) < 0) {
		if (errno == EINTR && !(d->options.interrupted &&
					*d->options.interrupted))
			continue;
		if (errno == EINTR) {
			ret = dsv_fail(err, DSV_EINTERRUPTED, "interrupted");
		} else if (errno == EAGAIN || errno == EACCES) {
			close(*fd);
			*fd = -1;
		}
		/* Without locks two may run: slower, not wrong. */
		break;
	}
	if (ret < 0 && *fd >= 0)
		close(*fd);
	free(dir);
	free(path);
	return ret;
}

/* Those of this host (own), or those in the repository that others made. */
static int run_once(struct dsv *d, bool own, int64_t *stored,
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
		struct capture c;

		ret = capture_find(d, pending[i].capture, &c, NULL);
		if (ret < 0)
			continue;
		if (own == !strcmp(c.host, d->place.host) &&
		    (own || c.shared) && capture_is_here(&c)) {
			ret = store_capture(d, pending[i].seq, &c,
					    first < 0 ? NULL : err);
			*stored += ret == 0;
		}
		capture_release(&c);
		if (ret < 0 && first == 0)
			first = ret;
		if (ret == DSV_EINTERRUPTED)
			break;
	}
	free(pending);
	return first;
}

int dsv_queue_run(struct dsv *d, bool wait, int64_t *stored,
		  struct dsv_err *err)
{
	int64_t done = 0, before;
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
		before = done;
		ret = run_once(d, true, &done, err);
	} while (ret == 0 && done > before);
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
			ret = dsv_fail(err, DSV_ENOTFOUND, "%.12s is lost: its"
				       " node died before it was stored, or"
				       " its local tier cannot be reached",
				       s->id);
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
		       const struct capture *c)
{
	struct dsv_state *s;
	bool ours;

	if (strcmp(c->host, d->place.host) != 0)
		return false;
	if (!p->lost || capture_is_here(c))
		return true;
	if (!d->place.job_id ||
	    catalog_load(d->catalog, &p->seq, 1, &s, NULL) < 0)
		return false;
	ours = s->job && s->job->id && !strcmp(s->job->id, d->place.job_id);
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
		struct capture c;

		if (!pending) {
			ret = rev_resolve(d, revs->items[i],
					  &seqs[(*count)++], err);
		} else if (capture_find(d, pending[i].capture, &c, NULL) == 0) {
			if (is_concern(d, &pending[i], &c))
				seqs[(*count)++] = pending[i].seq;
			capture_release(&c);
		}
	}
	free(pending);
	if (ret < 0)
		free(seqs);
	else
		*out = seqs;
	return ret;
}

static int64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int dsv_wait(struct dsv *d, const struct dsv_strings *revs,
	     int64_t timeout_ms, struct dsv_err *err)
{
	const struct timespec pause = { 0, POLL_MS * 1000000L };
	int64_t deadline_ms = monotonic_ms() + timeout_ms;
	int64_t stored = 0, lost;
	int64_t *seqs;
	size_t count;
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
			ret = run_once(d, false, &stored, err);
		if (ret == 0)
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
		if (d->options.interrupted && *d->options.interrupted) {
			ret = dsv_fail(err, DSV_EINTERRUPTED, "interrupted");
			break;
		}
		nanosleep(&pause, NULL);
	}
	free(seqs);
	return ret;
}
