/* SPDX-License-Identifier: MIT */
/*
 * Globs over paths of states: the rule is in dsv(7), under "Globs".
 */
#ifndef DSV_BASE_GLOB_H
#define DSV_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "../dsv.h"

struct glob {
	const char *given;	/* as the user wrote it; borrowed */
	char *text;		/* for a path, with "." and "//" left out */
	char *below;		/* for what is below a directory that matches */
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

/* pattern is what matches; given, which may be the same, is how it is known. */
int globs_add(struct globs *g, const char *given, const char *pattern,
	      struct dsv_err *err);
int globs_add_all(struct globs *g, const struct dsv_strings *patterns,
		  struct dsv_err *err);

/*
 * Whether any glob matches path, or a directory above it.  The path is that of
 * a file in a state: relative, and without "." and "..".
 */
bool globs_match(struct globs *g, const char *path, bool is_dir);

/* Whether the glob that was given so has matched any path. */
bool globs_used(const struct globs *g, const char *given);

void globs_release(struct globs *g);

#endif
