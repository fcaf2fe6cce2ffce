/* SPDX-License-Identifier: MIT */
/*
 * Giving bytes back, and checking that none is given back too early.
 *
 * Prune drops the references of states (their rows stay) and notes the
 * segments that this touched as unswept.  Condemning works out, segment by
 * segment and without a lock, which chunks no recipe in use names, and marks
 * them in a short transaction.  Freeing deletes the rows of chunks that have
 * been condemned for long enough, and only then their bytes.  Each step may
 * be cut off anywhere; whoever runs it next finishes it.
 */
#ifndef DSV_CATALOG_PRUNE_H
#define DSV_CATALOG_PRUNE_H

#include "../catalog/catalog.h"

/* ---- Prune and restore ----------------------------------------------- */

struct catalog_prune {
	const int64_t *seqs;
	size_t count;
	const char *rule;	/* what a pruned state will say */
	const char *author;
	bool by_rule;		/* leave alone what no rule may remove now */
	bool expire;		/* no grace: free at once */
	bool forget;		/* the records, too */
};

struct catalog_pruned {
	int64_t states;
	int64_t skipped;	/* no longer to be pruned */
	int64_t unreadable;	/* left alone: their manifest is damaged */
};

/* In transactions of some hundred states each. */
int catalog_prune(struct catalog *c, struct store *s,
		  const struct catalog_prune *prune,
		  struct catalog_pruned *out, struct dsv_err *err);

/*
 * Mark the chunks of unswept segments that nothing needs.  *bytes: of those;
 * *left: segments that could not be worked out, for a recipe is damaged.
 */
int catalog_condemn(struct catalog *c, struct store *s, int64_t *bytes,
		    int64_t *left, struct dsv_err *err);

/* What catalog_prune() of these would condemn; changes nothing. */
int catalog_prune_estimate(struct catalog *c, struct store *s,
			   const int64_t *seqs, size_t count, int64_t *bytes,
			   struct dsv_err *err);

/*
 * Free what was condemned before before_ns, and finish what another freeing
 * left.  *bytes is what the file system says.
 */
int catalog_free_expired(struct catalog *c, struct store *s, int64_t before_ns,
			 int64_t *bytes, struct dsv_err *err);

/* Bytes that were condemned before before_ns. */
int catalog_condemned(struct catalog *c, int64_t before_ns, int64_t *bytes,
		      struct dsv_err *err);

/* Write a segment's .idx from its rows; inside of a write transaction. */
int catalog_write_index(struct catalog *c, struct store *s, const char *name,
			struct dsv_err *err);

/*
 * Forget a segment without chunks, its files to be freed; inside of a write
 * transaction.
 */
int catalog_drop_segment(struct catalog *c, int64_t segment, const char *name,
			 struct dsv_err *err);

struct catalog_repack {
	bool if_it_pays;	/* only many, or much */
	bool dry_run;
};

struct catalog_repacked {
	int64_t segments;	/* that were, or are to be, replaced */
	int64_t made;
	int64_t bytes;		/* moved */
};

/*
 * Put what is needed of small segments, and of those that are mostly dead,
 * into dense ones.  What that gives back is freed by catalog_free_expired().
 */
int catalog_repack(struct catalog *c, struct store *s,
		   const struct catalog_repack *how,
		   struct catalog_repacked *out, struct dsv_err *err);

/*
 * Make a pruned state live again, branch moves included.  DSV_ENOTFOUND: its
 * bytes are freed.  A live one stays as it is.
 */
int catalog_restore(struct catalog *c, struct store *s, int64_t seq,
		    struct dsv_err *err);

/*
 * Make sure that a full disk can be pruned: DIR/reserve is given back when
 * there is no space for the catalog's own journal.  Failure is no matter.
 */
void catalog_reserve(struct catalog *c);
bool catalog_reserve_use(struct catalog *c);

/* Let the grace of a pruned state's bytes end now.  A live one's stay. */
int catalog_expire(struct catalog *c, struct store *s, int64_t seq,
		   struct dsv_err *err);

struct catalog_swept {
	int64_t segments;
	int64_t files;
	int64_t bytes;
};

/* What no live writer's can be: leftovers are told and swept at that age. */
#define LEFTOVER_AGE_NS (INT64_C(86400) * 1000000000)

/*
 * Remove what crashed commands left: segments that the catalog does not know,
 * or that were staged, and temporary files; all older than before_ns.
 */
int catalog_sweep(struct catalog *c, struct store *s, int64_t before_ns,
		  struct catalog_swept *out, struct dsv_err *err);

/* ---- What rules look at ---------------------------------------------- */

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
 * The live, durable states that are no forks.  Open scopes but that of the
 * selection count as CATALOG_OPEN_SCOPE.
 */
int catalog_candidates(struct catalog *c,
		       const struct catalog_selection *selection,
		       struct catalog_candidates *out, struct dsv_err *err);
void catalog_candidates_release(struct catalog_candidates *list);
/* The index of seq, or -1. */
int64_t catalog_candidate(const struct catalog_candidates *list, int64_t seq);

/*
 * values[list->count] gets the numeric attribute key of each, NAN when it has
 * none.  *any: one has it.
 */
int catalog_candidate_values(struct catalog *c,
			     const struct catalog_candidates *list,
			     const char *key, double *values, bool *any,
			     struct dsv_err *err);

/* (index of the candidate, scope), sorted; *out is the caller's. */
struct catalog_membership {
	size_t index;
	int64_t scope;
};

int catalog_memberships(struct catalog *c,
			const struct catalog_candidates *list,
			struct catalog_membership **out, size_t *count,
			struct dsv_err *err);
/* Of any state, however it is. */
int catalog_candidate_load(struct catalog *c, int64_t seq,
			   struct catalog_candidate *out, struct dsv_err *err);
/* The name of a branch or scope by its row; the caller's to free(). */
int catalog_scope_name(struct catalog *c, int64_t id, char **out,
		       struct dsv_err *err);
int catalog_branch_name(struct catalog *c, int64_t id, char **out,
			struct dsv_err *err);
/* enum catalog_kept of one state, whatever it is. */
int catalog_state_kept(struct catalog *c, int64_t seq, uint32_t *out,
		       struct dsv_err *err);

/* ---- Status ---------------------------------------------------------- */

struct catalog_totals {
	int64_t states, pruned, size_bytes, pending, lost;
	int64_t scopes_open, jobs, segments, chunks;
	int64_t chunk_bytes;		/* stored, not condemned */
	int64_t condemned_bytes;
};

int catalog_totals(struct catalog *c, struct catalog_totals *out,
		   struct dsv_err *err);
/* by: "branch" "author" "scope"; items are the caller's. */
int catalog_usage(struct catalog *c, const char *by, struct dsv_usages *out,
		  struct dsv_err *err);

#endif
