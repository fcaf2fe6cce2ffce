/* SPDX-License-Identifier: MIT */
/*
 * dsv fork --sbatch - submit a fork as a job.
 *
 * With our plugin sbatch is given the ticket and the user's script as it is.
 * Without it, a wrapper is submitted in the script's place: the script's
 * comment block, so that its #SBATCH lines hold, and "dsv job exec", which
 * runs a copy of the script that is kept with the ticket.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is to be submitted. */
struct job_script {
	int options;		/* of argv: those of sbatch itself */
	int wrap;		/* where --wrap is; -1: there is a script */
	int wrap_words;		/* 1: --wrap=V, 2: --wrap V */
	char *text;		/* the script */
	size_t len;
	const char *name;
};

/* ---- sbatch's options, as of 22.05 ---- */

/* All others take a value. */
static const char *const flags[] = {
	"contiguous", "exclusive", "get-user-env", "help", "hold",
	"ignore-pbs", "nice", "no-kill", "no-requeue", "overcommit",
	"oversubscribe", "parsable", "propagate", "quiet", "reboot",
	"requeue", "share", "spread-job", "test-only", "usage",
	"use-min-nodes", "verbose", "version", "wait"
};

/* -k has an optional value, which is never a word of its own. */
static const char short_flags[] = "HIOQVWhksv";

static bool long_takes_value(const char *name)
{
	size_t i, matches = 0;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!strcmp(flags[i], name))
			return false;
		/* getopt_long() accepts what is short of the whole name. */
		matches += strlen(name) > 3 &&
			   !strncmp(flags[i], name, strlen(name));
	}
	return matches == 0;
}

static bool short_takes_word(const char *word)
{
	for (word++; *word; word++)
		if (!strchr(short_flags, *word))
			return !word[1];
	return false;
}

/* Fills options, wrap, wrap_words.  As sbatch: the first operand is SCRIPT. */
static int find_script(const struct sbatch *s, struct job_script *script,
		       struct dsv_err *err)
{
	int i;

	script->wrap = -1;
	for (i = 0; i < s->argc; i++) {
		const char *word = s->argv[i];
		bool value;

		if (!strcmp(word, "--")) {
			i++;
			break;
		}
		/* ":" is between the parts of a heterogeneous job. */
		if (!strcmp(word, ":"))
			continue;
		if (word[0] != '-' || !word[1])
			break;
		if (word[1] != '-')
			value = short_takes_word(word);
		else
			value = !strchr(word, '=') &&
				long_takes_value(word + 2);
		if (!strncmp(word, "--wrap", 6) && (!word[6] || word[6] == '='))
		{
			script->wrap = i;
			script->wrap_words = word[6] ? 1 : 2;
		}
		i += value;
	}
	if (i > s->argc)
		return dsv_fail(err, DSV_EUSAGE, "sbatch's option '%s' has no "
				"value", s->argv[s->argc - 1]);
	script->options = i;
	if (i == s->argc && script->wrap < 0)
		return dsv_fail(err, DSV_EUSAGE,
				"--sbatch: no script after sbatch's options");
	return 0;
}

/* ---- The script ---- */

/* As sbatch: from here, else by PATH. */
static int read_script(const char *name, struct job_script *script,
		       struct dsv_err *err)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];
	size_t len;

	if (strchr(name, '/') || access(name, R_OK) == 0)
		return read_text(name, &script->text, &script->len, err);
	for (; path && *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name);
		if (access(file, R_OK) == 0)
			return read_text(file, &script->text, &script->len,
					 err);
	}
	errno = ENOENT;
	return dsv_fail_errno(err, "open '%s'", name);
}

static int load_script(const struct sbatch *s, struct job_script *script,
		       struct dsv_err *err)
{
	const char *slash, *command;
	int ret, len;

