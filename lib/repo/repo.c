/* SPDX-License-Identifier: MIT */
/*
 * Finding and opening a repository.
 */
#include "repo.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/options.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "format_file.h"

enum { DEFAULT_LOCK_WAIT_MS = 60000 };

void repo_warn(struct dsv *d, const char *fmt, ...)
{
	char msg[1024];
	va_list ap;

	if (!d->options.warn)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	d->options.warn(d->options.arg, msg);
}

char *repo_path(const struct dsv *d, const char *fmt, ...)
{
	struct str path = STR_INIT;
	char *tail;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&tail, fmt, ap);
	va_end(ap);
	if (len < 0)
		return NULL;
	str_printf(&path, "%s/%s", d->path, tail);
	free(tail);
	return str_take(&path);
}

int repo_replace(const struct dsv *d, const char *path, const char *text,
		 struct dsv_err *err)
{
	char *tmp = repo_path(d, DIR_TMP);
	int ret = tmp ? fs_replace_from(tmp, path, text, strlen(text),
					d->file_mode, err) :
		dsv_fail_nomem(err);

	free(tmp);
	return ret;
}

const char *dsv_path(const struct dsv *d)
{
	return d->path;
}

/* Returns the .dsv directory that path is or contains. */
static char *repo_at(const char *path)
{
	char *inside = str_format("%s/.dsv", path);
	char *format = str_format("%s/format", path);
	char *found = NULL;
	struct stat st;

	if (inside && stat(inside, &st) == 0 && S_ISDIR(st.st_mode))
		found = realpath(inside, NULL);
	else if (format && stat(format, &st) == 0 && S_ISREG(st.st_mode))
		found = realpath(path, NULL);
	free(inside);
	free(format);
	return found;
}

static int discover(char **out, struct dsv_err *err)
{
	char *dir = realpath(".", NULL);
	char *slash;
	int ret;

	if (!dir)
		return dsv_fail_errno(err, "find the current directory");
	for (;;) {
		*out = repo_at(*dir ? dir : "/");
		slash = strrchr(dir, '/');
		if (*out || !slash)
			break;
		*slash = '\0';
	}
	free(dir);
	if (*out)
		return 0;
	dir = realpath(".", NULL);
	ret = dsv_fail_hint(err, DSV_ENOREPO, DSV_HINT_INIT, NULL,
			    "no repository in '%s' or above", dir ? dir : ".");
	free(dir);
	return ret;
}

static int find_repo(const char *path, char **out, struct dsv_err *err)
{
	if (!path || !*path)
		path = getenv("DSV_REPO");
	if (!path || !*path)
		return discover(out, err);
	*out = repo_at(path);
	if (*out)
		return 0;
	if (access(path, X_OK) < 0 && errno == EACCES)
		return dsv_fail_errno(err, "'%s'", path);
	return dsv_fail(err, DSV_ENOREPO, "no repository at '%s'", path);
}

static bool in_group(gid_t gid)
{
	gid_t groups[256];
	int n = getgroups(256, groups);
	int i;

	if (gid == getegid())
		return true;
	for (i = 0; i < n; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

/* safe.repository lists repositories or their parent directories, or "*". */
static bool is_safe(const struct config *config, const char *path)
{
	size_t i, len;

	for (i = 0; i < config->count; i++) {
		const struct config_entry *e = &config->items[i];

		if (e->level == DSV_CONFIG_REPO ||
		    strcmp(e->key, "safe.repository") != 0)
			continue;
		len = strlen(e->value);
		while (len > 1 && e->value[len - 1] == '/')
			len--;
		if (!strcmp(e->value, "*") ||
		    (!strncmp(e->value, path, len) &&
		     (!path[len] || !strcmp(path + len, "/.dsv"))))
			return true;
	}
	return false;
}

/*
 * As in git, somebody else's repository may contain anything.  One that is
 * shared with a group of ours (init --shared=group) is meant for us.
 */
static int check_owner(struct dsv *d, struct dsv_err *err)
{
	struct stat st;

	if (stat(d->path, &st) < 0)
		return dsv_fail_errno(err, "'%s'", d->path);
	if (st.st_uid == geteuid() || is_safe(&d->config, d->path))
		return 0;
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP) &&
	    in_group(st.st_gid))
		return 0;
	return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_TRUST, d->path,
			     "repository '%s' belongs to another user",
			     d->path);
}

