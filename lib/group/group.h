/* SPDX-License-Identifier: MIT */
/*
 * A group of processes that make one state together, and how they agree.
 * Nobody leads: they meet in a directory of the repository,
 *
 *	intake/tag-<hash of the group>/
 *		<rank>		a rank's part, once its bytes are durable
 *		verdict		made once: commit, or why not
 *		trying.<rank>	states that a rank has tried to commit
 *		result		the state; or why there is none
 *		lock		held by who commits, where locks work
 *
 * The verdict is linked into place, so that exactly one is: a rank that finds
 * all parts says "commit", one that is tired of waiting that the group has
 * failed; what comes later abides by it.  Who said "commit" commits; when it
 * dies, another does.  That is safe even without locks: before it tries, it
 * looks whether a state that somebody else has tried is in the catalog, and
 * the branch's head must be what it was before that look.
 *
 * What a group of a job step is called takes a count of its tags, kept for
 * each rank in intake/step-<hash>/<rank>.
 */
#ifndef DSV_GROUP_GROUP_H
#define DSV_GROUP_GROUP_H

#include <jansson.h>

#include "../repo/repo.h"

struct group {
	struct dsv *d;
	int64_t rank, ranks;
	char *name;		/* what no other group is called */
	const char *title;	/* borrowed: --group, or NULL */
	char *dir;
	char *before;		/* directory of the group before; or NULL */
	int64_t timeout_ms;
	int64_t seen;		/* parts of ranks below are there */
	int64_t decided_ms;	/* when a verdict was seen; 0: none yet */
	bool ours;		/* our verdict: we commit */
	bool has_part;
	bool staged;		/* the catalog may know our segments */
	int lock_fd;
};

enum group_answer {
	GROUP_DONE = 0,		/* there is a state */
	GROUP_COMMIT = 1,	/* this process is to commit one */
	GROUP_AGAIN = 2		/* chunks were freed: store all again */
};

/*
 * Who we are, and in which group.  DSV_EUSAGE: that is not known.
 * DSV_EREFUSED: this rank was in the group before, or it has made its state.
 * DSV_EPARTIAL or the group's error: we are late.
 */
int group_open(struct dsv *d, const struct dsv_tag_options *o,
	       struct group *out, struct dsv_err *err);
void group_close(struct group *g);
/* A new directory, after GROUP_AGAIN. */
int group_again(struct group *g, int round, struct dsv_err *err);

/* Join: from now on the others count on us.  Our segments are durable. */
int group_join(struct group *g, const json_t *part, struct dsv_err *err);
/* Tell the others why there will be no state of it; no matter if too late. */
void group_fail(struct group *g, const struct dsv_err *why);
/*
 * Until it is decided: an enum group_answer, or the group's error.  id is
 * that of the state.
 */
int group_wait(struct group *g, char id[DSV_ID_SIZE], struct dsv_err *err);

/* The part of a rank, the caller's. */
int group_part(struct group *g, int64_t rank, json_t **out,
	       struct dsv_err *err);
/* Note that we are about to commit a state. */
int group_trying(struct group *g, const char *id, struct dsv_err *err);
/* 1: a state that somebody tried to commit is there. */
int group_tried(struct group *g, char id[DSV_ID_SIZE], struct dsv_err *err);
/* The end of it: id; or, when ret says so, store again, or the error. */
int group_tell(struct group *g, int ret, const char *id,
	       const struct dsv_err *why, struct dsv_err *err);
/* All went well: away with what nobody will look at again. */
void group_tidy(struct group *g);

/* Remove what groups older than before_ns left; how many. */
int64_t group_sweep(struct dsv *d, int64_t before_ns);

#endif
