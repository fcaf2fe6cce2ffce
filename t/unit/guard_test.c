/* SPDX-License-Identifier: MIT */
/* The guard lock: one owner at a time, broken only when provably dead. */
#include "../../lib/db/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/base/str.h"
#include "../../lib/os/fs.h"
#include "tap.h"

enum { WORKERS = 6, ROUNDS = 60 };

static char *dir;

static char *path_of(const char *name)
{
	char *path = str_format("%s/%s", dir, name);

	must(path);
	return path;
}

static int files_left(void)
{
	char *command = str_format("exit $(ls -A '%s' | wc -l)", dir);
	int status;

	must(command);
	status = system(command);
	free(command);
	return WEXITSTATUS(status);
}

/* Replaces a line of the lock's text. */
static void rewrite(const char *name, const char *line)
{
	char *lock = path_of("guard");
	struct str text = STR_INIT, out = STR_INIT;
	char *p, *save = NULL;

	must(fs_read(lock, 4096, &text, NULL) == 0);
	for (p = strtok_r(text.data, "\n", &save); p;
	     p = strtok_r(NULL, "\n", &save))
		str_printf(&out, "%s\n", strncmp(p, name, strlen(name)) ? p :
			   line);
	must(unlink(lock) == 0);
	must(fs_replace(lock, out.data, out.len, 0644, NULL) == 0);
	str_release(&text);
	str_release(&out);
	free(lock);
}

/* Starts a child that takes the lock and waits to be killed. */
static pid_t owner_of_job(const char *job)
{
	struct guard *g;
	int fds[2];
	char c;
	pid_t pid;

	must(pipe(fds) == 0);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		if (guard_acquire(dir, job, 1000, &g, NULL) == 0)
			(void)!write(fds[1], "x", 1);
		pause();
		_exit(0);
	}
	must(read(fds[0], &c, 1) == 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static pid_t owner_start(void)
{
	return owner_of_job(NULL);
}

static void owner_kill(pid_t pid)
{
	must(kill(pid, SIGKILL) == 0);
	must(waitpid(pid, NULL, 0) == pid);
}

static void worker(const char *counter)
{
	struct guard *g;
	char buf[32];
	int fd, i, n;

	for (i = 0; i < ROUNDS; i++) {
		if (guard_acquire(dir, NULL, 60000, &g, NULL) < 0)
			_exit(1);
		fd = open(counter, O_RDWR);
		n = (int)read(fd, buf, sizeof(buf) - 1);
		buf[n > 0 ? n : 0] = '\0';
		n = snprintf(buf, sizeof(buf), "%d", atoi(buf) + 1);
		usleep(20);
		if (pwrite(fd, buf, (size_t)n, 0) != n)
			_exit(1);
		close(fd);
		guard_release(g);
	}
	_exit(0);
}

static void test_contention(void)
{
	char *counter = path_of("counter");
	struct str text = STR_INIT;
	pid_t pids[WORKERS];
	int status, bad = 0;
	int i;

	must(fs_replace(counter, "0", 1, 0600, NULL) == 0);
	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0)
			worker(counter);
	}
	for (i = 0; i < WORKERS; i++) {
		waitpid(pids[i], &status, 0);
		bad += status != 0;
	}
	is_int(bad, 0, "every process got the lock each time");
	must(fs_read(counter, 64, &text, NULL) == 0);
	is_int(atoi(str_text(&text)), WORKERS * ROUNDS,
	       "no two were inside at once");
	unlink(counter);
	is_int(files_left(), 0, "nothing is left behind");
	str_release(&text);
	free(counter);
}

static void test_live_owner(void)
{
	pid_t pid = owner_start();
	struct dsv_err err;
	struct guard *g;
	char text[64];

	is_int(guard_acquire(dir, NULL, 50, &g, &err), DSV_ELOCKED,
	       "a live owner is waited for, then it is locked");
	snprintf(text, sizeof(text), "process %d on ", (int)pid);
	ok(strstr(err.msg, text) != NULL, "the message names the owner: %s",
	   err.msg);
	owner_kill(pid);
	is_int(guard_acquire(dir, NULL, 0, &g, &err), 0,
	       "a killed owner's lock is broken at once");
	guard_release(g);
	is_int(files_left(), 0, "and nothing of it is left");
}

