/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks on files exclude all others who open them; they end when the
 * descriptor is closed, or its process dies.
 */
#ifndef DSV_OS_LOCK_H
#define DSV_OS_LOCK_H

#include <stdbool.h>

/*
 * Locks the file that fd has open for writing.  Returns 1, or 0 if another has
 * the lock and we do not wait, or -1 with errno: EINTR if *interrupted was set
 * while we waited (NULL: nothing interrupts), else its file system has no
 * locks.
 */
int file_lock(int fd, bool wait, const volatile int *interrupted);

#endif
