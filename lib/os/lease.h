/* SPDX-License-Identifier: MIT */
/*
 * A lease shows whether somebody has a file open, or mapped, for writing:
 * fcntl(2), F_SETLEASE.  Times do not show it: those of a mapping change when a
 * page is stored to for the first time, those of a write when it begins.
 */
#ifndef DSV_OS_LEASE_H
#define DSV_OS_LEASE_H

#include <stdbool.h>

enum lease {
	LEASE_HELD,	/* nobody writes while lease_holds() */
	LEASE_REFUSED,	/* somebody has it open or mapped for writing */
	LEASE_UNKNOWN	/* no leases here, or another user's file */
};

/*
 * Takes a lease on fd, which is open for reading only.  Whoever then opens the
 * file for writing waits until it is dropped, or until the kernel revokes it
 * (45 seconds, /proc/sys/fs/lease-break-time): call lease_holds() often.
 */
enum lease lease_take(int fd);
/* Returns false if somebody waits to write, or already does. */
bool lease_holds(int fd);
/* Drops the lease; closing fd does so, too. */
void lease_drop(int fd);

#endif