static int settle_lock_wait(struct dsv_options *options, struct dsv_err *err)
{
	const char *text = getenv("DSV_LOCK_WAIT");
	int64_t ns;
	int ret;

	if (options->lock_wait_ms >= 0)
		return 0;
	options->lock_wait_ms = DEFAULT_LOCK_WAIT_MS;
	if (!text || !*text)
		return 0;
	ret = dsv_parse_duration(text, &ns, err);
	if (ret < 0)
		return dsv_fail_in(err, ret, "DSV_LOCK_WAIT");
	options->lock_wait_ms = ns / 1000000;
	return 0;
}

static void report_progress(void *arg, int64_t done_bytes)
{
	struct dsv *d = arg;

	if (d->options.progress)
		d->options.progress(d->options.arg, "", done_bytes,
				    d->total_bytes);
}

void repo_begin(struct dsv *d, int64_t total_bytes)
{
	d->total_bytes = total_bytes;
	store_begin(d->store);
}

int repo_poll(const struct dsv *d, struct dsv_err *err)
{
	return store_poll(d->store, err);
}

void repo_part_options(struct dsv *d, struct catalog_options *catalog,
			 struct store_options *store)
{
	*catalog = (struct catalog_options){
		.dir = d->path,
		.lock_wait_ms = d->options.lock_wait_ms,
		.file_mode = d->file_mode,
		.dir_mode = d->dir_mode,
		.job = d->process.job_number,
	};
	*store = (struct store_options){
		.dir = d->path,
		.file_mode = d->file_mode,
		.dir_mode = d->dir_mode,
		.remember = true,
		.lookup = catalog_chunks_from,
		.progress = report_progress,
		.progress_arg = d,
		.interrupted = d->options.interrupted,
	};
}

int repo_open_parts(struct dsv *d, struct dsv_err *err)
{
	struct catalog_options catalog;
	struct store_options store;
	int ret;

	repo_part_options(d, &catalog, &store);
	ret = config_bool(&d->config, "core.guardlock", false, &catalog.guard,
			  err);
	if (ret == 0)
		ret = config_bool(&d->config, "core.fsync", true, &store.fsync,
				  err);
	if (ret == 0)
		ret = config_bool(&d->config, "queue.auto", true,
				  &d->queue_auto, err);
	if (ret == 0)
		ret = catalog_open(&catalog, &d->catalog, err);
	if (ret < 0)
		return ret;
	store.lookup_arg = d->catalog;
	return store_open(&store, &d->store, err);
}

static const char *const dirs[] = {
	DIR_STATES, DIR_SEGMENTS, DIR_HEADS, DIR_INTAKE, DIR_QUEUE, DIR_JOBS,
	DIR_TMP, DIR_TURNS,
};

/* Through a link, we would write, free and sweep files of others. */
static int check_dirs(struct dsv *d, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char *path = repo_path(d, "%s", dirs[i]);

		ret = path ? fs_no_link(path, err) : dsv_fail_nomem(err);
		free(path);
	}
	return ret;
}

int repo_open_dir(const struct dsv_options *options, struct dsv **out,
		  struct dsv_err *err)
{
	struct dsv *d = calloc(1, sizeof(*d));
	int ret = 0;

