/* SPDX-License-Identifier: MIT */
/* tag --move: removing what the state holds. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../files/files.h"
#include "../os/lease.h"
#include "tagging.h"

static void warn_stays(struct dsv *d, const char *path, const char *why)
{
	repo_warn(d, "'%s' is not removed: %s", path, why);
}

/* Returns whether the path still names the file that fd is. */
static bool is_named(const char *path, int fd)
{
	struct stat a, b;

	return lstat(path, &a) == 0 && fstat(fd, &b) == 0 &&
		a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * NULL: the file is as the state has it, and nobody can write to it until fd
 * is closed; else why it must stay.  The times of a file do not tell.
 */
static const char *must_stay(struct dsv *d, const char *path, int fd,
			     const struct manifest_entry *e)
{
	enum lease lease = lease_take(fd);
	struct stat st;

	if (lease == LEASE_REFUSED)
		return "somebody has it open for writing";
	if (lease == LEASE_UNKNOWN)
		return "whether somebody writes to it cannot be told here";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size != e->size_bytes ||
	    files_are_bytes(d, e, fd, NULL) <= 0)
		return "it has changed since it was tagged";
	if (!lease_holds(fd))
		return "somebody opens it for writing";
	return is_named(path, fd) ? NULL : "another file has its name";
}

static void remove_file(struct dsv *d, const char *path,
			const struct manifest_entry *e)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *why;

	if (fd < 0 && errno == ENOENT)
		return;
	why = fd < 0 ? strerror(errno) : must_stay(d, path, fd, e);
	if (!why && unlink(path) < 0)
		why = strerror(errno);
	if (why)
		warn_stays(d, path, why);
	if (fd >= 0)
		close(fd);
}

static void remove_link(struct dsv *d, const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (!S_ISLNK(st.st_mode))
		warn_stays(d, path, "another file has its name");
	else if (unlink(path) < 0)
		warn_stays(d, path, strerror(errno));
}

void move_remove(struct dsv *d, const struct tree *tree, const char *id)
{
	struct manifest m = MANIFEST_INIT;
	const struct manifest_entry *e;
	unsigned char hash[HASH_BYTES];
	struct dsv_err why = { .msg = "" };
	int64_t seq = -1;
	size_t i;

	if (!hash_from_hex(id, hash) ||
	    catalog_seq(d->catalog, hash, &seq, &why) < 0 || seq < 0 ||
	    files_of(d, seq, &m, &why) < 0) {
		repo_warn(d, "no file is removed: %s", why.msg);
		return;
	}
	for (i = 0; i < tree->count; i++) {
		const struct tree_file *file = &tree->files[i];

		e = files_find(&m, file->path);
		if (file->type == DSV_LINK && e)
			remove_link(d, file->source);
		else if (file->type == DSV_FILE && e && e->type == DSV_FILE)
			remove_file(d, file->source, e);
	}
	manifest_release(&m);
}
