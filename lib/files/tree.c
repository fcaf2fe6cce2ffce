/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/glob.h"
#include "../base/list.h"
#include "../base/str.h"
#include "../os/fs.h"

enum { MAX_DEPTH = 256 };

struct walk {
	struct dsv *d;
	struct globs *excludes;	/* of paths in the state */
	struct globs *absolute;	/* of paths on disk, without the first slash */
	struct tree *tree;
	int flags;
	const char *root;	/* the PATH being walked, resolved */
	const char *name;	/* that it is recorded under */
	int depth;
};

static int walk_path(struct walk *w, const char *source, const char *path,
		     const struct stat *st, struct dsv_err *err);

static void file_release(struct tree_file *file)
{
	free(file->path);
	free(file->source);
	free(file->target);
}

void tree_release(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		file_release(&t->files[i]);
	free(t->files);
	*t = (struct tree)TREE_INIT;
}

/* Takes target over. */
static int add_file(struct tree *t, const char *source, const char *path,
		    enum dsv_entry_type type, const struct stat *st,
		    char *target, struct dsv_err *err)
{
	struct tree_file *file;
	int ret;

	ret = list_grow((void **)&t->files, t->count, sizeof(*file), err);
	if (ret < 0) {
		free(target);
		return ret;
	}
	file = &t->files[t->count++];
	memset(file, 0, sizeof(*file));
	file->path = strdup(path);
	file->source = strdup(source);
	file->target = target;
	file->type = type;
	file->executable = st->st_mode & S_IXUSR;
	file->size_bytes = type == DSV_FILE ? st->st_size : 0;
	file->mtime_ns = stat_mtime_ns(st);
	t->size_bytes += file->size_bytes;
	return file->path && file->source ? 0 : dsv_fail_nomem(err);
}

/* Returns 1 if a glob says so, 0 if none does. */
static int excluded(const struct walk *w, const char *path, bool is_dir,
		    struct dsv_err *err)
{
	const char *below = path + strlen(w->name);
	bool found = globs_match(w->excludes, path, is_dir);
	char *absolute;

	if (w->absolute->count == 0)
		return found;
	absolute = str_format("%s%s%s", w->root, *w->name ? "" : "/", below);
	if (!absolute)
		return dsv_fail_nomem(err);
	found = globs_match(w->absolute, absolute + strspn(absolute, "/"),
			    is_dir) || found;
	free(absolute);
	return found;
}

static bool is_inside(const char *path, const char *root)
{
	size_t len = strlen(root);

	return !strcmp(root, "/") ||
	       (!strncmp(path, root, len) && (!path[len] || path[len] == '/'));
}

/* Judges a dangling link by its text.  path is the link's own. */
static bool climbs_out(const char *path, const char *target)
{
	const char *p;
	int depth = 0;
	size_t len;

	for (p = path; *p; p++)
		depth += *p == '/';
	for (p = target; depth >= 0 && *p; p += len + !!p[len]) {
		len = strcspn(p, "/");
		if (len == 2 && !memcmp(p, "..", 2))
			depth--;
		else if (len > 0 && (len != 1 || *p != '.'))
			depth++;
	}
	return depth < 0;
}

static int add_link(struct walk *w, const char *source, const char *path,
		    const struct stat *st, struct dsv_err *err)
{
	char *target = malloc(PATH_MAX + 1);
	char *real;
	ssize_t len;

	if (!target)
		return dsv_fail_nomem(err);
	len = readlink(source, target, PATH_MAX);
	if (len < 0) {
		free(target);
		return dsv_fail_errno(err, "read link '%s'", source);
	}
	target[len] = '\0';
	real = realpath(source, NULL);
	if (!(w->flags & TREE_QUIET) &&
	    (target[0] == '/' || (real ? !is_inside(real, w->root) :
				  climbs_out(path, target))))
		repo_warn(w->d, "the link '%s' leads outside, to '%s': the"
			  " link is recorded, not what it leads to", source,
			  target);
	free(real);
	return add_file(w->tree, source, path, DSV_LINK, st, target, err);
}

static int walk_dir(struct walk *w, const char *source, const char *path,
		    struct dsv_err *err)
{
	struct dirent **entries = NULL;
	size_t before = w->tree->count;
	struct stat st;
	int ret = 0;
	int n, i;

