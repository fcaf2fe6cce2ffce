/* SPDX-License-Identifier: MIT */
/*
 * What became of jobs, asked of Slurm by its commands, in text with explicit
 * fields (its JSON changes from release to release).  Without Slurm here, or
 * when it gives no answer, nothing is changed: a hold ends when Slurm no
 * longer knows the job, not by a clock.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/proc.h"
#include "../base/value.h"
#include "job.h"
#include "queue.h"

#define NS_PER_S INT64_C(1000000000)

enum {
	SLURM_TIMEOUT_MS = 20000,
	SUBMIT_SLACK_S = 5,	/* between our clock and the controller's */
	FOREIGN_GRACE_S = 3600	/* for a submitter on another host */
};

/* A line of squeue. */
struct slurm_job {
	char *id;		/* "123", "120_3" */
	char *state;
	int64_t submitted_ns;
};

struct slurm_jobs {
	size_t count;
	struct slurm_job *items;
};

static void slurm_jobs_release(struct slurm_jobs *jobs)
{
	size_t i;

	for (i = 0; i < jobs->count; i++) {
		free(jobs->items[i].id);
		free(jobs->items[i].state);
	}
	free(jobs->items);
}

static int add_line(struct slurm_jobs *jobs, char *line, struct dsv_err *err)
{
	char *save = NULL;
	char *id = strtok_r(line, "|", &save);
	char *state = strtok_r(NULL, "|", &save);
	char *submitted = strtok_r(NULL, "|", &save);
	struct slurm_job *items;
	struct slurm_job *job;

	if (!id || !state)
		return 0;
	items = realloc(jobs->items, (jobs->count + 1) * sizeof(*items));
	if (!items)
		return dsv_fail_nomem(err);
	jobs->items = items;
	job = &items[jobs->count++];
	job->id = strdup(id);
	job->state = strdup(state);
	job->submitted_ns = 0;
	if (submitted)
		dsv_parse_time(submitted, 0, &job->submitted_ns, NULL);
	return job->id && job->state ? 0 : dsv_fail_nomem(err);
}

/* 1: the jobs of the users, ended ones too; 0: Slurm gives no answer. */
static int ask_squeue(const char *users, struct slurm_jobs *out,
		      struct dsv_err *err)
{
	char squeue[] = "squeue", quiet[] = "-h", all[] = "-a", each[] = "-r",
	     states_opt[] = "-t", states[] = "all", users_opt[] = "-u",
	     format_opt[] = "-o", format[] = "%i|%T|%V";
	char *user_list = strdup(users);
	char *argv[] = { squeue, quiet, all, each, states_opt, states,
			 users_opt, user_list, format_opt, format, NULL };
	struct slurm_jobs jobs = { 0, NULL };
	struct str text = STR_INIT;
	char *line, *save = NULL;
	int status = -1;
	int ret;

	if (!user_list)
		return dsv_fail_nomem(err);
	ret = proc_output(argv, SLURM_TIMEOUT_MS, &text, &status, NULL);
	free(user_list);
	if (ret < 0 || status != 0) {
		str_release(&text);
		return 0;
	}
	for (line = text.data ? strtok_r(text.data, "\n", &save) : NULL;
	     ret == 0 && line; line = strtok_r(NULL, "\n", &save))
		ret = add_line(&jobs, line, err);
	str_release(&text);
	if (ret < 0)
		slurm_jobs_release(&jobs);
	else
		*out = jobs;
	return ret < 0 ? ret : 1;
}

/* The value of NAME= in a line of "scontrol -o show job"; NULL: none. */
static char *scontrol_field(const char *line, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = line; p; p = strchr(p, ' ')) {
		while (*p == ' ')
			p++;
		if (!strncmp(p, name, len) && p[len] == '=')
			return strndup(p + len + 1,
				       strcspn(p + len + 1, " \n"));
	}
	return NULL;
}

