/* SPDX-License-Identifier: MIT */
/*
 * DIR/guard is the lock.  What it says about its owner is first written to a
 * file of the owner's own, which is then linked to that name.  Whoever has the
 * file DIR/guard.break.<nonce> may remove the lock of the dead owner <nonce>,
 * and nobody else may: so a lock that has been taken since is never removed.
 */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../os/proc.h"

#define OWNER_LIMIT_BYTES 4096
#define BREAK_DEPTH 4	/* breakers that died while they broke */
#define CHECK_EVERY 8	/* tries between two looks at the owner */
#define RELEASE_LIMIT_US 500000

struct owner {
	char nonce[33];
	char host[256];
	char machine[64];
	char boot[64];	/* PROC_BOOT_ID_SIZE and more */
	char ns[64];
	char job[64];
	int64_t pid;
	uint64_t start;
};

struct guard {
	char *lock;
	char *own;	/* the file that is linked */
	struct owner self;
};

/*
 * Reads the first line of a small file, cut to size; it is empty if there is
 * none.
 */
static void first_line(const char *path, char *out, size_t size)
{
	ssize_t n = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = pread_full(fd, out, size - 1, 0);
		close(fd);
	}
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, " \t\r\n")] = '\0';
}

/*
 * Gets the state, threads and start time of a process from /proc.  Returns 0,
 * or -1 if they cannot be known.
 */
static int proc_stat(int64_t pid, char *state, int64_t *threads,
		     uint64_t *start)
{
	char path[64], buf[2048];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	/* The name in parentheses may contain anything. */
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
			 " %*s %*s %*s %*s %*s %*s %" SCNd64 " %*s %" SCNu64,
			 state, threads, start) != 3)
		return -1;
	return 0;
}

/* Names the namespaces that pids and start times are given in. */
static void name_spaces(struct owner *o)
{
	size_t size = sizeof(o->ns), len = 0;
	ssize_t n = readlink("/proc/self/ns/pid", o->ns, size - 1);

	len = n > 0 ? (size_t)n : 0;
	o->ns[len] = '\0';
	/* An older kernel has no time namespaces. */
	n = len > 0 ? readlink("/proc/self/ns/time", o->ns + len,
			       size - 1 - len) : 0;
	if (n > 0)
		o->ns[len + (size_t)n] = '\0';
}

static bool identify(struct owner *o, const char *job)
{
	unsigned char noise[16];
	struct utsname uts;
	int64_t threads;
	char state;

	memset(o, 0, sizeof(*o));
	if (!random_bytes(noise, sizeof(noise)))
		return false;
	hex_encode(noise, sizeof(noise), o->nonce);
	if (uname(&uts) == 0)
		snprintf(o->host, sizeof(o->host), "%s", uts.nodename);
	first_line("/etc/machine-id", o->machine, sizeof(o->machine));
	proc_boot_id(o->boot);
	name_spaces(o);
	if (job && strlen(job) < sizeof(o->job) && !strpbrk(job, "\r\n"))
		snprintf(o->job, sizeof(o->job), "%s", job);
	o->pid = getpid();
	if (proc_stat(o->pid, &state, &threads, &o->start) < 0)
		o->start = 0;
	return true;
}

static void owner_text(const struct owner *o, struct str *out)
{
	str_printf(out, "dsv-guard 1\nnonce %s\nhost %s\nmachine %s\nboot %s\n"
		   "pid %" PRId64 "\nns %s\nstart %" PRIu64 "\njob %s\nend\n",
		   o->nonce, o->host, o->machine, o->boot, o->pid, o->ns,
		   o->start, o->job);
}

static void field(const char *line, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	if (!strncmp(line, name, len) && line[len] == ' ')
		snprintf(out, size, "%s", line + len + 1);
}

static bool owner_parse(char *text, struct owner *o)
{
	char number[32] = "", start[32] = "";
	char *line, *save = NULL;
	bool whole = false;

	memset(o, 0, sizeof(*o));
	line = strtok_r(text, "\n", &save);
	if (!line || strcmp(line, "dsv-guard 1"))
		return false;
	while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
		field(line, "nonce", o->nonce, sizeof(o->nonce));
		field(line, "host", o->host, sizeof(o->host));
		field(line, "machine", o->machine, sizeof(o->machine));
		field(line, "boot", o->boot, sizeof(o->boot));
		field(line, "ns", o->ns, sizeof(o->ns));
		field(line, "job", o->job, sizeof(o->job));
		field(line, "pid", number, sizeof(number));
		field(line, "start", start, sizeof(start));
		whole = !strcmp(line, "end");
	}
	o->pid = strtoll(number, NULL, 10);
	o->start = strtoull(start, NULL, 10);
	return whole && strlen(o->nonce) == 32 && o->pid > 0 &&
		o->pid <= INT_MAX &&
		strspn(o->nonce, "0123456789abcdef") == 32;
}

