/* SPDX-License-Identifier: MIT */
/*
 * The life of a forked job: it is submitted (prepare, bind), started, finished.
 * job_sync.c asks Slurm what became of jobs that could not report it.
 */
#include "job.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../base/json_text.h"
#include "../base/options.h"
#include "../base/value.h"
#include "../checkout/checkout.h"
#include "../lineage/rev.h"
#include "../os/proc.h"
#include "fork.h"

static char *request_text(const struct dsv_job_request *r, const char *from)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:s*, s:s*, s:s*, s:s*,"
				 " s:s*, s:s}",
				 "set", strings_to_json(&r->set),
				 "sweep", strings_to_json(&r->sweep),
				 "unset", strings_to_json(&r->unset),
				 "scopes", strings_to_json(&r->scopes),
				 "branch", r->branch, "to", r->to,
				 "parts", r->parts,
				 "message", r->message,
				 "clusters", r->clusters, "from", from);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

char *job_clusters(const struct catalog_job *job)
{
	json_t *request = json_loads(job->request ? job->request : "{}", 0,
				     NULL);
	const char *clusters = job->cluster ? job->cluster :
			       json_text(request, "clusters");
	char *text = clusters ? strdup(clusters) : NULL;

	json_decref(request);
	return text;
}

/*
 * Describes the process whose end means that the submission has succeeded or
 * failed: this is sbatch, our parent, or ourselves when the fork is made at
 * once.
 */
