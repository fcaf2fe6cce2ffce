/* SPDX-License-Identifier: MIT */
/*
 * dsv fork --sbatch - submit a fork as a job.
 *
 * With our plugin, sbatch gets the ticket and the user's script unchanged.
 * Without it, the script is submitted in a wrapper, which Slurm spools: "dsv
 * job exec" takes it from there.
 */
#include "sbatch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Submission ---- */

/* Nothing was submitted, so the fork is undone. */
static void withdraw(struct dsv *d, const char *ticket)
{
	struct dsv_err err;

	if (dsv_job_cancel(d, ticket, &err) < 0) {
		dsv_fail_in(&err, -1, "withdraw the fork");
		cli_warn_of(&err);
	}
}

/* Tells whether sbatch knows our options. */
static bool has_plugin(void)
{
	char *argv[] = { (char *)"sbatch", (char *)"--help", NULL };
	struct child child = { .argv = argv, .quiet = true };
	char line[512];
	bool found = false;
	int fd = -1, pid, status;
	FILE *f;

	child.stdout_fd = &fd;
	if (child_start(&child, &pid, NULL) < 0)
		return false;
	f = fdopen(fd, "r");
	if (!f)
		close(fd);
	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, "--dsv-ticket") != NULL;
	if (f)
		fclose(f);
	child_wait(pid, false, &status, NULL);
	return found;
}

/* "--parsable" prints "ID" or "ID;CLUSTER". */
static void read_job_id(FILE *f, char *id, size_t size)
{
	char line[256];
	size_t len;

	id[0] = '\0';
	while (!id[0] && fgets(line, sizeof(line), f)) {
		len = strspn(line, "0123456789");
		if (len > 0 && len < size && strchr(";\n", line[len]))
			snprintf(id, size, "%.*s", (int)len, line);
		else
			fputs(line, stderr);
	}
}

static int add_words(struct dsv_strings *list, char **argv, int count,
		     struct dsv_err *err)
{
	int i, ret = 0;

	for (i = 0; i < count && ret == 0; i++)
		ret = strings_add(list, argv[i], err);
	return ret;
}

/* Makes the command line.  wrapper is NULL if there is the plugin. */
static int make_command(const struct sbatch *s, const struct job_script *script,
			const char *const own[], const char *wrapper,
			struct dsv_strings *list, struct dsv_err *err)
{
	int ret, from = script->options, end = script->options;
	size_t i;

	ret = strings_add(list, "sbatch", err);
	for (i = 0; own[i] && ret == 0; i++)
		ret = strings_add(list, own[i], err);
	if (wrapper && script->wrap >= 0) {
		end = script->wrap;
		from = script->wrap + script->wrap_words;
	}
	if (ret == 0)
		ret = add_words(list, s->argv, end, err);
	if (ret == 0 && from < script->options)
		ret = add_words(list, s->argv + from, script->options - from,
				err);
	if (ret == 0 && wrapper)
		ret = strings_add(list, wrapper, err);
	from = script->options + (wrapper && script->wrap < 0);
	if (ret == 0)
		ret = add_words(list, s->argv + from, s->argc - from, err);
	return ret == 0 ? strings_add(list, NULL, err) : ret;
}

/*
 * Runs sbatch and returns its exit status.  No id is printed if nothing was
 * submitted.  sbatch has read the wrapper by the time it prints the id.
 */
static int submit(struct dsv *d, struct dsv_strings *command,
		  const struct dsv_submission *submission,
		  char wrapper[PATH_MAX], struct dsv_err *err)
{
	struct child child = { .argv = (char **)(void *)command->items };
	const char *ticket = submission->ticket;
	struct dsv_err bind_err;
	char id[64];
	int fd = -1, pid, status, ret;
	FILE *f;

	child.stdout_fd = &fd;
	ret = child_start(&child, &pid, err);
	if (ret < 0) {
		if (*ticket)
			withdraw(d, ticket);
		return ret;
	}
	f = fdopen(fd, "r");
	if (f) {
		read_job_id(f, id, sizeof(id));
		script_unwrap(wrapper);
		/* This precedes the end of sbatch, which --wait may delay. */
		if (id[0] && dsv_job_bind(d, ticket, id, &bind_err) < 0) {
			dsv_fail_in(&bind_err, -1, "job %s", id);
			cli_warn_of(&bind_err);
		}
		if (id[0])
			ret = fork_print(stdout, &submission->forks, id, err);
		fflush(stdout);
	} else {
		id[0] = '\0';
		close(fd);
	}
	if (child_wait(pid, true, &status, err) < 0)
		ret = DSV_ESYS;
	if (f)
		fclose(f);
	if (!id[0] && *ticket)
		withdraw(d, ticket);
	if (ret == 0)
		ret = child_status(status);
	return ret;
}

