/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../os/fs.h"
#include "files.h"

/*
 * Opens the directory that holds path (below t->dirfd), component by component
 * and never through a link, and creates it if make is set.  *last is path's
 * last component.  Returns -1 with errno on failure.
 */
static int open_parent(const struct target *t, const char *path, bool make,
		       const char **last)
{
	char name[NAME_MAX + 1];
	int fd = fcntl(t->dirfd, F_DUPFD_CLOEXEC, 0);
	const char *slash;

	for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		size_t len = (size_t)(slash - path);
		int next;

		if (len > NAME_MAX) {
			close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		if (make && mkdirat(fd, name, 0777) < 0 && errno != EEXIST)
			next = -1;
		else
			next = openat(fd, name, O_RDONLY | O_DIRECTORY |
				      O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			int saved_errno = errno;

			close(fd);
			errno = saved_errno;
			return -1;
		}
		close(fd);
		fd = next;
	}
	*last = path;
	return fd;
}

static int compare_file(const struct target *t, const struct manifest_entry *e,
			int parent, const char *name, const struct stat *st,
			struct dsv_err *err)
{
	int fd, ret;

	if (!S_ISREG(st->st_mode) || st->st_size != e->size_bytes ||
	    !!(st->st_mode & S_IXUSR) != e->executable)
		return TARGET_DIFFERS;
	fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return dsv_fail_errno(err, "read '%s/%s'", t->dir, e->path);
	ret = files_are_bytes(t->d, e, fd, err);
	close(fd);
	if (ret < 0)
		return dsv_fail_in(err, ret, "'%s'", t->dir);
	return ret ? TARGET_SAME : TARGET_DIFFERS;
}

static bool same_link(int parent, const char *name, const char *target)
{
	char buf[PATH_MAX + 1];
	ssize_t len = readlinkat(parent, name, buf, sizeof(buf) - 1);

	if (len < 0)
		return false;
	buf[len] = '\0';
	return !strcmp(buf, target);
}

int target_compare(const struct target *t, const struct manifest_entry *e,
		   struct dsv_err *err)
{
	const char *name;
	struct stat st;
	int parent;
	int ret;

	parent = open_parent(t, e->path, false, &name);
	if (parent < 0 && errno == ENOENT)
		return TARGET_ABSENT;
	if (parent < 0 && (errno == ELOOP || errno == ENOTDIR))
		return TARGET_BLOCKED;
	if (parent < 0)
		return dsv_fail_errno(err, "look at '%s/%s'", t->dir, e->path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		ret = errno == ENOENT ? (int)TARGET_ABSENT :
			dsv_fail_errno(err, "look at '%s/%s'", t->dir,
				       e->path);
	else if (S_ISDIR(st.st_mode))
		ret = e->type == DSV_DIR ? TARGET_SAME : TARGET_BLOCKED;
	else if (e->type == DSV_DIR)
		ret = TARGET_DIFFERS;
	else if (e->type == DSV_LINK)
		ret = S_ISLNK(st.st_mode) &&
		      same_link(parent, name, e->target) ?
			TARGET_SAME : TARGET_DIFFERS;
	else
		ret = compare_file(t, e, parent, name, &st, err);
	close(parent);
	return ret;
}

int target_blocked(const struct target *t, const struct manifest_entry *e,
		   struct dsv_err *err)
{
	const char *name;
	int parent = open_parent(t, e->path, false, &name);

	if (parent >= 0)
		close(parent);
	return dsv_fail(err, DSV_EREFUSED, "'%s/%s' %s; nothing was written"
			" (move it away)", t->dir, e->path, parent < 0 ?
			"goes through a link or a file" : "is a directory");
}

/* Writes the file or link under a temporary name. */
static int write_temporary(const struct target *t,
			   const struct manifest_entry *e, int parent,
			   const char *tmp, bool *reflinked,
			   struct dsv_err *err)
{
	struct store_copy copy = { false, 0 };
	int fd, ret;

	if (e->type == DSV_LINK) {
		if (symlinkat(e->target, parent, tmp) < 0)
			return dsv_fail_errno(err, "make link '%s/%s'", t->dir,
					      e->path);
		return 0;
	}
	fd = openat(parent, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, e->executable ? 0777 : 0666);
	if (fd < 0)
		return dsv_fail_errno(err, "create '%s/%s'", t->dir, e->path);
	ret = store_copy_file(t->d->store, e->recipe, e->size_bytes, fd,
			      t->link, false, &copy, err);
	if (close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s/%s'", t->dir, e->path);
	if (ret < 0)
		return dsv_fail_in(err, ret, "write '%s/%s'", t->dir, e->path);
	if (reflinked)
		*reflinked = copy.reflinked;
	return 0;
}

/* Makes the directory, in place of a file if there is one. */
static int make_dir(int parent, const char *name)
{
	struct stat st;

	if (mkdirat(parent, name, 0777) == 0)
		return 0;
	if (errno != EEXIST ||
	    fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	return unlinkat(parent, name, 0) < 0 ? -1 :
		mkdirat(parent, name, 0777);
}

int target_write(const struct target *t, const struct manifest_entry *e,
		 bool *reflinked, struct dsv_err *err)
{
	unsigned char nonce[8];
	char suffix[2 * sizeof(nonce) + 1];
	char tmp[64];
	const char *name;
	int parent;
	int ret;

	if (!random_bytes(nonce, sizeof(nonce)))
		return dsv_fail_errno(err, "get random bytes");
	hex_encode(nonce, sizeof(nonce), suffix);
	snprintf(tmp, sizeof(tmp), ".dsv-tmp-%s", suffix);
	parent = open_parent(t, e->path, true, &name);
	if (parent < 0)
		return dsv_fail_errno(err, "make the directory of '%s/%s'",
				      t->dir, e->path);
	if (e->type == DSV_DIR) {
		ret = make_dir(parent, name) < 0 ?
			dsv_fail_errno(err, "make directory '%s/%s'", t->dir,
				       e->path) : 0;
		close(parent);
		return ret;
	}
	ret = write_temporary(t, e, parent, tmp, reflinked, err);
	if (ret == 0 && renameat(parent, tmp, parent, name) < 0)
		ret = dsv_fail_errno(err, "write '%s/%s'", t->dir, e->path);
	if (ret < 0)
		unlinkat(parent, tmp, 0);
	close(parent);
	return ret;
}
