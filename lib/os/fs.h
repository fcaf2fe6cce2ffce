/* SPDX-License-Identifier: MIT */
/*
 * Files are read and written whole here, replaced durably, and found in
 * directories.
 */
#ifndef DSV_OS_FS_H
#define DSV_OS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/* These write all of data, or return -1 with errno; EINTR is retried. */
int write_all(int fd, const void *data, size_t len);
int pwrite_all(int fd, const void *data, size_t len, int64_t offset);
/*
 * Reads len bytes, or fewer at the end of the file, and returns how many; -1
 * with errno.
 */
ssize_t pread_full(int fd, void *data, size_t len, int64_t offset);

/*
 * Opens a file for reading.  Returns DSV_ENOTFOUND if it does not exist, and
 * DSV_ECORRUPT, without waiting for it, if it is not a regular file.
 */
int fs_open(const char *path, int *out, struct dsv_err *err);
/*
 * Opens a file of the repository, with flags and mode as for open(2).  It never
 * follows a link, which could lead a write out of the repository, but returns
 * DSV_ECORRUPT.
 */
int fs_open_own(const char *path, int flags, mode_t mode, int *out,
		struct dsv_err *err);
/*
 * Reads the whole file, which may have limit_bytes at most (else DSV_ECORRUPT).
 * Returns DSV_ENOTFOUND if it does not exist.
 */
int fs_read(const char *path, size_t limit_bytes, struct str *out,
	    struct dsv_err *err);

/*
 * Replaces path durably: temporary file in the same directory, fsync, rename,
 * fsync of the directory.  The file gets exactly mode, or, if that is 0, what
 * the umask leaves.
 */
int fs_replace(const char *path, const void *data, size_t len, mode_t mode,
	       struct dsv_err *err);
/*
 * Does the same with the temporary file in tmp_dir, which is on the same file
 * system, and where leftovers of a crash are swept.
 */
int fs_replace_from(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err);

/*
 * Does the same, but not durably: a crash may undo it, or leave the file empty.
 */
int fs_replace_soon(const char *tmp_dir, const char *path, const void *data,
		    size_t len, mode_t mode, struct dsv_err *err);

/*
 * Puts all of from into to, which is on the same file system, as shared blocks.
 * Returns 0, or -1 with errno if that is not possible.
 */
int fs_clone(int from, int to);
/*
 * Gives the file from, which has one link, the name to as well.  Returns 1 if
 * it has it, 0 if to is somebody else's file, -1 with errno.  Over NFS the
 * answer to link(2) may be lost, and the repeated request finds that the name
 * exists; only the number of links shows whose it is.
 */
int fs_link_once(const char *from, const char *to);

/* Returns whether path is a directory; a link to one is not. */
bool fs_is_dir(const char *path);
int fs_sync_dir(const char *dir, struct dsv_err *err);
/* Syncs the directory that holds path. */
int fs_sync_parent(const char *path, struct dsv_err *err);

/*
 * Makes path and what is missing above it; it may already exist.  mode is as
 * for fs_replace().
 */
int fs_make_dirs(const char *path, mode_t mode, struct dsv_err *err);
/*
 * Returns DSV_ECORRUPT if path is a link, through which writes would go
 * elsewhere.
 */
int fs_no_link(const char *path, struct dsv_err *err);
/* Makes a directory of a repository: fs_make_dirs() and fs_no_link(). */
int fs_make_own_dirs(const char *path, mode_t mode, struct dsv_err *err);
/* Removes a file, or a directory with all that is in it; absent is fine. */
int fs_remove_tree(const char *path, struct dsv_err *err);

/* Returns an absolute path without links; the caller frees it. */
int fs_absolute(const char *path, char **out, struct dsv_err *err);

/* Returns the last component of path, borrowed. */
const char *fs_basename(const char *path);

/* Returns a name prefix-TIME that does not exist yet; the caller frees it. */
char *fs_unused_name(const char *prefix);

/*
 * Returns whether locks by fcntl() may be local or absent there (NFS, Lustre,
 * GPFS, BeeGFS, CIFS, FUSE, ...), judging by the magic number of statfs(2).
 */
bool fs_is_network(const char *path);
/*
 * Asks the server, whatever is cached of a file, how many links it has.
 * Returns -1 with errno if that fails.  Its size and times are fresh
 * afterwards, too.
 */
int64_t fs_links(const char *path);

#endif
