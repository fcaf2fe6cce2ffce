/* SPDX-License-Identifier: MIT */
/* The rules of a prune look at this. */
#ifndef DSV_CATALOG_KEEP_H
#define DSV_CATALOG_KEEP_H

#include "catalog.h"

enum catalog_kept {
	CATALOG_PINNED = 1,
	CATALOG_NAMED = 2,
	CATALOG_HELD = 4,		/* by a waiting or running job */
	CATALOG_OPEN_SCOPE = 8,
	CATALOG_LIVE_HEAD = 16,		/* of a branch with a live job */
	CATALOG_HEAD = 32,		/* of any branch */
	CATALOG_SCOPED = 64,		/* in some scope, open or closed */
	CATALOG_IN_OPEN = 128		/* in any open one */
};

struct catalog_candidate {
	int64_t seq;
	int64_t created_ns;
	int64_t size_bytes;
	int64_t stored_bytes;
	int32_t branch;			/* row of the branch */
	uint32_t kept;			/* enum catalog_kept */
	unsigned char id[HASH_BYTES];
};

struct catalog_candidates {
	size_t count;
	struct catalog_candidate *items;	/* by seq */
	int64_t pruned_stored_bytes;	/* added by states pruned already */
};

struct catalog_selection {
	const char *branch, *scope, *author;	/* NULL: all */
};

/*
 * Lists the live, durable states that are no forks.  Open scopes other than
 * that of the selection count as CATALOG_OPEN_SCOPE.
 */
int catalog_candidates(struct catalog *c,
		       const struct catalog_selection *selection,
		       struct catalog_candidates *out, struct dsv_err *err);
void catalog_candidates_release(struct catalog_candidates *list);
/* Returns the index of seq, or -1. */
int64_t catalog_candidate(const struct catalog_candidates *list, int64_t seq);

/*
 * Fills values[list->count] with the numeric attribute key of each candidate,
 * or NAN if it has none.  *any is set if one has it.
 */
int catalog_candidate_values(struct catalog *c,
			     const struct catalog_candidates *list,
			     const char *key, double *values, bool *any,
			     struct dsv_err *err);

/*
 * This is a pair (index of the candidate, scope); a list of them is sorted, and
 * the caller frees *out.
 */
struct catalog_membership {
	size_t index;
	int64_t scope;
};

int catalog_memberships(struct catalog *c,
			const struct catalog_candidates *list,
			struct catalog_membership **out, size_t *count,
			struct dsv_err *err);
/* Loads the candidate of any state, pruned or not. */
int catalog_candidate_load(struct catalog *c, int64_t seq,
			   struct catalog_candidate *out, struct dsv_err *err);
/*
 * Gets the name of a branch or scope by its row; the caller frees it with
 * free().
 */
int catalog_scope_name(struct catalog *c, int64_t id, char **out,
		       struct dsv_err *err);
int catalog_branch_name(struct catalog *c, int64_t id, char **out,
			struct dsv_err *err);
/* Gets the enum catalog_kept of one state, whatever it is. */
int catalog_state_kept(struct catalog *c, int64_t seq, uint32_t *out,
		       struct dsv_err *err);

#endif
