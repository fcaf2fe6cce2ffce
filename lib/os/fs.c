/* SPDX-License-Identifier: MIT */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"

enum { HIDDEN_TRIES = 50, HIDDEN_PAUSE_US = 20000 };

int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -1;
	}
	return 0;
}

int pwrite_all(int fd, const void *data, size_t len, int64_t offset)
{
	const char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n, offset += n) {
		n = pwrite(fd, p, len, offset);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return -1;
	}
	return 0;
}

ssize_t pread_full(int fd, void *data, size_t len, int64_t offset)
{
	char *p = data;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, offset + (int64_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int open_file(const char *path, int flags, mode_t mode, int *out,
		     struct dsv_err *err)
{
	/* O_NONBLOCK: a FIFO without a writer must not make us wait. */
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, mode);
	struct stat st;
	int ret = 0;

	if (fd < 0 && errno == ENOENT)
		return dsv_fail(err, DSV_ENOTFOUND, "open '%s': no such file",
				path);
	if (fd < 0 && (errno == EISDIR ||
		       (errno == ELOOP && flags & O_NOFOLLOW)))
		return dsv_fail(err, DSV_ECORRUPT, "'%s' is not a file", path);
	if (fd < 0)
		return dsv_fail_errno(err, "open '%s'", path);
	if (fstat(fd, &st) < 0)
		ret = dsv_fail_errno(err, "stat '%s'", path);
	else if (!S_ISREG(st.st_mode))
		ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is not a file", path);
	if (ret < 0)
		close(fd);
	else
		*out = fd;
	return ret;
}

int fs_open(const char *path, int *out, struct dsv_err *err)
{
	return open_file(path, O_RDONLY, 0, out, err);
}

int fs_open_own(const char *path, int flags, mode_t mode, int *out,
		struct dsv_err *err)
{
	return open_file(path, flags | O_NOFOLLOW, mode, out, err);
}

int fs_read(const char *path, size_t limit_bytes, struct str *out,
	    struct dsv_err *err)
{
	char buf[16384];
	ssize_t n;
	int fd = -1;
	int ret = fs_open(path, &fd, err);

	if (ret < 0)
		return ret;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = dsv_fail_errno(err, "read '%s'", path);
			break;
		}
		if (out->len + (size_t)n > limit_bytes) {
			ret = dsv_fail(err, DSV_ECORRUPT,
				       "'%s' is larger than %zu bytes", path,
				       limit_bytes);
			break;
		}
		str_add(out, buf, (size_t)n);
	}
	close(fd);
	if (ret == 0 && str_failed(out))
		ret = dsv_fail_nomem(err);
	return ret;
}

/* Creates a file beside path or in dir; the caller frees *tmp. */
static int open_new(const char *dir, const char *path, char **tmp, int *fd,
		    struct dsv_err *err)
{
	unsigned char nonce[8];
	char suffix[2 * sizeof(nonce) + 1];

