/* SPDX-License-Identifier: MIT */
/*
 * The life of a forked job: submitted (prepare, bind), started, finished.
 * What became of jobs that could not say is asked of Slurm in job_sync.c.
 */
#include "job.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../base/proc.h"
#include "../base/value.h"
#include "checkout.h"
#include "fork.h"
#include "rev.h"

static json_t *strings_json(const struct dsv_strings *strings)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < strings->count; i++)
		json_array_append_new(array, json_string(strings->items[i]));
	return array;
}

static char *request_text(const struct dsv_job_request *r, const char *from)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:s*, s:s*, s:s*, s:s}",
				 "set", strings_json(&r->set),
				 "unset", strings_json(&r->unset),
				 "scopes", strings_json(&r->scopes),
				 "branch", r->branch, "to", r->to,
				 "message", r->message, "from", from);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

/*
 * The process whose end means that the submission has succeeded or failed:
 * sbatch, our parent; or, when the fork is made at once, we are it.
 */
static char *submitter_text(struct dsv *d, bool ourselves)
{
	pid_t pid = ourselves ? getpid() : getppid();
	char boot[40];
	json_t *json;
	char *text;

	proc_boot_id(boot);
	json = json_pack("{s:s, s:s, s:I, s:I}", "host", d->place.host, "boot",
			 boot, "pid", (json_int_t)pid, "start",
			 (json_int_t)proc_start_time(pid));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

/* No newline, no NUL: values go through environments and lines. */
static int check_text(const char *text, struct dsv_err *err)
{
	if (text && strpbrk(text, "\n\r"))
		return dsv_fail(err, DSV_EUSAGE,
				"a line break in '%.40s...' is not allowed",
				text);
	return 0;
}

static int check_request(struct dsv *d, const struct dsv_job_request *r,
			 int64_t *seq, struct dsv_state **source,
			 struct dsv_err *err)
{
	unsigned char manifest[HASH_BYTES];
	struct dsv_kvs params = KVS_INIT;
	int64_t head;
	size_t i;
	int ret;

	ret = rev_resolve(d, r->rev, seq, err);
	if (ret == 0 && r->branch)
		ret = name_check(r->branch, "branch", err);
	if (ret == 0)
		ret = check_text(r->to, err);
	for (i = 0; ret == 0 && i < r->set.count; i++)
		ret = check_text(r->set.items[i], err);
	if (ret < 0)
		return ret;
	if (r->branch &&
	    catalog_branch_head(d->catalog, r->branch, &head, NULL) == 0)
		return dsv_fail(err, DSV_EREFUSED, "branch '%s' is there"
				" already (choose another)", r->branch);
	ret = fork_source(d, *seq, source, manifest, err);
	if (ret < 0)
		return ret;
	ret = fork_params(&(*source)->params, &r->set, &r->unset, &params, err);
	dsv_kvs_free(&params);
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

/* The row that holds the state until the job has started. */
static int add_submission(struct dsv *d, const struct dsv_job_request *r,
			  const struct dsv_state *source, int64_t seq,
			  char *ticket, struct dsv_err *err)
{
	struct catalog_job job = {
		.ticket = ticket,
		.branch = (char *)r->branch,
		.author = d->place.author,
		.fork = seq,
	};
	int ret;

	job.request = request_text(r, source->branch);
	job.submitter = submitter_text(d, r->fork_now);
	ret = job.request && job.submitter ?
		catalog_job_add(d->catalog, &job, err) : dsv_fail_nomem(err);
	free(job.request);
	free(job.submitter);
	return ret;
}

int dsv_job_prepare(struct dsv *d, const struct dsv_job_request *r,
		    char ticket[DSV_TICKET_SIZE], char id[DSV_ID_SIZE],
		    struct dsv_fork *fork, struct dsv_err *err)
{
	struct dsv_state *source;
	int64_t seq;
	int ret;

	ret = check_request(d, r, &seq, &source, err);
	if (ret < 0)
		return ret;
	strcpy(id, source->id);
	if (!r->dry_run) {
		ret = make_ticket(ticket, err);
		if (ret == 0)
			ret = add_submission(d, r, source, seq, ticket, err);
	}
	dsv_state_free(source);
	if (ret == 0 && r->fork_now && !r->dry_run) {
		struct fork_request f = {
			.branch = r->branch, .set = r->set, .unset = r->unset,
			.message = r->message, .scopes = r->scopes,
			.ticket = ticket,
		};

		ret = fork_seq(d, seq, &f, fork, err);
		if (ret < 0)
			dsv_job_cancel(d, ticket, NULL);
	}
	return ret;
}

int dsv_job_bind(struct dsv *d, const char *ticket, const char *job_id,
		 struct dsv_err *err)
{
	return catalog_job_bind(d->catalog, ticket, job_id, err);
}

/*
 * Take a fork back of which nothing came: its branch goes, the state stays as
 * a record that nothing leads to.
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
	struct catalog_job job;
	int ret = catalog_job_get(d->catalog, ticket, NULL, &job, err);

	if (ret < 0)
		return ret;
	ret = job_withdraw(d, &job, "CANCELLED", err);
	catalog_job_release(&job);
	return ret;
}

int dsv_job_finish(struct dsv *d, const char *ticket, int wait_status,
		   struct dsv_err *err)
{
	const char *job_id = d->place.job_id;
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
		ret = catalog_job_update(d->catalog, job.row, killed ||
					 exit_code ? "FAILED" : "COMPLETED",
					 false, exit_code, killed ?
					 WTERMSIG(wait_status) : 0, now_ns(),
					 err);
	catalog_job_release(&job);
	return ret;
}
