/* SPDX-License-Identifier: MIT */
/*
 * The start of a forked job on its nodes: the fork, the files, the
 * environment.  Every task of the job may call it, at the same time.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/str.h"
#include "../checkout/checkout.h"
#include "../files/files.h"
#include "../os/paths.h"
#include "fork.h"
#include "job.h"

/*
 * Returns "<REV's branch>-<job id>[.<task>]". "dsv fork" also counts from 1 and
 * so may have taken that name: then "-1", "-2", ... is appended.
 */
static char *default_branch(struct dsv *d, const json_t *request)
{
	const char *from = json_text(request, "from");
	const struct process *p = &d->process;
	bool array = p->array_job;
	char *name;
	int64_t head;
	int i;

	for (i = 0; ; i++) {
		char more[16] = "";

		if (i > 0)
			snprintf(more, sizeof(more), "-%d", i);
		name = str_format("%s-%s%s%s%s", from ? from : "job",
				  array ? p->array_job : p->job_number,
				  array ? "." : "",
				  array ? p->array_task : "", more);
		if (!name || catalog_branch_head(d->catalog, name, &head,
						 NULL) < 0)
			return name;
		free(name);
	}
}

/*
 * Returns the branch; if an array is submitted with a branch name, each task
 * gets one.
 */
static char *named_branch(struct dsv *d, const char *name)
{
	if (d->process.array_task)
		return str_format("%s.%s", name, d->process.array_task);
	return strdup(name);
}

/* Returns the grid of a sweep; *task is the row that belongs to this job. */
static int task_grid(struct dsv *d, const json_t *request, struct grid *grid,
		     size_t *task, struct dsv_err *err)
{
	struct dsv_strings sweeps = { 0, NULL };
	const char *text = d->process.array_task;
	int ret;

	ret = strings_from_json(request, "sweep", &sweeps, err);
	if (ret == 0)
		ret = grid_parse(&sweeps, grid, err);
	free((void *)sweeps.items);
	if (ret < 0 || grid->rows == 0)
		return ret;
	*task = text ? strtoul(text, NULL, 10) : SIZE_MAX;
	if (*task < grid->rows)
		return 0;
	ret = grid_fail_tasks(grid, err);
	grid_release(grid);
	return ret;
}

/* Returns set and, in a sweep, the task's own; the caller frees out->items. */
static int task_set(const json_t *request, const struct grid *grid,
		    size_t task, struct dsv_strings *out, struct dsv_err *err)
{
	struct dsv_strings set;
	int ret;

	ret = strings_from_json(request, "set", &set, err);
	if (ret < 0)
		return ret;
	ret = grid_row(grid, task, &set, out, err);
	free((void *)set.items);
	return ret;
}

static int make_fork(struct dsv *d, const struct catalog_job *job,
		     const json_t *request, struct dsv_err *err)
{
	const char *name = json_text(request, "branch");
	struct fork_request f = {
		.message = json_text(request, "message"),
		.row = job->row,
	};
	struct grid grid = GRID_INIT;
	struct dsv_fork fork;
	size_t task = 0;
	char *branch;
	int ret;

	ret = task_grid(d, request, &grid, &task, err);
	if (ret < 0)
		return ret;
	branch = name ? named_branch(d, name) : default_branch(d, request);
	f.branch = branch;
	ret = branch ? task_set(request, &grid, task, &f.set, err) :
		dsv_fail_nomem(err);
	if (ret == 0)
		ret = strings_from_json(request, "unset", &f.unset, err);
	if (ret == 0)
		ret = strings_from_json(request, "scopes", &f.scopes, err);
	if (ret == 0)
		ret = fork_seq(d, job->fork, &f, &fork, err);
	free((void *)f.set.items);
	free((void *)f.unset.items);
	free((void *)f.scopes.items);
	free(branch);
	grid_release(&grid);
	return ret;
}

/* Ensures that this job has its fork, which the first task to arrive makes. */
static int ensure_fork(struct dsv *d, struct catalog_job *job,
		       const json_t *request, struct dsv_err *err)
{
	char *ticket;
	int ret;

	if (job->fork_state)
		return 0;
	ret = make_fork(d, job, request, err);
	if (ret < 0 && ret != DSV_EREFUSED)
		return ret;
	/* If refused, another task of this job was perhaps faster. */
	ticket = job->ticket;
	job->ticket = NULL;
	catalog_job_release(job);
	if (catalog_job_get(d->catalog, ticket, d->process.job_id, job,
			    err) < 0)
		ret = DSV_ESYS;
	else
		ret = job->fork_state ? 0 : ret;
	free(ticket);
	return ret;
}

/* Expands %j (job id), %a (array task), %N (node), %b (branch) and %%. */
static char *expand(struct dsv *d, const char *pattern, const char *branch)
{
	struct str out = STR_INIT;
	const char *p;

	for (p = pattern; *p; p++) {
		if (*p != '%' || !p[1]) {
			str_putc(&out, *p);
			continue;
		}
		switch (*++p) {
		case 'j':
			str_puts(&out, d->process.job_number);
			break;
		case 'a':
			str_puts(&out, d->process.array_task ?
				 d->process.array_task : "0");
			break;
		case 'N':
			str_puts(&out, d->process.host);
			break;
		case 'b':
			str_puts(&out, branch);
			break;
		case '%':
			str_putc(&out, '%');
			break;
		default:
			str_printf(&out, "%%%c", *p);
		}
	}
	return str_take(&out);
}

