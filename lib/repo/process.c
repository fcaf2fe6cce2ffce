/* SPDX-License-Identifier: MIT */
/*
 * Where this process runs.  The only place that reads the environment of
 * Slurm and of forked jobs.
 */
#include <errno.h>
#include <inttypes.h>
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

/* Returns false if out of memory. */
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

void process_release(struct process *p)
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
	free(p->step);
	free(p->node_tasks);
	free(p->tasks_per_node);
	free(p->distribution);
	memset(p, 0, sizeof(*p));
}

static bool fill_job(struct process *p)
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

static bool get_number(const char *name, int64_t *out)
{
	const char *value = get(name);
	char *end;

	if (!value || *value < '0' || *value > '9')
		return false;
	errno = 0;
	*out = strtoll(value, &end, 10);
	return *end == '\0' && errno == 0;
}

/*
 * A batch script has the job's numbers but is not a step of it, so there are
 * no other processes to wait for.
 */
static void fill_rank(struct process *p)
{
	if (get_number("RANK", &p->rank) &&
	    get_number("WORLD_SIZE", &p->ranks))
		return;
	if (get("SLURM_STEP_ID") && get_number("SLURM_PROCID", &p->rank) &&
	    get_number("SLURM_NTASKS", &p->ranks))
		return;
	p->rank = p->ranks = -1;
}

/*
 * torchrun restarts its processes within one step of a job; each of them then
 * starts counting its tags from the beginning.
 */
static bool fill_step(struct process *p)
{
	const char *step = get("SLURM_STEP_ID");
	const char *run = get("TORCHELASTIC_RUN_ID");
	const char *restart = get("TORCHELASTIC_RESTART_COUNT");

	if (!p->job_number)
		return true;
	p->step = str_format("%s:%s.%s.%d%s%s%s%s",
			     p->cluster ? p->cluster : "", p->job_number,
			     step ? step : "batch", p->attempt,
			     run ? "/" : "", run ? run : "",
			     restart ? "+" : "", restart ? restart : "");
	return p->step;
}

/* A heterogeneous job's components have task counts of their own. */
static int64_t het_tasks(int64_t components)
{
	int64_t i, n, sum = 0;
	char name[64];

	for (i = 0; i < components; i++) {
		snprintf(name, sizeof(name), "SLURM_NTASKS_HET_GROUP_%" PRId64,
			 i);
		if (!get_number(name, &n))
			return -1;
		sum += n;
	}
	return sum;
}

/* Slurm lets a step know which of its tasks run on this node. */
static bool fill_tasks(struct process *p)
{
	const char *nodes = p->nodes ? p->nodes : "";
	bool step = get("SLURM_STEP_ID");
	int64_t components = 0;

	p->tasks = p->plane = -1;
	get_number("SLURM_HET_SIZE", &components);
	if (step)
		get_number("SLURM_STEP_NUM_TASKS", &p->tasks);
	else if (components > 0)
		p->tasks = het_tasks(components);
	get_number("SLURM_DIST_PLANESIZE", &p->plane);
	p->many_nodes = components > 0 || strpbrk(nodes, "[,");
	return copy(&p->node_tasks, step ? get("SLURM_GTIDS") : NULL) &&
	       copy(&p->tasks_per_node, get("SLURM_TASKS_PER_NODE")) &&
	       copy(&p->distribution, get("SLURM_DISTRIBUTION"));
}

int process_init(struct process *p, struct dsv *d, struct dsv_err *err)
{
	const char *told = get("DSV_JOB_ID");
	bool foreign = told && get("SLURM_JOB_ID") &&
		strcmp(told, get("SLURM_JOB_ID")) != 0;

	p->author = user_name();
	p->host = host_name();
	fill_rank(p);
	if (!p->author || !p->host || !fill_job(p) || !fill_step(p) ||
	    !fill_tasks(p))
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
