/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>

int file_lock(int fd, bool wait, const volatile int *interrupted)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* Of the open file, not of the process: threads exclude each other. */
	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 0;
		if (errno != EINTR || (interrupted &&
		    __atomic_load_n(interrupted, __ATOMIC_RELAXED)))
			return -1;
	}
	return 1;
}
