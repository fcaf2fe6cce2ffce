/* SPDX-License-Identifier: MIT */
/*
 * jobs/<fork>/ in the repository: the parameters of a forked job and the files
 * that were placed for it, for each state it started from.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/clock.h"
#include "../os/paths.h"
#include "job.h"

struct jobs {
	struct catalog_job *items;
	size_t count;
};

static bool is_active(const struct jobs *jobs, int64_t fork)
{
	size_t i;

	for (i = 0; i < jobs->count; i++) {
		if (jobs->items[i].active && jobs->items[i].fork_state == fork)
			return true;
	}
	return false;
}

/*
 * Returns whether the branch of the fork is gone or has been pruned: its head
 * has stepped back past the fork, or to it and nothing has come of the fork for
 * a while.
 */
static bool is_spent(struct dsv *d, const struct dsv_state *fork, bool young)
{
	struct dsv_state *s;
	int64_t head;
	bool spent;
	int ret;

	ret = catalog_branch_head(d->catalog, fork->branch, &head, NULL);
	if (ret == DSV_ENOTFOUND)
		return true;
	if (ret < 0 || catalog_load(d->catalog, &head, 1, &s, NULL) < 0)
		return false;
	spent = s->pruned || strcmp(s->branch, fork->branch) != 0 ||
		(!strcmp(s->id, fork->id) && !young);
	dsv_state_free(s);
	return spent;
}

/* Removes "files-<12 digits>", and the note beside it, of each pruned state. */
static void sweep_states(struct dsv *d, const char *dir)
{
	DIR *entries = opendir(dir);
	struct dirent *e;

	while (entries && (e = readdir(entries))) {
		struct dsv_state *s;
		char id[13];
		char *path;
		int64_t seq;

		if (sscanf(e->d_name, "files-%12[0-9a-f]", id) != 1 ||
		    catalog_find_id(d->catalog, id, &seq, NULL) < 0 ||
		    catalog_load(d->catalog, &seq, 1, &s, NULL) < 0)
			continue;
		path = s->pruned ? str_format("%s/%s", dir, e->d_name) : NULL;
		dsv_state_free(s);
		if (path)
			fs_remove_tree(path, NULL);
		free(path);
	}
	if (entries)
		closedir(entries);
}

char *job_files_dir(struct dsv *d, const char *fork, const char *id)
{
	return repo_path(d, DIR_JOBS "/%.16s/files-%.12s", fork, id);
}

static void sweep_fork(struct dsv *d, const char *name, const char *dir,
		       const struct jobs *jobs, int64_t young_ns)
{
	struct dsv_state *fork;
	struct stat st;
	int64_t seq, mtime_ns;
	int ret;

	if (!fs_is_dir(dir) || lstat(dir, &st) < 0)
		return;
	mtime_ns = stat_mtime_ns(&st);
	ret = catalog_find_id(d->catalog, name, &seq, NULL);
	if (ret == DSV_ENOTFOUND) {
		/* The fork was forgotten, or is about to be committed. */
		if (mtime_ns < now_ns() - DAY_NS)
			fs_remove_tree(dir, NULL);
		return;
	}
	if (ret < 0 || is_active(jobs, seq) ||
	    catalog_load(d->catalog, &seq, 1, &fork, NULL) < 0)
		return;
	if (is_spent(d, fork, mtime_ns > young_ns))
		fs_remove_tree(dir, NULL);
	else
		sweep_states(d, dir);
	dsv_state_free(fork);
}

void job_sweep_files(struct dsv *d, int64_t young_ns)
{
	struct jobs jobs = { NULL, 0 };
	char *root = repo_path(d, DIR_JOBS);
	struct dirent *e;
	DIR *dir;

	if (!root || catalog_jobs(d->catalog, false, &jobs.items, &jobs.count,
				  NULL) < 0) {
		free(root);
		return;
	}
	dir = opendir(root);
	while (dir && (e = readdir(dir))) {
		char *path;

		if (e->d_name[0] == '.')
			continue;
		path = str_format("%s/%s", root, e->d_name);
		if (path)
			sweep_fork(d, e->d_name, path, &jobs, young_ns);
		free(path);
	}
	if (dir)
		closedir(dir);
	catalog_jobs_free(jobs.items, jobs.count);
	free(root);
}
