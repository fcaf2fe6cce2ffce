/* SPDX-License-Identifier: MIT */
/*
 * This finds out what became of jobs, as far as Slurm knows.  A hold ends when
 * Slurm no longer knows the job, not by a clock; if Slurm is not available
 * here, or gives no answer, nothing is changed.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../base/value.h"
#include "../os/proc.h"
#include "../pending/queue.h"
#include "../slurm/slurm.h"
#include "job.h"

enum {
	SUBMIT_SLACK_S = 5,	/* between our clock and the controller's */
	FOREIGN_GRACE_S = 3600,	/* for a submitter on another host */
	REFINE_S = 24 * 3600	/* how long Slurm is asked for the reason */
};

struct records {
	size_t count;
	struct catalog_job *items;
};

static bool has_record(const struct records *all, const char *id)
{
	size_t i;

	for (i = 0; i < all->count; i++) {
		if (all->items[i].job_id && !strcmp(all->items[i].job_id, id))
			return true;
	}
	return false;
}

/*
 * Finds the job or, for an array, a task that has yet to start and has no
 * record of its own: "120_3" belongs to "120".
 */
static const struct slurm_job *find(const struct slurm_jobs *jobs,
				    const struct records *all, const char *id)
{
	size_t len = strlen(id);
	size_t i;

	for (i = 0; i < jobs->count; i++) {
		const struct slurm_job *job = &jobs->items[i];

		if (!strcmp(job->id, id))
			return job;
	}
	for (i = 0; i < jobs->count; i++) {
		const struct slurm_job *job = &jobs->items[i];

		if (!strncmp(job->id, id, len) && job->id[len] == '_' &&
		    !slurm_has_ended(job->state) && !has_record(all, job->id))
			return job;
	}
	return NULL;
}

/*
 * Returns whether this is the submission of an array that has at least one task
 * by now.  The tasks share its ticket, but have started.
 */
static bool has_tasks(const struct records *all, const struct catalog_job *job)
{
	size_t i;

	if (job->started_ns)
		return false;
	for (i = 0; i < all->count && job->task < 0 && job->ticket; i++) {
		const struct catalog_job *other = &all->items[i];

		if (other->row > job->row && other->ticket &&
		    !strcmp(other->ticket, job->ticket))
			return true;
	}
	return false;
}

static bool submitter_lives(struct dsv *d, const struct catalog_job *job)
{
	json_t *json = json_loads(job->submitter ? job->submitter : "{}", 0,
				  NULL);
	const char *host = json_text(json, "host");
	const char *boot = json_text(json, "boot");
	pid_t pid = (pid_t)json_integer_value(json_object_get(json, "pid"));
	int64_t start = json_integer_value(json_object_get(json, "start"));
	char our_boot[PROC_BOOT_ID_SIZE];
	bool lives;

	proc_boot_id(our_boot);
	if (host && boot && !strcmp(host, d->process.host))
		lives = !strcmp(boot, our_boot) && pid > 0 &&
			proc_start_time(pid) == start;
	else
		lives = now_ns() - job->submitted_ns <
			FOREIGN_GRACE_S * NS_PER_S;
	json_decref(json);
	return lives;
}

/*
 * Returns whether a submission whose job id nobody knows may still start: it
 * may be any job that was submitted then or later and is not known to be
 * another.
 */
static bool may_still_come(const struct catalog_job *job,
			   const struct slurm_jobs *slurm,
			   const struct records *all)
{
	size_t i;

	for (i = 0; i < slurm->count; i++) {
		const struct slurm_job *s = &slurm->items[i];

		if (slurm_has_ended(s->state) || s->submitted_ns <
		    job->submitted_ns - SUBMIT_SLACK_S * NS_PER_S)
			continue;
		if (!has_record(all, s->id))
			return true;
	}
	return false;
}

/*
 * Closes a record by what Slurm says.  For an array, the record of the
 * submission stood for the tasks that had yet to start.
 */
static int close_job(struct dsv *d, const struct catalog_job *job,
		     const struct records *all, struct dsv_err *err)
{
	struct slurm_outcome o;
	const char *state;
	int ret;

	if (has_tasks(all, job)) {
		ret = catalog_job_update(d->catalog, job->row, "SUBMITTED",
					 false, -1, 0, 0, err);
		return ret < 0 ? ret : 1;
	}
	slurm_outcome(job->job_id, &o);
	state = o.state ? o.state : job->started_ns ? "UNKNOWN" : "CANCELLED";
	ret = job->started_ns ?
		catalog_job_update(d->catalog, job->row, state, false,
				   o.exit_code, o.signal, o.ended_ns, err) :
		job_withdraw(d, job, state, err);
	free(o.state);
	return ret < 0 ? ret : 1;
}

/* Returns 1 if the record was changed. */
static int sync_job(struct dsv *d, const struct catalog_job *job,
		    const struct slurm_jobs *slurm, const struct records *all,
		    struct dsv_err *err)
{
	const struct slurm_job *s;
	int ret;