	if (!d)
		return dsv_fail_nomem(err);
	d->options.lock_wait_ms = -1;
	if (options)
		ret = options_take(&d->options, sizeof(d->options), options,
				   err);
	if (ret == 0)
		ret = settle_lock_wait(&d->options, err);
	if (d->options.branch && !(d->branch = strdup(d->options.branch)))
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = find_repo(d->options.repo, &d->path, err);
	d->options.branch = d->branch;
	d->options.repo = NULL;
	/* We decide whether to trust the repository before we read it. */
	if (ret == 0)
		ret = config_read(&d->config, NULL, err);
	if (ret == 0)
		ret = check_owner(d, err);
	if (ret == 0)
		ret = format_file_read(d->path, d->uuid, &d->shared, err);
	if (ret == 0)
		ret = check_dirs(d, err);
	if (ret == 0) {
		config_release(&d->config);
		ret = config_read(&d->config, d->path, err);
	}
	if (d->shared) {
		d->file_mode = SHARED_FILE_MODE;
		d->dir_mode = SHARED_DIR_MODE;
	}
	if (ret == 0)
		ret = process_init(&d->process, d, err);
	if (ret < 0)
		dsv_close(d);
	else
		*out = d;
	return ret;
}

int dsv_open(const struct dsv_options *options, struct dsv **out,
	     struct dsv_err *err)
{
	struct dsv *d = NULL;
	int ret;

	ret = repo_open_dir(options, &d, err);
	if (ret == 0 && !d->options.only_config)
		ret = repo_open_parts(d, err);
	if (ret < 0)
		dsv_close(d);
	else
		*out = d;
	return ret;
}

void dsv_close(struct dsv *d)
{
	const char *why = d && d->catalog ? catalog_unpublished(d->catalog) :
		NULL;

	if (!d)
		return;
	if (why)
		repo_warn(d, "committed, but the next command that writes has"
			  " to write its record: %s", why);
	store_close(d->store);
	catalog_close(d->catalog);
	config_release(&d->config);
	process_release(&d->process);
	free(d->branch);
	free(d->path);
	free(d);
}

int repo_writable(struct dsv *d, struct dsv_err *err)
{
	if (access(d->path, W_OK) < 0)
		return dsv_fail_errno(err, "write '%s'", d->path);
	return 0;
}

/* Makes a new repository's directories, format file and catalog. */
static int fill_repo(const char *path, bool shared, struct dsv_err *err)
{
	mode_t mode = shared ? SHARED_DIR_MODE : 0;
	struct catalog_options catalog = {
		.dir = path,
		.lock_wait_ms = DEFAULT_LOCK_WAIT_MS,
		.file_mode = shared ? SHARED_FILE_MODE : 0,
		.dir_mode = mode,
	};
	size_t i;
	int ret;

	ret = fs_make_dirs(path, mode, err);
	for (i = 0; ret == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char *dir = str_format("%s/%s", path, dirs[i]);

		ret = dir ? fs_make_dirs(dir, mode, err) : dsv_fail_nomem(err);
		free(dir);
	}
	if (ret == 0)
		ret = catalog_create(&catalog, err);
	if (ret == 0)
		ret = format_file_write(path, shared, err);
	return ret;
}

int dsv_init(const char *dir, bool shared, bool *existed, struct dsv_err *err)
{
	char *path = str_format("%s/.dsv", dir);
	char *tmp = str_format("%s/.dsv.tmp-%ld", dir, (long)getpid());
	struct stat st;
	int ret = 0;

	if (!path || !tmp) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	if (existed)
		*existed = false;
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		ret = dsv_fail_errno(err, "'%s'", dir);
		goto out;
	}
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		ret = dsv_fail_errno(err, "'%s'", path);
		goto out;
	}
	if (stat(path, &st) == 0) {
		if (existed)
			*existed = true;
		goto out;
	}
	ret = fs_make_dirs(dir, 0, err);
	if (ret == 0)
		ret = fill_repo(tmp, shared, err);
	/* The repository appears whole or not at all. */
	if (ret == 0 && rename(tmp, path) < 0) {
		if (errno == EEXIST || errno == ENOTEMPTY) {
			if (existed)
				*existed = true;
		} else {
			ret = dsv_fail_errno(err, "make '%s'", path);
		}
	}
	if (ret == 0)
		ret = fs_sync_dir(dir, err);
	fs_remove_tree(tmp, NULL);
out:
	free(path);
	free(tmp);
	return ret;
}
