/* SPDX-License-Identifier: MIT */
#include "side.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../files/files.h"
#include "../files/tree.h"
#include "../os/fs.h"

enum { BLOCK_BYTES = 256 << 10 };

/* ---- Which files ---- */

void side_release(struct side *s)
{
	manifest_release(&s->files);
}

int side_load_state(struct side *s, int64_t seq, struct globs *globs,
		    struct dsv_err *err)
{
	int ret = files_of(s->d, seq, &s->files, err);

	if (ret == 0)
		files_select(&s->files, globs);
	return ret;
}

static int by_path(const void *a, const void *b)
{
	const struct manifest_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int add_file(struct manifest *m, const struct tree_file *file,
		    struct dsv_err *err)
{
	struct manifest_entry entry = {
		.type = file->type, .executable = file->executable,
		.size_bytes = file->size_bytes, .part = -1,
		.path = strdup(file->path),
		.target = file->target ? strdup(file->target) : NULL,
	};

	return manifest_add(m, &entry, err);
}

int side_load_dir(struct side *s, const char *dir, struct globs *globs,
		  struct dsv_err *err)
{
	char *contents = str_format("%s/.", dir);
	const char *items[] = { contents };
	const struct dsv_strings walked = { 1, items }, none = { 0, NULL };
	struct tree tree = TREE_INIT;
	size_t i;
	int ret;

	if (!contents)
		return dsv_fail_nomem(err);
	ret = repo_check_outside(s->d, dir, DSV_EUSAGE, err);
	if (ret == 0)
		ret = tree_walk(s->d, &walked, &none, TREE_QUIET, &tree,
				err);
	for (i = 0; ret == 0 && i < tree.count; i++)
		ret = add_file(&s->files, &tree.files[i], err);
	if (ret == 0)
		files_select(&s->files, globs);
	if (ret == 0 && s->files.count > 1)
		qsort(s->files.entries, s->files.count,
		      sizeof(*s->files.entries), by_path);
	if (ret < 0)
		manifest_release(&s->files);
	s->dir = dir;
	tree_release(&tree);
	free(contents);
	return ret;
}

/* ---- Their bytes ---- */

static int open_on_disk(struct side_file *f, struct dsv_err *err)
{
	char *path = str_format("%s/%s", f->side->dir, f->path);
	int ret = 0;

	if (!path)
		return dsv_fail_nomem(err);
	f->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (f->fd < 0)
		ret = dsv_fail_errno(err, "open '%s'", path);
	free(path);
	return ret;
}

int side_open(const struct side *s, const struct manifest_entry *entry,
	      struct side_file *out, struct dsv_err *err)
{
	struct side_file f = SIDE_FILE_INIT;
	int ret;

	f.side = s;
	f.path = entry->path;
	f.size_bytes = entry->size_bytes;
	ret = s->dir ? open_on_disk(&f, err) :
		reader_open(s->d->store, entry->recipe, entry->size_bytes,
			    &f.stored, err);
	if (ret < 0) {
		side_close(&f);
		return dsv_fail_in(err, ret, "'%s'", entry->path);
	}
	*out = f;
	return 0;
}

void side_close(struct side_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	reader_close(&f->stored);
}

int side_read(void *arg, void *buf, size_t len, int64_t offset,
	      struct dsv_err *err)
{
	struct side_file *f = arg;
	ssize_t n;

	if (offset < 0 || (uint64_t)len > INT64_MAX ||
	    offset > f->size_bytes - (int64_t)len)
		return dsv_fail(err, DSV_EUSAGE, "past the end of the file");
	if (len == 0)
		return 0;
	if (f->fd < 0)
		return reader_read(&f->stored, buf, len, offset, err);
	n = pread_full(f->fd, buf, len, offset);
	if (n < 0)
		return dsv_fail_errno(err, "read '%s/%s'", f->side->dir,
				      f->path);
	if ((size_t)n < len)
		return dsv_fail(err, DSV_ESYS, "'%s/%s' became shorter while"
				" it was read", f->side->dir, f->path);
	return 0;
}

/* ---- Equal without reading ---- */

int64_t side_run(const struct side_file *a, int64_t offset_a,
		 const struct side_file *b, int64_t offset_b, int64_t len,
		 bool *equal)
{
	struct recipe_piece x, y;

	*equal = false;
	if (a->fd >= 0 || b->fd >= 0 ||
	    !recipe_at(&a->stored.recipe, offset_a, &x) ||
	    !recipe_at(&b->stored.recipe, offset_b, &y))
		return len;
	if (x.chunk && y.chunk)
		*equal = x.chunk_offset == y.chunk_offset &&
			 !memcmp(x.chunk, y.chunk, HASH_BYTES);
	else
		*equal = !x.chunk && !y.chunk;
	if (len > x.length)
		len = x.length;
	return len > y.length ? y.length : len;
}

int side_same_bytes(struct side_file *a, struct side_file *b, bool *same,
		    struct dsv_err *err)
{
	char *x = malloc(BLOCK_BYTES);
	char *y = malloc(BLOCK_BYTES);
	bool equal = a->size_bytes == b->size_bytes;
	int64_t offset, n;
	int ret = x && y ? 0 : dsv_fail_nomem(err);

	for (offset = 0; ret == 0 && equal && offset < a->size_bytes;
	     offset += n) {
		n = side_run(a, offset, b, offset, a->size_bytes - offset,
			     &equal);
		if (equal)
			continue;
		if (n > BLOCK_BYTES)
			n = BLOCK_BYTES;
		ret = repo_poll(a->side->d, err);
		if (ret == 0)
			ret = side_read(a, x, (size_t)n, offset, err);
		if (ret == 0)
			ret = side_read(b, y, (size_t)n, offset, err);
		equal = ret == 0 && !memcmp(x, y, (size_t)n);
	}
	free(x);
	free(y);
	if (ret == 0)
		*same = equal;
	return ret;
}
