/* SPDX-License-Identifier: MIT */
#include "format_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "repo.h"

enum { FORMAT_VERSION = 1, FORMAT_LIMIT_BYTES = 64 << 10 };

/* Makes a UUID of RFC 9562, version 4. */
static bool make_uuid(char out[37])
{
	unsigned char b[16];
	char hex[33];

	if (!random_bytes(b, sizeof(b)))
		return false;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_encode(b, sizeof(b), hex);
	sprintf(out, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		hex + 16, hex + 20);
	return true;
}

int format_file_write(const char *repo, bool shared, struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *path = str_format("%s/format", repo);
	char uuid[37];
	int ret;

	if (!make_uuid(uuid)) {
		free(path);
		return dsv_fail_errno(err, "get random bytes");
	}
	str_printf(&text, "dsv-repository %d\nuuid %s\ncompatible\n"
		   "read-compatible\nincompatible\nshared %s\n",
		   FORMAT_VERSION, uuid, shared ? "group" : "no");
	ret = path && !str_failed(&text) ?
		fs_replace(path, text.data, text.len,
			   shared ? SHARED_FILE_MODE : 0, err) :
		dsv_fail_nomem(err);
	str_release(&text);
	free(path);
	return ret;
}

static int read_line(const char *path, char *line, char uuid[37],
		     bool *shared, struct dsv_err *err)
{
	char *value = strchr(line, ' ');

	if (value)
		*value++ = '\0';
	if (!value)
		return 0;	/* an empty list of features */
	if (!strcmp(line, "dsv-repository") && atoi(value) > FORMAT_VERSION)
		return dsv_fail(err, DSV_ENOREPO, "'%s' has format %s, this dsv"
				" knows %d: use a newer one", path, value,
				FORMAT_VERSION);
	/* No feature is known yet; compatible ones can be ignored. */
	if (!strcmp(line, "incompatible") || !strcmp(line, "read-compatible"))
		return dsv_fail(err, DSV_ENOREPO, "'%s' needs the feature '%s',"
				" unknown to this dsv: use a newer one", path,
				value);
	if (!strcmp(line, "uuid"))
		stpncpy(uuid, value, 36)[0] = '\0';
	if (!strcmp(line, "shared"))
		*shared = !strcmp(value, "group");
	return 0;
}

int format_file_read(const char *repo, char uuid[37], bool *shared,
		     struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *path = str_format("%s/format", repo);
	char *line, *save = NULL;
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, FORMAT_LIMIT_BYTES, &text, err);
	if (ret == DSV_ENOTFOUND)
		ret = dsv_fail(err, DSV_ENOREPO, "'%s' is not a repository: it"
			       " has no file 'format'", repo);
	if (ret == 0 && strncmp(str_text(&text), "dsv-repository ", 15) != 0)
		ret = dsv_fail(err, DSV_ENOREPO, "'%s' is not a format file of"
			       " dsv", path);
	for (line = ret == 0 ? strtok_r(text.data, "\n", &save) : NULL;
	     ret == 0 && line; line = strtok_r(NULL, "\n", &save))
		ret = read_line(path, line, uuid, shared, err);
	str_release(&text);
	free(path);
	return ret;
}
