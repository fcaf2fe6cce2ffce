/* SPDX-License-Identifier: MIT */
/*
 * A wrong clock: DSV_FAULT_CLOCK seconds are added to CLOCK_REALTIME; with =
 * before them they are the time, which then stands still.  Files still get
 * their times from the right clock.
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
