/* SPDX-License-Identifier: MIT */
/*
 * The files given to a tag: where each one is, and under which path it is
 * recorded.
 */
#ifndef DSV_FILES_TREE_H
#define DSV_FILES_TREE_H

#include <sys/stat.h>

#include "../repo/repo.h"

struct tree_file {
	char *path;		/* in the state */
	char *source;		/* on disk */
	enum dsv_entry_type type;
	bool executable;
	int64_t size_bytes;	/* at the time of the walk, as the next */
	int64_t mtime_ns;
	char *target;		/* of a link, else NULL */
};

struct tree {
	size_t count;
	struct tree_file *files;	/* in the order of the walk */
	int64_t size_bytes;
};

#define TREE_INIT { 0, NULL, 0 }

enum { TREE_QUIET = 1 };

/*
 * Walks paths (files and directories) by the rules of dsv-tag(1).  flags is 0
 * or TREE_QUIET, which suppresses warnings about links that lead outside.
 *
 * Fails with DSV_ENOTFOUND if a path does not exist, and with DSV_EUSAGE if two
 * would be recorded under one name or one is a socket, fifo or device.
 */
int tree_walk(struct dsv *d, const struct dsv_strings *paths,
	      const struct dsv_strings *excludes, int flags, struct tree *out,
	      struct dsv_err *err);
void tree_release(struct tree *t);

#endif
