/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>

int file_lock(int fd, bool wait, const volatile int *interrupted)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/*
	 * The lock belongs to the open file, not to the process, so threads
	 * exclude each other, too.
	 */
	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 0;
		if (errno != EINTR || (interrupted &&
		    __atomic_load_n(interrupted, __ATOMIC_RELAXED)))
			return -1;
	}
	return 1;
}
