/* SPDX-License-Identifier: MIT */
/*
 * Capturing files as a new state.  Order: the bytes are made durable, then
 * known to the catalog as staged, then the state is committed; see
 * dsv-format(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/options.h"
#include "../base/value.h"
#include "../commit/contents.h"
#include "../commit/draft.h"
#include "../files/origin.h"
#include "../files/tree.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../pending/capture.h"
#include "tagging.h"

enum { MAX_TRIES = 10 };

/* Whatever is tagged from here next continues the new state. */
static void move_origins(struct dsv *d, const struct draft *draft,
			 const struct dsv_strings *paths, const char *id)
{
	size_t i;

	for (i = 0; i < paths->count; i++) {
		struct origin o;

		if (origin_find(d, paths->items[i], &o) &&
		    (record_has_parent(&draft->record, o.id) ||
		     origin_covers(d, &o)))
			origin_tagged(d, &o, id);
		origin_release(&o);
	}
}

static int check_options(const struct dsv_tag_options *o, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	if (o->paths.count == 0)
		return dsv_fail(err, DSV_EUSAGE, "nothing to tag: no PATH");
	if (!o->collective && (o->replicated || o->ranks || o->group))
		return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_COLLECTIVE, NULL,
				     "ranks, a group and replicated files are"
				     " for a collective tag");
	if (o->name)
		ret = name_check(o->name, "state", err);
	for (i = 0; ret == 0 && i < o->scopes.count; i++)
		ret = name_check(o->scopes.items[i], "scope", err);
	return ret;
}

static int commit(struct dsv *d, const struct dsv_tag_options *o,
		  struct draft *draft, const struct contents *c,
		  char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct catalog_state s = {
		.files = c->files,
		.size_bytes = c->size_bytes,
		.stored_bytes = c->result->stored_bytes,
		.pin = o->pin,
		.scopes = o->scopes,
		.name = o->name,
		.ingest = c->result,
		.files_of = &c->manifest,
	};

	memcpy(s.manifest, c->hash, HASH_BYTES);
	return draft_commit(d, draft, &s, id, err);
}

/*
 * Commit; when the branch has moved meanwhile describe the state again, when
 * a prune took a chunk that was counted on, capture again.
 */
static int tag_tree(struct dsv *d, const struct dsv_tag_options *o,
		    const struct tree *tree, struct draft *draft,
		    char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct contents c;
	int tries = 0;
	int ret;

	ret = contents_store(d, tree, &c, err);
	if (ret < 0)
		return ret;
	for (;;) {
		ret = commit(d, o, draft, &c, id, err);
		if (ret <= 0)
			break;
		if (ret == CATALOG_MISSING && ++tries == MAX_TRIES) {
			ret = dsv_fail(err, DSV_ESYS, "chunks were freed %d"
				       " times while they were tagged: a prune"
				       " that frees at once runs too often",
				       tries);
			break;
		}
		if (ret == CATALOG_MISSING) {
			contents_release(&c, true);
			ret = contents_store(d, tree, &c, err);
			if (ret < 0)
				return ret;
		} else {
			draft_release(draft);
			ret = tag_describe(d, o, draft, err);
			if (ret < 0)
				break;
		}
	}
	/* What could not be committed is staged: the sweep takes it. */
	contents_release(&c, true);
	return ret;
}

/* Safe from the writer now, in the store later. */
static int tag_captured(struct dsv *d, const struct dsv_tag_options *o,
			const struct tree *tree, struct draft *draft,
			char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct catalog_state s = {
		.size_bytes = tree->size_bytes,
		.pin = o->pin,
		.scopes = o->scopes,
		.name = o->name,
	};
	struct capture c;
	size_t i;
	int ret;

	for (i = 0; i < tree->count; i++)
		s.files += tree->files[i].type == DSV_FILE;
	ret = capture_make(d, tree, o->move, &c, err);
	if (ret < 0)
		return ret;
	s.capture = c.id;
	for (;;) {
		ret = draft_commit(d, draft, &s, id, err);
		if (ret != CATALOG_STALE)
			break;
		draft_release(draft);
		ret = tag_describe(d, o, draft, err);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		capture_undo(d, tree, &c);
	capture_release(&c);
	return ret;
}

/* Most likely a pattern that says more than was meant. */
static void warn_empty(struct dsv *d, const struct dsv_tag_options *o,
		       const struct tree *tree)
{
	size_t i;

	for (i = 0; i < tree->count; i++) {
		if (tree->files[i].type != DSV_DIR)
			return;
	}
	if (o->excludes.count > 0)
		repo_warn(d, "no file is left to tag: '%s'%s excluded",
			  o->excludes.items[0], o->excludes.count > 1 ?
			  " and others have all" : " has all");
}

static int tag_files(struct dsv *d, const struct dsv_tag_options *o,
		     struct group *g, char id[DSV_ID_SIZE],
		     struct dsv_err *err)
{
	struct tree tree = TREE_INIT;
	struct draft draft = { 0 };
	size_t i;
	int ret;

	ret = tag_describe(d, o, &draft, err);
	for (i = 0; ret == 0 && i < o->paths.count; i++)
		ret = repo_check_outside(d, o->paths.items[i], DSV_EUSAGE, err);
	if (ret == 0)
		ret = tree_walk(d, &o->paths, &o->excludes, 0, &tree,
				err);
	if (ret < 0)
		goto out;
	warn_empty(d, o, &tree);
	repo_begin(d, tree.size_bytes);
	if (o->collective)
		ret = collective_tag(g, o, &tree, id, err);
	else
		ret = o->async ? tag_captured(d, o, &tree, &draft, id, err) :
			tag_tree(d, o, &tree, &draft, id, err);
	if (ret == 0 && o->move && !o->async)
		move_remove(d, &tree, id);
	if (ret == 0)
		move_origins(d, &draft, &o->paths, id);
out:
	tree_release(&tree);
	draft_release(&draft);
	return ret;
}

bool dsv_tag_leads(const struct dsv *d, const struct dsv_tag_options *given)
{
	struct dsv_tag_options o;

	/* dsv_tag() says what is wrong with them. */
	return options_take(&o, sizeof(o), given, NULL) < 0 || !o.collective ||
	       (o.ranks > 0 ? o.rank : d->process.rank) <= 0;
}

void dsv_tag_refuse(struct dsv *d, const struct dsv_tag_options *given,
		    const struct dsv_err *why)
{
	struct group g = { .lock_fd = -1 };
	struct dsv_tag_options o;

	if (options_take(&o, sizeof(o), given, NULL) < 0 || !o.collective ||
	    group_open(d, &o, &g, NULL) < 0)
		return;
	group_fail(&g, why);
	group_close(&g);
}

static int tag(struct dsv *d, const struct dsv_tag_options *o,
	       char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct group g = { .lock_fd = -1 };
	struct dsv_err why;
	int ret;

	if (!err)
		err = &why;
	ret = check_options(o, err);
	if (ret == 0)
		ret = repo_writable(d, err);
	if (ret == 0 && o->collective)
		ret = group_open(d, o, &g, err);
	if (ret < 0)
		return ret;
	ret = tag_files(d, o, &g, id, err);
	/* The others need not wait for a rank that has failed. */
	if (o->collective && ret < 0)
		group_fail(&g, err);
	else if (o->collective)
		group_tidy(&g);
	group_close(&g);
	return ret;
}

int dsv_tag(struct dsv *d, const struct dsv_tag_options *given,
	    char id[DSV_ID_SIZE], struct dsv_err *err)
{
	struct dsv_tag_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : tag(d, &o, id, err);
}
