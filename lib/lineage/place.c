/* SPDX-License-Identifier: MIT */
/*
 * Where this process runs.  The only place that reads the environment of
 * Slurm and of forked jobs.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/str.h"
#include "repo.h"

static const char *get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* false: out of memory. */
static bool copy(char **out, const char *value)
{
	*out = value ? strdup(value) : NULL;
	return *out || !value;
}

static char *user_name(void)
{
	char buf[4096];
	struct passwd pw, *found = NULL;

	if (getpwuid_r(geteuid(), &pw, buf, sizeof(buf), &found) == 0 && found)
		return strdup(pw.pw_name);
	return str_format("%lu", (unsigned long)geteuid());
}

static char *host_name(void)
{
	char buf[256] = "localhost";
	const char *node = get("SLURM_JOB_ID") ? get("SLURMD_NODENAME") : NULL;

	if (!node) {
		gethostname(buf, sizeof(buf) - 1);
		node = buf;
	}
	return strdup(node);
}

void place_release(struct place *p)
{
	free(p->author);
	free(p->host);
	free(p->job_id);
	free(p->job_number);
	free(p->array_job);
	free(p->array_task);
	free(p->cluster);
	free(p->nodes);
	free(p->branch);
	free(p->state);
	memset(p, 0, sizeof(*p));
}

static bool fill_job(struct place *p)
{
	const char *array = get("SLURM_ARRAY_JOB_ID");
	const char *task = get("SLURM_ARRAY_TASK_ID");
	const char *restarts = get("SLURM_RESTART_COUNT");

	p->attempt = 1 + (restarts ? atoi(restarts) : 0);
	if (!get("SLURM_JOB_ID"))
		return true;
	if (!array || !task)
		array = task = NULL;
	p->job_id = array ? str_format("%s_%s", array, task) :
		strdup(get("SLURM_JOB_ID"));
	return p->job_id && copy(&p->job_number, get("SLURM_JOB_ID")) &&
	       copy(&p->array_job, array) && copy(&p->array_task, task) &&
	       copy(&p->cluster, get("SLURM_CLUSTER_NAME")) &&
	       copy(&p->nodes, get("SLURM_JOB_NODELIST"));
}

int place_init(struct place *p, struct dsv *d, struct dsv_err *err)
{
	const char *told = get("DSV_JOB_ID");
	bool foreign = told && get("SLURM_JOB_ID") &&
		strcmp(told, get("SLURM_JOB_ID")) != 0;

	p->author = user_name();
	p->host = host_name();
	if (!p->author || !p->host || !fill_job(p))
		return dsv_fail_nomem(err);
	if (foreign) {
		if (get("DSV_BRANCH") || get("DSV_STATE"))
			repo_warn(d, "ignoring DSV_BRANCH and DSV_STATE of job"
				  " %s: this is job %s", told, p->job_number);
		return 0;
	}
	if (!copy(&p->branch, get("DSV_BRANCH")) ||
	    !copy(&p->state, get("DSV_STATE")))
		return dsv_fail_nomem(err);
	return 0;
}
