/* SPDX-License-Identifier: MIT */
/*
 * The batch script of dsv fork --sbatch: where it is on sbatch's command
 * line, and the wrapper that is submitted in its place.
 */
#include "sbatch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
		/* getopt_long() accepts abbreviated names. */
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

static bool takes_word(const char *word)
{
	if (word[0] != '-' || word[1] != '-')
		return word[0] == '-' && short_takes_word(word);
	return !strchr(word, '=') && long_takes_value(word + 2);
}

/* Notes the value of an option, which is in this word or the next. */
static void note_value(const char *word, const char *next, const char *name,
		       const char *short_name, const char **out)
{
	size_t len = strlen(name);

	if (!strncmp(word, name, len) && word[len] == '=')
		*out = word + len + 1;
	else if (!strcmp(word, name) || !strcmp(word, short_name))
		*out = next;
	else if (!strncmp(word, short_name, 2))
		*out = word + 2;
}

/* next is the word that word takes as its value, or NULL. */
static void note(const char *word, const char *next, struct sbatch_options *o)
{
	size_t len = strlen(word);

	/* getopt_long() takes it in whole or abbreviated. */
	if (len > strlen("--t") && !strncmp(word, "--test-only", len))
		o->test_only = true;
	note_value(word, next, "--array", "-a", &o->array);
	note_value(word, next, "--clusters", "-M", &o->clusters);
	note_value(word, next, "--cluster", "-M", &o->clusters);
}

