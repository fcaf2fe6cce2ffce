/* SPDX-License-Identifier: MIT */
/*
 * .dsv/format: who the repository is and what one must know to use it, as
 * ext4 and SQLite have it; dsv-format(5).
 */
#ifndef DSV_REPO_FORMAT_FILE_H
#define DSV_REPO_FORMAT_FILE_H

#include <stdbool.h>

#include "../dsv.h"

int format_file_write(const char *repo, bool shared, struct dsv_err *err);

/*
 * DSV_ENOREPO: a newer version, or a feature that this dsv does not know and
 * must.
 */
int format_file_read(const char *repo, char uuid[37], bool *shared,
		     struct dsv_err *err);

#endif
