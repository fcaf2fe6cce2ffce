/* SPDX-License-Identifier: MIT */
#include "statcache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../base/str.h"
#include "../os/fs.h"

static const char magic[4] = { 'D', 'S', 'V', 'C' };

#define VERSION 2	/* 1 included files being written */
#define HEADER_BYTES 9		/* magic, version, count */
#define ENTRY_BYTES 80
#define ENTRIES_AT_MOST 65536
#define LIMIT_BYTES (ENTRIES_AT_MOST * ENTRY_BYTES + HEADER_BYTES + HASH_BYTES)

/*
 * Times without a fraction come from a file system that counts in seconds, or
 * in steps of two.
 */
#define COARSE_NS (3 * NS_PER_S)

struct entry {
	uint64_t dev;
	uint64_t ino;
	int64_t size_bytes;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t used_ns;
	unsigned char recipe[HASH_BYTES];
};

struct statcache {
	char *path;
	struct entry *entries;
	size_t sorted;		/* from the file, by device and inode */
	size_t count;
	bool changed;
};

static void fill(struct entry *e, const struct stat *st)
{
	memset(e, 0, sizeof(*e));
	e->dev = (uint64_t)st->st_dev;
	e->ino = (uint64_t)st->st_ino;
	e->size_bytes = st->st_size;
	e->mtime_ns = stat_mtime_ns(st);
	e->ctime_ns = timespec_ns(&st->st_ctim);
}

static int by_file(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;

	if (left->dev != right->dev)
		return left->dev < right->dev ? -1 : 1;
	return (left->ino > right->ino) - (left->ino < right->ino);
}

/* Orders the most recently used first. */
static int by_use(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;

	return (left->used_ns < right->used_ns) -
	       (left->used_ns > right->used_ns);
}

/* ---- The file ---------------------------------------------------------- */

static int decode(struct statcache *c, const struct str *s)
{
	const unsigned char *p = (const unsigned char *)s->data;
	unsigned char hash[HASH_BYTES];
	size_t i, count;

	if (s->len < HEADER_BYTES + HASH_BYTES ||
	    memcmp(p, magic, sizeof(magic)) || p[4] != VERSION)
		return 0;
	count = get_u32(p + 5);
	if (count > ENTRIES_AT_MOST ||
	    s->len != HEADER_BYTES + count * ENTRY_BYTES + HASH_BYTES ||
	    !hash_bytes(p, s->len - HASH_BYTES, hash) ||
	    memcmp(hash, p + s->len - HASH_BYTES, HASH_BYTES))
		return 0;
	for (i = 0; i < count; i++) {
		const unsigned char *q = p + HEADER_BYTES + i * ENTRY_BYTES;
		struct entry *e;

		if (list_grow((void **)&c->entries, i, sizeof(*e), NULL) < 0)
			return -1;
		e = &c->entries[i];
		e->dev = get_u64(q);
		e->ino = get_u64(q + 8);
		e->size_bytes = (int64_t)get_u64(q + 16);
		e->mtime_ns = (int64_t)get_u64(q + 24);
		e->ctime_ns = (int64_t)get_u64(q + 32);
		e->used_ns = (int64_t)get_u64(q + 40);
		memcpy(e->recipe, q + 48, HASH_BYTES);
	}
	if (count)
		qsort(c->entries, count, sizeof(*c->entries), by_file);
	c->sorted = c->count = count;
	return 0;
}

/*
 * Returns whether the file is ours: one that another user wrote could make us
 * record the wrong bytes.
 */
static bool is_ours(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid();
}

int statcache_open(const char *path, struct statcache **out,
		   struct dsv_err *err)
{
	struct statcache *c = calloc(1, sizeof(*c));
	struct str text = STR_INIT;
	int ret = 0;

	if (!c)
		return dsv_fail_nomem(err);
	c->path = strdup(path);
	if (!c->path)
		ret = dsv_fail_nomem(err);
	else if (is_ours(path) &&
		 fs_read(path, LIMIT_BYTES, &text, NULL) == 0 &&
		 decode(c, &text) < 0)
		ret = dsv_fail_nomem(err);
	str_release(&text);
	if (ret < 0) {
		statcache_close(c);
		return ret;
	}
	*out = c;
	return 0;
}

void statcache_close(struct statcache *c)
{
	if (!c)
		return;
	free(c->entries);
	free(c->path);
	free(c);
}

