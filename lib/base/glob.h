/* SPDX-License-Identifier: MIT */
/* Globs match paths in a state; dsv(7) has the rule under "Globs". */
#ifndef DSV_BASE_GLOB_H
#define DSV_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "../dsv.h"

struct glob {
	const char *given;	/* as the user wrote it; borrowed */
	char *text;		/* matches a path; without "." and "//" */
	char *below;		/* matches what is below the directory */
	bool component;		/* the text has no slash */
	bool anywhere;		/* may begin at any component */
	bool dirs_only;
	bool used;		/* has matched */
};

struct globs {
	struct glob *items;
	size_t count;
};

#define GLOBS_INIT { NULL, 0 }

/*
 * Adds a glob that matches as pattern says.  given, which may be the same text,
 * is the name it is known by.
 */
int globs_add(struct globs *g, const char *given, const char *pattern,
	      struct dsv_err *err);
int globs_add_all(struct globs *g, const struct dsv_strings *patterns,
		  struct dsv_err *err);

/*
 * Returns whether any glob matches path or a directory above it.  The path is
 * that of a file in a state: relative, and without "." and "..".
 */
bool globs_match(struct globs *g, const char *path, bool is_dir);

/* Returns whether the glob known by the name given has matched any path. */
bool globs_used(const struct globs *g, const char *given);

void globs_release(struct globs *g);

#endif
