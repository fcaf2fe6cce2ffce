/* SPDX-License-Identifier: MIT */
/*
 * What becomes of captures when the power goes, or their command is killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "parts.h"

enum { MAX_DEPTH = 200 };

/*
 * From the top: a name that is durable in a directory that is not would be
 * lost with it, and a moved file is not where it was.  -1 with errno.
 */
static int sync_tree(int dirfd, const char *name, int depth)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
			O_CLOEXEC);
	struct dirent *entry;
	struct stat st;
	DIR *dir = NULL;
	int ret = 0;

	if (fd < 0)
		return errno == ELOOP ? 0 : -1;
	if (fstat(fd, &st) < 0 || depth > MAX_DEPTH)
		ret = -1;
	if (ret == 0)
		ret = fsync(fd);
	if (ret == 0 && S_ISDIR(st.st_mode)) {
		dir = fdopendir(dup(fd));
		ret = dir ? 0 : -1;
	}
	while (dir && ret == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = sync_tree(fd, entry->d_name, depth + 1);
	}
	if (dir)
		closedir(dir);
	close(fd);
	return ret;
}

int capture_sync(struct dsv *d, const struct capture *c, struct dsv_err *err)
{
	char *host = repo_path(d, DIR_QUEUE "/%s", c->host);
	char *queue = repo_path(d, DIR_QUEUE);
	int ret = 0;

	if (!host || !queue)
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = fs_sync_dir(queue, err);
	if (ret == 0)
		ret = fs_sync_dir(host, err);
	if (ret == 0 && sync_tree(AT_FDCWD, c->dir, 0) < 0)
		ret = dsv_fail_errno(err, "sync '%s'", c->dir);
	free(host);
	free(queue);
	return ret;
}

/* ---- What nobody waits for ---------------------------------------------- */

static bool is_old(int dirfd, const char *name, int64_t before_ns)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       stat_mtime_ns(&st) < before_ns;
}

/* The capture of an entry that is old and that no state waits for. */
static void sweep_entry(struct dsv *d, const unsigned char id[HASH_BYTES])
{
	struct capture c;
	int known = parts_wanted(d, id, true, NULL);

	if (known != 0 || capture_find(d, id, &c, NULL) < 0)
		return;
	/* No state at all, and these may be the only copies there are. */
	if (c.moved && parts_wanted(d, id, false, NULL) != 1)
		repo_warn(d, "an asynchronous tag that moves was killed: the"
			  " files that it moved are in '%s/files'", c.dir);
	else
		capture_remove(d, &c, NULL);
	capture_release(&c);
}

/* A directory NAME of which there is no entry NAME....json. */
static bool has_entry(DIR *dir, const char *name)
{
	size_t len = strlen(name);
	struct dirent *e;

	rewinddir(dir);
	while ((e = readdir(dir)) != NULL) {
		if (!strncmp(e->d_name, name, len) &&
		    strstr(e->d_name, ".json"))
			return true;
	}
	return false;
}

static void sweep_name(struct dsv *d, const char *path, const char *name)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	size_t len = strlen(name);
	DIR *dir;

	if (len == HASH_HEX_SIZE - 1 + strlen(".json")) {
		memcpy(hex, name, HASH_HEX_SIZE - 1);
		hex[HASH_HEX_SIZE - 1] = '\0';
		if (hash_from_hex(hex, id))
			sweep_entry(d, id);
	} else if (len == 32 && strspn(name, "0123456789abcdef") == len) {
		char *whole = str_format("%s/%s", path, name);

		dir = opendir(path);
		if (dir && whole && !has_entry(dir, name))
			fs_remove_tree(whole, NULL);
		if (dir)
			closedir(dir);
		free(whole);
	}
}

void capture_sweep(struct dsv *d, int64_t before_ns)
{
	char *path = repo_path(d, DIR_QUEUE "/%s", d->process.host);
	DIR *dir = path ? opendir(path) : NULL;
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL) {
		if (is_old(dirfd(dir), e->d_name, before_ns))
			sweep_name(d, path, e->d_name);
	}
	if (dir)
		closedir(dir);
	free(path);
}
