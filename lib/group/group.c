/* SPDX-License-Identifier: MIT */
/* Which group it is, and what lies in its directory. */
#include "group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "group_file.h"

#define DEFAULT_TIMEOUT_MS (10 * 60 * 1000)
#define MAX_RANKS 1000000
/* A job may run for long between two tags. */
#define STEP_AGE_NS (30 * DAY_NS)

/* ---- Who we are -------------------------------------------------------- */

static int find_rank(struct group *g, const struct dsv_tag_options *o,
		     struct dsv_err *err)
{
	const struct process *p = &g->d->process;

	g->rank = o->ranks > 0 ? o->rank : p->rank;
	g->ranks = o->ranks > 0 ? o->ranks : p->ranks;
	if (g->ranks < 0)
		return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_RANKS, NULL,
				     "it is not known which of how many"
				     " processes this is");
	if (g->ranks == 0 || g->ranks > MAX_RANKS || g->rank < 0 ||
	    g->rank >= g->ranks)
		return dsv_fail(err, DSV_EUSAGE, "rank %" PRId64 " of %" PRId64
				" is impossible (ranks are counted from 0)",
				g->rank, g->ranks);
	if (!o->group && !p->step)
		return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_GROUP, NULL,
				     "outside of a Slurm job a group must say"
				     " which processes belong together");
	return 0;
}

/* Returns where ranks meet that have agreed on text. */
static char *intake_dir(struct dsv *d, const char *what, const char *text)
{
	unsigned char hash[HASH_BYTES];
	char hex[HASH_HEX_SIZE];

	if (!hash_bytes(text, strlen(text), hash))
		return NULL;
	hash_to_hex(hash, hex);
	return repo_path(d, DIR_INTAKE "/%s-%.32s", what, hex);
}

/*
 * How many groups of the step this rank has been in.  One file a rank: no
 * two processes write to it.  It need not survive the node, since then the
 * job starts again as another attempt.
 */
static int count_tags(struct group *g, const char *step, int64_t *count,
		      struct dsv_err *err)
{
	char *dir = intake_dir(g->d, "step", step);
	char *path = dir ? str_format("%s/%" PRId64, dir, g->rank) :
		NULL;
	char text[24] = "";
	int fd = -1;
	int ret;

	ret = path ? fs_make_own_dirs(dir, g->d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			  0666);
		if (fd < 0 || pread_full(fd, text, sizeof(text) - 1, 0) < 0)
			ret = dsv_fail_errno(err, "open '%s'", path);
	}
	if (ret == 0) {
		*count = strtoll(text, NULL, 10);
		snprintf(text, sizeof(text), "%-20" PRId64 "\n", *count + 1);
		if (pwrite_all(fd, text, strlen(text), 0) < 0)
			ret = dsv_fail_errno(err, "write '%s'", path);
	}
	if (fd >= 0)
		close(fd);
	free(path);
	free(dir);
	return ret;
}

static int find_name(struct group *g, const struct dsv_tag_options *o,
		     struct dsv_err *err)
{
	const struct process *p = &g->d->process;
	char *step = NULL, *before = NULL;
	int64_t count = 0;
	int ret = 0;

	if (o->group) {
		/* A requeued job says the same name again. */
		g->title = o->group;
		g->name = str_format("%s@%d", o->group, p->attempt);
		return g->name ? 0 : dsv_fail_nomem(err);
	}
	step = str_format("%s*%" PRId64, p->step, g->ranks);
	if (!step)
		return dsv_fail_nomem(err);
	ret = count_tags(g, step, &count, err);
	if (ret == 0) {
		g->name = str_format("%s#%" PRId64, step, count);
		before = str_format("%s#%" PRId64, step, count - 1);
		if (count > 0 && before)
			g->before = intake_dir(g->d, "tag", before);
		if (!g->name || !before)
			ret = dsv_fail_nomem(err);
	}
	free(before);
	free(step);
	return ret;
}

