/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A file that was written to.  Its descriptor stays open: closing one would
 * drop the locks that the process has on the file.  It is opened again, since
 * a duplicate would keep the locks that belong to the open file.
 */
struct content {
	dev_t dev;
	ino_t ino;
	int fd;
	bool dirty;
	int64_t size;		/* durable */
	int copy;		/* its durable bytes; -1: none */
};

struct op {
	enum lost_op kind;
	dev_t dev;		/* of the directory */
	ino_t ino;
	int dirfd, from_dirfd;
	char name[NAME_MAX + 1], from_name[NAME_MAX + 1];
	char saved[32];		/* what had the name before, or "" */
	bool gone;
};

enum { MAX_CONTENTS = 4096, MAX_OPS = 65536 };

static bool on;
static int shadow_fd = -1;
static int synced_fd = -1;	/* gets a line for what is synced */
static uint64_t seed;		/* 0: all is lost */
static struct content contents[MAX_CONTENTS];
static size_t content_count;
static struct op *ops[MAX_OPS];
static size_t op_count;
static struct op *pending;
static int saved_count;

static void broken(const char *what)
{
	dprintf(2, "fault: %s: %s\n", what, strerror(errno));
	_Exit(99);
}

/* These make the calls themselves, past the interposed ones. */
#define raw(name, ...) syscall(SYS_##name, __VA_ARGS__)

void lost_begin(const char *shadow, const char *how)
{
	shadow_fd = (int)raw(openat, AT_FDCWD, shadow, O_PATH | O_DIRECTORY |
			     O_CLOEXEC, 0);
	if (shadow_fd < 0)
		broken(shadow);
	seed = strcmp(how, "all") ? strtoull(how, NULL, 10) + 1 : 0;
	on = true;
}

static void copy(int from, int to)
{
	char buf[65536];
	int64_t offset = 0;
	ssize_t n;

	while ((n = raw(pread64, from, buf, sizeof(buf), offset)) > 0) {
		if (raw(pwrite64, to, buf, n, offset) != n)
			broken("copy");
		offset += n;
	}
	if (n < 0)
		broken("read");
}

static struct content *find_content(const struct stat *st)
{
	size_t i;

	for (i = 0; i < content_count; i++) {
		if (contents[i].dev == st->st_dev &&
		    contents[i].ino == st->st_ino)
			return &contents[i];
	}
	return NULL;
}

