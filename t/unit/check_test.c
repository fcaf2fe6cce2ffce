/* SPDX-License-Identifier: MIT */
/* After a mode was repaired, the catalog is still locked. */
#include "../../lib/fsck/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/base/str.h"
#include "../../lib/catalog/internal.h"
#include "tap.h"

/* Looks at it as another process would. */
static bool is_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(fcntl(fd, F_GETLK, &lock) == 0 &&
		      lock.l_type == F_WRLCK);
	must(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status) == 1;
}

int main(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char dir[] = "/tmp/dsv-check-XXXXXX";
	struct catalog c = { .dir = dir };
	struct check k = { .c = &c, .repair = true };
	struct stat st;
	char *path;
	int fd;

	must(mkdtemp(dir));
	path = str_format("%s/catalog.db", dir);
	must(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && fchmod(fd, 0666) == 0 &&
	     fcntl(fd, F_SETLK, &lock) == 0);
	ok(is_locked(fd), "it is locked");
	ok(check_mode(&k, path, "catalog.db", false, NULL) == 0 &&
	   k.count == 1 && k.problems[0].repaired, "its mode is repaired");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644,
	   "others may not write to it");
	ok(is_locked(fd), "it is still locked");

	check_release(&k);
	close(fd);
	must(unlink(path) == 0 && rmdir(dir) == 0);
	free(path);
	return tap_done();
}
