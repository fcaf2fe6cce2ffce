/* SPDX-License-Identifier: MIT */
/* A new database takes the place of the old one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "internal.h"

static int sync_file(const char *path, struct dsv_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || fsync(fd) < 0)
		ret = dsv_fail_errno(err, "sync '%s'", path);
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * Moves the old database aside.  There is one at every moment, and nothing is
 * overwritten.  A hot journal of SQLite is moved first: it would be rolled back
 * into the new database.
 */
static int move_aside(const char *path, bool hot, struct dsv_err *err)
{
	static const char *const suffixes[] = { "-journal", "-wal" };
	char *prefix = str_format("%s.damaged", path);
	char *aside = prefix ? fs_unused_name(prefix) : NULL;
	size_t i;
	int ret = aside ? 0 : dsv_fail_nomem(err);

	for (i = 0; ret == 0 && hot && i < sizeof(suffixes) /
	     sizeof(suffixes[0]); i++) {
		char *from = str_format("%s%s", path, suffixes[i]);
		char *to = str_format("%s%s", aside, suffixes[i]);

		if (!from || !to)
			ret = dsv_fail_nomem(err);
		else if (rename(from, to) < 0 && errno != ENOENT)
			ret = dsv_fail_errno(err, "move '%s' aside", from);
		free(from);
		free(to);
	}
	if (ret == 0 && link(path, aside) < 0 && errno != ENOENT &&
	    rename(path, aside) < 0)
		ret = dsv_fail_errno(err, "move '%s' aside", path);
	free(prefix);
	free(aside);
	return ret;
}

static int put_in_place(struct database *old, const char *temp,
			const char *path, struct dsv_err *err)
{
	if (rename(temp, path) < 0)
		return dsv_fail_errno(err, "rename '%s'", temp);
	/* The new database continues to count from it. */
	if (old)
		old->turn.taken = false;
	return 0;
}

int database_replace(const char *dir, const char *path, struct database *old,
		     const char *temp, struct dsv_err *err)
{
	uint32_t turn = 0;
	int ret;

	ret = turn_go_on(dir, temp, &turn, err);
	if (ret == 0)
		ret = sync_file(temp, err);
	if (ret == 0)
		ret = move_aside(path, !old, err);
	if (ret == 0)
		ret = put_in_place(old, temp, path, err);
	if (ret == 0)
		ret = fs_sync_dir(dir, err);
	if (ret == 0)
		turn_done(dir, turn);
	return ret;
}
