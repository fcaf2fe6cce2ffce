/* SPDX-License-Identifier: MIT */
/*
 * Captures: files that are safe from their writer but not yet in the store.
 * A capture is a directory, <dir>/files/..., in the queue of the repository
 * or in the node-local tier (core.localTier), and an entry that says where:
 *
 *	.dsv/queue/<host>/<capture>.json
 */
#ifndef DSV_PENDING_CAPTURE_H
#define DSV_PENDING_CAPTURE_H

#include "../base/hash.h"
#include "../files/tree.h"
#include "../repo/repo.h"

struct capture {
	unsigned char id[HASH_BYTES];	/* random */
	char *dir;
	char *host;
	bool shared;		/* every host can reach it */
	bool moved;		/* its files may be the only copies */
	bool stale;		/* not synced, and the node was booted */
};

void capture_release(struct capture *c);

/*
 * core.localTier with %u user, %h host, %j job; the caller's to free().
 * NULL: none is configured.
 */
char *capture_tier(struct dsv *d);

/*
 * Capture the files of a tree: cloned where the file system can; else, when
 * move, moved (only what is durable, has one link and no writer); else
 * copied.  The entry is there when it returns.
 */
int capture_make(struct dsv *d, const struct tree *tree, bool move,
		 struct capture *out, struct dsv_err *err);

/* Give moved files back and forget the rest: no state came of it. */
void capture_undo(struct dsv *d, const struct tree *tree,
		  const struct capture *c);

/* ---- capture_entry.c ---------------------------------------------------- */

/* Returns where a capture lies in the repository. */
char *capture_shared_dir(struct dsv *d, const char *host,
			 const unsigned char id[HASH_BYTES]);
/* Makes its entry; move: its files are to be moved. */
int capture_write(struct dsv *d, const struct capture *c, bool move,
		  struct dsv_err *err);

/* The entry of a capture that this host or (any) another made. */
int capture_find(struct dsv *d, const unsigned char id[HASH_BYTES],
		 struct capture *out, struct dsv_err *err);

/* Finds that of a host.  DSV_ENOTFOUND: it has none any more. */
int capture_read(struct dsv *d, const char *host,
		 const unsigned char id[HASH_BYTES], struct capture *out,
		 struct dsv_err *err);

/* Returns whether its files can be read here. */
bool capture_is_here(const struct capture *c);

/* The bytes are in the store: away with it. */
int capture_remove(struct dsv *d, const struct capture *c,
		   struct dsv_err *err);

/* ---- capture_keep.c ----------------------------------------------------- */

/* The files of a capture and their names, to the disk. */
int capture_sync(struct dsv *d, const struct capture *c, struct dsv_err *err);
/*
 * Remove what commands of this host that were killed before before_ns have
 * captured, but never what was moved.
 */
void capture_sweep(struct dsv *d, int64_t before_ns);

#endif
