/* SPDX-License-Identifier: MIT */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "capture_file.h"

void capture_release(struct capture *c)
{
	free(c->dir);
	free(c->host);
	memset(c, 0, sizeof(*c));
}

char *capture_tier(struct dsv *d)
{
	const char *p = config_get(&d->config, "core.localtier");
	struct str out = STR_INIT;

	if (!p || !*p)
		return NULL;
	for (; *p; p++) {
		if (*p != '%' || !p[1]) {
			str_putc(&out, *p);
			continue;
		}
		switch (*++p) {
		case 'u':
			str_puts(&out, d->process.author);
			break;
		case 'h':
			str_puts(&out, d->process.host);
			break;
		case 'j':
			str_puts(&out, d->process.job_number ?
				 d->process.job_number : "nojob");
			break;
		default:
			str_putc(&out, *p);
		}
	}
	return str_take(&out);
}

static int capture_entry(const struct tree_file *file,
			 const struct capturing *m, struct dsv_err *err)
{
	char *to = str_format("%s/%s", m->root, file->path);
	char *parent = to ? strndup(to, (size_t)(strrchr(to, '/') - to)) :
		NULL;
	int ret;

	ret = parent ? fs_make_dirs(file->type == DSV_DIR ? to : parent,
				    m->dir_mode, err) : dsv_fail_nomem(err);
	if (ret == 0 && file->type == DSV_FILE)
		ret = capture_file(file, to, m, err);
	if (ret == 0 && file->type == DSV_LINK &&
	    symlink(file->target, to) < 0)
		ret = dsv_fail_errno(err, "make link '%s'", to);
	free(parent);
	free(to);
	return ret;
}

/* Tries with the first file whether the tree can be cloned into dir. */
static bool can_clone(const struct tree *tree, const char *dir)
{
	char *probe = str_format("%s/probe", dir);
	bool ok = false;
	size_t i;
	int from, to;

	for (i = 0; i < tree->count && tree->files[i].type != DSV_FILE; i++)
		;
	if (probe && i < tree->count) {
		from = open(tree->files[i].source, O_RDONLY | O_CLOEXEC);
		to = open(probe, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			  0600);
		ok = from >= 0 && to >= 0 && fs_clone(from, to) == 0;
		if (from >= 0)
			close(from);
		if (to >= 0)
			close(to);
		unlink(probe);
	}
	free(probe);
	return ok;
}

static bool same_device(const struct tree *tree, const char *dir)
{
	struct stat a, b;

	return tree->count > 0 && stat(dir, &a) == 0 &&
	       stat(tree->files[0].source, &b) == 0 && a.st_dev == b.st_dev;
}

/* A tier that the copy would fill is passed over: its space is bounded. */
static bool has_room(const struct tree *tree, const char *dir)
{
	struct statvfs st;

	return statvfs(dir, &st) == 0 &&
	       (double)st.f_bavail * (double)st.f_frsize >
	       1.05 * (double)tree->size_bytes;
}

/*
 * Where: in the queue of the repository if that costs no copy, else in the
 * node-local tier if there is one.
 */
static int choose_dir(struct dsv *d, const struct tree *tree, bool move,
		      struct capture *c, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	char *tier = capture_tier(d);
	char *host = repo_path(d, DIR_QUEUE "/%s", d->process.host);
	char *queue, *local = NULL;
	int ret;

	hash_to_hex(c->id, hex);
	queue = capture_shared_dir(d, d->process.host, c->id);
	if (tier)
		local = str_format("%s/dsv-%.32s", tier, hex);
	ret = !host || !queue || (tier && !local) ? dsv_fail_nomem(err) :
		fs_make_own_dirs(host, d->dir_mode, err);
	if (ret == 0)
		ret = fs_make_own_dirs(queue, d->dir_mode ? d->dir_mode : 0700,
				       err);
	if (ret < 0)
		goto out;
	c->shared = true;
	if (local && !can_clone(tree, queue) &&
	    !(move && same_device(tree, queue)) &&
	    fs_make_dirs(local, 0700, NULL) == 0) {
		if (has_room(tree, local)) {
			c->shared = false;
			rmdir(queue);
		} else {
			repo_warn(d, "no room in the local tier '%s': copying"
				  " into the repository", tier);
			rmdir(local);
		}
	}
	c->dir = c->shared ? queue : local;
	if (c->shared)
		queue = NULL;
	else
		local = NULL;
out:
	free(tier);
	free(host);
	free(queue);
	free(local);
	return ret;
}

void capture_undo(struct dsv *d, const struct tree *tree,
		  const struct capture *c)
{
	bool all = true;
	size_t i;

	for (i = 0; i < tree->count; i++) {
		const struct tree_file *file = &tree->files[i];
		char *from = str_format("%s/files/%s", c->dir, file->path);

		if (!from || (access(file->source, F_OK) < 0 &&
			      rename(from, file->source) < 0))
			all = false;
		free(from);
	}
	if (all)
		capture_remove(d, c, NULL);
	else
		repo_warn(d, "files that were moved could not be moved back:"
			  " they are in '%s/files'", c->dir);
}

static int make_root(struct dsv *d, const struct capture *c,
		     struct capturing *m, struct dsv_err *err)
{
	struct stat st;
	int ret;

	m->dir_mode = 0700;
	m->root = str_format("%s/files", c->dir);
	if (c->shared && d->shared) {
		m->file_mode = d->file_mode;
		m->dir_mode = d->dir_mode;
	}
	ret = m->root ? fs_make_dirs(m->root, m->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0 && stat(m->root, &st) < 0)
		ret = dsv_fail_errno(err, "'%s'", m->root);
	m->gid = ret == 0 ? st.st_gid : 0;
	return ret;
}

int capture_make(struct dsv *d, const struct tree *tree, bool move,
		 struct capture *out, struct dsv_err *err)
{
	struct capture c = { .dir = NULL };
	struct capturing m = { .move = move };
	size_t i;
	int ret;

	if (!random_bytes(c.id, sizeof(c.id)))
		return dsv_fail_errno(err, "get random bytes");
	c.host = strdup(d->process.host);
	ret = c.host ? choose_dir(d, tree, move, &c, err) :
		dsv_fail_nomem(err);
	if (ret == 0)
		ret = make_root(d, &c, &m, err);
	m.move = move && ret == 0 && !can_clone(tree, m.root);
	/* The entry first: what is moved must be found again. */
	if (ret == 0)
		ret = capture_write(d, &c, move, err);
	for (i = 0; ret == 0 && i < tree->count; i++)
		ret = capture_entry(&tree->files[i], &m, err);
	free(m.root);
	if (ret == 0 && c.shared)
		ret = capture_sync(d, &c, err);
	if (ret < 0 && c.dir)
		capture_undo(d, tree, &c);
	if (ret < 0)
		capture_release(&c);
	else
		*out = c;
	return ret;
}