enum seen { SEEN_GONE, SEEN_OWNER, SEEN_UNREADABLE };

static enum seen owner_read(const char *path, struct owner *o)
{
	struct str text = STR_INIT;
	enum seen seen = SEEN_UNREADABLE;
	int ret;

	memset(o, 0, sizeof(*o));
	ret = fs_read(path, OWNER_LIMIT_BYTES, &text, NULL);
	if (ret == DSV_ENOTFOUND)
		seen = SEEN_GONE;
	else if (ret == 0 && text.data && owner_parse(text.data, o))
		seen = SEEN_OWNER;
	str_release(&text);
	return seen;
}

/* Returns whether /proc shows this PID namespace, not one above it. */
static bool proc_is_ours(void)
{
	char buf[32];
	ssize_t n = readlink("/proc/self", buf, sizeof(buf) - 1);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return strtoll(buf, NULL, 10) == getpid();
}

static bool same_host(const struct owner *a, const struct owner *b)
{
	return a->host[0] && strncmp(a->host, "localhost", 9) != 0 &&
		!strcmp(a->host, b->host) && !strcmp(a->machine, b->machine);
}

/* Returns true only if that is certain: in doubt, the owner is alive. */
static bool is_dead(const struct owner *o, const struct owner *self)
{
	uint64_t start;
	int64_t threads;
	char state;

	if (!o->boot[0] || !self->boot[0])
		return false;
	if (strcmp(o->boot, self->boot) != 0)
		return same_host(o, self);
	if (!o->ns[0] || strcmp(o->ns, self->ns) != 0)
		return false;
	if (kill((pid_t)o->pid, 0) < 0 && errno == ESRCH)
		return true;
	if (!o->start || !proc_is_ours() ||
	    proc_stat(o->pid, &state, &threads, &start) < 0)
		return false;
	/*
	 * The leader of a process is a zombie, too, while other threads go on.
	 */
	return start != o->start || (state == 'Z' && threads <= 1);
}

/* Returns 1 if path is ours, 0 if it is somebody else's. */
static int take(const char *own, const char *path, struct dsv_err *err)
{
	int ret = fs_link_once(own, path);

	return ret < 0 ? dsv_fail_errno(err, "link '%s'", path) : ret;
}

/* Removes the lock at path if it is ours, which only the nonce shows. */
static int let_go(struct guard *g, const char *path, struct dsv_err *err)
{
	struct owner o;
	enum seen seen = owner_read(path, &o);

	if (seen == SEEN_UNREADABLE)
		return dsv_fail(err, DSV_ESYS, "read '%s'", path);
	if (seen == SEEN_OWNER && !strcmp(o.nonce, g->self.nonce) &&
	    unlink(path) < 0 && errno != ENOENT)
		return dsv_fail_errno(err, "remove '%s'", path);
	return 0;
}

/* Removes the other file that an owner has. */
static void remove_own(struct guard *g, const char *nonce)
{
	char *own = str_format("%s.own.%s", g->lock, nonce);

	if (own)
		unlink(own);
	free(own);
}

/*
 * Removes the file at path, which the dead owner of nonce left.  The lock of a
 * breaker that died is broken the same way.
 */
static int break_lock(struct guard *g, const char *path, const char *nonce,
		      int depth, struct dsv_err *err)
{
	struct owner o;
	char *right;
	int ret, ret2;

	if (depth == 0)
		return 0;
	right = str_format("%s.break.%s", g->lock, nonce);
	if (!right)
		return dsv_fail_nomem(err);
	ret = take(g->own, right, err);
	if (ret == 0 && owner_read(right, &o) == SEEN_OWNER &&
	    is_dead(&o, &g->self)) {
		ret = break_lock(g, right, o.nonce, depth - 1, err);
		goto out;
	}
	if (ret <= 0)
		goto out;
	/* Now nobody else may remove it; check again what it is. */
	ret = 0;
	if (owner_read(path, &o) == SEEN_OWNER && !strcmp(o.nonce, nonce)) {
		if (unlink(path) < 0 && errno != ENOENT)
			ret = dsv_fail_errno(err, "remove '%s'", path);
		else
			remove_own(g, nonce);
	}
	/* If it were left, the next link would seem to have succeeded. */
	ret2 = let_go(g, right, ret == 0 ? err : NULL);
	if (ret == 0)
		ret = ret2;
out:
	free(right);
	return ret;
}