/* Returns where the files go: one directory for each node, or one for all. */
static char *placement_dir(struct dsv *d, const json_t *request,
			   const struct dsv_state *fork, const char *id,
			   bool mine)
{
	const char *to = json_text(request, "to");

	if (to)
		return expand(d, to, fork->branch);
	return mine ?
		repo_path(d, DIR_JOBS "/%.16s/files-%.12s.%s", fork->id, id,
			  d->process.host) :
		job_files_dir(d, fork->id, id);
}

static bool wants_mine(const json_t *request)
{
	const char *parts = json_text(request, "parts");

	return parts && !strcmp(parts, "mine");
}

/*
 * Makes the branch continue from the state whose files the job gets: what the
 * job tags is made from them, and not from a head that was lost or is on
 * another node.
 */
static int go_back(struct dsv *d, const char *branch, int64_t head,
		   int64_t seq, const char *hex, struct dsv_err *err)
{
	repo_warn(d, "the head of '%s' cannot be had: the branch goes on from"
		  " its nearest durable ancestor %.12s", branch, hex);
	return catalog_branch_back(d->catalog, branch, head, seq, err);
}

/* Places the files of the branch head, which has moved on after a requeue. */
static int place_head(struct dsv *d, const struct dsv_state *fork,
		      const json_t *request, char **dir, struct dsv_err *err)
{
	struct job_placement p = { .parts = 0 };
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	int64_t head;
	int ret;

	ret = catalog_branch_head(d->catalog, fork->branch, &head, err);
	if (ret == 0)
		ret = checkout_nearest(d, head, &p.seq, err);
	if (ret == 0)
		ret = catalog_id(d->catalog, p.seq, id, err);
	if (ret == 0 && wants_mine(request))
		ret = files_parts(d, p.seq, &p.parts, err);
	if (ret < 0)
		return ret;
	hash_to_hex(id, hex);
	if (p.seq != head)
		ret = go_back(d, fork->branch, head, p.seq, hex, err);
	if (ret < 0)
		return ret;
	*dir = placement_dir(d, request, fork, hex, p.parts > 0);
	p.dir = *dir;
	if (!*dir)
		return dsv_fail_nomem(err);
	if (json_object_get(request, "to"))
		ret = repo_check_outside(d, *dir, DSV_EREFUSED, err);
	return ret < 0 ? ret : job_place_files(d, &p, err);
}

static int add_variable(char ***env, const char *name, const char *value,
			struct dsv_err *err)
{
	size_t count = 0;
	char **items;

	while ((*env)[count])
		count++;
	items = realloc(*env, (count + 2) * sizeof(*items));
	if (!items)
		return dsv_fail_nomem(err);
	*env = items;
	items[count] = str_format("%s=%s", name, value);
	items[count + 1] = NULL;
	return items[count] ? 0 : dsv_fail_nomem(err);
}

static int job_environment(struct dsv *d, const struct catalog_job *job,
			   const json_t *request, char ***out,
			   struct dsv_err *err)
{
	struct dsv_state *fork;
	char **env = NULL;
	char *dir = NULL;
	char attempt[16];
	int ret;

	ret = catalog_load(d->catalog, &job->fork_state, 1, &fork, err);
	if (ret < 0)
		return ret;
	ret = place_head(d, fork, request, &dir, err);
	if (ret == 0)
		ret = dsv_fork_environment(d, fork->id, dir, &env, err);
	snprintf(attempt, sizeof(attempt), "%d", job->attempt);
	if (ret == 0)
		ret = add_variable(&env, "DSV_ATTEMPT", attempt, err);
	if (ret == 0)
		ret = add_variable(&env, "DSV_JOB_ID", d->process.job_number,
				   err);
	if (ret == 0)
		ret = add_variable(&env, "DSV_TICKET", job->ticket, err);
	dsv_state_free(fork);
	free(dir);
	if (ret < 0)
		dsv_environment_free(env);
	else
		*out = env;
	return ret;
}

/* Returns whether the other nodes have directories of their own. */
static bool is_of_nodes(struct dsv *d, const json_t *request)
{
	return d->process.many_nodes && (wants_mine(request) ||
					 json_object_get(request, "to"));
}

int dsv_job_start(struct dsv *d, const char *ticket, char ***env,
		  bool *each_node, struct dsv_err *err)
{
	struct catalog_job_start start = {
		.ticket = ticket,
		.job_id = d->process.job_id,
		.task = d->process.array_task ?
			atol(d->process.array_task) : -1,
		.cluster = d->process.cluster,
		.nodes = d->process.nodes,
		.attempt = d->process.attempt,
	};
	struct catalog_job job = { .row = 0 };
	json_t *request;
	int ret;

	if (!start.job_id)
		return dsv_fail(err, DSV_EUSAGE,
				"not in a Slurm job: SLURM_JOB_ID is not set");
	ret = catalog_job_start(d->catalog, &start, &job, err);
	if (ret < 0)
		return ret;
	request = json_loads(job.request ? job.request : "{}", 0, NULL);
	ret = request ? ensure_fork(d, &job, request, err) :
		dsv_fail(err, DSV_ECORRUPT, "submission '%s' is malformed",
			 ticket);
	if (ret == 0)
		ret = job_environment(d, &job, request, env, err);
	if (ret == 0 && each_node)
		*each_node = is_of_nodes(d, request);
	json_decref(request);
	catalog_job_release(&job);
	return ret;
}
