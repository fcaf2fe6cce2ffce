/* SPDX-License-Identifier: MIT */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_GRACE_MS 1000	/* after this it hangs in the kernel */
#define CLOSE_MAX (1 << 20)

/* glibc's wrappers signal all threads; a child of fork(2) has only one. */
#ifdef SYS_setresuid32
#define sys_setgroups(n, list) syscall(SYS_setgroups32, n, list)
#define sys_setresgid(id) syscall(SYS_setresgid32, id, id, id)
#define sys_setresuid(id) syscall(SYS_setresuid32, id, id, id)
#else
#define sys_setgroups(n, list) syscall(SYS_setgroups, n, list)
#define sys_setresgid(id) syscall(SYS_setresgid, id, id, id)
#define sys_setresuid(id) syscall(SYS_setresuid, id, id, id)
#endif

struct stream {
	int fd;			/* -1 at its end */
	char *data;
	size_t size, alloc, max;
	bool overflow;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- In the child: only what may be called after fork(2) --------------- */

static void become_user(const struct helper *h)
{
	if (sys_setgroups(h->group_count, h->groups) < 0 ||
	    sys_setresgid(h->gid) < 0 || sys_setresuid(h->uid) < 0)
		_exit(126);
	if (geteuid() != h->uid || getegid() != h->gid ||
	    (h->uid && sys_setresuid(0) == 0))
		_exit(126);
}

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int fd, int fd_max)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)fd, ~0U, 0) == 0)
		return;
#endif
	for (; fd < fd_max; fd++)
		close(fd);
}

/* slurmstepd is protected from the out-of-memory killer; we must not be. */
static void reset_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) < 0)
		errno = 0;
	close_fd(&fd);
}

/* The four descriptors are all above 3. */
static void child(const struct helper *h, const int fds[4], int fd_max)
{
	int code;

	reset_signals();
	if (dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[2], 2) < 0 ||
	    dup3(fds[3], 3, O_CLOEXEC) < 0)
		_exit(126);
	close_from(4, fd_max);
	if (h->remote) {
		reset_oom_score();
		if (setsid() < 0)
			_exit(126);
	}
	if (h->drop) {
		if (chdir("/") < 0)
			_exit(126);
		become_user(h);
	}
	execve(h->argv[0], h->argv, h->envp);
	code = errno;
	if (write(3, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* ---- In the parent ------------------------------------------------------ */

/* Daemons may run with 0 to 2 closed, and no file of ours must land there. */
static int move_up(int *fd)
{
	int up = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	if (up < 0)
		return -1;
	close(*fd);
	*fd = up;
	return 0;
}

static int open_pipe(int *reader, int *writer)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	*reader = p[0];
	*writer = p[1];
	return move_up(reader) < 0 || move_up(writer) < 0 ? -1 : 0;
}

static int fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur > CLOSE_MAX)
		return CLOSE_MAX;
	return (int)r.rlim_cur;
}

/* readers get stdout, stderr and the errno of a failed execve. */
static pid_t spawn(const struct helper *h, int readers[3])
{
	int fds[4] = { -1, -1, -1, -1 };
	int i, fd_max = fd_limit(), saved;
	sigset_t all, old;
	pid_t pid = -1;

	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fds[0] < 0 || move_up(&fds[0]) < 0)
		goto out;
	for (i = 0; i < 3; i++) {
		if (open_pipe(&readers[i], &fds[i + 1]) < 0 ||
		    fcntl(readers[i], F_SETFL, O_NONBLOCK) < 0)
			goto out;
	}
	/* No signal handler of Slurm may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child(h, fds, fd_max);
	saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
out:
	saved = errno;
	for (i = 0; i < 4; i++)
		close_fd(&fds[i]);
	errno = saved;
	return pid;
}

/* Running out of memory counts as overflow. */
static void keep(struct stream *s, const char *data, size_t size)
{
	size_t alloc = s->alloc ? s->alloc : 1024;
	char *p;

	if (size > s->max - s->size) {
		size = s->max - s->size;
		s->overflow = true;
	}
	while (alloc < s->size + size + 1)
		alloc *= 2;
	if (alloc > s->alloc) {
		p = realloc(s->data, alloc);
		if (!p) {
			s->overflow = true;
			return;
		}
		s->data = p;
		s->alloc = alloc;
	}
	memcpy(s->data + s->size, data, size);
	s->size += size;
	s->data[s->size] = '\0';
}

