/* SPDX-License-Identifier: MIT */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/vfs.h>

/*
 * On the file systems of a single host a lease is refused when there is a
 * writer, and for no other reason.  NFS refuses it whenever the server has not
 * delegated the file; FUSE grants it whatever other hosts do.
 */
static bool is_telling(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case 0xef53:		/* ext4 */
	case 0x58465342:	/* XFS */
	case 0x9123683e:	/* btrfs */
	case 0x01021994:	/* tmpfs */
		return true;
	default:
		return false;
	}
}

enum lease lease_take(int fd)
{
	/*
	 * This is the signal for a broken lease; the default, SIGIO, would
	 * kill.
	 */
	if (!is_telling(fd) || fcntl(fd, F_SETSIG, SIGURG) < 0)
		return LEASE_UNKNOWN;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return LEASE_HELD;
	return errno == EAGAIN ? LEASE_REFUSED : LEASE_UNKNOWN;
}

bool lease_holds(int fd)
{
	return fcntl(fd, F_GETLEASE) == F_RDLCK;
}

void lease_drop(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}
