/* SPDX-License-Identifier: MIT */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/clock.h"
#include "fs.h"

/* Returns 0 or an errno. */
static int start(char *const argv[], char *const env[], int out_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int rc;

	rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
					      O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null",
						      O_WRONLY, 0);
	if (rc == 0)
		rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Reads until the end of the output; returns false if time runs out before. */
static bool drain(int fd, int64_t deadline_ms, struct str *out)
{
	char buf[16384];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - monotonic_ms();
		ssize_t n;

		if (left_ms <= 0)
			return false;
		if (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR)
			return false;
		if (!p.revents)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		str_add(out, buf, (size_t)n);
	}
}

int proc_output(char *const argv[], char *const env[], int64_t timeout_ms,
		struct str *out, int *status, struct dsv_err *err)
{
	int64_t deadline_ms = monotonic_ms() + timeout_ms;
	bool in_time;
	int fds[2];
	pid_t pid;
	int rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return dsv_fail_errno(err, "run '%s'", argv[0]);
	rc = start(argv, env, fds[1], &pid);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		errno = rc;
		if (rc == ENOENT)
			return dsv_fail(err, DSV_ENOTFOUND,
					"there is no program '%s'", argv[0]);
		return dsv_fail_errno(err, "run '%s'", argv[0]);
	}
	in_time = drain(fds[0], deadline_ms, out);
	close(fds[0]);
	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return dsv_fail_errno(err, "wait for '%s'", argv[0]);
	}
	if (!in_time)
		return dsv_fail(err, DSV_ESYS, "'%s' did not answer within"
				" %" PRId64 " s", argv[0], timeout_ms / 1000);
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

int64_t proc_start_time(pid_t pid)
{
	struct str text = STR_INIT;
	long long ticks = -1;
	char path[64];
	const char *p;
	int field;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (fs_read(path, 1 << 16, &text, NULL) == 0) {
		/* The name may contain anything; the last ")" ends it. */
		p = strrchr(str_text(&text), ')');
		for (field = 2; p && field < 22; field++)
			p = strchr(p + 1, ' ');
		if (p)
			ticks = atoll(p + 1);
	}
	str_release(&text);
	return ticks;
}

void proc_boot_id(char out[PROC_BOOT_ID_SIZE])
{
	struct str text = STR_INIT;

	out[0] = '\0';
	if (fs_read("/proc/sys/kernel/random/boot_id", 4096, &text, NULL) == 0)
		snprintf(out, PROC_BOOT_ID_SIZE, "%.36s", str_text(&text));
	str_release(&text);
}
