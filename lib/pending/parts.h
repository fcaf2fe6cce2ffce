/* SPDX-License-Identifier: MIT */
/*
 * The captures of a pending state: the one that bears its name, or, after an
 * asynchronous collective tag, one of each rank.  Then there is a directory
 *
 *	intake/async-<capture of the state>/
 *		group		whose captures they are: host and id by rank
 *		<rank>		what the store has of a rank: its manifest, ...
 *		failed		why no content comes of it
 *
 * Each host stores its own; whoever sees that all are stored binds the state
 * to its content.  Captures stay until then, so that all can be done again.
 */
#ifndef DSV_PENDING_PARTS_H
#define DSV_PENDING_PARTS_H

#include "../group/group.h"
#include "capture.h"

struct part {
	bool known;		/* has an entry in the queue */
	bool stored;		/* by itself: the whole state is not yet */
	char *host;
	struct capture capture;	/* if known */
};

struct parts {
	char *dir;		/* of the group; NULL: the state of one */
	bool replicated;
	size_t count;
	struct part *items;	/* by rank */
};

/* DSV_ENOTFOUND: nothing is known of it. */
int parts_find(struct dsv *d, const unsigned char capture[HASH_BYTES],
	       struct parts *out, struct dsv_err *err);
void parts_release(struct parts *p);

/*
 * Note whose captures make a state, durably; fills in capture, which follows
 * from them.  group is {"replicated": ..., "parts": [[host, id], ...]}.
 */
int parts_note(struct dsv *d, const json_t *group,
	       unsigned char capture[HASH_BYTES], struct dsv_err *err);

/* As a group whose parts lie in its directory; borrows from p. */
struct group parts_group(struct dsv *d, const struct parts *p, size_t rank);

/* Returns whether this host can store it. */
bool part_is_here(const struct part *part);
/* Returns whether the only copy is gone; ask: Slurm, about other nodes. */
bool parts_lost(struct dsv *d, const struct parts *p, bool ask);
/* Returns whether this host has captured one of them. */
bool parts_concern(struct dsv *d, const struct parts *p);
/* 1: why there will be no content, the caller's. */
int parts_failed(struct dsv *d, const struct parts *p, char **why,
		 struct dsv_err *err);

/*
 * As catalog_has_capture(), but also of the captures of ranks.
 */
int parts_wanted(struct dsv *d, const unsigned char id[HASH_BYTES],
		 bool waiting, struct dsv_err *err);
/*
 * Remove the captures of this host and in the repository that states have
 * been made durable of; and groups older than before_ns without a state.
 */
void parts_tidy(struct dsv *d, int64_t before_ns);

/* ---- parts_store.c ------------------------------------------------------ */

/*
 * Store what is here: own, of this host, or else what others have captured
 * into the repository.  1: the state is durable; 0: others are needed;
 * *worked: something was stored.
 */
int parts_store(struct dsv *d, int64_t seq, struct parts *p, bool own,
		bool *worked, struct dsv_err *err);

/* parts_failed() of a state; 0, too: it is not pending. */
int parts_why_failed(struct dsv *d, int64_t seq, char **why,
		     struct dsv_err *err);

/* The manifest that is the "list" of a part: all but the recipes. */
int part_list(const json_t *part, struct manifest *out, struct dsv_err *err);
/* Such a list, the caller's; NULL: out of memory. */
char *part_list_text(struct manifest *m);

/*
 * What a rank has tagged, when the state itself is pending.  DSV_ENOTFOUND:
 * it is not stored; the message names those that are not.  rank < 0: all.
 * Of a state that is not collective err is left as it is.
 */
int parts_files(struct dsv *d, int64_t seq, int64_t rank,
		struct manifest *out, struct dsv_err *err);

#endif
