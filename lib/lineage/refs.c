/* SPDX-License-Identifier: MIT */
/*
 * Branches, names, scopes, attributes and pins: this resolves revisions and
 * calls the catalog's operations.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/value.h"
#include "../repo/repo.h"
#include "rev.h"

int dsv_branches(struct dsv *d, struct dsv_branches *out, struct dsv_err *err)
{
	char *current = NULL;
	size_t i;
	int ret;

	ret = repo_branch(d, &current, err);
	if (ret == 0)
		ret = catalog_branches(d->catalog, out, err);
	for (i = 0; ret == 0 && i < out->count; i++)
		out->items[i].current = !strcmp(out->items[i].name, current);
	free(current);
	return ret;
}

int dsv_branch_create(struct dsv *d, const char *name, const char *rev,
		      bool force, struct dsv_err *err)
{
	int64_t seq;
	int ret;

	ret = name_check(name, "branch", err);
	if (ret == 0)
		ret = rev_resolve(d, rev ? rev : "HEAD", &seq, err);
	if (ret == 0)
		ret = catalog_branch_set(d->catalog, name, seq, force, err);
	return ret;
}

int dsv_branch_rename(struct dsv *d, const char *from, const char *to,
		      struct dsv_err *err)
{
	char *current = NULL;
	int ret;

	ret = name_check(to, "branch", err);
	if (ret == 0)
		ret = repo_branch(d, &current, err);
	if (ret == 0)
		ret = catalog_branch_rename(d->catalog, from, to, err);
	/* HEAD goes with it, as in git. */
	if (ret == 0 && !strcmp(current, from) && !d->branch &&
	    !d->process.branch && !d->process.job_number)
		ret = dsv_switch(d, to, false, err);
	free(current);
	return ret;
}

int dsv_branch_delete(struct dsv *d, const char *name, struct dsv_err *err)
{
	char *current = NULL;
	int ret;

	ret = repo_branch(d, &current, err);
	if (ret == 0 && !strcmp(current, name))
		ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_BRANCH_SWITCH,
				    NULL, "'%s' is the current branch", name);
	if (ret == 0)
		ret = catalog_branch_delete(d->catalog, name, err);
	free(current);
	return ret;
}

int dsv_names(struct dsv *d, struct dsv_names *out, struct dsv_err *err)
{
	return catalog_names(d->catalog, out, err);
}

int dsv_name_set(struct dsv *d, const char *name, const char *rev, bool force,
		 struct dsv_err *err)
{
	int64_t seq;
	int ret;

	ret = name_check(name, "state", err);
	if (ret == 0)
		ret = rev_resolve(d, rev ? rev : "HEAD", &seq, err);
	if (ret == 0)
		ret = catalog_name_set(d->catalog, name, seq, force, err);
	return ret;
}

int dsv_name_delete(struct dsv *d, const char *name, struct dsv_err *err)
{
	return catalog_name_delete(d->catalog, name, err);
}

/* Resolves each revision to a seq; the caller frees *out. */
static int resolve_all(struct dsv *d, const struct dsv_strings *revs,
		       int64_t **out, struct dsv_err *err)
{
	int64_t *seqs = calloc(revs->count + 1, sizeof(*seqs));
	size_t i;
	int ret = 0;

	if (!seqs)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < revs->count; i++)
		ret = rev_resolve(d, revs->items[i], &seqs[i], err);
	if (ret < 0)
		free(seqs);
	else
		*out = seqs;
	return ret;
}

int dsv_scopes(struct dsv *d, struct dsv_scopes *out, struct dsv_err *err)
{
	return catalog_scopes(d->catalog, out, err);
}

int dsv_scope_open(struct dsv *d, const char *name, struct dsv_err *err)
{
	int ret = name_check(name, "scope", err);

	return ret < 0 ? ret : catalog_scope_open(d->catalog, name, err);
}

int dsv_scope_close(struct dsv *d, const char *name, struct dsv_err *err)
{
	return catalog_scope_close(d->catalog, name, err);
}

static int scope_change(struct dsv *d, const char *name,
			const struct dsv_strings *revs, bool add,
			struct dsv_err *err)
{
	int64_t *seqs;
	int ret;

	ret = name_check(name, "scope", err);
	if (ret == 0)
		ret = resolve_all(d, revs, &seqs, err);
	if (ret < 0)
		return ret;
	ret = catalog_scope_change(d->catalog, name, seqs, revs->count, add,
				   err);
	free(seqs);
	return ret;
}

int dsv_scope_add(struct dsv *d, const char *name,
		  const struct dsv_strings *revs, struct dsv_err *err)
{
	return scope_change(d, name, revs, true, err);
}

int dsv_scope_remove(struct dsv *d, const char *name,
		     const struct dsv_strings *revs, struct dsv_err *err)
{
	return scope_change(d, name, revs, false, err);
}

int dsv_attr_set(struct dsv *d, const char *rev,
		 const struct dsv_strings *assignments,
		 const struct dsv_strings *unset, struct dsv_err *err)
{
	struct dsv_kvs set = KVS_INIT;
	int64_t seq;
	size_t i;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	for (i = 0; ret == 0 && i < assignments->count; i++)
		ret = kvs_assign(&set, assignments->items[i], err);
	if (ret == 0)
		ret = catalog_attr_change(d->catalog, seq, &set, unset,
					  d->process.author, err);
	dsv_kvs_free(&set);
	return ret;
}

int dsv_attr_history(struct dsv *d, const char *rev,
		     struct dsv_attr_history *out, struct dsv_err *err)
{
	int64_t seq;
	int ret = rev_resolve(d, rev, &seq, err);

	return ret < 0 ? ret : catalog_attr_history(d->catalog, seq, out, err);
}

int dsv_pin(struct dsv *d, const struct dsv_strings *revs, bool pinned,
	    struct dsv_err *err)
{
	int64_t *seqs;
	int ret;

	ret = resolve_all(d, revs, &seqs, err);
	if (ret < 0)
		return ret;
	ret = catalog_pin(d->catalog, seqs, revs->count, pinned, err);
	free(seqs);
	return ret;
}
