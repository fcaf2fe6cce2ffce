/* SPDX-License-Identifier: MIT */
/*
 * Writing a state's files into a directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/options.h"
#include "../files/files.h"
#include "../files/origin.h"
#include "../files/target.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../pending/parts.h"
#include "../pending/queue.h"
#include "checkout.h"

/* Drops from the manifest what was not asked for. */
static int select_entries(struct dsv *d, const struct dsv_strings *paths,
			  struct manifest *m, struct dsv_err *err)
{
	struct globs globs = GLOBS_INIT;
	int ret = globs_add_all(&globs, paths, err);

	if (ret == 0) {
		files_select(m, &globs);
		if (m->count == 0 && paths->count > 0)
			ret = dsv_fail(err, DSV_ENOTFOUND, "the state has no"
				       " file that matches '%s'",
				       paths->items[0]);
		else
			files_tell_unused(d, &globs, paths);
	}
	globs_release(&globs);
	return ret;
}

/*
 * Look before anything is written.  *todo[i]: entry i is to be written.
 */
static int compare_all(const struct target *t, const struct manifest *m,
		       bool force, bool *todo, struct dsv_err *err)
{
	size_t differ = 0;
	size_t first = 0;
	size_t i;

	for (i = 0; i < m->count; i++) {
		int ret = target_compare(t, &m->entries[i], err);

		if (ret < 0)
			return ret;
		if (ret == TARGET_BLOCKED)
			return target_blocked(t, &m->entries[i], err);
		todo[i] = ret != TARGET_SAME;
		if (ret == TARGET_DIFFERS && differ++ == 0)
			first = i;
	}
	if (differ == 0 || force)
		return 0;
	return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_OVERWRITE, NULL,
			     "'%s/%s'%s there and would be overwritten;"
			     " nothing was written",
			     t->dir, m->entries[first].path, differ > 1 ?
			     " and other files that differ are" :
			     " differs from what is to be written, is");
}

static int64_t bytes_to_do(const struct manifest *m, const bool *todo)
{
	int64_t bytes = 0;
	size_t i;

	for (i = 0; i < m->count; i++)
		bytes += todo[i] ? m->entries[i].size_bytes : 0;
	return bytes;
}

static int write_all_entries(const struct target *t, const struct manifest *m,
			     const bool *todo, struct dsv_checkout_result *out,
			     struct dsv_err *err)
{
	size_t i;

	for (i = 0; i < m->count; i++) {
		bool reflinked = false;
		int ret = repo_poll(t->d, err);

		if (ret == 0 && todo[i])
			ret = target_write(t, &m->entries[i], &reflinked, err);
		if (ret < 0)
			return ret;
		if (m->entries[i].type != DSV_FILE)
			continue;
		out->files++;
		out->size_bytes += m->entries[i].size_bytes;
		out->reflinked += reflinked;
	}
	return 0;
}

/* rank < 0: of all. */
static int read_files(struct dsv *d, int64_t seq, int64_t rank,
		      struct manifest *out, struct dsv_err *err)
{
	struct dsv_state *s;
	bool pending;
	int ret = catalog_load(d->catalog, &seq, 1, &s, err);

	if (ret < 0)
		return ret;
	pending = s->pending || s->lost;
	dsv_state_free(s);
	ret = rank < 0 ? files_of(d, seq, out, err) :
		files_of_rank(d, seq, rank, out, err);
	/* A part may be here all the same. */
	if (ret == DSV_ENOTFOUND && pending)
		ret = parts_files(d, seq, rank, out, err);
	return ret;
}

int checkout_seq(struct dsv *d, int64_t seq,
		 const struct dsv_checkout_options *o,
		 struct dsv_checkout_result *out, struct dsv_err *err)
{
	struct target t = {
		.d = d, .dirfd = -1, .dir = o->dir ? o->dir : ".",
		.link = o->link,
	};
	struct manifest m = MANIFEST_INIT;
	bool *todo = NULL;
	int ret;

