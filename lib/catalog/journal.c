/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../os/fs.h"
#include "../os/lock.h"

enum { TAIL_BYTES = 64 << 10 };

/* Computes the hash of "SEQ JSON", in hex. */
static bool line_hash(int64_t seq, const char *json, size_t len,
		      char hex[HASH_HEX_SIZE])
{
	unsigned char hash[HASH_BYTES];
	struct str text = STR_INIT;
	bool ok;

	str_printf(&text, "%" PRId64 " ", seq);
	str_add(&text, json, len);
	ok = !str_failed(&text) && hash_bytes(text.data, text.len, hash);
	str_release(&text);
	if (ok)
		hash_to_hex(hash, hex);
	return ok;
}

int journal_line(struct str *out, int64_t seq, const char *json,
		 struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];

	if (!line_hash(seq, json, strlen(json), hex))
		return dsv_fail_nomem(err);
	str_printf(out, "%" PRId64 " %s ", seq, hex);
	str_puts(out, json);
	str_putc(out, '\n');
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

bool journal_parse(const char *line, size_t len, int64_t *seq,
		   const char **json)
{
	const char *end = line + len;
	const char *p = line;
	char hex[HASH_HEX_SIZE];
	int64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9' && n < INT64_MAX / 10 - 9; p++)
		n = n * 10 + (*p - '0');
	if (p == line || end - p < HASH_HEX_SIZE + 1 || *p != ' ')
		return false;
	p++;
	if (p[HASH_HEX_SIZE - 1] != ' ')
		return false;
	*json = p + HASH_HEX_SIZE;
	if (!line_hash(n, *json, (size_t)(end - *json), hex) ||
	    memcmp(hex, p, HASH_HEX_SIZE - 1) != 0)
		return false;
	*seq = n;
	return true;
}

/* Returns whether the last limit bytes of the file have the line of seq. */
static int scan_tail(int fd, int64_t seq, size_t limit, bool *found,
		     bool *torn)
{
	char *tail = malloc(limit);
	char *p, *newline;
	struct stat st;
	int64_t start;
	ssize_t len;
	int ret = -1;

	*found = *torn = false;
	if (!tail || fstat(fd, &st) < 0)
		goto out;
	start = st.st_size > (int64_t)limit ? st.st_size - (int64_t)limit : 0;
	len = pread_full(fd, tail, limit, start);
	if (len < 0)
		goto out;
	*torn = len > 0 && tail[len - 1] != '\n';
	for (p = tail; (newline = memchr(p, '\n', (size_t)(tail + len - p)));
	     p = newline + 1) {
		const char *json;
		int64_t n;

		if (strtoll(p, NULL, 10) == seq &&
		    journal_parse(p, (size_t)(newline - p), &n, &json))
			*found = true;
	}
	ret = 0;
out:
	free(tail);
	return ret;
}

/*
 * Takes the lock that is held while appending: O_APPEND alone is not atomic on
 * network file systems (where the guard lock is held as well).
 */
static int lock_file(int fd)
{
	return file_lock(fd, true, NULL) < 0 && errno != ENOLCK &&
	       errno != EINVAL ? -1 : 0;
}

int journal_append(const char *path, mode_t mode, int64_t seq,
		   const char *line, size_t len, struct dsv_err *err)
{
	bool found, torn;
	int fd = -1;
	int ret;

	ret = fs_open_own(path, O_RDWR | O_APPEND | O_CREAT,
			  mode ? mode : 0666, &fd, err);
	if (ret < 0)
		return ret;
	/* The process that made it may have had a narrow umask. */
	if (mode && fchmod(fd, mode) < 0 && errno != EPERM)
		ret = dsv_fail_errno(err, "chmod '%s'", path);
	else if (lock_file(fd) < 0 ||
		 scan_tail(fd, seq, TAIL_BYTES + 2 * len, &found, &torn) < 0 ||
		 (torn && !found && write_all(fd, "\n", 1) < 0) ||
		 (!found && write_all(fd, line, len) < 0) || fsync(fd) < 0)
		ret = dsv_fail_errno(err, "append to '%s'", path);
	close(fd);
	return ret;
}

int journal_open(const char *path, FILE **out, struct dsv_err *err)
{
	int fd = -1;
	int ret = fs_open_own(path, O_RDONLY, 0, &fd, err);

	*out = NULL;
	if (ret < 0)
		return ret == DSV_ENOTFOUND ? 0 : ret;
	*out = fdopen(fd, "r");
	if (*out)
		return 0;
	ret = dsv_fail_errno(err, "open '%s'", path);
	close(fd);
	return ret;
}
