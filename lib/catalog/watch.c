/* SPDX-License-Identifier: MIT */
/*
 * Every change ends in the journal, and the kernel reports writes to it; on a
 * network file system it does not notice those of other hosts.
 */
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "../os/fs.h"
#include "../os/paths.h"
#include "internal.h"

int catalog_watch(struct catalog *c)
{
	int fd;

	if (fs_is_network(c->dir))
		return -1;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* It watches the directory: the journal may not exist yet. */
	if (fd >= 0 && inotify_add_watch(fd, c->dir, IN_MODIFY | IN_CREATE |
					 IN_MOVED_TO) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool catalog_watch_heard(int fd)
{
	union {
		struct inotify_event event;
		char bytes[4096];
	} buf;
	bool found = false;
	ssize_t n, at;

	while ((n = read(fd, buf.bytes, sizeof(buf.bytes))) > 0) {
		for (at = 0; at < n;) {
			struct inotify_event e;

			memcpy(&e, buf.bytes + at, sizeof(e));
			if (e.mask & IN_Q_OVERFLOW ||
			    (e.len > 0 && !strcmp(buf.bytes + at + sizeof(e),
						  FILE_JOURNAL)))
				found = true;
			at += (ssize_t)sizeof(e) + (ssize_t)e.len;
		}
	}
	return found;
}