	ret = queue_flush_state(d, seq, err);
	if (ret == 0)
		ret = read_files(d, seq, o->rank, &m, err);
	if (ret == 0)
		ret = select_entries(d, &o->paths, &m, err);
	if (ret == 0)
		ret = fs_make_dirs(t.dir, 0, err);
	if (ret < 0)
		goto out;
	t.dirfd = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	todo = calloc(m.count + 1, sizeof(*todo));
	if (t.dirfd < 0)
		ret = dsv_fail_errno(err, "open directory '%s'", t.dir);
	else if (!todo)
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = compare_all(&t, &m, o->force, todo, err);
	if (ret == 0) {
		repo_begin(d, bytes_to_do(&m, todo));
		ret = write_all_entries(&t, &m, todo, out, err);
	}
out:
	if (t.dirfd >= 0)
		close(t.dirfd);
	free(todo);
	manifest_release(&m);
	return files_failed(d, seq, ret, err);
}

int checkout_nearest(struct dsv *d, int64_t seq, int64_t *out,
		     struct dsv_err *err)
{
	for (;;) {
		unsigned char manifest[HASH_BYTES];
		int64_t *parents = NULL;
		size_t count;
		int ret = catalog_content(d->catalog, seq, manifest, err);

		/* Captured on this node only, it can still be stored. */
		if (ret == DSV_ENOTFOUND &&
		    queue_flush_state(d, seq, NULL) == 0)
			ret = catalog_content(d->catalog, seq, manifest, err);
		if (ret == 0)
			*out = seq;
		if (ret != DSV_ENOTFOUND)
			return ret;
		ret = catalog_parents(d->catalog, seq, &parents, &count, err);
		if (ret == 0 && count == 0)
			ret = dsv_fail(err, DSV_ENOTFOUND, "no ancestor whose"
				       " bytes are available is left");
		if (ret == 0)
			seq = parents[0];
		free(parents);
		if (ret < 0)
			return ret;
	}
}

/* Revisions of which --if-any accepts that there is no state. */
static bool may_be_empty(struct dsv *d, const char *rev)
{
	char *branch = NULL;
	int64_t head = 0;
	bool empty;

	if (!strncmp(rev, "max:", 4) || !strncmp(rev, "min:", 4))
		return true;
	if (repo_branch(d, &branch, NULL) < 0)
		return false;
	if (!strcmp(rev, "HEAD") || !strcmp(rev, "@"))
		rev = branch;
	/* The current one need not have been made yet. */
	empty = catalog_branch_head(d->catalog, rev, &head, NULL) < 0 ?
		!strcmp(rev, branch) : head == 0;
	free(branch);
	return empty;
}

static void tell_nearest(struct dsv *d, const char *rev, int64_t seq)
{
	struct dsv_state *state;

	if (catalog_load(d->catalog, &seq, 1, &state, NULL) < 0)
		return;
	repo_warn(d, "the bytes of '%s' are not here: using its nearest"
		  " ancestor %.12s", rev, state->id);
	dsv_state_free(state);
}

static int checkout(struct dsv *d, const struct dsv_checkout_options *o,
		    struct dsv_checkout_result *out, struct dsv_err *err)
{
	const char *rev = o->rev ? o->rev : "HEAD";
	struct dsv_checkout_result result = { .files = 0 };
	unsigned char id[HASH_BYTES];
	int64_t seq, found;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	if (ret == DSV_ENOTFOUND && o->if_any && may_be_empty(d, rev)) {
		*out = result;
		return 0;
	}
	if (ret == 0)
		ret = repo_check_outside(d, o->dir ? o->dir : ".",
					 DSV_EREFUSED, err);
	if (ret < 0)
		return ret;
	if (o->nearest) {
		ret = checkout_nearest(d, seq, &found, err);
		if (ret < 0)
			return ret;
		if (found != seq)
			tell_nearest(d, rev, found);
		seq = found;
	}
	ret = checkout_seq(d, seq, o, &result, err);
	if (ret == 0)
		ret = catalog_id(d->catalog, seq, id, err);
	if (ret < 0)
		return ret;
	hash_to_hex(id, result.id);
	origin_note(d, o->dir ? o->dir : ".", result.id);
	*out = result;
	return 0;
}

int dsv_checkout(struct dsv *d, const struct dsv_checkout_options *given,
		 struct dsv_checkout_result *out, struct dsv_err *err)
{
	struct dsv_checkout_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : checkout(d, &o, out, err);
}
