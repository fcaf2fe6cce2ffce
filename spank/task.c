/* SPDX-License-Identifier: MIT */
/* This runs in slurmstepd, on the nodes. */
#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "carrier.h"
#include "exec.h"
#include "plugin.h"
#include "report.h"

#define OWN_COUNT 3	/* variables that we add to a helper's environment */

/* A helper's environment: most of it is borrowed from the job. */
struct environment {
	char **list;
	char job_id[32];
	char node_id[32];
};

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/*
 * Drops what we know better than the job's environment, in which a job that was
 * submitted by another job keeps the other's values, and what would make the
 * loader load something else.
 */
static bool is_dropped(const char *var, bool batch, bool no_array)
{
	return has_prefix(var, "LD_") || has_prefix(var, "SLURM_JOB_ID=") ||
	       has_prefix(var, "SLURM_NODEID=") ||
	       has_prefix(var, "SLURM_SPANK_") ||
	       has_prefix(var, "_SLURM_SPANK_") ||
	       (batch && has_prefix(var, "SLURM_STEP_")) ||
	       (no_array && has_prefix(var, "SLURM_ARRAY_"));
}

/*
 * What the end of a job is recorded with.  That runs beside slurmstepd, not
 * in the job: of the job's environment it gets what dsv reads, and nothing by
 * which a library would load code.
 */
