/* SPDX-License-Identifier: MIT */
#include "glob.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "str.h"

static void glob_release(struct glob *g)
{
	free(g->text);
	free(g->below);
}

void globs_release(struct globs *g)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		glob_release(&g->items[i]);
	free(g->items);
	*g = (struct globs)GLOBS_INIT;
}

/*
 * Returns the components of pattern without "." and empty ones, with one slash
 * between them.
 */
static char *normal(const char *pattern)
{
	char *text = malloc(strlen(pattern) + 1);
	char *end = text;
	size_t len;

	if (!text)
		return NULL;
	for (; *pattern; pattern += len + !!pattern[len]) {
		len = strcspn(pattern, "/");
		if (len == 0 || (len == 1 && *pattern == '.'))
			continue;
		if (end > text)
			*end++ = '/';
		memcpy(end, pattern, len);
		end += len;
	}
	*end = '\0';
	return text;
}

/*
 * Returns whether pattern ends in "/" or "/.", so that it can only mean a
 * directory.
 */
static bool names_a_dir(const char *pattern)
{
	size_t len = strlen(pattern);

	if (len > 1 && pattern[len - 1] == '.')
		len--;
	return len > 0 && pattern[len - 1] == '/';
}

static int compile(struct glob *g, const char *given, const char *pattern,
		   struct dsv_err *err)
{
	char *text = normal(pattern);

	*g = (struct glob){ .given = given, .text = text };
	if (!text)
		return dsv_fail_nomem(err);
	g->dirs_only = names_a_dir(pattern);
	/*
	 * "." matches everything; "" and "/", from an unset variable, match
	 * nothing.
	 */
	if (!*text && *pattern == '.') {
		text[0] = '*';
		text[1] = '\0';
		g->dirs_only = false;
	}
	while (!strncmp(text, "**/", 3)) {
		memmove(text, text + 3, strlen(text + 3) + 1);
		g->anywhere = true;
	}
	g->component = !strchr(text, '/');
	if (g->component && *pattern != '/')
		g->anywhere = true;
	g->below = str_format("%s/*", text);
	return g->below ? 0 : dsv_fail_nomem(err);
}

int globs_add(struct globs *g, const char *given, const char *pattern,
	      struct dsv_err *err)
{
	void *items = g->items;
	struct glob glob;
	int ret = list_grow(&items, g->count, sizeof(*g->items), err);

	if (ret < 0)
		return ret;
	g->items = items;
	ret = compile(&glob, given, pattern, err);
	if (ret < 0)
		glob_release(&glob);
	else
		g->items[g->count++] = glob;
	return ret;
}

int globs_add_all(struct globs *g, const struct dsv_strings *patterns,
		  struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < patterns->count; i++)
		ret = globs_add(g, patterns->items[i], patterns->items[i],
				err);
	return ret;
}

/*
 * Returns whether g matches the path that begins here, or a directory above it.
 */
static bool matches_here(const struct glob *g, const char *path, bool is_dir)
{
	int flags = g->component ? FNM_PATHNAME : 0;

	if ((is_dir || !g->dirs_only) && fnmatch(g->text, path, flags) == 0)
		return true;
	return fnmatch(g->below, path, flags | FNM_LEADING_DIR) == 0;
}

static bool matches(const struct glob *g, const char *path, bool is_dir)
{
	bool found = matches_here(g, path, is_dir);

	while (!found && g->anywhere && (path = strchr(path, '/')))
		found = matches_here(g, ++path, is_dir);
	return found;
}

bool globs_match(struct globs *g, const char *path, bool is_dir)
{
	bool found = false;
	size_t i;

	/*
	 * Every glob is tried, so that each one that matches is marked as used.
	 */
	for (i = 0; i < g->count; i++) {
		if (matches(&g->items[i], path, is_dir))
			g->items[i].used = found = true;
	}
	return found;
}

bool globs_used(const struct globs *g, const char *given)
{
	size_t i;

	for (i = 0; i < g->count; i++) {
		if (g->items[i].used && !strcmp(g->items[i].given, given))
			return true;
	}
	return false;
}
