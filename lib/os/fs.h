/* SPDX-License-Identifier: MIT */
/*
 * Files: whole reads and writes, durable replacement, directories.
 */
#ifndef DSV_OS_FS_H
#define DSV_OS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/* All of it, or -1 with errno; EINTR is retried. */
int write_all(int fd, const void *data, size_t len);
int pwrite_all(int fd, const void *data, size_t len, int64_t offset);
/* len bytes, or fewer at the end of the file: their count; -1 with errno. */
ssize_t pread_full(int fd, void *data, size_t len, int64_t offset);

/*
 * Open a file for reading.  DSV_ENOTFOUND: there is none.  DSV_ECORRUPT: it is
 * something else, which is not waited for.
 */
int fs_open(const char *path, int *out, struct dsv_err *err);
/*
 * Open a file of the repository, with flags and mode as of open(2).  Never
 * through a link, which could lead a write out of it: DSV_ECORRUPT.
 */
int fs_open_own(const char *path, int flags, mode_t mode, int *out,
		struct dsv_err *err);
/*
 * The whole file, at most limit_bytes of it (more: DSV_ECORRUPT).
 * DSV_ENOTFOUND: there is no such file.
 */
int fs_read(const char *path, size_t limit_bytes, struct str *out,
	    struct dsv_err *err);

/*
 * Replace path durably: temporary file in the same directory, fsync, rename,
 * fsync of the directory.  mode 0: by the umask; else exactly.
 */
int fs_replace(const char *path, const void *data, size_t len, mode_t mode,
	       struct dsv_err *err);
/*
 * The same, with the temporary file in tmp_dir, of the same file system, where
 * what a crash leaves is swept.
 */
int fs_replace_from(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err);

/* The same, but not durable: a crash may undo it, or leave the file empty. */
int fs_replace_soon(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err);

/*
 * All of from into to, of the same file system, as shared blocks: 0, or -1
 * with errno where it cannot.
 */
int fs_clone(int from, int to);
/*
 * Gives the file from, which has one link, the name to as well: 1; 0: to is
 * somebody else's; -1 with errno.  Over NFS the answer to link(2) may be lost,
 * and the request, sent again, says that the name exists: the number of links
 * tells.
 */
int fs_link_once(const char *from, const char *to);

/* Not a link to one. */
bool fs_is_dir(const char *path);
int fs_sync_dir(const char *dir, struct dsv_err *err);
/* The directory that holds path. */
int fs_sync_parent(const char *path, struct dsv_err *err);

/*
 * Make path and what is missing above it; there already is fine.  mode as
 * for fs_replace().
 */
int fs_make_dirs(const char *path, mode_t mode, struct dsv_err *err);
/* DSV_ECORRUPT: what is written through this link would be elsewhere. */
int fs_no_link(const char *path, struct dsv_err *err);
/* A directory of a repository: fs_make_dirs() and fs_no_link(). */
int fs_make_own_dirs(const char *path, mode_t mode, struct dsv_err *err);
/* Remove a file or a directory with all that is in it; absent is fine. */
int fs_remove_tree(const char *path, struct dsv_err *err);

/* A path that is absolute, without links; the caller's to free(). */
int fs_absolute(const char *path, char **out, struct dsv_err *err);

/* Last component of path, borrowed. */
const char *fs_basename(const char *path);

/* prefix-TIME, of which there is none yet; the caller's to free(). */
char *fs_unused_name(const char *prefix);

/*
 * Whether locks by fcntl() may be local or absent there (NFS, Lustre, GPFS,
 * BeeGFS, CIFS, FUSE, ...); by the magic number of statfs(2).
 */
bool fs_is_network(const char *path);
/*
 * Ask the server, whatever is remembered of a file: the number of its links,
 * -1: errno says why not.  Its size and times are then new as well.
 */
int64_t fs_links(const char *path);

#endif
