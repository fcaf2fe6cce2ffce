/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "internal.h"

#define JOB_COLUMNS \
	"id, ticket, job_id, cluster, state, branch, request, nodes, author," \
	" submitter, coalesce(fork, 0), coalesce(fork_state, 0), active," \
	" coalesce(exit_code, -1), coalesce(signal, 0), attempt," \
	" coalesce(submitted, 0), coalesce(started, 0), coalesce(ended, 0)," \
	" coalesce(task, -1)"

void catalog_job_release(struct catalog_job *job)
{
	free(job->ticket);
	free(job->job_id);
	free(job->cluster);
	free(job->state);
	free(job->branch);
	free(job->request);
	free(job->nodes);
	free(job->author);
	free(job->submitter);
	memset(job, 0, sizeof(*job));
}

void catalog_jobs_free(struct catalog_job *jobs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		catalog_job_release(&jobs[i]);
	free(jobs);
}

/* Copies the column to *out.  Returns false if memory has run out. */
static bool take_text(struct query *q, int column, char **out)
{
	const char *text = query_get_text(q, column);

	*out = text ? strdup(text) : NULL;
	return *out || !text;
}

static int read_row(struct query *q, struct catalog_job *job,
		    struct dsv_err *err)
{
	memset(job, 0, sizeof(*job));
	job->row = query_get_int(q, 0);
	if (!take_text(q, 1, &job->ticket) || !take_text(q, 2, &job->job_id) ||
	    !take_text(q, 3, &job->cluster) || !take_text(q, 4, &job->state) ||
	    !take_text(q, 5, &job->branch) || !take_text(q, 6, &job->request) ||
	    !take_text(q, 7, &job->nodes) || !take_text(q, 8, &job->author) ||
	    !take_text(q, 9, &job->submitter)) {
		catalog_job_release(job);
		return dsv_fail_nomem(err);
	}
	job->fork = query_get_int(q, 10);
	job->fork_state = query_get_int(q, 11);
	job->active = query_get_int(q, 12);
	job->exit_code = (int)query_get_int(q, 13);
	job->signal = (int)query_get_int(q, 14);
	job->attempt = (int)query_get_int(q, 15);
	job->submitted_ns = query_get_int(q, 16);
	job->started_ns = query_get_int(q, 17);
	job->ended_ns = query_get_int(q, 18);
	job->task = query_get_int(q, 19);
	return 0;
}

int catalog_job_op(struct catalog *c, int64_t row, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT json_object('op', 'job', 'row', j.id,"
		" 'ticket', ticket, 'task', task, 'id', job_id,"
		" 'cluster', cluster,"
		" 'state', j.state, 'active', j.active, 'branch', j.branch,"
		" 'fork', lower(hex(f.id)), 'fork_state', lower(hex(s.id)),"
		" 'request', request, 'nodes', nodes, 'exit', exit_code,"
		" 'signal', signal, 'attempt', attempt, 'submitted', submitted,"
		" 'started', started, 'ended', ended, 'author', j.author,"
		" 'submitter', submitter)"
		" FROM job j LEFT JOIN state f ON f.seq = j.fork"
		" LEFT JOIN state s ON s.seq = j.fork_state"
		" WHERE j.id = :row");
	const char *text;
	json_t *op = NULL;
	int ret;

	query_int(&q, ":row", row);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	text = query_get_text(&q, 0);
	if (text)
		op = json_loads(text, 0, NULL);
	query_end(&q);
	return journal_op(c, op, err);
}

