/* SPDX-License-Identifier: MIT */
/*
 * When preloaded, makes the k-th call that changes files fail, or ends or stops
 * the process there.
 *
 *   DSV_FAULT_ROOT    calls on files below it are counted
 *   DSV_FAULT_LOG     a file that gets a line for each counted call
 *   DSV_FAULT_MATCH   CALL:GLOB: only such calls on such paths count
 *   DSV_FAULT_AT      k, from 1
 *   DSV_FAULT_DO      kill, tear (half a write, then kill), stop (SIGSTOP),
 *                     short (half a write), or EIO, ENOSPC, EDQUOT, EINTR
 *   DSV_FAULT_STICKY  all calls from the k-th on fail
 *   DSV_FAULT_LOSE    see fault.h: the power goes at the k-th call, else at
 *                     the end of the process
 *   DSV_FAULT_SHADOW  an empty directory, for DSV_FAULT_LOSE
 *   DSV_FAULT_NO_SYNC n: the n-th fsync does nothing, and succeeds
 *   DSV_FAULT_THEN    a shell command that runs at the end of the process,
 *                     before the power goes
 *   DSV_FAULT_SYNCED  a file: with THEN it says what that command synced,
 *                     otherwise this process says so in it
 *
 * Processes that this one starts are left alone.
 */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pid_t owner;
static const char *root;
static size_t root_len;
static int log_fd = -1;
static const char *match_glob;
static char match_call[32];
static long at, count;
static long no_sync, sync_count;
static bool sticky;
static const char *then, *synced;

static enum { DO_NOTHING, DO_KILL, DO_TEAR, DO_STOP, DO_SHORT, DO_FAIL } what;
static int fail_errno;

/* This is what the call has to do. */
enum verdict { GO, FAIL, SHORT, TEAR };

static void read_action(const char *name)
{
	static const struct {
		const char *name;
		int what, error;
	} actions[] = {
		{ "kill", DO_KILL, 0 }, { "tear", DO_TEAR, 0 },
		{ "stop", DO_STOP, 0 }, { "short", DO_SHORT, 0 },
		{ "EIO", DO_FAIL, EIO }, { "ENOSPC", DO_FAIL, ENOSPC },
		{ "EDQUOT", DO_FAIL, EDQUOT }, { "EINTR", DO_FAIL, EINTR },
	};
	size_t i;

	for (i = 0; name && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!strcmp(name, actions[i].name)) {
			what = actions[i].what;
			fail_errno = actions[i].error;
		}
	}
}

__attribute__((constructor)) static void begin(void)
{
	const char *match = getenv("DSV_FAULT_MATCH");
	const char *k = getenv("DSV_FAULT_AT");
	const char *log = getenv("DSV_FAULT_LOG");
	const char *lose = getenv("DSV_FAULT_LOSE");
	const char *skip = getenv("DSV_FAULT_NO_SYNC");

	unsetenv("LD_PRELOAD");
	root = getenv("DSV_FAULT_ROOT");
	if (!root)
		return;
	owner = getpid();
	root_len = strlen(root);
	at = k ? atol(k) : 0;
	no_sync = skip ? atol(skip) : 0;
	sticky = getenv("DSV_FAULT_STICKY");
	read_action(getenv("DSV_FAULT_DO"));
	if (match && strchr(match, ':')) {
		match_glob = strchr(match, ':') + 1;
		snprintf(match_call, sizeof(match_call), "%.*s",
			 (int)(match_glob - match - 1), match);
	}
	if (log)
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY |
				      O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (lose)
		lost_begin(getenv("DSV_FAULT_SHADOW"), lose);
	then = getenv("DSV_FAULT_THEN");
	synced = getenv("DSV_FAULT_SYNCED");
	if (synced && !then)
		lost_tell_syncs(synced);
}

static void power_cut(void)
{
	if (getpid() != owner)
		return;
	/* Unsynced changes are lost after those of a later process. */
	if (then && system(then) != -1)
		lost_hear_syncs(synced);
	lost_apply();
}