static char *submitter_text(struct dsv *d, bool ourselves)
{
	pid_t pid = ourselves ? getpid() : getppid();
	char boot[PROC_BOOT_ID_SIZE];
	json_t *json;
	char *text;

	proc_boot_id(boot);
	json = json_pack("{s:s, s:s, s:I, s:I}", "host", d->process.host,
			 "boot", boot, "pid", (json_int_t)pid, "start",
			 (json_int_t)proc_start_time(pid));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

/* Rejects line breaks: values go through environments and lines. */
static int check_text(const char *text, struct dsv_err *err)
{
	if (text && strpbrk(text, "\n\r"))
		return dsv_fail(err, DSV_EUSAGE,
				"a line break in '%.40s...' is not allowed",
				text);
	return 0;
}

/*
 * Checks that the parameters of the request, or of its first task, can be set.
 */
static int check_params(const struct dsv_job_request *r,
			const struct dsv_state *source,
			const struct grid *grid, struct dsv_err *err)
{
	struct dsv_strings set = r->set;
	struct dsv_kvs params = { 0, NULL };
	int ret = 0;

	if (grid->rows > 0)
		ret = grid_row(grid, 0, &r->set, &set, err);
	if (ret < 0)
		return ret;
	ret = fork_params(&source->params, &set, &r->unset, &params, err);
	dsv_kvs_free(&params);
	if (grid->rows > 0)
		free((void *)set.items);
	return ret;
}

static int check_texts(const struct dsv_job_request *r, struct dsv_err *err)
{
	size_t i;
	int ret = check_text(r->to, err);

	if (r->parts && strcmp(r->parts, "mine") && strcmp(r->parts, "all"))
		ret = dsv_fail(err, DSV_EUSAGE, "parts are 'all' or 'mine',"
			       " not '%.40s'", r->parts);
	for (i = 0; ret == 0 && i < r->set.count; i++)
		ret = check_text(r->set.items[i], err);
	for (i = 0; ret == 0 && i < r->sweep.count; i++)
		ret = check_text(r->sweep.items[i], err);
	return ret;
}

static int check_request(struct dsv *d, const struct dsv_job_request *r,
			 const struct grid *grid, bool array, int64_t *seq,
			 struct dsv_state **source, struct dsv_err *err)
{
	unsigned char manifest[HASH_BYTES];
	int64_t head;
	int ret;

	ret = rev_resolve(d, r->rev, seq, err);
	if (ret == 0 && r->branch)
		ret = name_check(r->branch, "branch", err);
	if (ret == 0)
		ret = check_texts(r, err);
	if (ret < 0)
		return ret;
	if (r->branch && !array &&
	    catalog_branch_head(d->catalog, r->branch, &head, NULL) == 0)
		return dsv_fail(err, DSV_EREFUSED, "branch '%s' is there"
				" already (choose another)", r->branch);
	ret = fork_source(d, *seq, source, manifest, err);
	if (ret < 0)
		return ret;
	ret = check_params(r, *source, grid, err);
	if (ret < 0)
		dsv_state_free(*source);
	return ret;
}

static int make_ticket(char ticket[DSV_TICKET_SIZE], struct dsv_err *err)
{
	unsigned char random[(DSV_TICKET_SIZE - 1) / 2];

	if (!random_bytes(random, sizeof(random)))
		return dsv_fail_errno(err, "get random bytes");
	hex_encode(random, sizeof(random), ticket);
	return 0;
}

/*
 * Adds the row that holds the state until the job has started; for an array
 * whose forks are made at once, adds a row for each task.
 */
static int add_rows(struct dsv *d, const struct dsv_job_request *r,
		    const struct dsv_state *source, int64_t seq, char *ticket,
		    const struct tasks *tasks, int64_t *rows,
		    struct dsv_err *err)
{
	struct catalog_job job = {
		.ticket = ticket,
		.task = -1,
		.branch = (char *)r->branch,
		.author = d->process.author,
		.fork = seq,
	};
	size_t i = 0;
	int ret = 0;

	job.request = request_text(r, source->branch);
	job.submitter = submitter_text(d, r->fork_now);
	if (!job.request || !job.submitter)
		ret = dsv_fail_nomem(err);
	while (ret == 0) {
		if (tasks->count > 0)
			job.task = tasks->ids[i];
		ret = catalog_job_add(d->catalog, &job, &rows[i], err);
		if (++i >= tasks->count)
			break;
	}
	free(job.request);
	free(job.submitter);
	return ret;
}

static int fork_at_once(struct dsv *d, const struct dsv_job_request *r,
			int64_t seq, const struct grid *grid,
			const struct tasks *tasks, const int64_t *rows,
			struct dsv_forks *out, struct dsv_err *err)
{
	struct fork_request f = {
		.branch = r->branch, .set = r->set, .unset = r->unset,
		.message = r->message, .scopes = r->scopes, .row = rows[0],
	};
	int ret;

	if (tasks->count > 0)
		return fork_tasks(d, seq, &f, grid, tasks, rows, out, err);
	out->items = calloc(1, sizeof(*out->items));
	if (!out->items)
		return dsv_fail_nomem(err);
	ret = fork_seq(d, seq, &f, out->items, err);
	if (ret < 0)
		dsv_forks_free(out);
	else
		out->count = 1;
	return ret;
}

/*
 * Returns the tasks that are known now; none means that there is one job, or
 * that each task makes itself known.
 */
static int known_tasks(const struct dsv_job_request *r,
		       const struct grid *grid, struct tasks *out,
		       struct dsv_err *err)
{
	struct tasks given = TASKS_INIT, swept = TASKS_INIT;
	int ret = 0;

	if (r->array && (grid->rows > 0 || r->fork_now))
		ret = tasks_parse(r->array, &given, err);
	if (ret < 0 || grid->rows == 0) {
		*out = given;
		return ret;
	}
	ret = tasks_count_up(grid->rows, &swept, err);
	if (ret == 0 && (r->array ? !tasks_equal(&given, &swept) :
			 !r->fork_now))
		ret = grid_fail_tasks(grid, err);
	tasks_release(&given);
	if (ret < 0 || !r->fork_now)
		tasks_release(&swept);
	*out = swept;
	return ret;
}

static int submit(struct dsv *d, const struct dsv_job_request *r, int64_t seq,
		  const struct dsv_state *source, const struct grid *grid,
		  const struct tasks *tasks, struct dsv_submission *out,
		  struct dsv_err *err)
{
	int64_t *rows = calloc(tasks->count + 1, sizeof(*rows));
	int ret;

	if (!rows)
		return dsv_fail_nomem(err);
	ret = make_ticket(out->ticket, err);
	if (ret == 0)
		ret = add_rows(d, r, source, seq, out->ticket, tasks, rows,
			       err);
	if (ret == 0 && r->fork_now)
		ret = fork_at_once(d, r, seq, grid, tasks, rows, &out->forks,
				   err);
	if (ret < 0)
		dsv_job_cancel(d, out->ticket, NULL);
	free(rows);
	return ret;
}

void dsv_submission_release(struct dsv_submission *s)
{
	dsv_forks_free(&s->forks);
}

static int prepare(struct dsv *d, const struct dsv_job_request *r,
		   struct dsv_submission *out, struct dsv_err *err)
{
	struct dsv_submission s = { .tasks = 0 };
	struct tasks tasks = TASKS_INIT;
	struct dsv_state *source;
	struct grid grid;
	int64_t seq;
	int ret;

	ret = grid_parse(&r->sweep, &grid, err);
	if (ret < 0)
		return ret;
	ret = r->to ? repo_check_outside(d, r->to, DSV_EREFUSED, err) : 0;
	if (ret == 0)
		ret = known_tasks(r, &grid, &tasks, err);
	if (ret == 0)
		ret = check_request(d, r, &grid, tasks.count > 0 || r->array,
				    &seq, &source, err);
	if (ret == 0) {
		strcpy(s.id, source->id);
		s.tasks = grid.rows;
		if (!r->dry_run)
			ret = submit(d, r, seq, source, &grid, &tasks, &s,
				     err);
		dsv_state_free(source);
	}
	tasks_release(&tasks);
	grid_release(&grid);
	if (ret == 0)
		*out = s;
	return ret;
}

int dsv_job_prepare(struct dsv *d, const struct dsv_job_request *given,
		    struct dsv_submission *out, struct dsv_err *err)
{
	struct dsv_job_request o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : prepare(d, &o, out, err);
}

int dsv_job_bind(struct dsv *d, const char *ticket, const char *job_id,
		 struct dsv_err *err)
{
	return catalog_job_bind(d->catalog, ticket, job_id, err);
}

/*
 * Takes back a fork that nothing came of: its branch is deleted, and the state
 * stays as a record that nothing leads to.
 */
int job_withdraw(struct dsv *d, const struct catalog_job *job,
		 const char *state, struct dsv_err *err)
{
	struct dsv_state *fork = NULL;
	int64_t head = 0;
	int ret = 0;

	if (job->fork_state)
		ret = catalog_load(d->catalog, &job->fork_state, 1, &fork,
				   err);
	if (ret == 0 && fork &&
	    catalog_branch_head(d->catalog, fork->branch, &head, NULL) == 0 &&
	    head == job->fork_state)
		ret = catalog_branch_delete(d->catalog, fork->branch, err);
	if (fork)
		dsv_state_free(fork);
	return ret < 0 ? ret : catalog_job_update(d->catalog, job->row, state,
						  false, -1, 0, 0, err);
}

int dsv_job_cancel(struct dsv *d, const char *ticket, struct dsv_err *err)
{
	struct catalog_job *jobs;
	size_t count, i;
	int ret;

	ret = catalog_jobs_of(d->catalog, ticket, &jobs, &count, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < count; i++)
		ret = job_withdraw(d, &jobs[i], "CANCELLED", err);
	catalog_jobs_free(jobs, count);
	return ret;
}

int dsv_job_finish(struct dsv *d, const char *ticket, int wait_status,
		   struct dsv_err *err)
{
	const char *job_id = d->process.job_id;
	bool killed = WIFSIGNALED(wait_status);
	int exit_code = killed ? 0 : WEXITSTATUS(wait_status);
	struct catalog_job job;
	int ret;

	ret = catalog_job_get(d->catalog, ticket, job_id, &job, err);
	if (ret < 0)
		return ret;
	if (job_id && job.job_id && strcmp(job.job_id, job_id) != 0)
		ret = dsv_fail(err, DSV_ENOTFOUND, "job %s has not started"
			       " with submission '%s'", job_id, ticket);
	else
		ret = catalog_job_finish(d->catalog, job.row, exit_code,
					 killed ? WTERMSIG(wait_status) : 0,
					 err);
	catalog_job_release(&job);
	return ret;
}