	if (script->wrap >= 0) {
		command = s->argv[script->wrap];
		command = script->wrap_words == 1 ? strchr(command, '=') + 1 :
			  s->argv[script->wrap + 1];
		len = asprintf(&script->text, "#!/bin/sh\n%s\n", command);
		if (len < 0) {
			script->text = NULL;
			return dsv_fail_nomem(err);
		}
		script->len = (size_t)len;
		script->name = "wrap";
		return 0;
	}
	script->name = s->argv[script->options];
	ret = read_script(script->name, script, err);
	if (ret < 0)
		return ret;
	slash = strrchr(script->name, '/');
	if (slash)
		script->name = slash + 1;
	if (script->len < 3 || memcmp(script->text, "#!", 2))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is no script: it does "
				"not start with '#!'", script->name);
	return 0;
}

static void print_quoted(FILE *out, const char *text)
{
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			putc(*text, out);
	}
	putc('\'', out);
}

/* The script's name as that of the job; the script's own line wins. */
static void print_job_name(FILE *out, const char *name)
{
	fputs("#SBATCH --job-name=", out);
	for (; *name; name++)
		putc(strchr("\"'\\#% \t\n", *name) ? '_' : *name, out);
	putc('\n', out);
}

/* sbatch reads its lines up to the first that is no comment. */
static void print_comments(FILE *out, const struct job_script *script)
{
	const char *line = script->text;
	size_t len;

	for (; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		if (line != script->text && *line == '#')
			fprintf(out, "%.*s\n", (int)len, line);
		else if (line != script->text &&
			 strspn(line, " \t\r") < len)
			return;
	}
}

static char *wrapper_text(const struct dsv *d, const char *ticket,
			  const struct job_script *script, const char *copy)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("#!/bin/sh\n", f);
	print_job_name(f, script->name);
	print_comments(f, script);
	fputs("exec ", f);
	print_quoted(f, program_path());
	fputs(" --repo ", f);
	print_quoted(f, dsv_path(d));
	fprintf(f, " job exec --ticket=%s -- ", ticket);
	print_quoted(f, copy);
	fputs(" \"$@\"\n", f);
	if (fclose(f) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- Files ---- */

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t done;

	for (; len > 0; data += done, len -= (size_t)done) {
		done = write(fd, data, len);
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0)
			return -1;
	}
	return 0;
}

/* Appears whole or not at all, executable. */
static int write_file(const char *path, const char *data, size_t len,
		      struct dsv_err *err)
{
	char temp[PATH_MAX];
	int fd, ret = 0;

