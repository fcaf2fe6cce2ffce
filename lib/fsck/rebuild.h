/* SPDX-License-Identifier: MIT */
/*
 * Making the catalog anew from records, journal and segments.
 *
 * The journal is done again, transaction by transaction, with the numbers and
 * times it had.  A record that no line speaks of (a crash, or a lost line) is
 * added at the end: to its first parent's branch when it continues that
 * branch, else to a new one, recovered-<id>.  A state whose record is gone
 * keeps its place as a forgotten one.  Chunks that no live state needs are
 * condemned from now on: their grace begins anew.
 */
#ifndef DSV_FSCK_REBUILD_H
#define DSV_FSCK_REBUILD_H

#include "check.h"

/*
 * k->s is there, and looks chunks up by k->c, which is the new catalog while
 * this runs.  What could not be used is among the problems of k.  The old
 * catalog is moved to catalog.db.damaged-<ns>.
 */
int catalog_rebuild(const struct catalog_options *options, struct check *k,
		    struct dsv_err *err);

/* ---- The parts ------------------------------------------------------- */

int rebuild_segments(struct check *k, struct dsv_err *err);
int rebuild_journal(struct check *k, struct dsv_err *err);
int rebuild_content(struct check *k, struct dsv_err *err);
/* Relies on nothing that is wrong; old: the catalog before, or NULL. */
int rebuild_doubtful(struct check *k, struct catalog *old,
		     struct dsv_err *err);
/* Returns what an operation says under key, borrowed; "": nothing. */
const char *op_text(const json_t *op, const char *key);
int rebuild_job(struct check *k, const json_t *op, struct dsv_err *err);
/*
 * DSV_ECORRUPT: a name that the operation would make cannot be one.  What it
 * says of a state is then not believed: its record is found all the same.
 */
int rebuild_check_names(const json_t *op, struct dsv_err *err);
/* A state without a record keeps its place in the lineage. */
int rebuild_stub(struct check *k, const json_t *op, const json_t *forgotten,
		 struct dsv_err *err);
/* Records that no line of the journal spoke of. */
int rebuild_orphans(struct check *k, struct dsv_err *err);

/* The journal says this of a state, beside its record. */
struct rebuild_state {
	const char *branch, *name;
	struct dsv_strings scopes;
	int64_t files, size_bytes, stored_bytes;	/* -1: unknown */
	bool pin;
};

/*
 * Add a state with the number and time of k->c.  0: its record is missing or
 * wrong; 1: added, or there already.
 */
int rebuild_add(struct check *k, const char *hex,
		const struct rebuild_state *s, struct dsv_err *err);
/* The row of manifest hash, with no references yet. */
int rebuild_manifest_row(struct catalog *c,
			 const unsigned char hash[HASH_BYTES], int64_t *id,
			 struct dsv_err *err);

#endif