/* How the job ended, as far as the controller remembers. */
static void ask_scontrol(const char *id, int *exit_code, int *signal,
			 int64_t *ended_ns)
{
	char scontrol[] = "scontrol", one_line[] = "-o", show[] = "show",
	     job[] = "job";
	char *id_copy = strdup(id);
	char *argv[] = { scontrol, one_line, show, job, id_copy, NULL };
	struct str text = STR_INIT;
	char *code = NULL, *end = NULL;
	int status = -1;

	if (id_copy && proc_output(argv, SLURM_TIMEOUT_MS, &text, &status,
				   NULL) == 0 && status == 0) {
		code = scontrol_field(str_text(&text), "ExitCode");
		end = scontrol_field(str_text(&text), "EndTime");
	}
	if (code)
		sscanf(code, "%d:%d", exit_code, signal);
	if (end)
		dsv_parse_time(end, 0, ended_ns, NULL);
	free(code);
	free(end);
	free(id_copy);
	str_release(&text);
}

/* The state that accounting remembers, the caller's; NULL: it does not. */
static char *ask_sacct(const char *id)
{
	char sacct[] = "sacct", opts[] = "-nXP", job_opt[] = "-j",
	     format_opt[] = "-o", format[] = "State";
	char *id_copy = strdup(id);
	char *argv[] = { sacct, opts, job_opt, id_copy, format_opt, format,
			 NULL };
	struct str text = STR_INIT;
	char *state = NULL;
	int status = -1;

	if (id_copy && proc_output(argv, SLURM_TIMEOUT_MS, &text, &status,
				   NULL) == 0 && status == 0 && text.len > 0)
		/* "CANCELLED by 123" */
		state = strndup(text.data, strcspn(text.data, " \n"));
	free(id_copy);
	str_release(&text);
	if (state && !*state) {
		free(state);
		state = NULL;
	}
	return state;
}

static bool has_ended(const char *state)
{
	static const char *const live[] = {
		"PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING",
		"REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESIZING",
		"SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT",
		"RESV_DEL_HOLD",
	};
	size_t i;

	for (i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
		if (!strcmp(state, live[i]))
			return false;
	}
	return true;
}

/* The job, or a task of it: "120_3" is of "120". */
static const struct slurm_job *find(const struct slurm_jobs *jobs,
				    const char *id)
{
	size_t len = strlen(id);
	size_t i;

	for (i = 0; i < jobs->count; i++) {
		const struct slurm_job *job = &jobs->items[i];

		if (!strcmp(job->id, id))
			return job;
	}
	/* Of an array, any task that is still to come speaks for it. */
	for (i = 0; i < jobs->count; i++) {
		const struct slurm_job *job = &jobs->items[i];

		if (!strncmp(job->id, id, len) && job->id[len] == '_' &&
		    !has_ended(job->state))
			return job;
	}
	return NULL;
}

static bool submitter_lives(struct dsv *d, const struct catalog_job *job)
{
	json_t *json = json_loads(job->submitter ? job->submitter : "{}", 0,
				  NULL);
	const char *host = json_string_value(json_object_get(json, "host"));
	const char *boot = json_string_value(json_object_get(json, "boot"));
	pid_t pid = (pid_t)json_integer_value(json_object_get(json, "pid"));
	int64_t start = json_integer_value(json_object_get(json, "start"));
	char our_boot[40];
	bool lives;

	proc_boot_id(our_boot);
	if (host && boot && !strcmp(host, d->place.host))
		lives = !strcmp(boot, our_boot) && pid > 0 &&
			proc_start_time(pid) == start;
	else
		lives = now_ns() - job->submitted_ns <
			FOREIGN_GRACE_S * NS_PER_S;
	json_decref(json);
	return lives;
}

/*
 * A submission whose job id nobody knows: it may still be any job that was
 * submitted then or later and is not known to be another.
 */
static bool may_still_come(const struct catalog_job *job,
			   const struct slurm_jobs *slurm,
			   const struct catalog_job *all, size_t count)
{
	size_t i, j;

	for (i = 0; i < slurm->count; i++) {
		const struct slurm_job *s = &slurm->items[i];

		if (has_ended(s->state) || s->submitted_ns <
		    job->submitted_ns - SUBMIT_SLACK_S * NS_PER_S)
			continue;
		for (j = 0; j < count; j++) {
			if (all[j].job_id && !strcmp(all[j].job_id, s->id))
				break;
		}
		if (j == count)
			return true;
	}
	return false;
}

