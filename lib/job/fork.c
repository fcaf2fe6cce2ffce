/* SPDX-License-Identifier: MIT */
/*
 * Splits the lineage: creates a branch that starts with a state that has the
 * content and the parameters of another.  It copies and hashes no bytes.
 */
#include "fork.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/options.h"
#include "../base/str.h"
#include "../base/value.h"
#include "../commit/draft.h"
#include "../lineage/rev.h"

enum {
	NEAR_BRANCHES = 16,		/* tried one after the other */
	MAX_DEFAULT_BRANCHES = 10000000
};

static int unknown_key(const char *key, bool may_be_new,
		       const struct dsv_kvs *params, struct dsv_err *err)
{
	const char **keys = calloc(params->count + 1, sizeof(*keys));
	const char *nearest = NULL;
	size_t i;

	for (i = 0; keys && i < params->count; i++)
		keys[i] = params->items[i].key;
	if (keys)
		nearest = dsv_suggest(key, keys, params->count);
	dsv_fail(err, DSV_EREFUSED, "'%s' is not a parameter of the state%s"
		 "%s%s%s%s%s", key, nearest ? "; the nearest is '" : "",
		 nearest ? nearest : "", nearest ? "'" : "",
		 may_be_new ? " ('+" : "", may_be_new ? key : "",
		 may_be_new ? "=...' adds a new one)" : "");
	free(keys);
	return DSV_EREFUSED;
}

/* Applies "K=V" to an existing parameter, or adds a new one for "+K=V". */
static int set_param(struct dsv_kvs *params, const char *assignment,
		     bool any_new, struct dsv_err *err)
{
	bool is_new = *assignment == '+';
	char *key;
	int ret;

	if (is_new)
		assignment++;
	ret = kvs_assignment_key(assignment, &key, err);
	if (ret < 0)
		return ret;
	if (!is_new && !any_new && !dsv_kvs_get(params, key))
		ret = unknown_key(key, true, params, err);
	free(key);
	return ret < 0 ? ret : kvs_assign(params, assignment, err);
}

int fork_params(const struct dsv_kvs *inherited, const struct dsv_strings *set,
		const struct dsv_strings *unset, struct dsv_kvs *out,
		struct dsv_err *err)
{
	struct dsv_kvs params;
	bool any_new = inherited->count == 0;
	size_t i;
	int ret;

	ret = kvs_copy(inherited, &params, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < set->count; i++)
		ret = set_param(&params, set->items[i], any_new, err);
	for (i = 0; ret == 0 && i < unset->count; i++) {
		if (!kvs_unset(&params, unset->items[i]))
			ret = unknown_key(unset->items[i], false, &params,
					  err);
	}
	if (ret < 0)
		dsv_kvs_free(&params);
	else
		*out = params;
	return ret;
}

int fork_source(struct dsv *d, int64_t seq, struct dsv_state **out,
		unsigned char manifest[HASH_BYTES], struct dsv_err *err)
{
	struct dsv_state *state;
	int ret = catalog_load(d->catalog, &seq, 1, &state, err);

	if (ret < 0)
		return ret;
	if (state->pending)
		ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_WAIT,
				    state->id, "%.12s is not durable yet",
				    state->id);
	else
		ret = catalog_content(d->catalog, seq, manifest, err);
	if (ret < 0)
		dsv_state_free(state);
	else
		*out = state;
	return ret;
}

/* Makes one attempt, under one name. */
static int fork_as(struct dsv *d, const struct fork_request *r,
		   const struct dsv_state *source,
		   const unsigned char manifest[HASH_BYTES],
		   const char *branch, struct dsv_fork *out,
		   struct dsv_err *err)
{
	struct draft draft = { .branch = strdup(branch) };
	struct catalog_state s = {
		.files = source->files,
		.size_bytes = source->size_bytes,
		.scopes = r->scopes,
		.new_branch = true,
		.fork_row = r->row,
	};
	int ret;

