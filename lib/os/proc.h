/* SPDX-License-Identifier: MIT */
/* This runs another program and reads what it prints. */
#ifndef DSV_OS_PROC_H
#define DSV_OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/*
 * Runs argv (found on PATH) without a shell, in the environment env, discarding
 * its standard error; *status is as for waitpid(2).  The program is killed
 * after timeout_ms.
 *
 * Returns DSV_ENOTFOUND if there is no such program.
 */
int proc_output(char *const argv[], char *const env[], int64_t timeout_ms,
		struct str *out, int *status, struct dsv_err *err);

/*
 * Returns when process pid of this host was started, in clock ticks since boot;
 * -1 if there is no such process.
 */
int64_t proc_start_time(pid_t pid);

enum { PROC_BOOT_ID_SIZE = 40 };
/* Gets the kernel's boot id, or "" if it is unknown. */
void proc_boot_id(char out[PROC_BOOT_ID_SIZE]);

#endif
