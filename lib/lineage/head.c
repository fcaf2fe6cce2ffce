/* SPDX-License-Identifier: MIT */
/*
 * What is kept of each user: HEAD, and which state a directory was filled
 * from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/hash.h"
#include "../base/str.h"
#include "repo.h"
#include "rev.h"

static char *head_path(struct dsv *d)
{
	return repo_path(d, "heads/%lu", (unsigned long)geteuid());
}

/* The user's branch outside of jobs; "main" until a switch. */
static int read_head(struct dsv *d, char **out, struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *path = head_path(d);
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, 4096, &text, err);
	free(path);
	if (ret == DSV_ENOTFOUND) {
		str_clear(&text);
		str_puts(&text, "main");
		ret = 0;
	}
	if (ret == 0) {
		if (text.len > 0 && text.data[text.len - 1] == '\n')
			text.data[--text.len] = '\0';
		*out = str_take(&text);
		if (!*out)
			ret = dsv_fail_nomem(err);
	}
	str_release(&text);
	return ret;
}

int repo_branch(struct dsv *d, char **out, struct dsv_err *err)
{
	const struct place *p = &d->place;
	const char *given = d->branch ? d->branch : p->branch;
	int ret;

	if (given) {
		ret = name_check(given, "branch", err);
		if (ret < 0)
			return ret;
		*out = strdup(given);
	} else if (p->array_job) {
		*out = str_format("job-%s.%s", p->array_job, p->array_task);
	} else if (p->job_number) {
		*out = str_format("job-%s", p->job_number);
	} else {
		return read_head(d, out, err);
	}
	return *out ? 0 : dsv_fail_nomem(err);
}

int dsv_branch_current(struct dsv *d, char **out, struct dsv_err *err)
{
	return repo_branch(d, out, err);
}

int dsv_switch(struct dsv *d, const char *name, bool create,
	       struct dsv_err *err)
{
	char *text = NULL;
	char *path = NULL;
	int64_t head;
	int ret;

	ret = name_check(name, "branch", err);
	if (ret < 0)
		return ret;
	if (create)
		ret = catalog_branch_set(d->catalog, name, 0, false, err);
	else
		ret = catalog_branch_head(d->catalog, name, &head, err);
	/* As git after init: the branch to be may have no state yet. */
	if (ret == DSV_ENOTFOUND && !strcmp(name, "main"))
		ret = 0;
	if (ret < 0)
		return ret;
	text = str_format("%s\n", name);
	path = head_path(d);
	ret = text && path ? fs_replace(path, text, strlen(text), d->file_mode,
					err) : dsv_fail_nomem(err);
	free(text);
	free(path);
	return ret;
}

/* Where what is known of dir is kept; NULL when it cannot be. */
static char *memory_path(struct dsv *d, const char *dir, char **real,
			 struct stat *st)
{
	unsigned char hash[HASH_BYTES];
	char hex[HASH_HEX_SIZE];

	*real = realpath(dir, NULL);
	if (!*real || stat(*real, st) < 0 ||
	    !hash_bytes(*real, strlen(*real), hash))
		return NULL;
	hash_to_hex(hash, hex);
	return repo_path(d, "heads/%lu.dirs/%.32s",
			 (unsigned long)geteuid(), hex);
}

/*
 * The inode tells a directory from another one that has its path later, or
 * on another node.
 */
void repo_remember(struct dsv *d, const char *dir, const char *id)
{
	char *real = NULL;
	struct stat st;
	char *path = memory_path(d, dir, &real, &st);
	char *parent = repo_path(d, "heads/%lu.dirs", (unsigned long)geteuid());
	char *text = NULL;

	if (path && parent && access(d->path, W_OK) == 0 &&
	    fs_make_dirs(parent, d->dir_mode, NULL) == 0)
		text = str_format("%s %llu %s\n", id,
				  (unsigned long long)st.st_ino, real);
	if (text)
		fs_replace(path, text, strlen(text), d->file_mode, NULL);
	free(text);
	free(parent);
	free(path);
	free(real);
}

bool repo_recall(struct dsv *d, const char *dir, char id[DSV_ID_SIZE])
{
	char *real = NULL;
	struct stat st;
	char *path = memory_path(d, dir, &real, &st);
	struct str text = STR_INIT;
	unsigned char hash[HASH_BYTES];
	unsigned long long inode;
	char found[DSV_ID_SIZE];
	bool ok;

	ok = path && fs_read(path, 1 << 16, &text, NULL) == 0 &&
	     sscanf(str_text(&text), "%64[0-9a-f] %llu", found, &inode) == 2 &&
	     inode == st.st_ino && hash_from_hex(found, hash);
	if (ok)
		memcpy(id, found, DSV_ID_SIZE);
	str_release(&text);
	free(path);
	free(real);
	return ok;
}
