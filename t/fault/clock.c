/* SPDX-License-Identifier: MIT */
/*
 * A clock that is wrong: DSV_FAULT_CLOCK seconds are added to what
 * CLOCK_REALTIME says; with = before them it is they, and stands still.
 * Files get their times from the right one.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default")))
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	const char *wrong = getenv("DSV_FAULT_CLOCK");
	int ret = (int)syscall(SYS_clock_gettime, clock, ts);

	if (ret == 0 && wrong && clock == CLOCK_REALTIME) {
		if (wrong[0] == '=')
			*ts = (struct timespec){ .tv_sec = atol(wrong + 1) };
		else
			ts->tv_sec += atol(wrong);
	}
	return ret;
}
