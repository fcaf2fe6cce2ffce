/* SPDX-License-Identifier: MIT */
#include "parts.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../base/str.h"
#include "../group/group_file.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../slurm/slurm.h"

enum { SINFO_TIMEOUT_MS = 10000 };

#define PREFIX "async-"

void parts_release(struct parts *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		capture_release(&p->items[i].capture);
		free(p->items[i].host);
	}
	free(p->items);
	free(p->dir);
	memset(p, 0, sizeof(*p));
}

struct group parts_group(struct dsv *d, const struct parts *p, size_t rank)
{
	return (struct group){
		.d = d, .rank = (int64_t)rank, .ranks = (int64_t)p->count,
		.dir = p->dir, .lock_fd = -1,
	};
}

/* ---- Finding them -------------------------------------------------------- */

static int find_single(struct dsv *d, const unsigned char id[HASH_BYTES],
		       struct parts *out, struct dsv_err *err)
{
	struct parts p = { .count = 0 };
	int ret;

	p.items = calloc(1, sizeof(*p.items));
	if (!p.items)
		return dsv_fail_nomem(err);
	ret = capture_find(d, id, &p.items[0].capture, err);
	if (ret == 0) {
		p.count = 1;
		p.items[0].known = true;
		p.items[0].host = strdup(p.items[0].capture.host);
		if (!p.items[0].host)
			ret = dsv_fail_nomem(err);
	}
	if (ret < 0)
		parts_release(&p);
	else
		*out = p;
	return ret;
}

/* [host, id] */
static int read_part(struct dsv *d, const json_t *json, struct part *out,
		     struct dsv_err *err)
{
	const char *host = json_string_value(json_array_get(json, 0));
	const char *hex = json_string_value(json_array_get(json, 1));
	unsigned char id[HASH_BYTES];
	int ret;

	if (!host || !*host || host[0] == '.' || strchr(host, '/') || !hex ||
	    !hash_from_hex(hex, id))
		return dsv_fail(err, DSV_ECORRUPT, "a group of captures is"
				" malformed");
	out->host = strdup(host);
	if (!out->host)
		return dsv_fail_nomem(err);
	ret = capture_read(d, host, id, &out->capture, err);
	out->known = ret == 0;
	if (out->known)
		return 0;
	memset(&out->capture, 0, sizeof(out->capture));
	memcpy(out->capture.id, id, HASH_BYTES);
	return ret == DSV_ENOTFOUND ? 0 : ret;
}

static int fill_group(struct dsv *d, const json_t *json, struct parts *p,
		      struct dsv_err *err)
{
	const json_t *list = json_object_get(json, "parts");
	size_t n = json_array_size(list), i;
	int ret = 0;

	p->items = calloc(n + 1, sizeof(*p->items));
	if (!p->items)
		return dsv_fail_nomem(err);
	p->count = n;
	p->replicated = json_is_true(json_object_get(json, "replicated"));
	for (i = 0; ret == 0 && i < n; i++) {
		struct group g = parts_group(d, p, i);

		ret = read_part(d, json_array_get(list, i), &p->items[i], err);
		p->items[i].stored = group_file_has_part(&g, g.rank);
	}
	if (ret == 0 && n == 0)
		ret = dsv_fail(err, DSV_ECORRUPT, "a group of captures is"
			       " empty");
	return ret;
}

/* 1: there; 0: it is no group. */
static int find_group(struct dsv *d, const char *name, struct parts *out,
		      struct dsv_err *err)
{
	struct parts p = { .dir = repo_path(d, DIR_INTAKE "/%s", name) };
	struct group g = parts_group(d, &p, 0);
	json_t *json = NULL;
	int ret;

	if (!p.dir)
		return dsv_fail_nomem(err);
	ret = group_file_read(&g, "group", &json, err);
	if (ret > 0) {
		int filled = fill_group(d, json, &p, err);

		ret = filled < 0 ? filled : 1;
	}
	json_decref(json);
	if (ret > 0)
		*out = p;
	else
		parts_release(&p);
	return ret;
}

static void group_name(const unsigned char id[HASH_BYTES],
		       char name[sizeof(PREFIX) + HASH_HEX_SIZE])
{
	memcpy(name, PREFIX, sizeof(PREFIX) - 1);
	hash_to_hex(id, name + sizeof(PREFIX) - 1);
}

int parts_find(struct dsv *d, const unsigned char capture[HASH_BYTES],
	       struct parts *out, struct dsv_err *err)
{
	char name[sizeof(PREFIX) + HASH_HEX_SIZE];
	int ret;

