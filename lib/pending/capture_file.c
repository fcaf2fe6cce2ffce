/* SPDX-License-Identifier: MIT */
#include "capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../os/fs.h"
#include "../os/lease.h"

enum { COPY_BYTES = 1 << 24, COMPARE_BYTES = 1 << 18 };

/* Somebody who waits for our lease goes on. */
static void let_write(int fd)
{
	if (!lease_holds(fd))
		lease_drop(fd);
}

static int copy_bytes(int from, int to, const struct tree_file *file,
		      struct dsv_err *err)
{
	char buf[65536];
	ssize_t n;

	while ((n = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0)) > 0)
		let_write(from);
	if (n < 0 && lseek(to, 0, SEEK_CUR) == 0) {
		/* The file systems have no such call between them. */
		while ((n = read(from, buf, sizeof(buf))) > 0) {
			if (write_all(to, buf, (size_t)n) < 0)
				return dsv_fail_errno(err, "copy '%s'",
						      file->source);
			let_write(from);
		}
	}
	return n < 0 ? dsv_fail_errno(err, "copy '%s'", file->source) : 0;
}

/*
 * Somebody may have written to the file while it was captured: what we have
 * is one version of it if the file still begins with it.
 */
static int compare_again(int from, int to, const struct tree_file *file,
			 struct dsv_err *err)
{
	char *a = malloc(COMPARE_BYTES), *b = malloc(COMPARE_BYTES);
	int64_t offset = 0;
	ssize_t n = 0, m;
	int ret = a && b ? 0 : dsv_fail_nomem(err);

	while (ret == 0 && (n = pread_full(to, b, COMPARE_BYTES, offset)) > 0) {
		m = pread_full(from, a, (size_t)n, offset);
		if (m != n || memcmp(a, b, (size_t)n) != 0)
			ret = dsv_fail(err, DSV_ESYS, "'%s' changed while it"
				       " was read", file->source);
		offset += n;
	}
	if (ret == 0 && n < 0)
		ret = dsv_fail_errno(err, "read the capture of '%s'",
				     file->source);
	free(a);
	free(b);
	return ret;
}

static bool has_changed(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size ||
	       stat_mtime_ns(a) != stat_mtime_ns(b);
}

/* Clone or copy it, and see that what we have is one version of it. */
static int duplicate(int from, int to, const struct tree_file *file,
		     struct dsv_err *err)
{
	enum lease lease = lease_take(from);
	struct stat before, after;
	int ret = 0;

	/* Dirty pages first: a clone is of what the file system knows. */
	if (lease != LEASE_HELD && fsync(from) < 0 && errno != EINVAL &&
	    errno != EROFS)
		return dsv_fail_errno(err, "sync '%s'", file->source);
	if (fstat(from, &before) < 0)
		return dsv_fail_errno(err, "'%s'", file->source);
	if (fs_clone(from, to) < 0)
		ret = copy_bytes(from, to, file, err);
	if (ret == 0 && fstat(from, &after) < 0)
		ret = dsv_fail_errno(err, "'%s'", file->source);
	if (ret == 0 && !(lease == LEASE_HELD && lease_holds(from)) &&
	    (lease != LEASE_UNKNOWN || has_changed(&before, &after)))
		ret = compare_again(from, to, file, err);
	lease_drop(from);
	return ret;
}

/*
 * Take the file itself.  Only when ours is durable and nobody else can write
 * to it: one link, and a lease that holds until it has its new name.  Whoever
 * opened it before that waits for the lease, and would write to what we have:
 * then it is given back.  1: moved; 0: it is where it was.
 */
static int move_file(const struct tree_file *file, const char *to,
		     const struct capturing *m, mode_t file_mode,
		     struct dsv_err *err)
{
	int fd = open(file->source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0)
		return 0;
	ret = fstat(fd, &st) == 0 && st.st_nlink == 1 && fsync(fd) == 0 &&
		lease_take(fd) == LEASE_HELD &&
		(!file_mode || (fchown(fd, (uid_t)-1, m->gid) == 0 &&
				fchmod(fd, file_mode) == 0)) &&
		rename(file->source, to) == 0;
	if (ret > 0 && !lease_holds(fd)) {
		ret = 0;
		if (renameat2(AT_FDCWD, to, AT_FDCWD, file->source,
			      RENAME_NOREPLACE) < 0)
			ret = dsv_fail_errno(err, "'%s' was opened for writing"
					     " while it was moved; move it"
					     " back", file->source);
	}
	close(fd);
	return ret;
}

int capture_file(const struct tree_file *file, const char *to,
		 const struct capturing *m, struct dsv_err *err)
{
	mode_t x = file->executable ? m->file_mode ? 0110 : 0100 : 0;
	mode_t file_mode = m->file_mode ? m->file_mode | x : 0;
	int from = -1, fd = -1;
	int ret = 0;

	ret = m->move ? move_file(file, to, m, file_mode, err) : 0;
	if (ret != 0)
		return ret < 0 ? ret : 0;
	from = open(file->source, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return dsv_fail_errno(err, "read '%s'", file->source);
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600 | x);
	if (fd < 0) {
		ret = dsv_fail_errno(err, "create '%s'", to);
		goto out;
	}
	if (file_mode && fchmod(fd, file_mode) < 0)
		ret = dsv_fail_errno(err, "chmod '%s'", to);
	else
		ret = duplicate(from, fd, file, err);
out:
	if (fd >= 0 && close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", to);
	close(from);
	return ret;
}