/* Close a record by what Slurm says; NULL: it knows the job no longer. */
static int close_job(struct dsv *d, const struct catalog_job *job,
		     const struct slurm_job *s, struct dsv_err *err)
{
	int exit_code = job->exit_code, signal = job->signal;
	int64_t ended_ns = job->ended_ns;
	char *state;
	int ret;

	ask_scontrol(job->job_id, &exit_code, &signal, &ended_ns);
	state = s ? strdup(s->state) : ask_sacct(job->job_id);
	if (!state)
		state = strdup(job->started_ns ? "UNKNOWN" : "CANCELLED");
	if (!state)
		return dsv_fail_nomem(err);
	ret = job->started_ns ?
		catalog_job_update(d->catalog, job->row, state, false,
				   exit_code, signal, ended_ns, err) :
		job_withdraw(d, job, state, err);
	free(state);
	return ret < 0 ? ret : 1;
}

/* 1: the record was changed. */
static int sync_job(struct dsv *d, const struct catalog_job *job,
		    const struct slurm_jobs *slurm,
		    const struct catalog_job *all, size_t count,
		    struct dsv_err *err)
{
	const struct slurm_job *s;
	int ret;

	if (!job->job_id) {
		if (submitter_lives(d, job) ||
		    may_still_come(job, slurm, all, count))
			return 0;
		ret = job_withdraw(d, job, "CANCELLED", err);
		return ret < 0 ? ret : 1;
	}
	s = find(slurm, job->job_id);
	if (s && !has_ended(s->state))
		return 0;
	return close_job(d, job, s, err);
}

/*
 * A batch script that a time limit or scancel ended was recorded by its
 * signal; Slurm knows the reason.  A requeued job waits again.
 */
static int refine_job(struct dsv *d, const struct catalog_job *job,
		      const struct slurm_jobs *slurm, struct dsv_err *err)
{
	const struct slurm_job *s = job->job_id ? find(slurm, job->job_id) :
		NULL;
	int ret;

	if (!s || job->active || !strcmp(s->state, job->state) ||
	    !strcmp(s->state, "COMPLETING") || strcmp(s->id, job->job_id))
		return 0;
	ret = catalog_job_update(d->catalog, job->row, has_ended(s->state) ?
				 s->state : "WAITING", !has_ended(s->state),
				 job->exit_code, job->signal, job->ended_ns,
				 err);
	return ret < 0 ? ret : 1;
}

/* "a,b": who submitted these jobs; the caller's to free(). */
static char *authors(const struct catalog_job *jobs, size_t count)
{
	struct str list = STR_INIT;
	size_t i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < i && strcmp(jobs[i].author, jobs[j].author);
		     j++)
			;
		if (j == i)
			str_printf(&list, "%s%s", list.len ? "," : "",
				   jobs[i].author);
	}
	return str_take(&list);
}

int dsv_job_sync(struct dsv *d, int64_t *changed, struct dsv_err *err)
{
	struct slurm_jobs slurm = { 0, NULL };
	struct catalog_job *jobs = NULL;
	int64_t closed = 0, lost;
	char *users = NULL;
	size_t count = 0;
	size_t i;
	int ret;

	ret = catalog_jobs(d->catalog, false, &jobs, &count, err);
	if (ret == 0 && count > 0) {
		users = authors(jobs, count);
		ret = users ? ask_squeue(users, &slurm, err) :
			dsv_fail_nomem(err);
	}
	for (i = 0; ret > 0 && i < count; i++) {
		ret = jobs[i].active ?
			sync_job(d, &jobs[i], &slurm, jobs, count, err) :
			refine_job(d, &jobs[i], &slurm, err);
		closed += ret > 0;
		if (ret == 0)
			ret = 1;
	}
	slurm_jobs_release(&slurm);
	catalog_jobs_free(jobs, count);
	free(users);
	if (ret >= 0)
		ret = queue_find_lost(d, &lost, err);
	if (ret < 0)
		return ret;
	if (changed)
		*changed = closed;
	return 0;
}

void job_refresh(struct dsv *d)
{
	struct catalog_pending *pending = NULL;
	struct catalog_job *jobs = NULL;
	size_t job_count = 0, pending_count = 0;

	if (repo_writable(d, NULL) < 0 ||
	    catalog_jobs(d->catalog, true, &jobs, &job_count, NULL) < 0)
		return;
	catalog_jobs_free(jobs, job_count);
	if (catalog_pending(d->catalog, &pending, &pending_count, NULL) == 0)
		free(pending);
	if (job_count + pending_count > 0)
		dsv_job_sync(d, NULL, NULL);
}
