/* SPDX-License-Identifier: MIT */
/* Space that is put by, so that a full disk can still be pruned. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/paths.h"
#include "../base/str.h"
#include "internal.h"

enum { RESERVE_BYTES = 1 << 20 };

void catalog_reserve(struct catalog *c)
{
	char *path = str_format("%s/" FILE_RESERVE, c->dir);
	int fd = -1;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && c->options.file_mode)
		fchmod(fd, c->options.file_mode);
	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
	free(path);
}

bool catalog_reserve_use(struct catalog *c)
{
	char *path = str_format("%s/" FILE_RESERVE, c->dir);
	bool used = path && unlink(path) == 0;

	free(path);
	return used;
}
