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
#ifndef DSV_SPACE_SPACE_H
#define DSV_SPACE_SPACE_H

#include "../base/clock.h"
#include "../catalog/catalog.h"

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

/* Counts what catalog_prune() would condemn; changes nothing. */
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

/* Let the grace of a pruned state's bytes end now.  A live one's stay. */
int catalog_expire(struct catalog *c, struct store *s, int64_t seq,
		   struct dsv_err *err);

struct catalog_swept {
	int64_t segments;
	int64_t files;
	int64_t bytes;
};

/* No live writer's file is this old: leftovers are reported and swept. */
#define LEFTOVER_AGE_NS DAY_NS

/*
 * Remove what crashed commands left: segments that the catalog does not know,
 * or that were staged, and temporary files; all older than before_ns.
 */
int catalog_sweep(struct catalog *c, struct store *s, int64_t before_ns,
		  struct catalog_swept *out, struct dsv_err *err);

#endif