int catalog_job_add(struct catalog *c, const struct catalog_job *job,
		    int64_t *row, struct dsv_err *err)
{
	struct query q;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c),
		     "INSERT INTO job (ticket, task, state, active, branch,"
		     " fork, request, author, submitter, submitted) VALUES"
		     " (:ticket, :task, 'WAITING', 1, :branch, :fork, :request,"
		     " :author, :submitter, :submitted)");
	query_text(&q, ":ticket", job->ticket);
	if (job->task >= 0)
		query_int(&q, ":task", job->task);
	query_text(&q, ":branch", job->branch);
	query_int(&q, ":fork", job->fork);
	query_text(&q, ":request", job->request);
	query_text(&q, ":author", job->author);
	query_text(&q, ":submitter", job->submitter);
	query_int(&q, ":submitted", c->time_ns);
	ret = query_run(&q, err);
	*row = db_inserted(catalog_db(c));
	if (ret == 0)
		ret = catalog_job_op(c, *row, err);
	return catalog_end(c, ret, err);
}

/* Returns 1 if found. */
static int find_row(struct catalog *c, const char *ticket, const char *job_id,
		    struct catalog_job *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT " JOB_COLUMNS " FROM job WHERE ticket = :ticket"
		" AND job_id = :job_id");
	int ret;

	query_text(&q, ":ticket", ticket);
	query_text(&q, ":job_id", job_id);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	ret = read_row(&q, out, err);
	query_end(&q);
	return ret < 0 ? ret : 1;
}

static int no_submission(const char *ticket, struct dsv_err *err)
{
	return dsv_fail(err, DSV_ENOTFOUND, "there is no submission '%s'",
			ticket);
}

/* Finds the submission, which is the first row of the ticket. */
static int find_submission(struct catalog *c, const char *ticket,
			   struct catalog_job *out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT " JOB_COLUMNS " FROM job WHERE ticket = :ticket"
		" ORDER BY id LIMIT 1");
	int ret;

	query_text(&q, ":ticket", ticket);
	ret = query_step(&q, err);
	if (ret == 0)
		return no_submission(ticket, err);
	if (ret < 0)
		return ret;
	ret = read_row(&q, out, err);
	query_end(&q);
	return ret;
}

int catalog_job_get(struct catalog *c, const char *ticket, const char *job_id,
		    struct catalog_job *out, struct dsv_err *err)
{
	int ret = job_id ? find_row(c, ticket, job_id, out, err) : 0;

	if (ret != 0)
		return ret < 0 ? ret : 0;
	return find_submission(c, ticket, out, err);
}

static int set_job_id(struct catalog *c, int64_t row, const char *job_id,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE job SET job_id = :job_id WHERE id = :row");

	query_text(&q, ":job_id", job_id);
	query_int(&q, ":row", row);
	return query_run(&q, err);
}

/* Returns 1 if *row is now the row of the ticket that comes next after it. */
static int next_task(struct catalog *c, const char *ticket, int64_t *row,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM job WHERE ticket = :ticket AND id > :after"
		" ORDER BY id LIMIT 1");

	query_text(&q, ":ticket", ticket);
	query_int(&q, ":after", *row);
	return query_one_int(&q, row, err);
}

/* Each task of a sweep has a row that waits for its id. */
static int bind_tasks(struct catalog *c, const char *ticket,
		      const char *job_id, struct dsv_err *err)
{
	int64_t row = 0;
	int ret;
	struct query q = db_query(catalog_db(c),
		"UPDATE job SET job_id = :job_id || '_' || task"
		" WHERE ticket = :ticket AND job_id IS NULL");

	query_text(&q, ":job_id", job_id);
	query_text(&q, ":ticket", ticket);
	ret = query_run(&q, err);
	while (ret == 0 && (ret = next_task(c, ticket, &row, err)) > 0)
		ret = catalog_job_op(c, row, err);
	return ret;
}

int catalog_job_bind(struct catalog *c, const char *ticket,
		     const char *job_id, struct dsv_err *err)
{
	struct catalog_job job;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = find_submission(c, ticket, &job, err);
	if (ret == 0) {
		/* The job may have started before sbatch reported its id. */
		ret = job.task >= 0 ? bind_tasks(c, ticket, job_id, err) :
			job.job_id ? 0 : set_job_id(c, job.row, job_id, err);
		if (ret == 0 && job.task < 0)
			ret = catalog_job_op(c, job.row, err);
		catalog_job_release(&job);
	}
	return catalog_end(c, ret, err);
}