static bool is_for_end(const char *var)
{
	static const char *const known[] = {
		"DSV_", "SLURM_", "SLURMD_", "HOME=", "USER=", "LOGNAME=",
		"XDG_CONFIG_HOME=", "TZ=",
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (has_prefix(var, known[i]))
			return true;
	return false;
}

static bool is_batch(spank_t sp)
{
	uint32_t step = 0;

	return spank_get_item(sp, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
	       step == SLURM_BATCH_SCRIPT;
}

static int make_environment(spank_t sp, const struct carrier *c, bool end,
			    struct environment *e)
{
	static char default_path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char **job_env = NULL;
	uint32_t node_id = 0, array_id = 0;
	bool batch = is_batch(sp), no_array, path = false;
	size_t i, n = 0;

	if (spank_get_item(sp, S_JOB_ENV, &job_env) != ESPANK_SUCCESS ||
	    !job_env ||
	    spank_get_item(sp, S_JOB_NODEID, &node_id) != ESPANK_SUCCESS)
		return -1;
	no_array = batch &&
		   spank_get_item(sp, S_JOB_ARRAY_ID, &array_id) ==
		   ESPANK_SUCCESS && array_id == 0;
	for (i = 0; job_env[i]; i++)
		;
	e->list = calloc(i + OWN_COUNT + 1, sizeof(*e->list));
	if (!e->list)
		return -1;
	for (i = 0; job_env[i]; i++) {
		if (is_dropped(job_env[i], batch, no_array) ||
		    (end && !is_for_end(job_env[i])))
			continue;
		path = path || has_prefix(job_env[i], "PATH=");
		e->list[n++] = job_env[i];
	}
	snprintf(e->job_id, sizeof(e->job_id), "SLURM_JOB_ID=%u",
		 c->job_id);
	snprintf(e->node_id, sizeof(e->node_id), "SLURM_NODEID=%u", node_id);
	e->list[n++] = e->job_id;
	e->list[n++] = e->node_id;
	if (!path)
		e->list[n] = default_path;
	return 0;
}

/* Exports only our own variables: a faulty helper must not set PATH. */
static int export_pair(spank_t sp, const char *pair)
{
	char name[192];
	size_t len;

	len = strcspn(pair, "=");
	if (!has_prefix(pair, "DSV_") || !pair[len] || len >= sizeof(name))
		return -1;
	memcpy(name, pair, len);
	name[len] = '\0';
	return spank_setenv(sp, name, pair + len + 1, 1) == ESPANK_SUCCESS ?
	       0 : -1;
}

static int export_all(spank_t sp, const struct carrier *c,
		      const struct helper_result *r)
{
	const char *pair;
	size_t pos = 0;

	while ((pair = next_pair(r, &pos))) {
		if (export_pair(sp, pair) < 0) {
			slurm_error("dsv: cannot set '%.64s'", pair);
			return -1;
		}
	}
	options_unset_in_task(sp);
	if (carrier_hand_over(sp, c) < 0) {
		slurm_error("dsv: cannot set 'DSV_TICKET'");
		return -1;
	}
	return 0;
}

static int start(struct plugin *p, spank_t sp, struct carrier *c)
{
	char option[64];
	char *argv[] = {
		(char *)p->config.dsv, (char *)"--repo", c->repo,
		(char *)"job", (char *)"start", option,
		(char *)"--porcelain", NULL
	};
	struct environment env = { 0 };
	struct helper h = {
		.argv = argv,
		.timeout_ms = p->config.start_timeout_ms,
		.remote = true,
	};
	struct helper_result r = { 0 };
	int ret = -1;

	snprintf(option, sizeof(option), "--ticket=%s", c->ticket);
	if (make_environment(sp, c, false, &env) < 0) {
		slurm_error("dsv: cannot make the helper's environment");
		return -1;
	}
	h.envp = env.list;
	helper_run(&h, &r);
	if (helper_succeeded(&r)) {
		report_remarks(&h, &r);
		ret = export_all(sp, c, &r);
	} else {
		report_failure(&h, &r);
	}
	helper_result_release(&r);
	free(env.list);
	return ret;
}

int task_start(struct plugin *p, spank_t sp)
{
	struct carrier *c;
	int ret = -1;

	/* It is on the heap, since Slurm may run us on a small stack. */
	c = malloc(sizeof(*c));
	if (!c) {
		slurm_error("dsv: out of memory");
		return -1;
	}
	switch (carrier_read(sp, c)) {
	case CARRIER_NONE:
		ret = 0;
		break;
	case CARRIER_BROKEN:
		slurm_error("dsv: the job's ticket is damaged");
		break;
	case CARRIER_VALID:
		if (!p->config.dsv)
			slurm_error("dsv: the plugin was not set up");
		else if (p->config.error[0])
			slurm_error("dsv: %s", p->config.error);
		else
			ret = start(p, sp, c);
		break;
	}
	free(c);
	return ret;
}

static int set_user(spank_t sp, struct helper *h)
{
	gid_t *groups = NULL;
	int count = 0;

	if (spank_get_item(sp, S_JOB_UID, &h->uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_GID, &h->gid) != ESPANK_SUCCESS)
		return -1;
	if (spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &groups, &count) ==
	    ESPANK_SUCCESS && count > 0) {
		h->groups = groups;
		h->group_count = (size_t)count;
	}
	/* If slurmstepd is not root, it already is the user. */
	h->drop = geteuid() == 0 || getuid() == 0;
	return 0;
}

static void finish(struct plugin *p, spank_t sp, struct carrier *c)
{
	char option[64], status[32];
	char *argv[] = {
		(char *)p->config.dsv, (char *)"--repo", c->repo,
		(char *)"job", (char *)"finish", option, status, NULL
	};
	struct environment env = { 0 };
	struct helper h = {
		.argv = argv,
		.timeout_ms = p->config.finish_timeout_ms,
		.remote = true,
	};
	struct helper_result r = { 0 };

	snprintf(option, sizeof(option), "--ticket=%s", c->ticket);
	snprintf(status, sizeof(status), "--status=%d", p->status);
	if (set_user(sp, &h) < 0 ||
	    make_environment(sp, c, true, &env) < 0) {
		slurm_error("dsv: the end of the job was not recorded");
		return;
	}
	h.envp = env.list;
	helper_run(&h, &r);
	/* The start has already reported that it cannot be run. */
	if (!helper_succeeded(&r) && r.outcome != HELPER_NOT_RUN)
		report_failure(&h, &r);
	helper_result_release(&r);
	free(env.list);
}

/*
 * The job has ended when its script has ended or, if srun made the allocation,
 * when the last task of this node has.
 */
static bool is_last(struct plugin *p, spank_t sp, const struct carrier *c)
{
	uint32_t tasks = 0;

	if (is_batch(sp))
		return true;
	return c->direct &&
	       spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &tasks) ==
	       ESPANK_SUCCESS && p->exited >= tasks;
}

void task_end(struct plugin *p, spank_t sp)
{
	struct carrier *c;
	int status = 0;

	p->exited++;
	if (spank_get_item(sp, S_TASK_EXIT_STATUS, &status) ==
	    ESPANK_SUCCESS && status && !p->status)
		p->status = status;
	c = malloc(sizeof(*c));
	if (c && p->config.dsv && !p->config.error[0] &&
	    carrier_read(sp, c) == CARRIER_VALID && is_last(p, sp, c))
		finish(p, sp, c);
	free(c);
}