	snprintf(temp, sizeof(temp), "%s.XXXXXX", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return dsv_fail_errno(err, "make '%s'", path);
	if (write_all(fd, data, len) < 0 || fchmod(fd, 0755) < 0 ||
	    fsync(fd) < 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	if (close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", path);
	if (ret == 0 && rename(temp, path) < 0)
		ret = dsv_fail_errno(err, "replace '%s'", path);
	if (ret < 0)
		unlink(temp);
	return ret;
}

/* <repo>/jobs/<ticket>/script and .../wrapper, whose path goes to path. */
static int write_wrapper(const struct dsv *d, const char *ticket,
			 const struct job_script *script, char path[PATH_MAX],
			 struct dsv_err *err)
{
	char dir[PATH_MAX - 32], copy[PATH_MAX];
	char *text = NULL;
	int ret;

	snprintf(dir, sizeof(dir), "%s/jobs", dsv_path(d));
	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return dsv_fail_errno(err, "make '%s'", dir);
	snprintf(dir, sizeof(dir), "%s/jobs/%s", dsv_path(d), ticket);
	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return dsv_fail_errno(err, "make '%s'", dir);
	snprintf(copy, sizeof(copy), "%s/script", dir);
	snprintf(path, PATH_MAX, "%s/wrapper", dir);
	ret = write_file(copy, script->text, script->len, err);
	if (ret < 0)
		return ret;
	text = wrapper_text(d, ticket, script, copy);
	if (!text)
		return dsv_fail_nomem(err);
	ret = write_file(path, text, strlen(text), err);
	free(text);
	return ret;
}

/* ---- Submission ---- */

/* Does sbatch know our options? */
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

/* The command line.  wrapper NULL: the plugin is there. */
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

/* Runs sbatch; id is "" when nothing was submitted.  Its exit status. */
static int submit(struct dsv *d, struct dsv_strings *command,
		  const char *ticket, const struct dsv_fork *fork,
		  struct dsv_err *err)
{
	struct child child = { .argv = (char **)(void *)command->items };
	struct dsv_err bind_err;
	char id[64];
	int fd = -1, pid, status, ret;
	FILE *f;

	child.stdout_fd = &fd;
	ret = child_start(&child, &pid, err);
	if (ret < 0)
		return ret;
	f = fdopen(fd, "r");
	if (f) {
		read_job_id(f, id, sizeof(id));
		/* Before the end of sbatch, which --wait may put far off. */
		if (id[0] && dsv_job_bind(d, ticket, id, &bind_err) < 0)
			cli_warn("job %s: %s", id, bind_err.msg);
		if (id[0])
			ret = fork_print(stdout, fork, id, err);
		fflush(stdout);
	} else {
		id[0] = '\0';
		close(fd);
	}
	if (child_wait(pid, true, &status, err) < 0)
		ret = DSV_ESYS;
	if (f)
		fclose(f);
	if (!id[0] && dsv_job_cancel(d, ticket, &bind_err) < 0)
		cli_warn("withdraw the fork: %s", bind_err.msg);
	if (ret == 0)
		ret = child_status(status);
	return ret;
}

static int check_after(const char *after, struct dsv_err *err)
{
	if (after && (!*after ||
		      strspn(after, "0123456789_+") != strlen(after)))
		return dsv_fail(err, DSV_EUSAGE, "--after '%s' is no job id",
				after);
	return 0;
}

int sbatch_submit(struct dsv *d, const struct sbatch *s, struct dsv_err *err)
{
	char ticket_opt[64], repo_opt[PATH_MAX + 16], after_opt[64];
	char ticket[DSV_TICKET_SIZE], id[DSV_ID_SIZE], wrapper[PATH_MAX];
	const char *own[8] = { "--parsable" };
	struct job_script script = { .text = NULL };
	struct dsv_strings command = { 0 };
	bool plugin, prepared = false;
	struct dsv_fork fork;
	int n = 1, ret;

	ret = check_after(s->after, err);
	if (ret == 0)
		ret = find_script(s, &script, err);
	if (ret == 0)
		ret = load_script(s, &script, err);
	if (ret == 0)
		ret = dsv_job_prepare(d, &s->request, ticket, id, &fork, err);
	if (ret < 0)
		goto out;
	prepared = true;
	plugin = has_plugin();
	if (plugin) {
		snprintf(ticket_opt, sizeof(ticket_opt), "--dsv-ticket=%s",
			 ticket);
		snprintf(repo_opt, sizeof(repo_opt), "--dsv-repo=%s",
			 dsv_path(d));
		own[n++] = ticket_opt;
		own[n++] = repo_opt;
	} else {
		ret = write_wrapper(d, ticket, &script, wrapper, err);
	}
	if (s->after) {
		snprintf(after_opt, sizeof(after_opt),
			 "--dependency=afterany:%s", s->after);
		own[n++] = after_opt;
	}
	if (ret == 0)
		ret = make_command(s, &script, own, plugin ? NULL : wrapper,
				   &command, err);
	if (ret < 0)
		goto out;
	prepared = false;	/* submit() cleans up */
	ret = submit(d, &command, ticket, &fork, err);
out:
	if (prepared)
		dsv_job_cancel(d, ticket, NULL);
	free((void *)command.items);
	free(script.text);
	return ret;
}