__attribute__((destructor)) static void end(void)
{
	power_cut();
}

EXPORT void _exit(int status)
{
	power_cut();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

/* ---- Which call ------------------------------------------------------ */

static bool fd_path(int fd, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool at_path(int dirfd, const char *path, char out[PATH_MAX])
{
	char dir[PATH_MAX] = "";

	if (path[0] == '/') {
		snprintf(out, PATH_MAX, "%s", path);
		return true;
	}
	if (dirfd == AT_FDCWD ? !getcwd(dir, sizeof(dir)) :
	    !fd_path(dirfd, dir))
		return false;
	if (snprintf(out, PATH_MAX, "%s/%s", dir, path) >= PATH_MAX)
		return false;
	return true;
}

static bool is_ours(const char *path)
{
	return root && getpid() == owner && !strncmp(path, root, root_len);
}

/* Tells whether a full disk can make the call fail. */
static bool allocates(const char *call)
{
	static const char *const names[] = {
		"unlink", "rmdir", "punch", "reopen",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(call, names[i]))
			return false;
	}
	return true;
}

static bool counts(const char *call, const char *path)
{
	bool writes = strstr(call, "write") != NULL;

	if (match_glob && (strcmp(call, match_call) != 0 ||
			   fnmatch(match_glob, path, 0) != 0))
		return false;
	if (what == DO_SHORT || what == DO_TEAR)
		return writes;
	if (what == DO_FAIL && (fail_errno == ENOSPC || fail_errno == EDQUOT))
		return allocates(call);
	if (what == DO_FAIL && fail_errno == EINTR)
		return writes || !strcmp(call, "open") ||
		       !strcmp(call, "fsync");
	return true;
}

static void die(void)
{
	lost_apply();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* This is called with the lock held, before the call. */
static enum verdict judge(const char *call, const char *path)
{
	if (!counts(call, path))
		return GO;
	count++;
	if (log_fd >= 0)
		dprintf(log_fd, "%ld %s %s\n", count, call, path);
	if (count != at && !(sticky && at > 0 && count > at))
		return GO;
	switch (what) {
	case DO_KILL:
		die();
		return GO;
	case DO_STOP:
		kill(getpid(), SIGSTOP);
		return GO;
	case DO_TEAR:
		return TEAR;
	case DO_SHORT:
		return SHORT;
	case DO_FAIL:
		errno = fail_errno;
		return FAIL;
	default:
		return GO;
	}
}

/*
 * The lock is held from here to leave(): what happens between the judgement
 * and the call would not be in the model.
 */
static bool enter_path(int dirfd, const char *path, char out[PATH_MAX])
{
	if (!at_path(dirfd, path, out) || !is_ours(out))
		return false;
	pthread_mutex_lock(&lock);
	return true;
}

static bool enter_fd(int fd, char out[PATH_MAX])
{
	if (!root || !fd_path(fd, out) || !is_ours(out))
		return false;
	pthread_mutex_lock(&lock);
	return true;
}

static void leave(void)
{
	int saved_errno = errno;

	pthread_mutex_unlock(&lock);
	errno = saved_errno;
}

/* ---- Bytes ----------------------------------------------------------- */

/* Judges a call that changes len bytes of fd, for SHORT and TEAR. */
#define CHANGE(type, name, fd, whole, half)				\
	do {								\
		char path_[PATH_MAX];					\
		enum verdict v_;					\
		type ret_ = -1;						\
									\
		if (!enter_fd(fd, path_))				\
			return whole;					\
		v_ = judge(name, path_);				\
		if (v_ != FAIL)						\
			lost_change(fd);				\
		if (v_ == GO)						\
			ret_ = whole;					\
		else if (v_ != FAIL)					\
			ret_ = half;					\
		if (v_ == TEAR)						\
			die();						\
		leave();						\
		return ret_;						\
	} while (0)

#define HALF(len) ((len) > 1 ? (len) / 2 : (len))

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	CHANGE(ssize_t, "write", fd, syscall(SYS_write, fd, buf, len),
	       syscall(SYS_write, fd, buf, HALF(len)));
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	CHANGE(ssize_t, "write", fd,
	       syscall(SYS_pwrite64, fd, buf, len, offset),
	       syscall(SYS_pwrite64, fd, buf, HALF(len), offset));
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return pwrite64(fd, buf, len, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	CHANGE(ssize_t, "writev", fd, syscall(SYS_writev, fd, iov, n),
	       syscall(SYS_writev, fd, iov, HALF(n)));
}

EXPORT ssize_t copy_file_range(int in, off64_t *in_offset, int out,
			       off64_t *out_offset, size_t len,
			       unsigned int flags)
{
	CHANGE(ssize_t, "copy", out,
	       syscall(SYS_copy_file_range, in, in_offset, out, out_offset,
		       len, flags),
	       syscall(SYS_copy_file_range, in, in_offset, out, out_offset,
		       HALF(len), flags));
}

EXPORT int ftruncate64(int fd, off64_t len)
{
	CHANGE(int, "truncate", fd, (int)syscall(SYS_ftruncate, fd, len), -1);
}

EXPORT int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
	CHANGE(int, mode & FALLOC_FL_PUNCH_HOLE ? "punch" : "allocate", fd,
	       (int)syscall(SYS_fallocate, fd, mode, offset, len), -1);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fallocate64(fd, mode, offset, len);
}

EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t len)
{
	return fallocate64(fd, 0, offset, len) < 0 ? errno : 0;
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
	return posix_fallocate64(fd, offset, len);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request != FICLONE && request != FICLONERANGE)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	CHANGE(int, "clone", fd, (int)syscall(SYS_ioctl, fd, request, arg),
	       -1);
}