	if (!random_bytes(nonce, sizeof(nonce)))
		return dsv_fail_errno(err, "get random bytes");
	hex_encode(nonce, sizeof(nonce), suffix);
	*tmp = dir ? str_format("%s/%s.tmp-%s", dir, fs_basename(path), suffix)
		   : str_format("%s.tmp-%s", path, suffix);
	if (!*tmp)
		return dsv_fail_nomem(err);
	*fd = open(*tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (*fd >= 0)
		return 0;
	return dsv_fail_errno(err, "create '%s'", *tmp);
}

static int replace(const char *tmp_dir, const char *path, const void *data,
		   size_t len, mode_t mode, bool durable, struct dsv_err *err)
{
	char *tmp = NULL;
	int fd = -1;
	int ret;

	ret = open_new(tmp_dir, path, &tmp, &fd, err);
	if (ret < 0) {
		free(tmp);
		return ret;
	}
	if ((mode && fchmod(fd, mode) < 0) || write_all(fd, data, len) < 0 ||
	    (durable && fsync(fd) < 0)) {
		ret = dsv_fail_errno(err, "write '%s'", tmp);
		goto out;
	}
	ret = close(fd);
	fd = -1;
	if (ret < 0 || rename(tmp, path) < 0) {
		ret = dsv_fail_errno(err, "replace '%s'", path);
		goto out;
	}
	if (durable)
		ret = fs_sync_parent(path, err);
	free(tmp);
	return ret;
out:
	if (fd >= 0)
		close(fd);
	unlink(tmp);
	free(tmp);
	return ret;
}

int fs_replace(const char *path, const void *data, size_t len, mode_t mode,
	       struct dsv_err *err)
{
	return replace(NULL, path, data, len, mode, true, err);
}

int fs_replace_from(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err)
{
	return replace(tmp_dir, path, data, len, mode, true, err);
}

int fs_replace_soon(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err)
{
	return replace(tmp_dir, path, data, len, mode, false, err);
}

bool fs_is_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int fs_sync_dir(const char *dir, struct dsv_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return dsv_fail_errno(err, "open directory '%s'", dir);
	/* Some network file systems cannot fsync directories. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		ret = dsv_fail_errno(err, "sync directory '%s'", dir);
	close(fd);
	return ret;
}

int fs_sync_parent(const char *path, struct dsv_err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int ret;

	if (!slash)
		return fs_sync_dir(".", err);
	dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!dir)
		return dsv_fail_nomem(err);
	ret = fs_sync_dir(dir, err);
	free(dir);
	return ret;
}

/* Sets the bits of mode that the umask cleared.  Returns -1 with errno. */
static int set_dir_mode(const char *path, mode_t mode)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int saved_errno;
	int ret;

	if (fd < 0)
		return -1;
	ret = fchmod(fd, mode);
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return ret;
}

/*
 * Makes the directory, unless it exists.  It is never open to more than mode.
 */
static int make_dir(const char *path, mode_t mode, struct dsv_err *err)
{
	struct stat st;
	int saved_errno;

	if (mkdir(path, mode ? mode : 0777) == 0) {
		if (mode && set_dir_mode(path, mode) < 0)
			return dsv_fail_errno(err, "chmod '%s'", path);
		return 0;
	}
	/* mkdir() of what exists may also fail with EROFS or EACCES. */
	saved_errno = errno;
	if (stat(path, &st) == 0)
		saved_errno = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
	errno = saved_errno;
	return errno ? dsv_fail_errno(err, "make directory '%s'", path) : 0;
}

int fs_make_dirs(const char *path, mode_t mode, struct dsv_err *err)
{
	char *copy = strdup(path);
	char *p;
	int ret = 0;

	if (!copy)
		return dsv_fail_nomem(err);
	for (p = copy + 1; ret == 0 && p[-1]; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		ret = make_dir(copy, mode, err);
		*p = c;
	}
	free(copy);
	return ret;
}

int fs_no_link(const char *path, struct dsv_err *err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return dsv_fail(err, DSV_ECORRUPT, "'%s/' is a link", path);
	return 0;
}

int fs_make_own_dirs(const char *path, mode_t mode, struct dsv_err *err)
{
	int ret = fs_no_link(path, err);

	return ret < 0 ? ret : fs_make_dirs(path, mode, err);
}

static int remove_at(int dirfd, const char *name, int *tries);

static int remove_entries(DIR *dir, int *tries)
{
	struct dirent *entry;
	int ret = 0;

	while (ret == 0 && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		ret = remove_at(dirfd(dir), entry->d_name, tries);
	}
	return ret;
}

/*
 * FUSE and NFS rename a file that is removed while it is open, within its
 * directory, until it is closed: its last user may be about to close it.
 */
static int remove_at(int dirfd, const char *name, int *tries)
{
	int saved_errno, fd, ret;
	DIR *dir;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	for (;;) {
		ret = remove_entries(dir, tries);
		if (ret == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 &&
		    errno != ENOENT)
			ret = -1;
		if (ret == 0 || (errno != ENOTEMPTY && errno != EBUSY) ||
		    (*tries)-- <= 0)
			break;
		usleep(HIDDEN_PAUSE_US);
		rewinddir(dir);
	}
	saved_errno = errno;
	closedir(dir);
	errno = saved_errno;
	return ret;
}

int fs_remove_tree(const char *path, struct dsv_err *err)
{
	int tries = HIDDEN_TRIES;

	if (remove_at(AT_FDCWD, path, &tries) < 0)
		return dsv_fail_errno(err, "remove '%s'", path);
	return 0;
}

int fs_absolute(const char *path, char **out, struct dsv_err *err)
{
	char *text = realpath(path, NULL);

	if (!text && errno == ENOENT)
		return dsv_fail(err, DSV_ENOTFOUND,
				"'%s': no such file or directory", path);
	if (!text)
		return dsv_fail_errno(err, "'%s'", path);
	*out = text;
	return 0;
}

const char *fs_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *fs_unused_name(const char *prefix)
{
	int64_t now = now_ns();
	char *name = NULL;
	struct stat st;

	/* The clock may show the same time twice. */
	do {
		free(name);
		name = str_format("%s-%" PRId64, prefix, now++);
	} while (name && lstat(name, &st) == 0);
	return name;
}

bool fs_is_network(const char *path)
{
	/* The numbers are from statfs(2) and the file systems' own headers. */
	static const uint32_t magic[] = {
		0x6969,		/* NFS */
		0x0bd00bd0,	/* Lustre */
		0x47504653,	/* GPFS */
		0x19830326,	/* BeeGFS (FhGFS) */
		0xff534d42,	/* CIFS */
		0xfe534d42,	/* SMB2 */
		0x517b,		/* SMB */
		0x65735546,	/* FUSE */
		0x00c36400,	/* Ceph */
		0x7461636f,	/* OCFS2 */
		0x01161970,	/* GFS2 */
		0x5346414f,	/* AFS */
		0x01021997,	/* 9P */
		0xaad7aaea,	/* PanFS */
		0x20030528,	/* OrangeFS */
	};
	struct statfs st;
	size_t i;

	if (statfs(path, &st) < 0)
		return false;
	for (i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		if ((uint32_t)st.f_type == magic[i])
			return true;
	}
	return false;
}

int64_t fs_links(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS,
		  &stx) < 0)
		return -1;
	return stx.stx_nlink;
}

int fs_clone(int from, int to)
{
	return ioctl(to, FICLONE, from);
}

/* If link() succeeds, we made it, whatever is cached of the number of links. */
int fs_link_once(const char *from, const char *to)
{
	int error = link(from, to) < 0 ? errno : 0;
	int64_t links;

	if (error == 0)
		return 1;
	links = fs_links(from);
	if (links < 0)
		return -1;
	if (links == 2)
		return 1;
	errno = error;
	return error == EEXIST ? 0 : -1;
}
