/* SPDX-License-Identifier: MIT */
#include "cmdline.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CMDLINE_MAX (256 * 1024)

/* Of a list in JSON what is inside of strings and of lists does not count. */
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
 * The value of an option that a word is: after its '=', or the next word.
 * short_name "": none.  NULL: it is another one.
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

/* The word after it names a file that is not the script. */
static bool takes_file(const char *word)
{
	static const char *const names[] = {
		"-o", "-e", "-i", "-D", "--output", "--error", "--input",
		"--chdir", "--export-file", "--bb", "--bbf",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(word, names[i]))
			return true;
	}
	return false;
}

/* An argument of the script must not count. */
static bool is_script(const char *word, const char *before)
{
	struct stat st;

	return *word != '-' && !takes_file(before) && !stat(word, &st) &&
	       S_ISREG(st.st_mode);
}

static void note(struct cmdline *c, const char *word, const char *next)
{
	const char *value;

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
 * --test-only among the #SBATCH lines.  What is quoted may be a value, and is
 * not looked into: a test that is not noticed leaves a hold until the next
 * sync, a job that is taken for a test cannot start.
 */
static bool script_tests_only(const char *path)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[1024];
	char *p, *save;

	while (f && !found && fgets(line, sizeof(line), f) &&
	       (line[0] == '#' || line[0] == '\n')) {
		if (strncmp(line, "#SBATCH", 7) || strpbrk(line, "\"'\\"))
			continue;
		p = strtok_r(line + 7, " \t\n", &save);
		for (; p && *p != '#' && !found;
		     p = strtok_r(NULL, " \t\n", &save))
			found = !strcmp(p, "--test-only");
	}
	if (f)
		fclose(f);
	return found;
}

/* Of srun only what surely comes before the program it runs. */
static bool srun_tests_only(const char *word, const char *end)
{
	const char *before = "";

	for (; word < end; before = word, word += strlen(word) + 1) {
		if (!strcmp(word, "--test-only"))
			return true;
		/* -N 2: as the word before was an option, this is its value */
		if (*word != '-' && (strlen(before) != 2 ||
				     !strchr("ACDGJNceinopqtwx", before[1])))
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
			c->test_only |= script_tests_only(word);
			break;
		}
		if (!strcmp(word, "--"))
			break;
		note(c, word, next < end ? next : NULL);
	}
}

void cmdline_release(struct cmdline *c)
{
	free(c->words);
	memset(c, 0, sizeof(*c));
}
