/* SPDX-License-Identifier: MIT */
/*
 * Whether somebody has a file open, or mapped, for writing: fcntl(2),
 * F_SETLEASE.  Times do not tell: those of a mapping change when a page is
 * stored to for the first time, those of a write when it begins.
 */
#ifndef DSV_OS_LEASE_H
#define DSV_OS_LEASE_H

#include <stdbool.h>

enum lease {
	LEASE_HELD,	/* nobody writes, as long as lease_holds() */
	LEASE_REFUSED,	/* somebody has it open or mapped for writing */
	LEASE_UNKNOWN	/* no leases here, or another user's file */
};

/*
 * Take a lease on fd, which is open for reading only.  Whoever then opens the
 * file for writing waits until it is dropped, or until the kernel takes it
 * away (45 seconds, /proc/sys/fs/lease-break-time): ask lease_holds() often.
 */
enum lease lease_take(int fd);
/* False: somebody waits to write, or does so by now. */
bool lease_holds(int fd);
/* Closing fd does it, too. */
void lease_drop(int fd);

#endif
