/* SPDX-License-Identifier: MIT */
/*
 * We query Slurm through its commands, as text with explicit fields, because
 * its JSON changes from release to release.
 */
#include "slurm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/value.h"
#include "../os/proc.h"

enum { SLURM_TIMEOUT_MS = 20000 };

extern char **environ;

/* SLURM_CLUSTERS is -M; others filter the output or change its format. */
static bool is_kept(const char *variable)
{
	static const char *const dropped[] = {
		"SLURM_CLUSTERS=", "SLURM_TIME_FORMAT=", "SACCT_", "SCONTROL_",
		"SINFO_", "SQUEUE_",
	};
	size_t i;

	for (i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		if (!strncmp(variable, dropped[i], strlen(dropped[i])))
			return false;
	}
	return true;
}

bool slurm_output(char *const argv[], int64_t timeout_ms, struct str *out)
{
	size_t count = 0, kept = 0, i;
	int status = -1;
	char **env;
	bool ok;

	while (environ[count])
		count++;
	env = calloc(count + 1, sizeof(*env));
	for (i = 0; env && i < count; i++) {
		if (is_kept(environ[i]))
			env[kept++] = environ[i];
	}
	ok = env && proc_output(argv, env, timeout_ms, out, &status,
				NULL) == 0 && status == 0;
	free(env);
	return ok;
}

void slurm_jobs_release(struct slurm_jobs *jobs)
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
	struct slurm_job *job;
	int ret;

	if (!id || !state)
		return 0;
	ret = list_grow((void **)&jobs->items, jobs->count, sizeof(*job), err);
	if (ret < 0)
		return ret;
	job = &jobs->items[jobs->count++];
	job->id = strdup(id);
	job->state = strdup(state);
	job->submitted_ns = 0;
	if (submitted)
		dsv_parse_time(submitted, 0, &job->submitted_ns, NULL);
	return job->id && job->state ? 0 : dsv_fail_nomem(err);
}

int slurm_queue(const char *users, struct slurm_jobs *out,
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
	bool answered;
	int ret = 0;

	if (!user_list)
		return dsv_fail_nomem(err);
	answered = slurm_output(argv, SLURM_TIMEOUT_MS, &text);
	free(user_list);
	if (!answered) {
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

char *slurm_cluster(void)
{
	char scontrol[] = "scontrol", show[] = "show", config[] = "config";
	char *argv[] = { scontrol, show, config, NULL };
	static const char key[] = "\nClusterName ";
	struct str text = STR_INIT;
	const char *p;
	char *name = NULL;

	if (slurm_output(argv, SLURM_TIMEOUT_MS, &text) &&
	    (p = strstr(str_text(&text), key))) {
		p += strlen(key);
		p += strspn(p, " =");
		name = strndup(p, strcspn(p, " \n"));
	}
	str_release(&text);
	return name;
}

/* Returns the value of NAME= in a line of "scontrol -o show job", or NULL. */
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

/* Fills in how the job ended, as far as the controller remembers. */
static void ask_scontrol(const char *id, struct slurm_outcome *out)
{
	char scontrol[] = "scontrol", one_line[] = "-o", show[] = "show",
	     job[] = "job";
	char *id_copy = strdup(id);
	char *argv[] = { scontrol, one_line, show, job, id_copy, NULL };
	struct str text = STR_INIT;
	char *code = NULL, *end = NULL;

	if (id_copy && slurm_output(argv, SLURM_TIMEOUT_MS, &text)) {
		out->state = scontrol_field(str_text(&text), "JobState");
		code = scontrol_field(str_text(&text), "ExitCode");
		end = scontrol_field(str_text(&text), "EndTime");
	}
	if (code)
		sscanf(code, "%d:%d", &out->exit_code, &out->signal);
	if (end)
		dsv_parse_time(end, 0, &out->ended_ns, NULL);
	free(code);
	free(end);
	free(id_copy);
	str_release(&text);
}

/* Parses "CANCELLED by 123|0:15|2026-01-31T14:00:00"; fields may be empty. */
static void read_sacct(char *line, struct slurm_outcome *out)
{
	char *state = strsep(&line, "|");
	char *code = strsep(&line, "|");
	char *end = strsep(&line, "|");

	if (!*state)
		return;
	out->state = strndup(state, strcspn(state, " "));
	if (code)
		sscanf(code, "%d:%d", &out->exit_code, &out->signal);
	if (end)
		dsv_parse_time(end, 0, &out->ended_ns, NULL);
}

/*
 * Reads what accounting remembers, or else the log of completed jobs.  That
 * log has a line for each attempt; the last one counts.
 */
static void ask_sacct(const char *id, bool completions,
		      struct slurm_outcome *out)
{
	char sacct[] = "sacct", opts[] = "-nXP", comp_opts[] = "-cnP",
	     job_opt[] = "-j", format_opt[] = "-o",
	     format[] = "State,ExitCode,End";
	char *id_copy = strdup(id);
	char *argv[] = { sacct, completions ? comp_opts : opts, job_opt,
			 id_copy, format_opt, format, NULL };
	struct str text = STR_INIT;
	char *rest, *line, *answer = NULL;

	if (id_copy && slurm_output(argv, SLURM_TIMEOUT_MS, &text)) {
		rest = text.data;
		while ((line = strsep(&rest, "\n"))) {
			if (*line && (completions || !answer))
				answer = line;
		}
		if (answer)
			read_sacct(answer, out);
	}
	free(id_copy);
	str_release(&text);
}

void slurm_outcome(const char *id, struct slurm_outcome *out)
{
	*out = (struct slurm_outcome){ NULL, -1, 0, 0 };
	ask_scontrol(id, out);
	if (!out->state)
		ask_sacct(id, false, out);
	if (!out->state)
		ask_sacct(id, true, out);
	/* Slurm also reports 0:0 for jobs that were lost and did not exit. */
	if (out->state && out->exit_code == 0 && out->signal == 0 &&
	    strcmp(out->state, "COMPLETED") != 0)
		out->exit_code = -1;
}

bool slurm_has_ended(const char *state)
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
