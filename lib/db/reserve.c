/* SPDX-License-Identifier: MIT */
#include "reserve.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/paths.h"

enum { RESERVE_BYTES = 1 << 20 };

void reserve_make(const char *dir, mode_t file_mode)
{
	char *path = str_format("%s/" FILE_RESERVE, dir);
	int fd = -1;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && file_mode)
		fchmod(fd, file_mode);
	if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_BYTES) != 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
	free(path);
}

bool reserve_use(const char *dir)
{
	char *path = str_format("%s/" FILE_RESERVE, dir);
	bool used = path && unlink(path) == 0;

	free(path);
	return used;
}
