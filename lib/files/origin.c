/* SPDX-License-Identifier: MIT */
#include "origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/str.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "files.h"

void origin_release(struct origin *o)
{
	free(o->dir);
	free(o->path);
	memset(o, 0, sizeof(*o));
}

/* Holds notes on which states this user's directories were filled from. */
static char *notes_dir(struct dsv *d)
{
	return repo_path(d, DIR_HEADS "/%lu.dirs", (unsigned long)geteuid());
}

/* Returns a path named after the directory's path, or NULL on failure. */
static char *note_path(struct dsv *d, const char *dir)
{
	unsigned char hash[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	char *notes, *path;

	if (!hash_bytes(dir, strlen(dir), hash))
		return NULL;
	hash_to_hex(hash, hex);
	notes = notes_dir(d);
	path = notes ? str_format("%s/%.32s", notes, hex) : NULL;
	free(notes);
	return path;
}

/*
 * Distinguishes a directory from another one that has its path later, or on
 * another node.  Inode numbers are reused at once, so we take its birth, too.
 */
static bool dir_mark(const char *dir, uint64_t *inode, int64_t *born_ns)
{
	struct statx st;

	if (statx(AT_FDCWD, dir, 0, STATX_INO | STATX_BTIME, &st) < 0)
		return false;
	*inode = st.stx_ino;
	*born_ns = st.stx_mask & STATX_BTIME ?
		st.stx_btime.tv_sec * NS_PER_S + st.stx_btime.tv_nsec : 0;
	return true;
}

/* dir is a real path. */
static void note(struct dsv *d, const char *dir, const char *filled_from,
		 const char *id)
{
	char *path = note_path(d, dir);
	char *parent = notes_dir(d);
	uint64_t inode;
	int64_t born_ns;
	char *text = NULL;

	if (path && parent && dir_mark(dir, &inode, &born_ns) &&
	    access(d->path, W_OK) == 0 &&
	    fs_make_dirs(parent, d->dir_mode, NULL) == 0)
		text = str_format("%s %s %" PRIu64 " %" PRId64 " %s\n", id,
				  filled_from, inode, born_ns, dir);
	if (text)
		repo_replace(d, path, text, NULL);
	free(text);
	free(parent);
	free(path);
}

void origin_note(struct dsv *d, const char *dir, const char *id)
{
	char *real = realpath(dir, NULL);

	if (real)
		note(d, real, id, id);
	free(real);
}

static bool read_note(struct dsv *d, const char *dir, struct origin *out)
{
	char *path = note_path(d, dir);
	struct str text = STR_INIT;
	unsigned char hash[HASH_BYTES];
	uint64_t inode, inode_now;
	int64_t born_ns, born_ns_now;
	bool ok;

	ok = path && fs_read(path, 1 << 16, &text, NULL) == 0 &&
	     sscanf(str_text(&text), "%64[0-9a-f] %64[0-9a-f] %" SCNu64
		    " %" SCNd64, out->id, out->filled_from, &inode,
		    &born_ns) == 4 &&
	     dir_mark(dir, &inode_now, &born_ns_now) && inode == inode_now &&
	     born_ns == born_ns_now && hash_from_hex(out->id, hash) &&
	     hash_from_hex(out->filled_from, hash);
	str_release(&text);
	free(path);
	return ok;
}

bool origin_find(struct dsv *d, const char *path, struct origin *out)
{
	char *real = realpath(path, NULL);
	char *end;
	bool found = false;

	memset(out, 0, sizeof(*out));
	if (!real)
		return false;
	out->dir = strdup(real);
	for (end = out->dir ? out->dir + strlen(out->dir) : NULL; end && !found;
	     end = strrchr(out->dir, '/')) {
		*end = '\0';
		found = read_note(d, *out->dir ? out->dir : "/", out);
		if (found) {
			const char *below = real + strlen(out->dir);

			out->path = strdup(below + (*below == '/'));
			break;
		}
	}
	free(real);
	return found && out->path;
}

/* Returns whether a is b or above it. */
static bool holds(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len == 0 || (!strncmp(a, b, len) && (!b[len] || b[len] == '/'));
}

bool origin_covers(struct dsv *d, const struct origin *o)
{
	struct manifest m = MANIFEST_INIT;
	bool covers = *o->path == '\0';
	int64_t seq;
	size_t i;

	if (covers)
		return true;
	/* If it can no longer be determined, we assume the worst. */
	if (rev_resolve(d, o->filled_from, &seq, NULL) < 0 ||
	    files_of(d, seq, &m, NULL) < 0)
		return true;
	for (i = 0; i < m.count && !covers; i++)
		covers = holds(o->path, m.entries[i].path) ||
			 holds(m.entries[i].path, o->path);
	manifest_release(&m);
	return covers;
}

void origin_tagged(struct dsv *d, const struct origin *o, const char *id)
{
	note(d, *o->dir ? o->dir : "/", o->filled_from, id);
}