static int check_after(const char *after, struct dsv_err *err)
{
	if (after && (!*after ||
		      strlen(after) > 32 ||
		      strspn(after, "0123456789_+") != strlen(after)))
		return dsv_fail(err, DSV_EUSAGE, "--after '%s' is not a job id",
				after);
	return 0;
}

/* The job may start in another directory. */
static int make_absolute(const char *dir, char out[PATH_MAX],
			 struct dsv_err *err)
{
	char cwd[PATH_MAX];

	if (!getcwd(cwd, sizeof(cwd)))
		return dsv_fail_errno(err, "find the working directory");
	if (snprintf(out, PATH_MAX, "%s/%s", cwd, dir) >= PATH_MAX)
		return dsv_fail(err, DSV_EUSAGE, "--to '%s' is too long", dir);
	return 0;
}

/* The options that we add to the command line; words ends with NULL. */
struct own {
	char ticket[64], repo[PATH_MAX + 16], after[64], array[64];
	const char *words[8];
};

static void make_own(struct dsv *d, const struct sbatch *s,
		     const struct job_script *script,
		     const struct dsv_submission *submission, bool plugin,
		     struct own *own)
{
	int n = 0;

	own->words[n++] = "--parsable";
	if (plugin && *submission->ticket) {
		snprintf(own->ticket, sizeof(own->ticket), "--dsv-ticket=%s",
			 submission->ticket);
		snprintf(own->repo, sizeof(own->repo), "--dsv-repo=%s",
			 dsv_path(d));
		own->words[n++] = own->ticket;
		own->words[n++] = own->repo;
	}
	if (s->after) {
		snprintf(own->after, sizeof(own->after),
			 "--dependency=afterany:%s", s->after);
		own->words[n++] = own->after;
	}
	if (submission->tasks > 0 && !script->given.array) {
		snprintf(own->array, sizeof(own->array), "--array=0-%zu",
			 submission->tasks - 1);
		own->words[n++] = own->array;
	}
	own->words[n] = NULL;
}

/*
 * Submits with the ticket or, without the plugin, with the wrapper in the
 * script's place.  A test has no ticket.
 */
static int submit_ticket(struct dsv *d, const struct sbatch *s,
			 struct job_script *script,
			 const struct dsv_submission *submission,
			 struct dsv_err *err)
{
	struct dsv_strings command = { 0 };
	bool plugin = !*submission->ticket || has_plugin();
	char wrapper[PATH_MAX] = "";
	struct own own;
	int ret = 0;

	make_own(d, s, script, submission, plugin, &own);
	if (!plugin)
		ret = script_wrap(d, submission->ticket, script, wrapper, err);
	if (ret == 0)
		ret = make_command(s, script, own.words, plugin ? NULL :
				   wrapper, &command, err);
	if (ret < 0)
		withdraw(d, submission->ticket);
	else
		ret = submit(d, &command, submission, wrapper, err);
	script_unwrap(wrapper);
	free((void *)command.items);
	return ret;
}

/* Returns a variable of sbatch's, else a value of the script's own lines. */
static const char *env_or(const char *name, const char *value)
{
	const char *text = getenv(name);

	return text && *text ? text : value;
}

/* The command line wins, then the environment, then the script. */
static void ask(const struct job_script *script,
		struct dsv_job_request *request)
{
	const struct sbatch_options *given = &script->given;
	const struct sbatch_options *lines = &script->lines;

	/* A sweep is its own array, whatever the script says. */
	request->array = given->array;
	if (!request->array && request->sweep.count == 0)
		request->array = env_or("SBATCH_ARRAY_INX", lines->array);
	request->clusters = given->clusters;
	if (!request->clusters)
		request->clusters = env_or("SLURM_CLUSTERS",
			env_or("SBATCH_CLUSTERS", lines->clusters));
	request->dry_run = given->test_only || lines->test_only;
}

int sbatch_submit(struct dsv *d, const struct sbatch *s, struct dsv_err *err)
{
	struct dsv_job_request request = s->request;
	struct job_script script = { .text = NULL };
	struct dsv_submission submission;
	char to[PATH_MAX];
	int ret;

	ret = check_after(s->after, err);
	if (ret == 0)
		ret = script_find(s, &script, err);
	if (ret == 0)
		ret = script_load(s, &script, err);
	if (ret == 0)
		ret = script_read_options(&script, err);
	if (ret == 0 && request.to && request.to[0] != '/') {
		ret = make_absolute(request.to, to, err);
		request.to = to;
	}
	ask(&script, &request);
	if (ret == 0)
		ret = dsv_job_prepare(d, &request, &submission, err);
	if (ret == 0) {
		ret = submit_ticket(d, s, &script, &submission, err);
		if (ret == 0)
			fork_tell(d, &submission.forks);
		dsv_submission_release(&submission);
	}
	free(script.words);
	free(script.text);
	return ret;
}