static void drain(struct stream *s)
{
	char buf[2048];
	ssize_t n;

	while (s->fd >= 0) {
		n = read(s->fd, buf, sizeof(buf));
		if (n > 0)
			keep(s, buf, (size_t)n);
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			close_fd(&s->fd);
		else if (errno == EAGAIN)
			return;
	}
}

/*
 * Returns 1 if the child was reaped, 0 if not yet.  What the helper has left in
 * its session ends with it, and is killed while its number cannot be another's.
 */
static int reap(pid_t pid, bool session, int *status)
{
	siginfo_t info = { .si_pid = 0 };
	pid_t got;

	if (session && waitid(P_PID, (id_t)pid, &info,
			      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == pid)
		kill(-pid, SIGKILL);
	got = waitpid(pid, status, WNOHANG);
	if (got == pid)
		return 1;
	if (got < 0 && errno == ECHILD) {
		*status = 0x7f00;	/* somebody else reaped it */
		return 1;
	}
	return 0;
}

/*
 * Waits until the helper has ended, not until its pipes have: processes that it
 * left behind may hold them.  Returns 0 if it was reaped, -1 if the deadline
 * came first.
 */
static int watch(pid_t pid, bool session, struct stream s[2],
		 int64_t deadline_ms, int *status)
{
	struct pollfd p[2];
	int64_t left_ms;

	for (;;) {
		if (reap(pid, session, status)) {
			drain(&s[0]);
			drain(&s[1]);
			return 0;
		}
		left_ms = deadline_ms - now_ms();
		if (left_ms <= 0)
			return -1;
		p[0].fd = s[0].fd;
		p[1].fd = s[1].fd;
		p[0].events = p[1].events = POLLIN;
		/* With both at their end, it exits in a moment. */
		if (s[0].fd < 0 && s[1].fd < 0)
			left_ms = 1;
		poll(p, 2, left_ms < 50 ? (int)left_ms : 50);
		drain(&s[0]);
		drain(&s[1]);
	}
}

static void settle(struct helper_result *r, int status, int exec_errno)
{
	if (exec_errno) {
		r->outcome = HELPER_NOT_RUN;
		r->code = exec_errno;
	} else if (WIFSIGNALED(status)) {
		r->outcome = HELPER_KILLED;
		r->code = WTERMSIG(status);
	} else {
		r->outcome = HELPER_EXITED;
		r->code = WEXITSTATUS(status);
	}
}

static void supervise(const struct helper *h, pid_t pid, const int readers[3],
		      struct helper_result *r)
{
	struct stream s[2] = {
		{ .fd = readers[0], .max = HELPER_OUTPUT_MAX },
		{ .fd = readers[1], .max = HELPER_ERRORS_MAX },
	};
	int status = 0, code = 0;

	if (watch(pid, h->remote, s, now_ms() + h->timeout_ms, &status) < 0) {
		r->outcome = HELPER_TIMED_OUT;
		if (h->remote)
			kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		watch(pid, h->remote, s, now_ms() + KILL_GRACE_MS, &status);
	} else {
		if (read(readers[2], &code, sizeof(code)) != sizeof(code))
			code = s[0].overflow ? EMSGSIZE : 0;
		settle(r, status, code);
	}
	close_fd(&s[0].fd);
	close_fd(&s[1].fd);
	r->output = s[0].data;
	r->output_size = s[0].size;
	r->errors = s[1].data;
}

void helper_run(const struct helper *h, struct helper_result *r)
{
	struct sigaction old, dfl = { .sa_handler = SIG_DFL };
	int readers[3] = { -1, -1, -1 };
	bool ignored;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	/* If we inherited an ignored SIGCHLD, exit codes would be lost. */
	ignored = !sigaction(SIGCHLD, NULL, &old) && old.sa_handler == SIG_IGN;
	if (ignored)
		sigaction(SIGCHLD, &dfl, NULL);
	pid = spawn(h, readers);
	if (pid < 0) {
		r->outcome = HELPER_NOT_RUN;
		r->code = errno;
		close_fd(&readers[0]);
		close_fd(&readers[1]);
	} else {
		supervise(h, pid, readers, r);
	}
	close_fd(&readers[2]);
	if (ignored)
		sigaction(SIGCHLD, &old, NULL);
}

void helper_result_release(struct helper_result *r)
{
	free(r->output);
	free(r->errors);
	memset(r, 0, sizeof(*r));
}
