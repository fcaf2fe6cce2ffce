/* SPDX-License-Identifier: MIT */
/*
 * Who may write to the repository's files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/str.h"
#include "../catalog/internal.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "check.h"

/*
 * That of a repository which is not shared is what the umask was: who may
 * write to the directory may write to what is in it.
 */
static mode_t forbidden(const struct check *k, bool sealed)
{
	if (k->shared)
		return 0002;
	return 0002 | (sealed ? 0222 : 0020 & ~k->dir_mode);
}

void check_dir_mode(struct check *k)
{
	struct stat st;

	k->dir_mode = lstat(k->c->dir, &st) == 0 ? st.st_mode : 0;
}

/* Somebody may be making it just now: mkdir, then chmod. */
static bool has_all(const char *path, struct stat *st, mode_t needed)
{
	int64_t age_ns = now_ns() - timespec_ns(&st->st_ctim);

	if ((st->st_mode & needed) != needed && age_ns < NS_PER_S) {
		usleep(20000);
		if (lstat(path, st) < 0)
			return true;
	}
	return (st->st_mode & needed) == needed;
}

/*
 * The file that was looked at, not what is put in its place meanwhile.  To
 * close a descriptor that is open for reading would drop SQLite's locks.
 */
static bool change_mode(const char *path, const struct stat *seen, mode_t mode)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char name[32];
	struct stat st;
	bool changed;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	changed = fd >= 0 && fstat(fd, &st) == 0 &&
		st.st_dev == seen->st_dev && st.st_ino == seen->st_ino &&
		chmod(name, mode) == 0;
	if (fd >= 0)
		close(fd);
	return changed;
}

int check_mode(struct check *k, const char *path, const char *object,
	       bool sealed, struct dsv_err *err)
{
	mode_t wrong = forbidden(k, sealed), needed = 0;
	bool repaired = false;
	struct stat st;

	if (lstat(path, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	if (k->shared)
		needed = S_ISDIR(st.st_mode) ? 02070 : 0060;
	if (has_all(path, &st, needed) && !(st.st_mode & wrong))
		return 0;
	/* Nobody's files are changed by another. */
	if (k->repair && st.st_uid == geteuid())
		repaired = change_mode(path, &st, (st.st_mode & 07777 &
						   ~wrong) | needed);
	return check_problem(k, "mode", object, repaired, err, "%s (mode %04o)",
			     !(st.st_mode & wrong) ? "its group may not use it"
			     : wrong & 0200 ? "somebody may write to it" :
			     "others may write to it",
			     (unsigned)st.st_mode & 07777);
}

static int check_in(struct check *k, const char *name, struct dsv_err *err)
{
	char *path = str_format("%s/%s", k->c->dir, name);
	int ret = path ? check_mode(k, path, name, false, err) :
		dsv_fail_nomem(err);

	free(path);
	return ret;
}

int check_modes(struct check *k, struct dsv_err *err)
{
	DIR *d = opendir(k->c->dir);
	struct dirent *e;
	char name[32];
	int i, ret;

	if (!d)
		return dsv_fail_errno(err, "open directory '%s'", k->c->dir);
	check_dir_mode(k);
	ret = check_mode(k, k->c->dir, ".dsv", false, err);
	check_dir_mode(k);
	while (ret == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			ret = check_in(k, e->d_name, err);
	closedir(d);
	for (i = 0; ret == 0 && i < 512; i++) {
		snprintf(name, sizeof(name), "%s/%02x", i & 1 ? DIR_STATES :
			 DIR_SEGMENTS, i >> 1);
		ret = check_in(k, name, err);
	}
	return ret;
}
