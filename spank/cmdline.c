/* SPDX-License-Identifier: MIT */
#include "cmdline.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CMDLINE_MAX (256 * 1024)

/* Counts the values of a list in JSON, not what is inside strings and lists. */
static size_t json_values(const char *s)
{
	bool quoted = false, any = false;
	size_t count = 0;
	int depth = 0;

	for (; *s; s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (!quoted && strchr("[{", *s))
			depth++;
		else if (!quoted && strchr("]}", *s))
			depth--;
		else if (!quoted && *s == ',' && depth == 1)
			count++;
		any = any || !strchr("[] \t", *s);
	}
	return any ? count + 1 : 0;
}

size_t sweep_values(const char *sweep)
{
	const char *p = strchr(sweep, '=');
	size_t count = 1;

	if (!p)
		return 0;
	if (p > sweep && p[-1] == ':')
		return json_values(p + 1);
	for (; *p; p++)
		count += *p == ',';
	return count;
}

/*
 * Returns the value if word is the option name or short_name ("" if it has
 * none): the text after its '=', or the next word.  Else returns NULL.
 */
static const char *value_of(const char *word, const char *next,
			    const char *name, const char *short_name)
{
	size_t len = strlen(name), short_len = strlen(short_name);

	if (!strncmp(word, name, len) && word[len] == '=')
		return word + len + 1;
	if (!strcmp(word, name))
		return next;
	if (!short_len || strncmp(word, short_name, short_len))
		return NULL;
	return word[short_len] ? word + short_len : next;
}

/* The next word may be the name of a file, and is not the script. */
static bool takes_file(const char *word)
{
	static const char *const names[] = {
		"-o", "-e", "-i", "-D", "--output", "--error", "--input",
		"--chdir", "--export-file", "--bb", "--bbf", "-M",
		"--cluster", "--clusters",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(word, names[i]))
			return true;
	}
	return false;
}

/* The script ends the options: its arguments must not count. */
static bool is_script(const char *word, const char *before)
{
	struct stat st;

	return *word != '-' && !takes_file(before) && !stat(word, &st) &&
	       S_ISREG(st.st_mode);
}

static const char *clusters_of(const char *word, const char *next)
{
	const char *value = value_of(word, next, "--clusters", "-M");

	return value ? value : value_of(word, next, "--cluster", "");
}

static void note(struct cmdline *c, const char *word, const char *next)
{
	const char *value = clusters_of(word, next);

	if (value)
		c->clusters = value;
	if (!strcmp(word, "--test-only"))
		c->test_only = true;
	value = value_of(word, next, "--array", "-a");
	if (value)
		c->array = value;
	value = value_of(word, next, "--dsv-sweep", "");
	if (value)
		c->rows = (c->rows ? c->rows : 1) * sweep_values(value);
}

/*
 * Returns the next word of an #SBATCH line, ended in the line itself, or NULL.
 * Quotes stay, because a quoted word may be a value: a test that goes unnoticed
 * leaves a hold until the next sync, but a job that is taken for a test cannot
 * start.
 */
static char *take_word(char **line)
{
	char *word = *line + strspn(*line, " \t\r\n");
	char *p, quote = '\0';

	for (p = word; *p && (quote || !strchr(" \t\r\n#", *p)); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (quote && *p == quote)
			quote = '\0';
		else if (!quote && strchr("\"'", *p))
			quote = *p;
	}
	*line = *p == '#' ? p + strlen(p) : p + (*p != '\0');
	*p = '\0';
	return p > word ? word : NULL;
}

/* Looks for --test-only and -M among the #SBATCH lines. */
static void read_script(struct cmdline *c, const char *path)
{
	FILE *f = fopen(path, "re");
	char *p, *word, *next;
	const char *value;
	char line[1024];

	while (f && fgets(line, sizeof(line), f) &&
	       (line[0] == '#' || line[0] == '\n')) {
		if (strncmp(line, "#SBATCH", 7))
			continue;
		p = line + 7;
		for (word = take_word(&p); word; word = next) {
			next = take_word(&p);
			c->test_only |= !strcmp(word, "--test-only");
			value = clusters_of(word, next);
			if (value && !strpbrk(value, "\"'\\"))
				snprintf(c->script_clusters,
					 sizeof(c->script_clusters), "%s",
					 value);
		}
	}
	if (f)
		fclose(f);
}

/* For sbatch, the script's clusters come last. */
static void find_clusters(struct cmdline *c)
{
	const char *const found[] = {
		c->clusters, getenv("SLURM_CLUSTERS"),
		c->is_sbatch ? getenv("SBATCH_CLUSTERS") : NULL,
		c->script_clusters,
	};
	size_t i;

	c->clusters = NULL;
	for (i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		if (!c->clusters && found[i] && *found[i])
			c->clusters = found[i];
	}
}

/* Tells whether an option of srun takes the next word as its value. */
static bool takes_value(const char *word)
{
	static const char *const names[] = {
		"--account", "--constraint", "--cpus-per-task", "--gpus",
		"--gres", "--job-name", "--mem", "--nodelist", "--nodes",
		"--ntasks", "--ntasks-per-node", "--output", "--partition",
		"--qos", "--time",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(word, names[i]))
			return true;
	}
	if (!strncmp(word, "--dsv-", 6))
		return !strchr(word, '=');
	return strlen(word) == 2 && strchr("ACDGJMNceinopqtwx", word[1]);
}

/* For srun, only what surely comes before its program counts. */
static bool srun_tests_only(const char *word, const char *end)
{
	const char *before = "";

	for (; word < end; before = word, word += strlen(word) + 1) {
		if (!strcmp(word, "--test-only"))
			return true;
		if (*word != '-' && !takes_value(before))
			return false;
		if (!strcmp(word, "--"))
			return false;
	}
	return false;
}

static char *read_words(size_t *size)
{
	char *buf = malloc(CMDLINE_MAX + 2);
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*size = 0;
	while (fd >= 0 && buf && *size < CMDLINE_MAX &&
	       (n = read(fd, buf + *size, CMDLINE_MAX - *size)) > 0)
		*size += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (buf)
		buf[*size] = buf[*size + 1] = '\0';
	return buf;
}

void cmdline_read(struct cmdline *c)
{
	const char *word, *before, *next, *end, *slash;
	size_t size;

	memset(c, 0, sizeof(*c));
	c->words = read_words(&size);
	if (!c->words || !size)
		return;
	end = c->words + size;
	slash = strrchr(c->words, '/');
	c->is_sbatch = !strcmp(slash ? slash + 1 : c->words, "sbatch");
	before = c->words;
	word = before + strlen(before) + 1;
	if (!strcmp(slash ? slash + 1 : c->words, "srun"))
		c->test_only = srun_tests_only(word, end);
	for (; c->is_sbatch && word < end; before = word, word = next) {
		next = word + strlen(word) + 1;
		if (is_script(word, before)) {
			read_script(c, word);
			break;
		}
		if (!strcmp(word, "--"))
			break;
		note(c, word, next < end ? next : NULL);
	}
	find_clusters(c);
}

void cmdline_release(struct cmdline *c)
{
	free(c->words);
	memset(c, 0, sizeof(*c));
}