static int open_again(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (int)raw(openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
}

void lost_change(int fd)
{
	struct content *c;
	struct stat st;
	char name[32];

	if (!on || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	c = find_content(&st);
	if (c && c->dirty)
		return;
	if (!c) {
		if (content_count == MAX_CONTENTS)
			broken("too many files");
		c = &contents[content_count++];
		c->dev = st.st_dev;
		c->ino = st.st_ino;
		c->fd = open_again(fd);
		if (c->fd < 0)
			broken("open again");
		c->copy = -1;
	}
	c->dirty = true;
	c->size = st.st_size;
	if (st.st_size == 0)
		return;
	if (c->copy < 0) {
		/* FUSE has no O_TMPFILE. */
		snprintf(name, sizeof(name), "copy%d", (int)(c - contents));
		c->copy = (int)raw(openat, shadow_fd, name, O_CREAT | O_EXCL |
				   O_RDWR | O_CLOEXEC, 0600);
	}
	if (c->copy < 0)
		broken("shadow");
	copy(c->fd, c->copy);
}

static void is_durable(const struct stat *st)
{
	struct content *c = find_content(st);
	size_t i;

	if (c)
		c->dirty = false;
	for (i = 0; i < op_count; i++) {
		if (ops[i]->dev == st->st_dev && ops[i]->ino == st->st_ino)
			ops[i]->gone = true;
	}
}

void lost_sync(int fd)
{
	struct stat st;

	if (!on || fstat(fd, &st) < 0)
		return;
	is_durable(&st);
	if (synced_fd >= 0)
		dprintf(synced_fd, "%ju %ju\n", (uintmax_t)st.st_dev,
			(uintmax_t)st.st_ino);
}

void lost_tell_syncs(const char *path)
{
	synced_fd = (int)raw(openat, AT_FDCWD, path, O_WRONLY | O_CREAT |
			     O_APPEND | O_CLOEXEC, 0600);
	if (synced_fd < 0)
		broken(path);
}

void lost_hear_syncs(const char *path)
{
	struct stat st = { 0 };
	uintmax_t dev, ino;
	FILE *f = fopen(path, "re");

	while (f && fscanf(f, "%ju %ju", &dev, &ino) == 2) {
		st.st_dev = (dev_t)dev;
		st.st_ino = (ino_t)ino;
		is_durable(&st);
	}
	if (f)
		fclose(f);
}

static int keep_dir(int dirfd)
{
	return (int)raw(openat, dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC,
			0);
}

void lost_name(enum lost_op kind, int dirfd, const char *name, int from_dirfd,
	       const char *from_name)
{
	struct stat st;
	struct op *op;

	if (!on)
		return;
	op = calloc(1, sizeof(*op));
	if (!op || op_count == MAX_OPS)
		broken("too many changes");
	op->kind = kind;
	op->dirfd = keep_dir(dirfd);
	op->from_dirfd = from_name ? keep_dir(from_dirfd) : -1;
	if (op->dirfd < 0 || fstat(op->dirfd, &st) < 0) {
		free(op);
		return;		/* the call will fail the same way */
	}
	op->dev = st.st_dev;
	op->ino = st.st_ino;
	snprintf(op->name, sizeof(op->name), "%s", name);
	snprintf(op->from_name, sizeof(op->from_name), "%s",
		 from_name ? from_name : "");
	/* The file that loses its name is kept under another. */
	if ((kind == LOST_UNLINK || kind == LOST_RENAME) &&
	    fstatat(op->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISDIR(st.st_mode)) {
		snprintf(op->saved, sizeof(op->saved), "saved%d",
			 saved_count++);
		if (raw(linkat, op->dirfd, name, shadow_fd, op->saved, 0) < 0)
			broken("save");
	}
	pending = op;
}

void lost_name_done(bool ok)
{
	if (!pending)
		return;
	if (ok)
		ops[op_count++] = pending;
	else
		free(pending);
	pending = NULL;
}

/* ---- The power goes -------------------------------------------------- */

static bool is_lost(void)
{
	if (!seed)
		return true;
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 63;
}

static void restore_content(struct content *c)
{
	if (!c->dirty || !is_lost())
		return;
	if (raw(ftruncate, c->fd, 0) < 0)
		broken("restore");
	if (c->size > 0)
		copy(c->copy, c->fd);
	if (raw(ftruncate, c->fd, c->size) < 0)
		broken("restore");
}

static void remove_all(int dirfd, const char *name)
{
	struct dirent *e;
	DIR *dir;
	int fd;

	if (raw(unlinkat, dirfd, name, 0) == 0)
		return;
	fd = (int)raw(openat, dirfd, name, O_RDONLY | O_DIRECTORY |
		      O_NOFOLLOW | O_CLOEXEC, 0);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_all(fd, e->d_name);
	}
	if (dir)
		closedir(dir);
	raw(unlinkat, dirfd, name, AT_REMOVEDIR);
}

static void undo(struct op *op)
{
	switch (op->kind) {
	case LOST_CREATE:
		raw(unlinkat, op->dirfd, op->name, 0);
		break;
	case LOST_MKDIR:
		remove_all(op->dirfd, op->name);
		break;
	case LOST_RMDIR:
		raw(mkdirat, op->dirfd, op->name, 0777);
		break;
	case LOST_RENAME:
		raw(renameat2, op->dirfd, op->name, op->from_dirfd,
		    op->from_name, 0);
		break;
	case LOST_UNLINK:
		break;
	}
	if (op->saved[0])
		raw(linkat, shadow_fd, op->saved, op->dirfd, op->name, 0);
}

void lost_apply(void)
{
	size_t i, first;

	if (!on)
		return;
	on = false;
	for (i = 0; i < content_count; i++)
		restore_content(&contents[i]);
	/* Changes of names reach the disk in their order. */
	first = seed && op_count > 0 ? (seed >> 33) % (op_count + 1) : 0;
	for (i = op_count; i-- > first; ) {
		if (!ops[i]->gone)
			undo(ops[i]);
	}
}