static void test_job(void)
{
	pid_t pid = owner_of_job("4711");
	struct dsv_err err;
	struct guard *g;

	is_int(guard_acquire(dir, NULL, 0, &g, &err), DSV_ELOCKED,
	       "a job's lock is waited for");
	ok(strstr(err.msg, ", job 4711 (waited") != NULL,
	   "the message names the job: %s", err.msg);
	owner_kill(pid);
	pid = owner_start();
	guard_acquire(dir, NULL, 0, &g, &err);
	ok(!strstr(err.msg, "job"), "no job is named where there is none: %s",
	   err.msg);
	owner_kill(pid);
}

static void test_zombie(void)
{
	pid_t pid = owner_start();
	struct guard *g;
	siginfo_t info;

	must(kill(pid, SIGKILL) == 0);
	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	is_int(guard_acquire(dir, NULL, 0, &g, NULL), 0,
	       "one that nobody has waited for yet is dead too");
	guard_release(g);
	waitpid(pid, NULL, 0);
}

/* Many see the dead owner at once, and one of them gets the broken lock. */
static void test_break_race(void)
{
	pid_t pid = owner_start();

	owner_kill(pid);
	test_contention();
}

static void forge(const char *name, const char *line)
{
	pid_t pid = owner_start();

	owner_kill(pid);
	rewrite(name, line);
}

static void clean(void)
{
	must(fs_remove_tree(dir, NULL) == 0);
	must(mkdir(dir, 0700) == 0);
}

static void test_elsewhere(void)
{
	struct utsname uts;
	struct dsv_err err;
	struct guard *g;

	must(uname(&uts) == 0);
	forge("boot ", "boot 00000000-0000-0000-0000-000000000000");
	if (strncmp(uts.nodename, "localhost", 9) != 0) {
		is_int(guard_acquire(dir, NULL, 0, &g, &err), 0,
		       "this host has booted since: broken");
		guard_release(g);
	}
	clean();

	forge("boot ", "boot 00000000-0000-0000-0000-000000000000");
	rewrite("host ", "host another-node");
	is_int(guard_acquire(dir, NULL, 30, &g, &err), DSV_ELOCKED,
	       "a foreign host's lock is never broken");
	ok(strstr(err.msg, "another-node") != NULL, "the message names it: %s",
	   err.msg);
	clean();

	forge("ns ", "ns pid:[1]");
	is_int(guard_acquire(dir, NULL, 30, &g, &err), DSV_ELOCKED,
	       "nor that of another PID namespace");
	clean();

	forge("end", "");
	is_int(guard_acquire(dir, NULL, 30, &g, &err), DSV_ELOCKED,
	       "nor one that is torn");
	clean();
}

/* A process id may have been reused. */
static void test_reused_pid(void)
{
	pid_t pid = owner_start();
	struct guard *g;

	rewrite("start ", "start 1");
	is_int(guard_acquire(dir, NULL, 0, &g, NULL), 0,
	       "a process with another start time is another process");
	guard_release(g);
	owner_kill(pid);
	clean();
}

/* The breaker died between its two steps. */
static void test_dead_breaker(void)
{
	pid_t pid = owner_start();
	struct str text = STR_INIT;
	char *lock = path_of("guard");
	char *right, *own;
	struct guard *g;
	char nonce[33];

	owner_kill(pid);
	must(fs_read(lock, 4096, &text, NULL) == 0);
	snprintf(nonce, sizeof(nonce), "%s",
		 strstr(str_text(&text), "nonce ") + 6);
	right = str_format("%s.break.%s", lock, nonce);
	own = str_format("%s.own.%s", lock, nonce);
	must(right && own);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		/* What a breaker has is its own lock under another name. */
		char *mine = str_format("%s.moved", lock);

		if (!mine || rename(lock, mine) < 0 ||
		    guard_acquire(dir, NULL, 0, &g, NULL) < 0 ||
		    rename(lock, right) < 0 || rename(mine, lock) < 0)
			_exit(1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	must(access(right, F_OK) == 0 && access(lock, F_OK) == 0);
	is_int(guard_acquire(dir, NULL, 2000, &g, NULL), 0,
	       "a breaker that died is broken, then the lock");
	guard_release(g);
	is_int(files_left(), 0, "and nothing of either is left");
	str_release(&text);
	free(lock);
	free(right);
	free(own);
}

int main(void)
{
	char template[] = "/tmp/dsv-guard-XXXXXX";

	dir = mkdtemp(template);
	must(dir);
	test_contention();
	test_live_owner();
	test_job();
	test_zombie();
	test_break_race();
	test_elsewhere();
	test_reused_pid();
	test_dead_breaker();
	must(fs_remove_tree(dir, NULL) == 0);
	return tap_done();
}