/* Sorts by use, and keeps the newest entry of each file and not too many. */
static void settle(struct statcache *c)
{
	size_t i, kept = 0;

	qsort(c->entries, c->count, sizeof(*c->entries), by_use);
	if (c->count > ENTRIES_AT_MOST)
		c->count = ENTRIES_AT_MOST;
	qsort(c->entries, c->count, sizeof(*c->entries), by_file);
	for (i = 0; i < c->count; i++) {
		if (kept > 0 && !by_file(&c->entries[kept - 1],
					 &c->entries[i])) {
			if (c->entries[i].used_ns >
			    c->entries[kept - 1].used_ns)
				c->entries[kept - 1] = c->entries[i];
		} else {
			c->entries[kept++] = c->entries[i];
		}
	}
	c->sorted = c->count = kept;
}

static int encode(const struct statcache *c, struct str *out,
		  struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	size_t i;

	str_add(out, magic, sizeof(magic));
	str_u8(out, VERSION);
	str_u32(out, (uint32_t)c->count);
	for (i = 0; i < c->count; i++) {
		const struct entry *e = &c->entries[i];

		str_u64(out, e->dev);
		str_u64(out, e->ino);
		str_u64(out, (uint64_t)e->size_bytes);
		str_u64(out, (uint64_t)e->mtime_ns);
		str_u64(out, (uint64_t)e->ctime_ns);
		str_u64(out, (uint64_t)e->used_ns);
		str_add(out, e->recipe, HASH_BYTES);
	}
	if (str_failed(out) || !hash_bytes(out->data, out->len, hash))
		return dsv_fail_nomem(err);
	str_add(out, hash, HASH_BYTES);
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

/*
 * Replaces the file without a sync: its hash shows if it is torn, which costs
 * time only.
 */
static int replace(const struct statcache *c, const struct str *text,
		   mode_t mode, struct dsv_err *err)
{
	char *tmp = str_format("%s.XXXXXX", c->path);
	int ret = 0;
	int fd;

	if (!tmp)
		return dsv_fail_nomem(err);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		ret = dsv_fail_errno(err, "create '%s'", tmp);
		free(tmp);
		return ret;
	}
	if (fchmod(fd, mode) < 0 || write_all(fd, text->data, text->len) < 0)
		ret = dsv_fail_errno(err, "write '%s'", tmp);
	if (close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "close '%s'", tmp);
	if (ret == 0 && rename(tmp, c->path) < 0)
		ret = dsv_fail_errno(err, "replace '%s'", c->path);
	if (ret < 0)
		unlink(tmp);
	free(tmp);
	return ret;
}

int statcache_save(struct statcache *c, mode_t mode, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret;

	if (!c->changed)
		return 0;
	settle(c);
	ret = encode(c, &text, err);
	if (ret == 0)
		ret = replace(c, &text, mode, err);
	if (ret == 0)
		c->changed = false;
	str_release(&text);
	return ret;
}

/* ---- Entries ----------------------------------------------------------- */

bool statcache_get(struct statcache *c, const struct stat *st,
		   unsigned char recipe[HASH_BYTES])
{
	struct entry key, *e;

	if (c->sorted == 0)
		return false;
	fill(&key, st);
	e = bsearch(&key, c->entries, c->sorted, sizeof(key), by_file);
	if (!e || e->size_bytes != key.size_bytes ||
	    e->mtime_ns != key.mtime_ns || e->ctime_ns != key.ctime_ns)
		return false;
	memcpy(recipe, e->recipe, HASH_BYTES);
	/* This keeps it long enough; not every use is worth a write. */
	e->used_ns = now_ns();
	return true;
}

/* It goes by the time of change, which nobody can set. */
int64_t statcache_too_young_ns(const struct stat *st, int64_t seen_ns,
			       int64_t slack_ns)
{
	bool coarse = !st->st_mtim.tv_nsec && !st->st_ctim.tv_nsec;

	if (coarse && slack_ns < COARSE_NS)
		slack_ns = COARSE_NS;
	return timespec_ns(&st->st_ctim) + slack_ns - seen_ns;
}

int statcache_put(struct statcache *c, const struct stat *st, int64_t seen_ns,
		  int64_t slack_ns, const unsigned char recipe[HASH_BYTES],
		  struct dsv_err *err)
{
	struct entry e;
	int ret;

	if (statcache_too_young_ns(st, seen_ns, slack_ns) >= 0)
		return 0;
	fill(&e, st);
	e.used_ns = now_ns();
	memcpy(e.recipe, recipe, HASH_BYTES);
	ret = list_grow((void **)&c->entries, c->count, sizeof(e), err);
	if (ret < 0)
		return ret;
	c->entries[c->count++] = e;
	c->changed = true;
	return 0;
}
