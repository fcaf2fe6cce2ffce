/* SPDX-License-Identifier: MIT */
/* How a file gets into a capture: cloned, moved or copied. */
#ifndef DSV_PENDING_CAPTURE_FILE_H
#define DSV_PENDING_CAPTURE_FILE_H

#include "../files/tree.h"

/*
 * Where files go, and how.  In a shared repository (modes are not 0) each
 * member's worker stores what all have captured.
 */
struct capturing {
	char *root;
	bool move;		/* files may be moved: none can be cloned */
	mode_t file_mode, dir_mode;
	gid_t gid;
};

/*
 * Capture a regular file at the path to, which does not exist.  DSV_ESYS, too:
 * somebody wrote to it meanwhile, and it did not only grow.
 */
int capture_file(const struct tree_file *file, const char *to,
		 const struct capturing *m, struct dsv_err *err);

#endif
