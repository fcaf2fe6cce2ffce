/* SPDX-License-Identifier: MIT */
#include "turn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "db.h"

enum {
	COUNTER_AT = 24,	/* the file format of SQLite, 1.3 */
	VALID_FOR_AT = 92,	/* the counter once more */
	KEPT = 256		/* changes that a host may be behind */
};

static char *path_of(const char *dir, uint32_t n, const char *suffix)
{
	return str_format("%s/" DIR_TURNS "/%u%s", dir, (unsigned int)n,
			  suffix);
}

/* Returns 1 if it was made, 0 if somebody else has made it. */
static int make(const char *dir, uint32_t n, const char *suffix,
		struct dsv_err *err)
{
	char *path = path_of(dir, n, suffix);
	int ret = 1;
	int fd;

	if (!path)
		return dsv_fail_nomem(err);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0)
		close(fd);
	else if (errno == EEXIST)
		ret = 0;
	else
		ret = dsv_fail_errno(err, "create '%s'", path);
	free(path);
	return ret;
}

static void take_away(const char *dir, uint32_t n, const char *suffix)
{
	char *path = path_of(dir, n, suffix);

	if (path)
		unlink(path);
	free(path);
}

/*
 * Reads the counter by SQLite's own descriptor: closing another one would drop
 * its locks.  Returns -1 if it cannot be read.
 */
static int64_t read_counter(struct db *writer)
{
	sqlite3_file *file = NULL;
	unsigned char b[4];

	if (sqlite3_file_control(writer->handle, "main",
				 SQLITE_FCNTL_FILE_POINTER, &file) !=
	    SQLITE_OK || !file || !file->pMethods ||
	    file->pMethods->xRead(file, b, sizeof(b), COUNTER_AT) != SQLITE_OK)
		return -1;
	return (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* Over NFS, a client may have cached that a name did not exist. */
static bool is_done(const struct turn *t, uint32_t n)
{
	char *dir = str_format("%s/" DIR_TURNS, t->dir);
	char *path = path_of(t->dir, n, ".done");
	DIR *d = dir ? opendir(dir) : NULL;
	bool done = true;

	if (d) {
		readdir(d);
		closedir(d);
	}
	if (d && path)
		done = access(path, F_OK) == 0;
	free(path);
	free(dir);
	return done;
}

static int make_dir(const struct turn *t, struct dsv_err *err)
{
	char *dir = str_format("%s/" DIR_TURNS, t->dir);
	int ret = 0;

	if (!dir)
		return dsv_fail_nomem(err);
	if (access(dir, F_OK) < 0)
		ret = fs_make_own_dirs(dir, t->dir_mode, err);
	free(dir);
	return ret;
}

/*
 * Looks at the size first, then at the pages: on GlusterFS the pages stayed old
 * for minutes if they were read while another host wrote.
 */
static int open_anew(const char *path)
{
	int fd;

	fs_links(path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return fd;
}

void turn_look_anew(struct turn *t)
{
	if (!t->network)
		return;
	/* It stays open: closing it would drop the locks of SQLite. */
	if (t->pages_fd < 0) {
		t->pages_fd = open_anew(t->path);
		return;
	}
	fs_links(t->path);
	posix_fadvise(t->pages_fd, 0, 0, POSIX_FADV_DONTNEED);
}

void turn_forget_pages(struct turn *t)
{
	if (t->pages_fd >= 0)
		close(t->pages_fd);
	t->pages_fd = -1;
}

bool turn_looks_torn(const struct turn *t)
{
	char *path = str_format("%s-journal", t->path);
	unsigned char first = 0;
	int fd = -1;

	if (path && t->network)
		fd = open_anew(path);
	if (fd >= 0) {
		/* SQLite relies on this. */
		if (pread_full(fd, &first, 1, 0) < 0)
			first = 1;
		close(fd);
	}
	free(path);
	return first != 0;
}

int turn_take(struct turn *t, struct db *writer, bool insist,
	      struct dsv_err *err)
{
	int64_t counter = read_counter(writer);
	uint32_t n = (uint32_t)(counter + 1);
	int ret;

	/*
	 * The guard was asked for on a local file system: every process sees
	 * everything.
	 */
	if (!t->network)
		return 1;
	ret = make_dir(t, err);
	/* This comes first because of a quota of files. */
	take_away(t->dir, n - KEPT, "");
	take_away(t->dir, n - KEPT, ".done");
	if (ret == 0 && counter < 0)
		ret = dsv_fail(err, DSV_ESYS, "read '%s'", t->path);
	if (ret == 0)
		ret = make(t->dir, n, "", err);
	/* Whoever came before was killed in between. */
	if (ret == 0 && insist && !is_done(t, n))
		ret = 1;
	if (ret > 0) {
		t->taken = true;
		t->number = n;
		/*
		 * We see that change; the process that made it may have been
		 * killed.
		 */
		make(t->dir, n - 1, ".done", NULL);
	}
	return ret;
}

void turn_end(struct turn *t, struct db *writer)
{
	int64_t counter = t->taken ? read_counter(writer) : -1;
	uint32_t n;

	/* If it cannot be known, the next writer waits, and takes it over. */
	if (counter >= 0 && (uint32_t)(counter + 1) == t->number)
		take_away(t->dir, t->number, "");
	/* A commit that was made twice has counted twice. */
	for (n = t->number; n <= counter; n++) {
		if (n > t->number)
			make(t->dir, n, "", NULL);
		make(t->dir, n, ".done", NULL);
	}
	t->taken = false;
}

/* Returns the last change that has a name, or 0 if none has. */
static uint32_t last_turn(const char *dir)
{
	char *path = str_format("%s/" DIR_TURNS, dir);
	DIR *d = path ? opendir(path) : NULL;
	unsigned long n, last = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		n = strtoul(e->d_name, NULL, 10);
		if (n > last && n <= INT32_MAX)
			last = n;
	}
	if (d)
		closedir(d);
	free(path);
	return (uint32_t)last;
}

int turn_go_on(const char *dir, const char *path, uint32_t *n,
	       struct dsv_err *err)
{
	uint32_t last = last_turn(dir);
	unsigned char b[4] = {
		(unsigned char)(last >> 24), (unsigned char)(last >> 16),
		(unsigned char)(last >> 8), (unsigned char)last
	};
	int ret = 0;
	int fd;

	*n = last;
	if (last == 0)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pwrite_all(fd, b, sizeof(b), COUNTER_AT) < 0 ||
	    pwrite_all(fd, b, sizeof(b), VALID_FOR_AT) < 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	if (fd >= 0)
		close(fd);
	return ret;
}

void turn_done(const char *dir, uint32_t n)
{
	if (n > 0)
		make(dir, n, ".done", NULL);
}