	memcpy(s.manifest, manifest, HASH_BYTES);
	draft.record.kind = "fork";
	draft.record.message = r->message;
	draft.record.parents = malloc(sizeof(*draft.record.parents));
	if (!draft.branch || !draft.record.parents) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	hash_from_hex(source->id, draft.record.parents[0]);
	draft.record.parent_count = 1;
	ret = fork_params(&source->params, &r->set, &r->unset,
			  &draft.record.params, err);
	if (ret == 0)
		ret = draft_changes(&draft, &source->params, err);
	if (ret == 0)
		ret = draft_stamp(d, &draft, err);
	if (ret == 0)
		ret = draft_commit(d, &draft, &s, out->id, err);
	if (ret == CATALOG_STALE)
		ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_BRANCH_OTHER,
				    NULL, "branch '%s' already exists",
				    branch);
	if (ret == CATALOG_MISSING)
		ret = dsv_fail(err, DSV_ENOTFOUND,
			       "%.12s was pruned in the meantime", source->id);
	if (ret == 0)
		strcpy(out->branch, branch);
out:
	draft_release(&draft);
	return ret;
}

static int fail_no_name(const char *source, struct dsv_err *err)
{
	return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_BRANCH_OTHER, NULL,
			     "no name of the form '%s-N' is free", source);
}

/* Builds "<branch>-N".  Returns 1 if a branch or a state has that name. */
static int is_taken(struct dsv *d, const char *source, int n, char *branch,
		    size_t size, struct dsv_err *err)
{
	int64_t seq = -1;
	int ret;

	if (snprintf(branch, size, "%s-%d", source, n) >= (int)size)
		return fail_no_name(source, err);
	ret = catalog_branch_head(d->catalog, branch, &seq, err);
	if (ret == 0)
		return 1;
	if (ret != DSV_ENOTFOUND)
		return ret;
	ret = catalog_name_get(d->catalog, branch, &seq, err);
	return ret < 0 ? ret : seq >= 0;
}

/*
 * Finds the first free number from n on; where many are taken, finds one that
 * follows a taken one, in steps that grow and then shrink.
 */
static int free_number(struct dsv *d, const char *source, int n, char *branch,
		       size_t size, int *out, struct dsv_err *err)
{
	int end = n + NEAR_BRANCHES;
	int taken, free, ret = 1;

	for (; ret == 1 && n < end; n++)
		ret = is_taken(d, source, n, branch, size, err);
	if (ret <= 0) {
		*out = n - 1;
		return ret;
	}
	taken = n - 1;
	for (free = 2 * n; (ret = is_taken(d, source, free, branch, size,
					   err)) == 1; free *= 2) {
		if (free >= MAX_DEFAULT_BRANCHES)
			return fail_no_name(source, err);
		taken = free;
	}
	while (ret >= 0 && free - taken > 1) {
		n = taken + (free - taken) / 2;
		ret = is_taken(d, source, n, branch, size, err);
		if (ret == 1)
			taken = n;
		else
			free = n;
	}
	*out = free;
	return ret < 0 ? ret : 0;
}

/* Forks as "<branch>-1", "-2", ..., whichever is free. */
static int fork_anywhere(struct dsv *d, const struct fork_request *r,
			 const struct dsv_state *source,
			 const unsigned char manifest[HASH_BYTES],
			 struct dsv_fork *out, struct dsv_err *err)
{
	char branch[sizeof(out->branch)];
	int n = 1;

	for (;;) {
		int ret = free_number(d, source->branch, n, branch,
				      sizeof(branch), &n, err);

		if (ret < 0)
			return ret;
		snprintf(branch, sizeof(branch), "%.*s-%d",
			 (int)sizeof(branch) - 13, source->branch, n);
		ret = fork_as(d, r, source, manifest, branch, out, err);
		/* Another process took the name first. */
		if (ret != DSV_EREFUSED ||
		    is_taken(d, source->branch, n, branch, sizeof(branch),
			     NULL) != 1)
			return ret;
		n++;
	}
}

int fork_seq(struct dsv *d, int64_t seq, const struct fork_request *r,
	     struct dsv_fork *out, struct dsv_err *err)
{
	unsigned char manifest[HASH_BYTES];
	struct dsv_state *source;
	struct dsv_fork fork;
	size_t i;
	int ret = 0;