	if (w->depth++ > MAX_DEPTH)
		return dsv_fail(err, DSV_EUSAGE, "'%s' is more than %d"
				" directories deep", source, MAX_DEPTH);
	n = scandir(source, &entries, NULL, alphasort);
	if (n < 0)
		return dsv_fail_errno(err, "read directory '%s'", source);
	for (i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *from = NULL, *to = NULL;

		if (ret == 0 && strcmp(name, ".") && strcmp(name, "..") &&
		    strcmp(name, ".dsv") &&
		    /* A checkout that was killed left this behind. */
		    strncmp(name, ".dsv-tmp-", strlen(".dsv-tmp-"))) {
			from = str_format("%s/%s", source, name);
			to = *path ? str_format("%s/%s", path, name) :
				strdup(name);
			if (!from || !to)
				ret = dsv_fail_nomem(err);
			else if (lstat(from, &st) < 0)
				ret = dsv_fail_errno(err, "'%s'", from);
			else
				ret = walk_path(w, from, to, &st, err);
		}
		free(from);
		free(to);
		free(entries[i]);
	}
	free(entries);
	w->depth--;
	if (ret == 0 && w->tree->count == before && *path) {
		if (stat(source, &st) < 0)
			return dsv_fail_errno(err, "'%s'", source);
		ret = add_file(w->tree, source, path, DSV_DIR, &st, NULL, err);
	}
	return ret;
}

static int walk_path(struct walk *w, const char *source, const char *path,
		     const struct stat *st, struct dsv_err *err)
{
	int ret = *path ? excluded(w, path, S_ISDIR(st->st_mode), err) : 0;

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (S_ISDIR(st->st_mode))
		return walk_dir(w, source, path, err);
	if (S_ISLNK(st->st_mode))
		return add_link(w, source, path, st, err);
	if (!S_ISREG(st->st_mode))
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_EXCLUDE, NULL,
				     "'%s' is a %s: only files, directories"
				     " and links can be tagged", source,
				     S_ISSOCK(st->st_mode) ? "socket" :
				     S_ISFIFO(st->st_mode) ? "fifo" :
				     "device");
	return add_file(w->tree, source, path, DSV_FILE, st, NULL, err);
}

/*
 * Returns the name that a PATH is recorded under: its last component, or "" for
 * its contents ("DIR/." and ".").  The caller frees it.
 */
static char *recorded_name(const char *path)
{
	size_t len = strlen(path);
	const char *last;
	char *real, *name;

	while (len > 1 && path[len - 1] == '/')
		len--;
	last = memrchr(path, '/', len);
	last = last ? last + 1 : path;
	len -= (size_t)(last - path);
	if (len == 0 || (len == 1 && *last == '.'))
		return strdup("");
	if (len != 2 || memcmp(last, "..", 2) != 0)
		return strndup(last, len);
	real = realpath(path, NULL);
	name = real ? strdup(fs_basename(real)) : NULL;
	free(real);
	return name;
}

static int walk_root(struct walk *w, const char *given, struct dsv_err *err)
{
	char *name = recorded_name(given);
	char *real = NULL;
	struct stat st;
	int ret;

	ret = fs_absolute(given, &real, err);
	if (ret < 0) {
		free(name);
		return ret;
	}
	if (!name)
		ret = dsv_fail_nomem(err);
	else if (stat(real, &st) < 0)
		ret = dsv_fail_errno(err, "'%s'", given);
	else if (!*name && !S_ISDIR(st.st_mode))
		ret = dsv_fail(err, DSV_EUSAGE, "'%s' is not a directory",
			       given);
	w->root = real;
	w->name = name;
	w->depth = 0;
	if (ret == 0)
		ret = walk_path(w, given, name, &st, err);
	free(name);
	free(real);
	return ret;
}

/* Sorts as in a manifest, but what is below a path follows it at once. */
static int compare_paths(const void *a, const void *b)
{
	const char *p = ((const struct tree_file *)a)->path;
	const char *q = ((const struct tree_file *)b)->path;

	for (; *p && *p == *q; p++, q++)
		;
	return (*p == '/' ? 1 : (unsigned char)*p + 1) * !!*p -
	       (*q == '/' ? 1 : (unsigned char)*q + 1) * !!*q;
}

