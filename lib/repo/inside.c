/* SPDX-License-Identifier: MIT */
/*
 * Keeping users' files out of repositories, and repositories out of states.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "repo.h"

enum { JOB_FILES_DEPTH = 3 };	/* jobs/<fork>/files-<id> */

/* Resolves links in the part of path that exists and keeps the rest. */
static char *resolve(const char *path)
{
	char *text = str_format("%s%s", *path == '/' ? "/" : "./", path);
	char *real = text ? realpath(text, NULL) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *out;

	while (text && !real && errno == ENOENT && len > 1) {
		char old;

		while (len > 1 && text[len - 1] != '/')
			len--;
		while (len > 1 && text[len - 1] == '/')
			len--;
		old = text[len];
		text[len] = '\0';
		real = realpath(text, NULL);
		text[len] = old;
	}
	out = real ? str_format("%s%s", strcmp(real, "/") ? real : "",
				text + len) : NULL;
	free(real);
	free(text);
	return out;
}

/* rest is the part of the files' path after the repository's own path. */
static bool is_of_a_job(const char *rest)
{
	int depth = 0;

	if (strncmp(rest, "/jobs/", strlen("/jobs/")) != 0 ||
	    strstr(rest, "/.."))
		return false;
	for (; *rest; rest++)
		depth += *rest == '/';
	return depth >= JOB_FILES_DEPTH;
}

static bool is_repo(const char *dir, const struct stat *own)
{
	struct stat st;

	return !strcmp(fs_basename(dir), ".dsv") ||
	       (stat(dir, &st) == 0 && st.st_dev == own->st_dev &&
		st.st_ino == own->st_ino);
}

int repo_check_outside(const struct dsv *d, const char *path,
		       enum dsv_code code, struct dsv_err *err)
{
	char *real = resolve(path);
	char *dir = real ? strdup(real) : NULL;
	struct stat own;
	int ret = 0;

	/* Whoever opens the path reports that it cannot be examined. */
	if (!dir || stat(d->path, &own) < 0)
		goto out;
	while (*dir && !is_repo(dir, &own))
		*strrchr(dir, '/') = '\0';
	if (*dir && !is_of_a_job(real + strlen(dir)))
		ret = dsv_fail(err, code, "'%s' %s a repository", path,
			       strcmp(dir, real) ? "lies in" : "is");
out:
	free(dir);
	free(real);
	return ret;
}
