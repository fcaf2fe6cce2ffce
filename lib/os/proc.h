/* SPDX-License-Identifier: MIT */
/*
 * Running another program and reading what it prints.
 */
#ifndef DSV_OS_PROC_H
#define DSV_OS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/*
 * Run argv (found on PATH) without a shell, in the environment env, its
 * standard error thrown away; *status as of waitpid(2).  Killed after
 * timeout_ms.
 *
 * DSV_ENOTFOUND: there is no such program.
 */
int proc_output(char *const argv[], char *const env[], int64_t timeout_ms,
		struct str *out, int *status, struct dsv_err *err);

/*
 * When process pid of this host was started, in clock ticks since boot; -1:
 * there is none.
 */
int64_t proc_start_time(pid_t pid);

enum { PROC_BOOT_ID_SIZE = 40 };
/* The kernel's boot id, "" when unknown. */
void proc_boot_id(char out[PROC_BOOT_ID_SIZE]);

#endif