static int enter(struct group *g, const char *name, struct dsv_err *err)
{
	free(g->dir);
	g->dir = intake_dir(g->d, "tag", name);
	return g->dir ? fs_make_own_dirs(g->dir, g->d->dir_mode, err) :
		dsv_fail_nomem(err);
}

/* Nobody can come to a group twice, nor to one that is over. */
static int check_new(struct group *g, struct dsv_err *err)
{
	const char *title = g->title ? g->title : g->name;
	char id[DSV_ID_SIZE];
	int ret;

	ret = group_file_has_part(g, g->rank);
	if (ret > 0)
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_GROUP_OTHER,
				     NULL, "rank %" PRId64 " has been in group"
				     " '%s' already: each tag is a group of its"
				     " own", g->rank, title);
	ret = group_file_verdict(g, err);
	if (ret == 1)
		ret = group_file_result(g, id, err);
	else if (ret <= 0)
		return ret;
	if (ret < 0)
		return ret;
	return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_GROUP_OTHER, NULL,
			     "group '%s' is complete: each tag is a group of"
			     " its own", title);
}

int group_open(struct dsv *d, const struct dsv_tag_options *o,
	       struct group *out, struct dsv_err *err)
{
	struct group g = { .d = d, .lock_fd = -1 };
	int ret;

	g.timeout_ms = o->group_timeout_ms > 0 ? o->group_timeout_ms :
		DEFAULT_TIMEOUT_MS;
	ret = find_rank(&g, o, err);
	if (ret == 0)
		ret = find_name(&g, o, err);
	if (ret == 0)
		ret = enter(&g, g.name, err);
	if (ret == 0)
		ret = check_new(&g, err);
	if (ret < 0)
		group_close(&g);
	else
		*out = g;
	return ret;
}

int group_again(struct group *g, int round, struct dsv_err *err)
{
	char *name = str_format("%s!%d", g->name, round);
	int ret = name ? enter(g, name, err) : dsv_fail_nomem(err);

	free(name);
	g->seen = 0;
	g->decided_ms = 0;
	g->ours = g->has_part = g->staged = false;
	return ret;
}

void group_close(struct group *g)
{
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	free(g->name);
	free(g->dir);
	free(g->before);
	*g = (struct group){ .lock_fd = -1 };
}

/* ---- Leftovers --------------------------------------------------------- */

void group_tidy(struct group *g)
{
	char *path = str_format("%s/%" PRId64, g->dir, g->rank);

	if (path && g->has_part)
		unlink(path);
	free(path);
	/*
	 * All ranks have come to this group, so all have left the one before.
	 */
	if (g->rank == 0 && g->before)
		fs_remove_tree(g->before, NULL);
}

/* The youngest of a directory and its files. */
static int64_t newest_ns(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	struct stat st;
	int64_t newest = INT64_MIN, at;

	if (!dir)
		return INT64_MAX;
	while ((e = readdir(dir))) {
		if (!strcmp(e->d_name, "..") ||
		    fstatat(dirfd(dir), e->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		at = stat_mtime_ns(&st);
		newest = at > newest ? at : newest;
	}
	closedir(dir);
	return newest;
}

int64_t group_sweep(struct dsv *d, int64_t before_ns)
{
	char *intake = repo_path(d, DIR_INTAKE);
	DIR *dir = intake ? opendir(intake) : NULL;
	int64_t removed = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		bool step = !strncmp(e->d_name, "step-", 5);
		int64_t limit = step ? now_ns() - STEP_AGE_NS : before_ns;
		char *path;

		if (!step && strncmp(e->d_name, "tag-", 4) != 0)
			continue;
		path = str_format("%s/%s", intake, e->d_name);
		if (path && newest_ns(path) < limit &&
		    fs_remove_tree(path, NULL) == 0)
			removed++;
		free(path);
	}
	if (dir)
		closedir(dir);
	free(intake);
	return removed;
}
