/* SPDX-License-Identifier: MIT */
/*
 * This finds out what the file systems here can do.  Everything is tried, not
 * assumed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../base/str.h"
#include "../base/texts.h"
#include "../os/fs.h"
#include "../os/lock.h"
#include "../os/paths.h"
#include "../pending/capture.h"
#include "../repo/repo.h"

#define FUSE_MAGIC 0x65735546

enum {
	FS_NAME_SIZE = 32,
	PROBE_BYTES = 1 << 20,
	CLOCK_SLACK_S = 5,
	SPACE_LOW_PERCENT = 5
};

/* A directory that is being examined, with two files of ours in it. */
struct probe {
	const char *dir;
	char *a, *b;
	int fd_a, fd_b;
};

static void probe_close(struct probe *p)
{
	if (p->fd_a >= 0)
		close(p->fd_a);
	if (p->fd_b >= 0)
		close(p->fd_b);
	if (p->a)
		unlink(p->a);
	if (p->b)
		unlink(p->b);
	free(p->a);
	free(p->b);
}

/* Returns false if nothing can be written there; errno says why. */
static bool probe_open(struct probe *p, const char *dir)
{
	char block[4096];
	int i;

	memset(block, 'x', sizeof(block));
	*p = (struct probe){ .dir = dir, .fd_a = -1, .fd_b = -1 };
	p->a = str_format("%s/.dsv-doctor-a-%ld", dir, (long)getpid());
	p->b = str_format("%s/.dsv-doctor-b-%ld", dir, (long)getpid());
	if (!p->a || !p->b)
		return false;
	p->fd_a = open(p->a, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	p->fd_b = open(p->b, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (p->fd_a < 0 || p->fd_b < 0)
		return false;
	for (i = 0; i < PROBE_BYTES / (int)sizeof(block); i++) {
		if (write_all(p->fd_a, block, sizeof(block)) < 0)
			return false;
	}
	return fsync(p->fd_a) == 0;
}

void dsv_findings_free(struct dsv_findings *findings)
{
	size_t i;

	for (i = 0; i < findings->count; i++) {
		text_free(findings->items[i].name);
		text_free(findings->items[i].value);
	}
	free(findings->items);
	*findings = (struct dsv_findings){ 0, NULL };
}

/* Adds a finding; advice is NULL if all is well. */
static void say(struct dsv_findings *list, const char *name,
		const char *advice, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void say(struct dsv_findings *list, const char *name,
		const char *advice, const char *fmt, ...)
{
	struct dsv_finding *finding;
	char *value;
	va_list ap;
	int len;

	if (list_grow((void **)&list->items, list->count, sizeof(*finding),
		      NULL) < 0)
		return;
	finding = &list->items[list->count++];
	va_start(ap, fmt);
	len = vasprintf(&value, fmt, ap);
	va_end(ap);
	finding->name = strdup(name);
	finding->value = len < 0 ? NULL : value;
	finding->advice = advice;
}

/*
 * Returns the type with the daemon's name, as in fuse.sshfs; see proc(5),
 * mountinfo.
 */
static bool mount_type(const char *path, char out[FS_NAME_SIZE])
{
	unsigned int major_of, minor_of;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;
	char *line = NULL;
	struct stat st;
	bool found = false;

	if (stat(path, &st) < 0)
		st.st_dev = 0;
	while (file && !found && getline(&line, &size, file) > 0) {
		const char *type = strstr(line, " - ");

		found = type && sscanf(line, "%*u %*u %u:%u", &major_of,
				       &minor_of) == 2 &&
			makedev(major_of, minor_of) == st.st_dev &&
			sscanf(type, " - %31s", out) == 1;
	}
	if (file)
		fclose(file);
	free(line);
	return found;
}

static const char *fs_name(const char *path, char buf[FS_NAME_SIZE])
{
	/* The numbers are those of statfs(2). */
	static const struct {
		uint32_t magic;
		const char *name;
	} names[] = {
		{ 0xef53, "ext4" }, { 0x58465342, "xfs" },
		{ 0x9123683e, "btrfs" }, { 0x01021994, "tmpfs" },
		{ 0x2fc12fc1, "zfs" }, { 0x794c7630, "overlayfs" },
		{ 0x6969, "nfs" }, { 0x0bd00bd0, "lustre" },
		{ 0x47504653, "gpfs" }, { 0x19830326, "beegfs" },
		{ 0xff534d42, "cifs" }, { FUSE_MAGIC, "fuse" },
		{ 0x00c36400, "ceph" },
	};
	struct statfs st;
	size_t i;

	if (statfs(path, &st) < 0)
		return "unknown";
	if ((uint32_t)st.f_type == FUSE_MAGIC && mount_type(path, buf))
		return buf;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((uint32_t)st.f_type == names[i].magic)
			return names[i].name;
	}
	snprintf(buf, FS_NAME_SIZE, "0x%x", (unsigned int)st.f_type);
	return buf;
}

static bool can_reflink(const struct probe *from, const struct probe *to)
{
	return fs_clone(from->fd_a, to->fd_b) == 0;
}

static bool can_punch(const struct probe *p)
{
	struct stat before, after;

	return fstat(p->fd_a, &before) == 0 &&
	       fallocate(p->fd_a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 PROBE_BYTES / 2) == 0 &&
	       fsync(p->fd_a) == 0 && fstat(p->fd_a, &after) == 0 &&
	       after.st_blocks < before.st_blocks;
}

static bool can_lock(const struct probe *p)
{
	return file_lock(p->fd_a, false, NULL) == 1;
}

static bool can_link(const struct probe *p)
{
	char *name = str_format("%s-link", p->a);
	bool ok = name && link(p->a, name) == 0 && fs_links(p->a) == 2;

	if (name)
		unlink(name);
	free(name);
	return ok;
}

static void look_at_locks(struct dsv *d, const struct probe *p,
			  struct dsv_findings *out)
{
	bool network = fs_is_network(d->path);
	bool guard = network;

	config_bool(&d->config, "core.guardlock", network, &guard, NULL);
	if (!can_lock(p))
		say(out, "locks", guard ? NULL :
		    "no locks by fcntl() here: set core.guardLock = true",
		    "fcntl: no");
	else
		say(out, "locks", NULL, "fcntl: yes%s", network ?
		    " (perhaps on this host only)" : "");
	say(out, "guard lock", guard && !can_link(p) ?
	    "no hard links here: this file system cannot hold a repository"
	    " that several hosts write" : NULL, "%s", guard ? "used" :
	    "not needed");
}

static void look_at_clock(const struct probe *p, struct dsv_findings *out)
{
	struct stat st;
	int64_t skew_s;

	if (futimens(p->fd_b, NULL) < 0 || fstat(p->fd_b, &st) < 0)
		return;
	skew_s = (int64_t)st.st_mtim.tv_sec - now_ns() / NS_PER_S;
	say(out, "clock", llabs(skew_s) > CLOCK_SLACK_S ?
	    "the file server's clock and this host's differ: dates, and what"
	    " a prune keeps by them, are by this host's" : NULL,
	    "%+" PRId64 " s against the file system's", skew_s);
}

static void look_at_space(const char *name, const char *path,
			  struct dsv_findings *out)
{
	char free_text[DSV_TIME_SIZE], all_text[DSV_TIME_SIZE];
	struct statvfs st;
	bool low;

	if (statvfs(path, &st) < 0)
		return;
	dsv_format_size((int64_t)(st.f_bavail * st.f_frsize), free_text);
	dsv_format_size((int64_t)(st.f_blocks * st.f_frsize), all_text);
	low = (double)st.f_bavail * 100 <
	      (double)st.f_blocks * SPACE_LOW_PERCENT ||
	      (st.f_files && (double)st.f_favail * 100 <
	       (double)st.f_files * SPACE_LOW_PERCENT);
	say(out, name, low ? "nearly full: a prune frees space" : NULL,
	    "%s of %s free, %" PRIu64 " inodes free", free_text, all_text,
	    (uint64_t)st.f_favail);
}

static void look_at_tier(struct dsv *d, const struct probe *here,
			 struct dsv_findings *out)
{
	char buf[FS_NAME_SIZE];
	struct probe p;
	char *dir = capture_tier(d);

	if (!dir) {
		say(out, "local tier", NULL, "not configured"
		    " (core.localTier; only asynchronous tags use it)");
		return;
	}
	if (fs_make_dirs(dir, 0700, NULL) < 0 || !probe_open(&p, dir)) {
		say(out, "local tier", "core.localTier cannot be written here",
		    "%s: %s", dir, strerror(errno));
		free(dir);
		return;
	}
	say(out, "local tier", NULL, "%s on %s, reflink from here: %s", dir,
	    fs_name(dir, buf), here->fd_a >= 0 && can_reflink(here, &p) ?
	    "yes" : "no");
	probe_close(&p);
	look_at_space("local tier's space", dir, out);
	free(dir);
}

static void look_at_repo(struct dsv *d, const struct probe *repo,
			 const struct probe *here, struct dsv_findings *out)
{
	say(out, "reflink", NULL, "in the repository: %s, from the current"
	    " directory: %s", can_reflink(repo, repo) ? "yes" : "no",
	    here->fd_a >= 0 && can_reflink(here, repo) ? "yes" : "no");
	say(out, "holes", NULL, "%s", can_punch(repo) ? "yes" :
	    "no (freed space comes back when segments are repacked)");
	look_at_locks(d, repo, out);
	look_at_clock(repo, out);
}

int dsv_doctor(struct dsv *d, struct dsv_findings *out, struct dsv_err *err)
{
	struct dsv_findings list = { 0, NULL };
	struct probe repo, here;
	char buf[FS_NAME_SIZE];
	const char *type;
	char *tmp = repo_path(d, DIR_TMP);
	size_t i;

	if (!tmp)
		return dsv_fail_nomem(err);
	type = fs_name(d->path, buf);
	say(&list, "repository", strcmp(type, "fuse.glusterfs") ? NULL :
	    "unless only one host writes: 'gluster volume set VOLUME group"
	    " db-workload', since its clients answer from caches",
	    "%s on %s", d->path, type);
	say(&list, "journal mode", NULL, "%s", catalog_describe(d->catalog));
	if (!probe_open(&here, ".")) {
		probe_close(&here);
		here = (struct probe){ .fd_a = -1, .fd_b = -1 };
	}
	if (probe_open(&repo, tmp))
		look_at_repo(d, &repo, &here, &list);
	else
		say(&list, "writing", "this user can read the repository, not"
		    " write to it", "no: %s", strerror(errno));
	probe_close(&repo);
	look_at_space("space", d->path, &list);
	look_at_tier(d, &here, &list);
	probe_close(&here);
	free(tmp);
	for (i = 0; i < list.count; i++) {
		if (!list.items[i].name || !list.items[i].value) {
			dsv_findings_free(&list);
			return dsv_fail_nomem(err);
		}
	}
	*out = list;
	return 0;
}