/* The first task of an array gives the submission its id. */
static int name_submission(struct catalog *c, const struct catalog_job *job,
			   const char *task_id, struct dsv_err *err)
{
	char *id = strndup(task_id, strcspn(task_id, "_"));
	int ret;

	if (!id)
		return dsv_fail_nomem(err);
	ret = job->job_id ? 0 : set_job_id(c, job->row, id, err);
	if (ret == 0)
		ret = catalog_job_op(c, job->row, err);
	free(id);
	return ret;
}

static int add_task(struct catalog *c, int64_t submission,
		    const char *job_id, int64_t *row, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT INTO job (ticket, job_id, state, active, branch, fork,"
		" request, author, submitted) SELECT ticket, :job_id,"
		" 'WAITING', 1, branch, fork, request, author, submitted"
		" FROM job WHERE id = :submission");
	int ret;

	query_text(&q, ":job_id", job_id);
	query_int(&q, ":submission", submission);
	ret = query_run(&q, err);
	*row = db_inserted(catalog_db(c));
	return ret;
}

/* Finds the row that a sweep has made for the task.  Returns 1 if found. */
static int find_task(struct catalog *c, const struct catalog_job_start *start,
		     int64_t *row, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM job WHERE ticket = :ticket AND task = :task");

	query_text(&q, ":ticket", start->ticket);
	query_int(&q, ":task", start->task);
	return query_one_int(&q, row, err);
}

/* Gets the job's row, which is made or bound if the job is new. */
static int claim_row(struct catalog *c, const struct catalog_job_start *start,
		     int64_t *row, struct dsv_err *err)
{
	struct catalog_job job;
	int ret;

	ret = find_row(c, start->ticket, start->job_id, &job, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		ret = find_submission(c, start->ticket, &job, err);
	else
		ret = 0;
	if (ret < 0)
		return ret;
	*row = job.row;
	if (job.job_id && !strcmp(job.job_id, start->job_id)) {
		ret = 0;
	} else if (start->task >= 0) {
		ret = find_task(c, start, row, err);
		if (ret > 0)
			ret = set_job_id(c, *row, start->job_id, err);
		else if (ret == 0)
			ret = add_task(c, job.row, start->job_id, row, err);
		if (ret == 0 && job.task < 0)
			ret = name_submission(c, &job, start->job_id, err);
	} else if (!job.job_id) {
		ret = set_job_id(c, job.row, start->job_id, err);
	} else {
		ret = dsv_fail(err, DSV_EREFUSED, "submission '%s' is that of"
			       " job %s, not of %s", start->ticket, job.job_id,
			       start->job_id);
	}
	catalog_job_release(&job);
	return ret;
}

int catalog_job_start(struct catalog *c, const struct catalog_job_start *start,
		      struct catalog_job *out, struct dsv_err *err)
{
	struct query q;
	int64_t row;
	int ret;

	/* A further task of a job that has started writes nothing. */
	ret = find_row(c, start->ticket, start->job_id, out, err);
	if (ret < 0)
		return ret;
	if (ret > 0 && !strcmp(out->state, "RUNNING") &&
	    out->attempt == start->attempt)
		return 0;
	if (ret > 0)
		catalog_job_release(out);
	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = claim_row(c, start, &row, err);
	if (ret == 0) {
		q = db_query(catalog_db(c),
			     "UPDATE job SET state = 'RUNNING', active = 1,"
			     " cluster = :cluster, nodes = :nodes,"
			     " attempt = :attempt, started = :started,"
			     " ended = NULL, exit_code = NULL, signal = NULL"
			     " WHERE id = :row");
		query_text(&q, ":cluster", start->cluster);
		query_text(&q, ":nodes", start->nodes);
		query_int(&q, ":attempt", start->attempt);
		query_int(&q, ":started", c->time_ns);
		query_int(&q, ":row", row);
		ret = query_run(&q, err);
	}
	if (ret == 0)
		ret = catalog_job_op(c, row, err);
	ret = catalog_end(c, ret, err);
	return ret < 0 ? ret : catalog_job_get(c, start->ticket,
					       start->job_id, out, err);
}

static int set_outcome(struct catalog *c, int64_t row, const char *state,
		       bool active, int exit_code, int signal,
		       int64_t ended_ns, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE job SET state = :state, active = :active,"
		" exit_code = :exit_code, signal = :signal, ended = :ended"
		" WHERE id = :row");
	int ret;

	query_text(&q, ":state", state);
	query_int(&q, ":active", active);
	if (exit_code >= 0)
		query_int(&q, ":exit_code", exit_code);
	query_int(&q, ":signal", signal);
	if (ended_ns > 0)
		query_int(&q, ":ended", ended_ns);
	query_int(&q, ":row", row);
	ret = query_run(&q, err);
	return ret < 0 ? ret : catalog_job_op(c, row, err);
}