/* ---- Sync ------------------------------------------------------------ */

static int sync_fd(int fd, long number)
{
	char path[PATH_MAX];
	int ret = -1;

	if (!enter_fd(fd, path))
		return (int)syscall(number, fd);
	if (judge("fsync", path) == GO)
		ret = (int)syscall(number, fd);
	if (ret == 0 && ++sync_count != no_sync)
		lost_sync(fd);
	leave();
	return ret;
}

EXPORT int fsync(int fd)
{
	return sync_fd(fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
	return sync_fd(fd, SYS_fdatasync);
}

/* ---- Names ----------------------------------------------------------- */

/* Splits an absolute path into its directory and its last component. */
static int parent_of(const char *path, const char **name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	*name = slash + 1;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path) + 1, path);
	return (int)syscall(SYS_openat, AT_FDCWD, dir,
			    O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

static void note(enum lost_op op, const char *path, const char *from)
{
	const char *name, *from_name = NULL;
	int dirfd = parent_of(path, &name);
	int from_dirfd = from ? parent_of(from, &from_name) : -1;

	if (dirfd >= 0)
		lost_name(op, dirfd, name, from_dirfd, from_name);
	if (dirfd >= 0)
		syscall(SYS_close, dirfd);
	if (from_dirfd >= 0)
		syscall(SYS_close, from_dirfd);
}

#define NAME(call, op, dirfd, path, from, real)				\
	do {								\
		char path_[PATH_MAX];					\
		int ret_ = -1;						\
									\
		if (!enter_path(dirfd, path, path_))			\
			return real;					\
		if (judge(call, path_) != FAIL) {			\
			note(op, path_, from);				\
			ret_ = real;					\
			lost_name_done(ret_ == 0);			\
		}							\
		leave();						\
		return ret_;						\
	} while (0)

static int open_any(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	bool creates;
	int ret;

	if ((flags & (O_CREAT | O_TRUNC | O_ACCMODE)) == 0 ||
	    (flags & O_TMPFILE) == O_TMPFILE || (flags & O_PATH) ||
	    !enter_path(dirfd, name, path))
		return (int)syscall(SYS_openat, dirfd, name, flags, mode);
	creates = (flags & O_CREAT) &&
		  faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	if (judge(creates ? "open" : "reopen", path) == FAIL) {
		leave();
		return -1;
	}
	if (creates)
		note(LOST_CREATE, path, NULL);
	ret = (int)syscall(SYS_openat, dirfd, name, flags & ~O_TRUNC, mode);
	if (creates)
		lost_name_done(ret >= 0);
	if (ret >= 0 && (flags & O_TRUNC)) {
		lost_change(ret);
		syscall(SYS_ftruncate, ret, (off_t)0);
	}
	leave();
	return ret;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(dirfd, path, flags, last)					\
	do {								\
		va_list ap_;						\
		mode_t mode_;						\
									\
		va_start(ap_, last);					\
		mode_ = mode_of(flags, ap_);				\
		va_end(ap_);						\
		return open_any(dirfd, path, flags, mode_);		\
	} while (0)

EXPORT int open(const char *path, int flags, ...)
{
	OPEN(AT_FDCWD, path, flags, flags);
}

EXPORT int open64(const char *path, int flags, ...)
{
	OPEN(AT_FDCWD, path, flags, flags);
}

EXPORT int openat(int dirfd, const char *path, int flags, ...)
{
	OPEN(dirfd, path, flags, flags);
}

EXPORT int openat64(int dirfd, const char *path, int flags, ...)
{
	OPEN(dirfd, path, flags, flags);
}

EXPORT int mkostemp64(char *template, int flags)
{
	static unsigned long number;
	char *tail = template + strlen(template) - 6;
	int fd;

	do {
		snprintf(tail, 7, "%06lu", (number++ * 7919 +
			 (unsigned long)getpid() * 104729) % 1000000);
		fd = open_any(AT_FDCWD, template, (flags & ~O_ACCMODE) |
			      O_RDWR | O_CREAT | O_EXCL, 0600);
	} while (fd < 0 && errno == EEXIST);
	return fd;
}

EXPORT int mkostemp(char *template, int flags)
{
	return mkostemp64(template, flags);
}

EXPORT int mkdirat(int dirfd, const char *path, mode_t mode)
{
	NAME("mkdir", LOST_MKDIR, dirfd, path, NULL,
	     (int)syscall(SYS_mkdirat, dirfd, path, mode));
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int unlinkat(int dirfd, const char *path, int flags)
{
	NAME(flags & AT_REMOVEDIR ? "rmdir" : "unlink",
	     flags & AT_REMOVEDIR ? LOST_RMDIR : LOST_UNLINK, dirfd, path,
	     NULL, (int)syscall(SYS_unlinkat, dirfd, path, flags));
}

EXPORT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int renameat2(int old_dirfd, const char *old, int new_dirfd,
		     const char *new, unsigned int flags)
{
	char from[PATH_MAX];

	if (!at_path(old_dirfd, old, from))
		return -1;
	NAME("rename", LOST_RENAME, new_dirfd, new, from,
	     (int)syscall(SYS_renameat2, old_dirfd, old, new_dirfd, new,
			  flags));
}

EXPORT int renameat(int old_dirfd, const char *old, int new_dirfd,
		    const char *new)
{
	return renameat2(old_dirfd, old, new_dirfd, new, 0);
}

EXPORT int rename(const char *old, const char *new)
{
	return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

EXPORT int linkat(int old_dirfd, const char *old, int new_dirfd,
		  const char *new, int flags)
{
	NAME("link", LOST_CREATE, new_dirfd, new, NULL,
	     (int)syscall(SYS_linkat, old_dirfd, old, new_dirfd, new, flags));
}

EXPORT int link(const char *old, const char *new)
{
	return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

EXPORT int symlinkat(const char *target, int dirfd, const char *path)
{
	NAME("symlink", LOST_CREATE, dirfd, path, NULL,
	     (int)syscall(SYS_symlinkat, target, dirfd, path));
}

EXPORT int symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}
