/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGXCPU,
	SIGWINCH, SIGALRM, SIGPROF, SIGVTALRM, SIGURG
};

#define FORWARDED_COUNT (sizeof(forwarded) / sizeof(forwarded[0]))

static volatile sig_atomic_t child_pid;

static void mask_forwarded(int how)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < FORWARDED_COUNT; i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(how, &set, NULL);
}

/* The child already gets what the terminal sends. */
static void on_forward(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)context;
	if (child_pid > 0 && info->si_code != SI_KERNEL)
		kill((pid_t)child_pid, number);
	errno = saved_errno;
}

/*
 * Sets a fork's environment in place of one that we may have from another
 * fork.  This runs in the child, which is about to exec.
 */
static void set_environment(char **environment)
{
	static const char *const stale[] = {
		"DSV_BRANCH", "DSV_STATE", "DSV_PARENT", "DSV_CHECKOUT",
		"DSV_PARAMS_FILE", "DSV_ATTEMPT", "DSV_JOB_ID", "DSV_TICKET"
	};
	char **e, name[256];
	size_t i;

	if (!environment)
		return;
	for (i = 0; i < sizeof(stale) / sizeof(stale[0]); i++)
		unsetenv(stale[i]);
	for (e = environ; *e; ) {
		if (strncmp(*e, "DSV_PARAM_", 10) ||
		    strcspn(*e, "=") >= sizeof(name)) {
			e++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="),
			 *e);
		unsetenv(name);		/* moves the next one here */
	}
	for (; *environment; environment++)
		putenv(*environment);
}

/* Runs in the child and never returns.  On failure report_fd gets errno. */
static void child_run(const struct child *child, int in, int out,
		      int report_fd)
{
	int null = -1;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (child->hold)
		mask_forwarded(SIG_UNBLOCK);
	if (in >= 0 && dup2(in, STDIN_FILENO) < 0)
		goto fail;
	if (out >= 0 && dup2(out, STDOUT_FILENO) < 0)
		goto fail;
	if (child->to_stderr && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		goto fail;
	if (child->quiet) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null >= 0)
			dup2(null, STDERR_FILENO);
	}
	if (child->dir && chdir(child->dir) < 0)
		goto fail;
	set_environment(child->environment);
	execvp(child->argv[0], child->argv);
fail:
	null = errno;
	if (write(report_fd, &null, sizeof(null)) < 0)
		_exit(127);
	_exit(127);
}

static void close_pair(int fd[2])
{
	if (fd[0] >= 0)
		close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
	fd[0] = fd[1] = -1;
}

int child_start(const struct child *child, int *pid, struct dsv_err *err)
{
	const char *name = child->name ? child->name : child->argv[0];
	int report[2] = { -1, -1 }, in[2] = { -1, -1 }, out[2] = { -1, -1 };
	int ret, reason = 0;
	ssize_t got = 0;
	pid_t p;

	fflush(stdout);
	if (child->hold)
		mask_forwarded(SIG_BLOCK);
	if (pipe2(report, O_CLOEXEC) < 0 ||
	    (child->stdin_fd && pipe2(in, O_CLOEXEC) < 0) ||
	    (child->stdout_fd && pipe2(out, O_CLOEXEC) < 0) ||
	    (p = fork()) < 0) {
		ret = dsv_fail_errno(err, "run '%s'", name);
		goto out;
	}
	if (p == 0)
		child_run(child, in[0], out[1], report[1]);
	close(report[1]);
	report[1] = -1;
	do {
		got = read(report[0], &reason, sizeof(reason));
	} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof(reason)) {
		waitpid(p, NULL, 0);
		errno = reason;
		ret = dsv_fail_errno(err, "run '%s'", name);
		goto out;
	}
	*pid = (int)p;
	trace("process %d: %s", *pid, name);
	if (child->stdin_fd) {
		*child->stdin_fd = in[1];
		in[1] = -1;
	}
	if (child->stdout_fd) {
		*child->stdout_fd = out[0];
		out[0] = -1;
	}
	ret = 0;
out:
	if (child->hold && ret < 0)
		mask_forwarded(SIG_UNBLOCK);
	close_pair(report);
	close_pair(in);
	close_pair(out);
	return ret;
}

int child_wait(int pid, bool forward, int *wait_status, struct dsv_err *err)
{
	struct sigaction sa = { .sa_sigaction = on_forward };
	struct sigaction old[FORWARDED_COUNT];
	int ret = 0;
	size_t i;

	sigfillset(&sa.sa_mask);
	sa.sa_flags = SA_RESTART | SA_SIGINFO;
	child_pid = forward ? pid : 0;
	for (i = 0; i < FORWARDED_COUNT; i++)
		sigaction(forwarded[i], &sa, &old[i]);
	/* The signal may have come before the handlers were set. */
	if (forward && cli.interrupted)
		kill(pid, cli.interrupted);
	if (forward)
		mask_forwarded(SIG_UNBLOCK);
	while (waitpid(pid, wait_status, 0) < 0) {
		if (errno == EINTR)
			continue;
		ret = dsv_fail_errno(err, "wait for process %d", pid);
		break;
	}
	if (ret == 0)
		trace("process %d: status %d", pid,
		      child_status(*wait_status));
	child_pid = 0;
	for (i = 0; i < FORWARDED_COUNT; i++)
		sigaction(forwarded[i], &old[i], NULL);
	return ret;
}

int child_status(int wait_status)
{
	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return 128;
}

void child_reap(int pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
