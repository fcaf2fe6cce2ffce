/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks on files, exclusive between all who open them; they end when
 * the descriptor is closed, or its process dies.
 */
#ifndef DSV_OS_LOCK_H
#define DSV_OS_LOCK_H

#include <stdbool.h>

/*
 * Lock the file that fd is open on for writing: 1; 0: another has it, and we
 * do not wait.  -1 with errno; EINTR: *interrupted was set while we waited
 * (NULL: nothing interrupts), else there are no locks on its file system.
 */
int file_lock(int fd, bool wait, const volatile int *interrupted);

#endif