	if (!job->job_id) {
		if (submitter_lives(d, job) ||
		    may_still_come(job, slurm, all))
			return 0;
		ret = job_withdraw(d, job, "CANCELLED", err);
		return ret < 0 ? ret : 1;
	}
	s = find(slurm, all, job->job_id);
	if (s && !slurm_has_ended(s->state))
		return 0;
	return close_job(d, job, all, err);
}

/* Returns whether Slurm seems to have ended it, and may still know why. */
static bool was_killed(const struct catalog_job *job)
{
	return !job->active && job->job_id && !strcmp(job->state, "FAILED") &&
	       (job->signal > 0 || job->exit_code > 128) &&
	       now_ns() - job->ended_ns < REFINE_S * NS_PER_S;
}

/*
 * Refines the record: a batch script ended by a time limit or scancel was
 * recorded by its signal, but Slurm knows the reason.  A requeued job waits
 * again.
 */
static int refine_job(struct dsv *d, const struct catalog_job *job,
		      const struct slurm_jobs *slurm,
		      const struct records *all, struct dsv_err *err)
{
	const struct slurm_job *s = job->job_id && job->started_ns ?
		find(slurm, all, job->job_id) : NULL;
	struct slurm_outcome o = { NULL, -1, 0, 0 };
	const char *state = s ? s->state : NULL;
	bool ended;
	int ret = 0;

	if (s && strcmp(s->id, job->job_id) != 0)
		return 0;
	if (!s && was_killed(job)) {
		slurm_outcome(job->job_id, &o);
		state = o.state;
	}
	if (state && strcmp(state, job->state) != 0 &&
	    strcmp(state, "COMPLETING") != 0) {
		ended = slurm_has_ended(state);
		/*
		 * An srun job still runs on nodes other than the one that
		 * reported.
		 */
		ret = catalog_job_update(d->catalog, job->row, ended ||
					 !strcmp(state, "RUNNING") ? state :
					 "WAITING", !ended, job->exit_code,
					 job->signal, job->ended_ns, err);
		ret = ret < 0 ? ret : 1;
	}
	free(o.state);
	return ret;
}

/* Returns who submitted these jobs, as "a,b"; the caller frees it. */
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

/*
 * Clusters number their jobs alike: what this one says about job 8 does not
 * apply to another's.  The records of other clusters, and of jobs that may be
 * on another, are moved to the end, where none is looked at; ours keep their
 * order.
 */
static void keep_own(struct records *all)
{
	char *here = slurm_cluster();
	size_t own = 0;
	size_t i;

	for (i = 0; here && i < all->count; i++) {
		struct catalog_job job = all->items[i];
		char *there = job_clusters(&job);
		bool ours = !there || !strcasecmp(there, here);

		free(there);
		if (!ours)
			continue;
		all->items[i] = all->items[own];
		all->items[own++] = job;
	}
	if (here)
		all->count = own;
	free(here);
}

/*
 * Returns 1 if Slurm has answered.  On return all has the records of its
 * cluster.
 */
static int sync_records(struct dsv *d, struct records *all, int64_t *closed,
			struct dsv_err *err)
{
	struct slurm_jobs slurm = { 0, NULL };
	char *users = authors(all->items, all->count);
	size_t i;
	int ret;

	ret = users ? slurm_queue(users, &slurm, err) : dsv_fail_nomem(err);
	if (ret > 0)
		keep_own(all);
	for (i = 0; ret > 0 && i < all->count; i++) {
		const struct catalog_job *job = &all->items[i];

		ret = job->active ? sync_job(d, job, &slurm, all, err) :
			refine_job(d, job, &slurm, all, err);
		*closed += ret > 0;
		if (ret == 0)
			ret = 1;
	}
	slurm_jobs_release(&slurm);
	free(users);
	return ret;
}

int dsv_job_sync(struct dsv *d, int64_t *changed, struct dsv_err *err)
{
	struct records all = { 0, NULL };
	int64_t closed = 0, lost;
	size_t count;
	int ret;

	ret = catalog_jobs(d->catalog, false, &all.items, &all.count, err);
	count = all.count;
	if (ret == 0 && all.count > 0)
		ret = sync_records(d, &all, &closed, err);
	catalog_jobs_free(all.items, count);
	if (ret >= 0)
		ret = queue_find_lost(d, &lost, err);
	if (ret < 0)
		return ret;
	if (changed)
		*changed = closed;
	return 0;
}

/* Returns whether Slurm has something to report. */
static bool has_open(const struct catalog_job *jobs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (jobs[i].active || was_killed(&jobs[i]))
			return true;
	}
	return false;
}

void job_refresh(struct dsv *d)
{
	struct catalog_pending *pending = NULL;
	struct catalog_job *jobs = NULL;
	size_t job_count = 0, pending_count = 0;
	bool open;

	if (repo_writable(d, NULL) < 0 ||
	    catalog_jobs(d->catalog, false, &jobs, &job_count, NULL) < 0)
		return;
	open = has_open(jobs, job_count);
	catalog_jobs_free(jobs, job_count);
	if (catalog_pending(d->catalog, false, &pending, &pending_count,
			    NULL) == 0)
		free(pending);
	if (open || pending_count > 0)
		dsv_job_sync(d, NULL, NULL);
}