/*
 * The contents of several directories may meet: directories are merged,
 * and anything else may occur only once.
 */
static int merge(struct tree *t, struct dsv_err *err)
{
	size_t kept = 0;
	size_t i;

	if (t->count > 0)
		qsort(t->files, t->count, sizeof(*t->files), compare_paths);
	for (i = 0; i < t->count; i++) {
		struct tree_file *last = &t->files[kept ? kept - 1 : 0];
		struct tree_file file = t->files[i];

		if (kept > 0 && is_inside(file.path, last->path)) {
			if (last->type != DSV_DIR)
				return dsv_fail(err, DSV_EUSAGE, "'%s' and '%s'"
					" would both be recorded as '%s'",
					last->source, file.source, last->path);
			t->files[i] = *last;
			*last = file;
		} else {
			t->files[i] = t->files[kept];
			t->files[kept++] = file;
		}
	}
	while (t->count > kept)
		file_release(&t->files[--t->count]);
	return 0;
}

/* ---- What is left out ---- */

/*
 * The walk sees paths without links, so a pattern's directory is resolved, too,
 * if it exists.  The last component may be a link itself.
 */
static int add_absolute(struct globs *g, const char *given,
			struct dsv_err *err)
{
	size_t len = strlen(given);
	char *dir, *real, *pattern;
	int ret;

	while (len > 0 && given[len - 1] == '/')
		len--;
	while (len > 0 && given[len - 1] != '/')
		len--;
	dir = strndup(given, len);
	real = dir ? realpath(dir, NULL) : NULL;
	pattern = real ? str_format("%s/%s", real, given + len) :
		strdup(given);
	ret = dir && pattern ? globs_add(g, given, pattern, err) :
		dsv_fail_nomem(err);
	free(dir);
	free(real);
	free(pattern);
	return ret;
}

static int add_excludes(struct walk *w, const struct dsv_strings *excludes,
			struct dsv_err *err)
{
	int ret = globs_add_all(w->excludes, excludes, err);
	size_t i;

	for (i = 0; ret == 0 && i < excludes->count; i++) {
		if (excludes->items[i][0] == '/')
			ret = add_absolute(w->absolute, excludes->items[i],
					   err);
	}
	return ret;
}

static void tell_unused(const struct walk *w,
			const struct dsv_strings *excludes)
{
	size_t i;

	for (i = 0; i < excludes->count; i++) {
		if (!globs_used(w->excludes, excludes->items[i]) &&
		    !globs_used(w->absolute, excludes->items[i]))
			repo_warn(w->d, "'%s' excludes nothing",
				  excludes->items[i]);
	}
}

int tree_walk(struct dsv *d, const struct dsv_strings *paths,
	      const struct dsv_strings *excludes, int flags, struct tree *out,
	      struct dsv_err *err)
{
	struct tree tree = TREE_INIT;
	struct globs globs = GLOBS_INIT, absolute = GLOBS_INIT;
	struct walk w = {
		.d = d, .excludes = &globs, .absolute = &absolute,
		.tree = &tree, .flags = flags,
	};
	size_t i, j;
	int ret = add_excludes(&w, excludes, err);

	for (i = 0; ret == 0 && i < paths->count; i++) {
		char *a = recorded_name(paths->items[i]);

		for (j = 0; ret == 0 && a && *a && j < i; j++) {
			char *b = recorded_name(paths->items[j]);

			if (b && !strcmp(a, b))
				ret = dsv_fail(err, DSV_EUSAGE, "'%s' and '%s'"
					" would both be recorded as '%s'",
					paths->items[j], paths->items[i], a);
			free(b);
		}
		free(a);
		if (ret == 0)
			ret = walk_root(&w, paths->items[i], err);
	}
	if (ret == 0)
		ret = merge(&tree, err);
	if (ret == 0)
		tell_unused(&w, excludes);
	globs_release(&globs);
	globs_release(&absolute);
	if (ret < 0)
		tree_release(&tree);
	else
		*out = tree;
	return ret;
}
