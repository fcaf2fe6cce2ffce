/* SPDX-License-Identifier: MIT */
/*
 * .dsv/format identifies the repository and says what a program must know to
 * use it, as in ext4 and SQLite; see dsv-format(5).
 */
#ifndef DSV_REPO_FORMAT_FILE_H
#define DSV_REPO_FORMAT_FILE_H

#include <stdbool.h>

#include "../dsv.h"

int format_file_write(const char *repo, bool shared, struct dsv_err *err);

/*
 * Fails with DSV_ENOREPO if the version is newer, or if a feature is required
 * that this dsv does not know.
 */
int format_file_read(const char *repo, char uuid[37], bool *shared,
		     struct dsv_err *err);

#endif