static void pause_a_little(int count)
{
	uint16_t noise = 0;

	random_bytes(&noise, sizeof(noise));
	usleep(1000 + noise % (count < 10 ? 4000 : 20000));
}

static int fail_locked(struct guard *g, int64_t wait_ms, struct dsv_err *err)
{
	char job[80] = "";
	struct owner o;

	if (owner_read(g->lock, &o) != SEEN_OWNER)
		return dsv_fail(err, DSV_ELOCKED, "'%s' is locked (waited %"
				PRId64 " ms); its owner cannot be read",
				g->lock, wait_ms);
	if (o.job[0])
		snprintf(job, sizeof(job), ", job %s", o.job);
	if (!strcmp(o.boot, g->self.boot) && !strcmp(o.ns, g->self.ns))
		return dsv_fail_hint(err, DSV_ELOCKED, DSV_HINT_LOCK_WAIT,
				     NULL, "'%s' is locked by process %" PRId64
				     " on %s%s (waited %" PRId64 " ms)",
				     g->lock, o.pid, o.host, job, wait_ms);
	return dsv_fail_hint(err, DSV_ELOCKED, DSV_HINT_LOCK_REMOTE, NULL,
			     "'%s' is locked by process %" PRId64 " on %s%s"
			     " (waited %" PRId64 " ms); from here it cannot be"
			     " told whether it lives", g->lock, o.pid, o.host,
			     job, wait_ms);
}

static int wait_for(struct guard *g, int64_t wait_ms, struct dsv_err *err)
{
	int64_t end_ms = monotonic_ms() + wait_ms;
	struct owner o;
	int count, ret;

	for (count = 0; ; count++) {
		ret = take(g->own, g->lock, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
		if (count % CHECK_EVERY == 0 &&
		    owner_read(g->lock, &o) == SEEN_OWNER &&
		    is_dead(&o, &g->self)) {
			ret = break_lock(g, g->lock, o.nonce, BREAK_DEPTH,
					 err);
			if (ret < 0)
				return ret;
			ret = take(g->own, g->lock, err);
			if (ret != 0)
				return ret < 0 ? ret : 0;
		}
		if (monotonic_ms() >= end_ms)
			return fail_locked(g, wait_ms, err);
		pause_a_little(count);
	}
}

static int write_own(struct guard *g, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret = 0;
	int fd;

	owner_text(&g->self, &text);
	if (str_failed(&text))
		return dsv_fail_nomem(err);
	fd = open(g->own, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		ret = dsv_fail_errno(err, "create '%s'", g->own);
		goto out;
	}
	/*
	 * Whoever waits must be able to read who holds the lock, whatever the
	 * umask, and a power cut must not leave a lock that names nobody.
	 */
	if (fchmod(fd, 0644) < 0 || write_all(fd, text.data, text.len) < 0 ||
	    fsync(fd) < 0)
		ret = dsv_fail_errno(err, "write '%s'", g->own);
	if (close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", g->own);
out:
	str_release(&text);
	return ret;
}

static void guard_free(struct guard *g)
{
	free(g->lock);
	free(g->own);
	free(g);
}

int guard_acquire(const char *dir, const char *job, int64_t wait_ms,
		  struct guard **out, struct dsv_err *err)
{
	struct guard *g;
	int ret;

	g = calloc(1, sizeof(*g));
	if (!g)
		return dsv_fail_nomem(err);
	if (!identify(&g->self, job)) {
		ret = dsv_fail(err, DSV_ESYS, "the kernel has no random"
			       " bytes");
		goto out;
	}
	g->lock = str_format("%s/" FILE_GUARD, dir);
	g->own = str_format("%s/" FILE_GUARD ".own.%s", dir, g->self.nonce);
	if (!g->lock || !g->own) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	ret = write_own(g, err);
	if (ret == 0)
		ret = wait_for(g, wait_ms < 0 ? 0 : wait_ms, err);
	if (ret < 0)
		unlink(g->own);
out:
	if (ret < 0) {
		guard_free(g);
		return ret;
	}
	*out = g;
	return 0;
}

void guard_release(struct guard *g)
{
	int pause_us;

	if (!g)
		return;
	/* A process that cannot see that we have ended would wait forever. */
	for (pause_us = 1000; pause_us < RELEASE_LIMIT_US; pause_us *= 2) {
		if (let_go(g, g->lock, NULL) == 0)
			break;
		usleep((useconds_t)pause_us);
	}
	unlink(g->own);
	guard_free(g);
}