int catalog_job_update(struct catalog *c, int64_t row, const char *state,
		       bool active, int exit_code, int signal,
		       int64_t ended_ns, struct dsv_err *err)
{
	int ret = catalog_begin(c, err);

	if (ret == 0)
		ret = catalog_end(c, set_outcome(c, row, state, active,
						 exit_code, signal, ended_ns,
						 err), err);
	return ret;
}

/*
 * Returns the status as a shell reports it: srun exits with the largest of its
 * tasks' statuses.
 */
static int exit_status(int exit_code, int signal)
{
	return signal > 0 ? 128 + signal : exit_code;
}

int catalog_job_finish(struct catalog *c, int64_t row, int exit_code,
		       int signal, struct dsv_err *err)
{
	struct query q;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "SELECT exit_code, signal FROM job"
		     " WHERE id = :row AND exit_code IS NOT NULL");
	query_int(&q, ":row", row);
	ret = query_step(&q, err);
	if (ret > 0) {
		int other = (int)query_get_int(&q, 0);
		int other_signal = (int)query_get_int(&q, 1);

		if (exit_status(other, other_signal) >
		    exit_status(exit_code, signal)) {
			exit_code = other;
			signal = other_signal;
		}
	}
	query_end(&q);
	if (ret >= 0)
		ret = set_outcome(c, row, exit_code || signal ? "FAILED" :
				  "COMPLETED", false, exit_code, signal,
				  c->time_ns, err);
	return catalog_end(c, ret, err);
}

static int read_rows(struct query *q, struct catalog_job **out, size_t *count,
		     struct dsv_err *err)
{
	struct catalog_job *list = NULL;
	size_t n = 0;
	int ret;

	while ((ret = query_step(q, err)) > 0) {
		ret = list_grow((void **)&list, n, sizeof(*list), err);
		if (ret == 0)
			ret = read_row(q, &list[n], err);
		if (ret < 0)
			break;
		n++;
	}
	query_end(q);
	if (ret < 0) {
		catalog_jobs_free(list, n);
		return ret;
	}
	*out = list;
	*count = n;
	return 0;
}

int catalog_jobs(struct catalog *c, bool active, struct catalog_job **out,
		 size_t *count, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), active ?
		"SELECT " JOB_COLUMNS " FROM job WHERE active ORDER BY id DESC"
		: "SELECT " JOB_COLUMNS " FROM job ORDER BY id DESC");

	return read_rows(&q, out, count, err);
}

int catalog_jobs_of(struct catalog *c, const char *ticket,
		    struct catalog_job **out, size_t *count,
		    struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT " JOB_COLUMNS " FROM job WHERE ticket = :ticket"
		" ORDER BY id DESC");
	int ret;

	query_text(&q, ":ticket", ticket);
	ret = read_rows(&q, out, count, err);
	return ret == 0 && *count == 0 ? no_submission(ticket, err) : ret;
}
