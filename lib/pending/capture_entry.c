/* SPDX-License-Identifier: MIT */
/*
 * The entry of a capture in the queue, which says where its files are.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../os/proc.h"
#include "capture.h"

enum { ENTRY_LIMIT_BYTES = 1 << 16 };

char *capture_shared_dir(struct dsv *d, const char *host,
			 const unsigned char id[HASH_BYTES])
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(id, hex);
	return repo_path(d, DIR_QUEUE "/%s/%.32s", host, hex);
}

static char *entry_path(struct dsv *d, const char *host,
			const unsigned char id[HASH_BYTES])
{
	char hex[HASH_HEX_SIZE];

	hash_to_hex(id, hex);
	return repo_path(d, DIR_QUEUE "/%s/%s.json", host, hex);
}

/*
 * In the repository the place follows from the name; elsewhere nothing is
 * synced, and after a crash of the node it is not what it was.
 */
int capture_write(struct dsv *d, const struct capture *c, bool move,
		  struct dsv_err *err)
{
	char *path = entry_path(d, d->process.host, c->id);
	char *dir = repo_path(d, DIR_QUEUE "/%s", d->process.host);
	char boot[PROC_BOOT_ID_SIZE] = "";
	json_t *json;
	char *text;
	int ret;

	if (!c->shared)
		proc_boot_id(boot);
	json = json_pack("{s:s, s:b, s:b, s:s*, s:I}", "dir", c->dir, "shared",
			 c->shared, "move", move, "boot",
			 boot[0] ? boot : NULL, "time", (json_int_t)now_ns());
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	ret = path && dir && text ? fs_make_own_dirs(dir, d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0)
		ret = repo_replace(d, path, text, err);
	json_decref(json);
	free(text);
	free(dir);
	free(path);
	return ret;
}

static bool was_booted(const char *boot)
{
	char now[PROC_BOOT_ID_SIZE];

	proc_boot_id(now);
	return boot && now[0] && strcmp(now, boot) != 0;
}

/* Only what capture_make() has named is stored, and removed. */
static bool is_named(const char *dir, const unsigned char id[HASH_BYTES])
{
	const char *name = fs_basename(dir);
	char hex[HASH_HEX_SIZE];

	hash_to_hex(id, hex);
	name += strncmp(name, "dsv-", 4) ? 0 : 4;
	return strlen(name) == 32 && !strncmp(name, hex, 32);
}

/* Takes over what an entry says. */
static int fill_capture(struct dsv *d, const json_t *json, const char *host,
			const unsigned char id[HASH_BYTES],
			struct capture *out, struct dsv_err *err)
{
	const char *dir = json_text(json, "dir");

	memcpy(out->id, id, HASH_BYTES);
	out->shared = json_is_true(json_object_get(json, "shared"));
	out->moved = json_is_true(json_object_get(json, "move"));
	out->stale = !out->shared && !strcmp(host, d->process.host) &&
		was_booted(json_text(json, "boot"));
	/* The repository may have been moved since. */
	out->dir = out->shared ? capture_shared_dir(d, host, id) :
		strdup(dir);
	out->host = strdup(host);
	return out->dir && out->host ? 0 : dsv_fail_nomem(err);
}

int capture_read(struct dsv *d, const char *host,
		 const unsigned char id[HASH_BYTES], struct capture *out,
		 struct dsv_err *err)
{
	char *path = entry_path(d, host, id);
	struct str text = STR_INIT;
	json_t *json = NULL;
	const char *dir;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = path ? fs_read(path, ENTRY_LIMIT_BYTES, &text, err) :
		dsv_fail_nomem(err);
	if (ret == 0) {
		json = json_loads(str_text(&text), 0, NULL);
		dir = json_text(json, "dir");
		if (dir && dir[0] == '/' && is_named(dir, id)) {
			ret = fill_capture(d, json, host, id, out, err);
		} else {
			ret = dsv_fail(err, DSV_ECORRUPT, "'%s' is malformed",
				       path);
		}
	}
	json_decref(json);
	str_release(&text);
	free(path);
	return ret;
}

int capture_find(struct dsv *d, const unsigned char id[HASH_BYTES],
		 struct capture *out, struct dsv_err *err)
{
	char *queue = repo_path(d, DIR_QUEUE);
	struct dirent *entry;
	int ret = DSV_ENOTFOUND;
	DIR *dir;

	memset(out, 0, sizeof(*out));
	dir = queue ? opendir(queue) : NULL;
	free(queue);
	if (!dir)
		return dsv_fail(err, DSV_ENOTFOUND, "there is no queue");
	while (ret == DSV_ENOTFOUND && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			ret = capture_read(d, entry->d_name, id, out, err);
	}
	closedir(dir);
	if (ret == DSV_ENOTFOUND)
		return dsv_fail(err, ret, "the capture has no entry in the"
				" queue");
	return ret;
}

bool capture_is_here(const struct capture *c)
{
	char *root = str_format("%s/files", c->dir);
	bool here = root && !c->stale && fs_is_dir(c->dir) &&
		fs_is_dir(root) && access(root, R_OK | X_OK) == 0;

	free(root);
	return here;
}

int capture_remove(struct dsv *d, const struct capture *c,
		   struct dsv_err *err)
{
	char *path = entry_path(d, c->host, c->id);
	int ret = fs_remove_tree(c->dir, err);

	if (ret == 0 && path && unlink(path) < 0 && errno != ENOENT)
		ret = dsv_fail_errno(err, "remove '%s'", path);
	free(path);
	return ret;
}
