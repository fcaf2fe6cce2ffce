/* SPDX-License-Identifier: MIT */
/* This finds the segments on disk. */
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/list.h"
#include "../os/paths.h"

struct names {
	char (*items)[SEGMENT_NAME_SIZE];
	size_t count;
};

static int add(struct names *names, const char *name, struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&names->items, names->count,
			sizeof(*names->items), err);
	if (ret < 0)
		return ret;
	memcpy(names->items[names->count], name, SEGMENT_NAME_SIZE - 1);
	names->items[names->count++][SEGMENT_NAME_SIZE - 1] = '\0';
	return 0;
}

/*
 * Returns whether file belongs to a segment.  An .idx counts if its segment is
 * missing.
 */
static bool is_segment(int fd, const char *file, const char *dir)
{
	char name[SEGMENT_NAME_SIZE];
	const size_t len = SEGMENT_NAME_SIZE - 1;

	if (strlen(file) < len)
		return false;
	memcpy(name, file, len);
	name[len] = '\0';
	if (!segment_name_is_valid(name) || strncmp(name, dir, 2))
		return false;
	if (file[len] == '\0')
		return true;
	return !strcmp(file + len, ".idx") &&
	       faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static int read_dir(const char *path, const char *name, struct names *names,
		    struct dsv_err *err)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int ret = 0;

	if (!dir && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!dir)
		return dsv_fail_errno(err, "open directory '%s'", path);
	while (ret == 0 && (errno = 0, entry = readdir(dir))) {
		if (is_segment(dirfd(dir), entry->d_name, name))
			ret = add(names, entry->d_name, err);
	}
	if (ret == 0 && errno != 0)
		ret = dsv_fail_errno(err, "read directory '%s'", path);
	closedir(dir);
	return ret;
}

/* All names are read before fn is called with them: it may remove some. */
static int each_of(struct store *s, const char *dir,
		   int (*fn)(void *arg, const char *name, struct dsv_err *err),
		   void *arg, struct dsv_err *err)
{
	char *path = segment_dir_path(s->dir, dir);
	struct names names = { 0 };
	size_t i;
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = read_dir(path, dir, &names, err);
	for (i = 0; ret == 0 && i < names.count; i++)
		ret = fn(arg, names.items[i], err);
	free(names.items);
	free(path);
	return ret;
}

int segment_each(struct store *s,
		 int (*fn)(void *arg, const char *name, struct dsv_err *err),
		 void *arg, struct dsv_err *err)
{
	unsigned char byte;
	char dir[3];
	int ret = 0;
	int i;

	for (i = 0; ret == 0 && i < 256; i++) {
		byte = (unsigned char)i;
		hex_encode(&byte, 1, dir);
		ret = each_of(s, dir, fn, arg, err);
	}
	return ret;
}
