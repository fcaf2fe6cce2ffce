/* SPDX-License-Identifier: MIT */
#include "group_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../base/json_text.h"
#include "../os/fs.h"
#include "../os/paths.h"

/* Pieces of a replica's files are the most of it. */
#define FILE_LIMIT_BYTES (1u << 30)

/* A rename decides where there are no links. */
static int link_new(const char *from, const char *to)
{
	int ret = fs_link_once(from, to);

	if (ret >= 0 ||
	    (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS))
		return ret;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 1;
	return errno == EEXIST ? 0 : -1;
}

static int make_file(struct group *g, const char *tmp, const char *path,
		     const char *text, struct dsv_err *err)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int ret;

	if (fd < 0)
		return dsv_fail_errno(err, "create '%s'", tmp);
	if ((g->d->file_mode && fchmod(fd, g->d->file_mode) < 0) ||
	    write_all(fd, text, strlen(text)) < 0 || fsync(fd) < 0) {
		ret = dsv_fail_errno(err, "write '%s'", tmp);
	} else {
		ret = link_new(tmp, path);
		if (ret < 0)
			ret = dsv_fail_errno(err, "create '%s'", path);
	}
	close(fd);
	unlink(tmp);
	return ret;
}

int group_file_make(struct group *g, const char *name, const json_t *json,
		    struct dsv_err *err)
{
	char *path = str_format("%s/%s", g->dir, name);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	unsigned char nonce[8];
	char hex[2 * sizeof(nonce) + 1];
	char *tmp;
	int ret;

	/*
	 * Two hosts may store the same capture.  Not in dir, which the others
	 * list: a network file system would show them a file that is still
	 * empty, and remember its size when it has its name.
	 */
	if (!random_bytes(nonce, sizeof(nonce))) {
		ret = dsv_fail_errno(err, "get random bytes");
		goto out;
	}
	hex_encode(nonce, sizeof(nonce), hex);
	tmp = repo_path(g->d, DIR_TMP "/group.%s.%s", name, hex);
	ret = path && text && tmp ? make_file(g, tmp, path, text, err) :
		dsv_fail_nomem(err);
	free(tmp);
out:
	free(text);
	free(path);
	return ret;
}

int group_file_read(struct group *g, const char *name, json_t **out,
		    struct dsv_err *err)
{
	char *path = str_format("%s/%s", g->dir, name);
	struct str text = STR_INIT;
	json_t *json;
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	/* Most often it is not there yet. */
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		free(path);
		return 0;
	}
	ret = fs_read(path, FILE_LIMIT_BYTES, &text, err);
	if (ret == 0) {
		json = json_loadb(str_text(&text), text.len, 0, NULL);
		if (json_is_object(json))
			*out = json;
		else
			ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is damaged",
				       path);
		if (ret < 0)
			json_decref(json);
	}
	str_release(&text);
	free(path);
	if (ret == DSV_ENOTFOUND)
		return 0;
	return ret < 0 ? ret : 1;
}

bool group_file_has_part(struct group *g, int64_t rank)
{
	char *path = str_format("%s/%" PRId64, g->dir, rank);
	bool there = path && access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Reads what a file says of a failure; 0: it reports none. */
static int told_failure(const json_t *json, struct dsv_err *err)
{
	const char *why = json_text(json, "message");
	const char *subject = json_text(json, "subject");
	json_int_t code = json_integer_value(json_object_get(json, "code"));
	json_int_t hint = json_integer_value(json_object_get(json, "hint"));

	if (!why)
		return 0;
	if (code >= 0 || code < -200)
		code = DSV_ESYS;
	return dsv_fail_hint(err, (enum dsv_code)code, (enum dsv_hint)hint,
			     subject, "%s", why);
}

int group_file_verdict(struct group *g, struct dsv_err *err)
{
	json_t *json = NULL;
	int ret = group_file_read(g, "verdict", &json, err);

	if (ret > 0) {
		ret = told_failure(json, err);
		ret = ret < 0 ? ret : 1;
	}
	json_decref(json);
	return ret;
}

int group_file_result(struct group *g, char id[DSV_ID_SIZE],
		      struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	json_t *json = NULL;
	const char *text;
	int ret = group_file_read(g, "result", &json, err);

	if (ret <= 0)
		return ret;
	text = json_text(json, "id");
	if (text && hash_from_hex(text, hash)) {
		memcpy(id, text, DSV_ID_SIZE);
	} else if (json_is_true(json_object_get(json, "again"))) {
		ret = 2;
	} else {
		ret = told_failure(json, err);
		if (ret == 0)
			ret = dsv_fail(err, DSV_ECORRUPT, "'%s/result' is"
				       " damaged", g->dir);
		if (json_is_false(json_object_get(json, "staged")))
			g->staged = false;
	}
	json_decref(json);
	return ret;
}