	if (r->branch)
		ret = name_check(r->branch, "branch", err);
	for (i = 0; ret == 0 && i < r->scopes.count; i++)
		ret = name_check(r->scopes.items[i], "scope", err);
	if (ret == 0)
		ret = repo_writable(d, err);
	if (ret == 0)
		ret = fork_source(d, seq, &source, manifest, err);
	if (ret < 0)
		return ret;
	ret = r->branch ?
		fork_as(d, r, source, manifest, r->branch, &fork, err) :
		fork_anywhere(d, r, source, manifest, &fork, err);
	dsv_state_free(source);
	fork.task = -1;
	if (ret == 0)
		*out = fork;
	return ret;
}

void dsv_forks_free(struct dsv_forks *forks)
{
	free(forks->items);
	*forks = (struct dsv_forks){ 0, NULL };
}

/* Makes one of the forks of a sweep. */
static int fork_task(struct dsv *d, int64_t seq,
		     const struct fork_request *base, const struct grid *grid,
		     int64_t task, struct dsv_fork *out, struct dsv_err *err)
{
	struct fork_request r = *base;
	char *branch = NULL;
	int ret;

	ret = grid_row(grid, (size_t)task, &base->set, &r.set, err);
	if (ret < 0)
		return ret;
	if (base->branch) {
		branch = str_format("%s.%" PRId64, base->branch, task);
		r.branch = branch;
	}
	ret = base->branch && !branch ? dsv_fail_nomem(err) :
		fork_seq(d, seq, &r, out, err);
	if (ret == 0)
		out->task = task;
	free(branch);
	free((void *)r.set.items);
	return ret;
}

int fork_tasks(struct dsv *d, int64_t seq, const struct fork_request *base,
	       const struct grid *grid, const struct tasks *tasks,
	       const int64_t *rows, struct dsv_forks *out,
	       struct dsv_err *err)
{
	struct dsv_forks forks = { 0, NULL };
	struct fork_request r = *base;
	size_t i;
	int ret = 0;

	forks.items = calloc(tasks->count + 1, sizeof(*forks.items));
	if (!forks.items)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < tasks->count; i++) {
		r.row = rows ? rows[i] : 0;
		ret = fork_task(d, seq, &r, grid, tasks->ids[i],
				&forks.items[i], err);
		forks.count += ret == 0;
	}
	if (ret == 0) {
		*out = forks;
		return 0;
	}
	for (i = 0; i < forks.count; i++)
		catalog_branch_delete(d->catalog, forks.items[i].branch, NULL);
	dsv_forks_free(&forks);
	return ret;
}

static struct fork_request request_of(const struct dsv_fork_options *o)
{
	return (struct fork_request){
		.branch = o->branch,
		.set = o->set,
		.unset = o->unset,
		.message = o->message,
		.scopes = o->scopes,
	};
}

static int fork_sweep(struct dsv *d, const struct dsv_fork_options *o,
		      const struct dsv_strings *sweeps, struct dsv_forks *out,
		      struct dsv_err *err)
{
	struct fork_request r = request_of(o);
	struct tasks tasks = TASKS_INIT;
	struct grid grid;
	int64_t seq;
	int ret;

	ret = grid_parse(sweeps, &grid, err);
	if (ret < 0)
		return ret;
	ret = rev_resolve(d, o->rev ? o->rev : "HEAD", &seq, err);
	if (ret == 0)
		ret = tasks_count_up(grid.rows, &tasks, err);
	if (ret == 0)
		ret = fork_tasks(d, seq, &r, &grid, &tasks, NULL, out, err);
	tasks_release(&tasks);
	grid_release(&grid);
	return ret;
}

int dsv_fork_sweep(struct dsv *d, const struct dsv_fork_options *given,
		   const struct dsv_strings *sweeps, struct dsv_forks *out,
		   struct dsv_err *err)
{
	struct dsv_fork_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : fork_sweep(d, &o, sweeps, out, err);
}

static int fork_one(struct dsv *d, const struct dsv_fork_options *o,
		    struct dsv_fork *out, struct dsv_err *err)
{
	struct fork_request r = request_of(o);
	int64_t seq;
	int ret;

	ret = rev_resolve(d, o->rev ? o->rev : "HEAD", &seq, err);
	return ret < 0 ? ret : fork_seq(d, seq, &r, out, err);
}

int dsv_fork(struct dsv *d, const struct dsv_fork_options *given,
	     struct dsv_fork *out, struct dsv_err *err)
{
	struct dsv_fork_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : fork_one(d, &o, out, err);
}