/* As for sbatch, the first operand is SCRIPT. */
int script_find(const struct sbatch *s, struct job_script *script,
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
		/* ":" stands between the parts of a heterogeneous job. */
		if (!strcmp(word, ":"))
			continue;
		if (word[0] != '-' || !word[1])
			break;
		value = takes_word(word);
		if (!strncmp(word, "--wrap", 6) && (!word[6] || word[6] == '='))
		{
			script->wrap = i;
			script->wrap_words = word[6] ? 1 : 2;
		}
		note(word, value && i + 1 < s->argc ? s->argv[i + 1] : NULL,
		     &script->given);
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

/* As sbatch does, looks here first and then in PATH. */
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

int script_load(const struct sbatch *s, struct job_script *script,
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
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a script: it "
				"does not start with '#!'", script->name);
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

/* sbatch reads lines up to the first that is not a comment; NULL: no more. */
static const char *next_comment(const char *line, size_t *len)
{
	for (; *line; line += *len + (line[*len] == '\n')) {
		*len = strcspn(line, "\n");
		if (*line == '#')
			return line;
		if (strspn(line, " \t\r") < *len)
			break;
	}
	return NULL;
}

/*
 * Returns the next word of a line, or NULL.  As in sbatch, ", ' and \ quote.
 * The word is made in the line itself.
 */
static char *take_word(char **line)
{
	char *word = *line + strspn(*line, " \t\r");
	char *p, *out = word, quote = '\0';

	for (p = word; *p && (quote || !strchr(" \t\r#", *p)); p++) {
		if (*p == '\\' && quote != '\'' && p[1])
			*out++ = *++p;
		else if (quote && *p == quote)
			quote = '\0';
		else if (!quote && strchr("\"'", *p))
			quote = *p;
		else
			*out++ = *p;
	}
	/* A comment reaches to the end. */
	*line = *p == '#' ? p + strlen(p) : p + (*p != '\0');
	*out = '\0';
	return p > word ? word : NULL;
}

int script_read_options(struct job_script *script, struct dsv_err *err)
{
	const char *from = script->text;
	char *line, *word, *next;
	size_t len;

	script->words = line = strdup(from);
	if (!line)
		return dsv_fail_nomem(err);
	for (; (from = next_comment(from, &len)); from += len) {
		if (strncmp(from, "#SBATCH", 7) != 0)
			continue;
		line = script->words + (from - script->text);
		line[len] = '\0';
		line += 7;
		while ((word = take_word(&line))) {
			next = takes_word(word) ? take_word(&line) : NULL;
			note(word, next, &script->lines);
		}
	}
	return 0;
}

static void print_comments(FILE *out, const struct job_script *script)
{
	const char *line = script->text + strcspn(script->text, "\n");
	size_t len;

	line += *line == '\n';
	for (; (line = next_comment(line, &len)); line += len)
		fprintf(out, "%.*s\n", (int)len, line);
}

/* What follows this line in a wrapper is the script; tickets are random. */
static char *script_mark(const char *ticket)
{
	char *mark;

	return asprintf(&mark, "\n# the script of %s\n", ticket) < 0 ? NULL :
		mark;
}

/*
 * Slurm spools this: the script's comment block, so that its #SBATCH lines
 * apply, the command that starts the job, and the script itself.
 */
static int print_wrapper(FILE *out, const struct dsv *d, const char *ticket,
			 const struct job_script *script)
{
	char *mark = script_mark(ticket);

	if (!mark)
		return -1;
	fputs("#!/bin/sh\n", out);
	print_comments(out, script);
	fputs("exec ", out);
	print_quoted(out, program_path());
	fputs(" --repo ", out);
	print_quoted(out, dsv_path(d));
	fprintf(out, " job exec --ticket=%s --script=\"$0\" -- \"$@\"%s",
		ticket, mark);
	free(mark);
	return fwrite(script->text, 1, script->len, out) == script->len ?
		0 : -1;
}

int script_wrap(const struct dsv *d, const char *ticket,
		const struct job_script *script, char path[PATH_MAX],
		struct dsv_err *err)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX - NAME_MAX - 2];
	FILE *f;
	int ret = 0;

	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	path[0] = '\0';
	if (snprintf(dir, sizeof(dir), "%s/dsv-XXXXXX", tmp) >=
	    (int)sizeof(dir))
		return dsv_fail(err, DSV_EUSAGE, "TMPDIR is too long");
	if (!mkdtemp(dir))
		return dsv_fail_errno(err, "make '%s'", dir);
	/* Slurm names the job after the file. */
	snprintf(path, PATH_MAX, "%s/%.255s", dir, script->name);
	f = fopen(path, "wxe");
	if (!f || print_wrapper(f, d, ticket, script) < 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	if (f && fclose(f) == EOF && ret == 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	if (ret < 0)
		script_unwrap(path);
	return ret;
}

void script_unwrap(char path[PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return;
	unlink(path);
	*slash = '\0';
	rmdir(path);
	path[0] = '\0';
}

/* Scripts use low descriptors for their own ends, and shells up to 10. */
#define SCRIPT_FD 100

int script_open(const char *wrapper, const char *ticket, int *fd,
		struct dsv_err *err)
{
	char *text = NULL, *mark = script_mark(ticket), *script = NULL;
	size_t len = 0, size = 0;
	ssize_t done;
	int ret, low = -1;

	*fd = -1;
	ret = mark ? read_text(wrapper, &text, &len, err) :
		dsv_fail_nomem(err);
	if (ret < 0)
		goto out;
	script = strstr(text, mark);
	if (!script) {
		ret = dsv_fail(err, DSV_EUSAGE, "'%s' is not the wrapper of "
			       "ticket %s", wrapper, ticket);
		goto out;
	}
	script += strlen(mark);
	size = len - (size_t)(script - text);
	low = memfd_create("script", MFD_CLOEXEC);
	*fd = low < 0 ? -1 : fcntl(low, F_DUPFD, SCRIPT_FD);
	for (done = 1; *fd >= 0 && size > 0 && done > 0; script += done,
	     size -= (size_t)done)
		done = write(*fd, script, size);
	if (*fd < 0 || size > 0)
		ret = dsv_fail_errno(err, "copy the script of '%s'", wrapper);
out:
	if (low >= 0)
		close(low);
	free(mark);
	free(text);
	return ret;
}