	group_name(capture, name);
	ret = find_group(d, name, out, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	return find_single(d, capture, out, err);
}

int parts_note(struct dsv *d, const json_t *group,
	       unsigned char capture[HASH_BYTES], struct dsv_err *err)
{
	char *text = json_dumps(group, JSON_COMPACT);
	char name[sizeof(PREFIX) + HASH_HEX_SIZE];
	char *dir = NULL, *path = NULL, *intake = NULL;
	unsigned char id[HASH_BYTES];
	int ret;

	if (!text || !hash_bytes(text, strlen(text), id)) {
		free(text);
		return dsv_fail_nomem(err);
	}
	group_name(id, name);
	intake = repo_path(d, DIR_INTAKE);
	dir = repo_path(d, DIR_INTAKE "/%s", name);
	path = dir ? str_format("%s/group", dir) : NULL;
	ret = intake && path ? fs_make_own_dirs(dir, d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0)
		ret = fs_replace(path, text, strlen(text), d->file_mode, err);
	if (ret == 0)
		ret = fs_sync_dir(intake, err);
	if (ret == 0)
		memcpy(capture, id, HASH_BYTES);
	free(intake);
	free(path);
	free(dir);
	free(text);
	return ret;
}

/* ---- What is left of them ------------------------------------------------ */

bool part_is_here(const struct part *part)
{
	return part->known && capture_is_here(&part->capture);
}

/* Slurm says that the node is gone; false when it says nothing. */
static bool node_is_down(const char *host)
{
	char sinfo[] = "sinfo", quiet[] = "-h", node_opt[] = "-n",
	     format_opt[] = "-o", format[] = "%T";
	char *node = strdup(host);
	char *argv[] = { sinfo, quiet, node_opt, node, format_opt, format,
			 NULL };
	struct str text = STR_INIT;
	bool down;

	down = node && slurm_output(argv, SINFO_TIMEOUT_MS, &text) &&
	       !strncmp(str_text(&text), "down", 4);
	free(node);
	str_release(&text);
	return down;
}

static bool part_is_lost(struct dsv *d, const struct part *part, bool ask)
{
	if (part->stored)
		return false;
	if (!part->known)
		return true;
	if (part->capture.shared || !strcmp(part->host, d->process.host))
		return !capture_is_here(&part->capture);
	return ask && node_is_down(part->host);
}

/* Returns whether an earlier one is of the same host: it is asked once. */
static bool is_asked(const struct parts *p, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++) {
		if (!p->items[k].stored &&
		    !strcmp(p->items[k].host, p->items[i].host))
			return true;
	}
	return false;
}

bool parts_lost(struct dsv *d, const struct parts *p, bool ask)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		if (part_is_lost(d, &p->items[i], ask && !is_asked(p, i)))
			return true;
	}
	return false;
}

bool parts_concern(struct dsv *d, const struct parts *p)
{
	size_t i;

	for (i = 0; i < p->count; i++) {
		if (!strcmp(p->items[i].host, d->process.host))
			return true;
	}
	return false;
}

int parts_failed(struct dsv *d, const struct parts *p, char **why,
		 struct dsv_err *err)
{
	struct group g = parts_group(d, p, 0);
	json_t *json = NULL;
	const char *text;
	int ret = p->dir ? group_file_read(&g, "failed", &json, err) : 0;

	if (ret > 0) {
		text = json_text(json, "message");
		*why = strdup(text ? text : "unknown");
		if (!*why)
			ret = dsv_fail_nomem(err);
	}
	json_decref(json);
	return ret;
}

/* ---- Groups, one after the other ----------------------------------------- */

typedef int each_group(struct dsv *d, const unsigned char capture[HASH_BYTES],
		       const struct parts *p, void *arg);

/* Until each returns something else than 0, which is returned. */
static int for_each(struct dsv *d, each_group *each, void *arg)
{
	char *intake = repo_path(d, DIR_INTAKE);
	DIR *dir = intake ? opendir(intake) : NULL;
	unsigned char capture[HASH_BYTES];
	struct dirent *e;
	int ret = 0;

	while (dir && ret == 0 && (e = readdir(dir)) != NULL) {
		const char *hex = e->d_name + strlen(PREFIX);
		struct parts p = { .count = 0 };

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    !hash_from_hex(hex, capture) ||
		    find_group(d, e->d_name, &p, NULL) <= 0)
			continue;
		ret = each(d, capture, &p, arg);
		parts_release(&p);
	}
	if (dir)
		closedir(dir);
	free(intake);
	return ret;
}

struct wanted {
	const unsigned char *id;
	bool waiting;
	struct dsv_err *err;
};

static int is_wanted(struct dsv *d, const unsigned char capture[HASH_BYTES],
		     const struct parts *p, void *arg)
{
	const struct wanted *w = arg;
	size_t i;

	for (i = 0; i < p->count; i++) {
		if (!memcmp(p->items[i].capture.id, w->id, HASH_BYTES))
			return catalog_has_capture(d->catalog, capture,
						   w->waiting, w->err);
	}
	return 0;
}

int parts_wanted(struct dsv *d, const unsigned char id[HASH_BYTES],
		 bool waiting, struct dsv_err *err)
{
	struct wanted w = { id, waiting, err };
	int ret = catalog_has_capture(d->catalog, id, waiting, err);

	return ret != 0 ? ret : for_each(d, is_wanted, &w);
}

static bool is_older(const char *path, int64_t before_ns)
{
	struct stat st;

	return stat(path, &st) == 0 && stat_mtime_ns(&st) < before_ns;
}

/* The last host to come removes the group. */
static int tidy_group(struct dsv *d, const unsigned char capture[HASH_BYTES],
		      const struct parts *p, void *arg)
{
	const int64_t *before_ns = arg;
	bool left = false;
	size_t i;

	if (catalog_has_capture(d->catalog, capture, true, NULL) != 0)
		return 0;
	if (catalog_has_capture(d->catalog, capture, false, NULL) == 1) {
		for (i = 0; i < p->count; i++) {
			const struct part *part = &p->items[i];

			if (!part->known)
				continue;
			if ((!part->capture.shared &&
			     strcmp(part->host, d->process.host) != 0) ||
			    capture_remove(d, &part->capture, NULL) < 0)
				left = true;
		}
		if (!left)
			fs_remove_tree(p->dir, NULL);
	} else if (is_older(p->dir, *before_ns)) {
		/* No state came of it, or it was pruned. */
		fs_remove_tree(p->dir, NULL);
	}
	return 0;
}

void parts_tidy(struct dsv *d, int64_t before_ns)
{
	for_each(d, tidy_group, &before_ns);
}
