/* SPDX-License-Identifier: MIT */
/*
 * The catalog: which states there are, how they are connected, what they are
 * made of.  Its interface is whole operations: each is one transaction (or
 * one consistent read), so that a database server could take SQLite's place.
 * Nothing here is called with a lock held; no lock is held while bytes move.
 *
 * A state is known here by its id (bytes) or by its seq, the number of the
 * transaction that made it: "newest" is the order of seq.
 */
#ifndef DSV_CATALOG_CATALOG_H
#define DSV_CATALOG_CATALOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/hash.h"
#include "../dsv.h"
#include "../store/store.h"

struct catalog;

struct catalog_options {
	const char *dir;	/* the .dsv directory; copied */
	int64_t lock_wait_ms;
	mode_t file_mode;	/* of records, journal, database */
	mode_t dir_mode;
	bool guard;		/* the guard lock even on a local file system */
	const char *job;	/* the Slurm job of this process; NULL: none */
};

int catalog_create(const struct catalog_options *options, struct dsv_err *err);
/* Opens for reading; the first operation that writes opens for writing. */
int catalog_open(const struct catalog_options *options, struct catalog **out,
		 struct dsv_err *err);
void catalog_close(struct catalog *c);
/*
 * Why a record or a line of the journal that was committed could not be
 * written, and waits for the next writer; NULL: all are, as far as is known.
 */
const char *catalog_unpublished(const struct catalog *c);
/*
 * A descriptor that poll(2) finds readable when something may have been
 * committed, the caller's to close(); -1: nobody will tell.
 */
int catalog_watch(struct catalog *c);
/* Takes what it tells: whether something may have been committed indeed. */
bool catalog_watch_heard(int fd);
/* The database and its journal mode, for people; static. */
const char *catalog_describe(struct catalog *c);

/*
 * Make sure that a full disk can be pruned: DIR/reserve is given back when
 * there is no space for the catalog's own journal.  Failure is no matter.
 */
void catalog_reserve(struct catalog *c);
bool catalog_reserve_use(struct catalog *c);

/* ---- Chunks ------------------------------------------------------------ */

/* A chunk_lookup; arg is the catalog. */
int catalog_chunks_from(void *arg, const unsigned char hash[HASH_BYTES],
			struct chunk *rows, size_t max, struct dsv_err *err);
/* 1: *out is its row; 0: there is none, or the chunk is bad. */
int catalog_chunk_lookup(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err);
/* The same of a chunk that was found to be bad. */
int catalog_chunk_marked(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err);

/*
 * Make new durable segments known, in small transactions, before the state
 * that uses them is committed.  Until then they are staged: nothing of them
 * is freed but by the sweep, which respects age.  A chunk that is stored
 * elsewhere already (somebody was faster) is left out and is a dead range;
 * a bad one is replaced.
 *
 * CATALOG_MISSING: a segment was swept before it was known: store again.
 */
int catalog_stage(struct catalog *c, const struct ingest_segment *segments,
		  size_t count, struct dsv_err *err);
/*
 * A few chunks are not worth a transaction of their own: when the state is
 * committed by who stored them, that makes them known, too.
 */
bool catalog_is_stage_worthwhile(const struct ingest_segment *segments,
				 size_t count);

/* ---- Making states --------------------------------------------------- */

/* A state is made from this; see struct dsv_state. */
struct catalog_state {
	unsigned char id[HASH_BYTES];
	const void *record;
	size_t record_len;
	const char *kind;
	const char *branch;
	size_t parent_count;
	const unsigned char (*parents)[HASH_BYTES];
	const struct dsv_kvs *params;
	const char *changed;		/* JSON {"set":{},"unset":[]} or NULL */
	const struct dsv_kvs *attrs;
	const char *message, *author, *host;
	int64_t created_ns;
	int64_t files, size_bytes, stored_bytes;
	bool pin;
	struct dsv_strings scopes;	/* opened when new */
	const char *name;		/* NULL: none */
	/*
	 * The branch head this was computed from (NULL: the branch has none,
	 * or is new).  new_branch: it must be new.
	 */
	const unsigned char *expected_head;
	bool new_branch;
	/* The job that makes it; NULL: none. */
	const char *job_id, *cluster, *nodes;
	/* The content: of another state (fork) or a manifest of an ingest. */
	unsigned char manifest[HASH_BYTES];
	/* Captured on one node only: pending, no manifest yet; or NULL. */
	const unsigned char *capture;
	const struct ingest_result *ingest;	/* NULL: all is there */
	const struct manifest *files_of;	/* whose recipes are counted */
	int64_t fork_row;	/* the job's row to tell; 0: none */
};

enum catalog_outcome {
	CATALOG_DONE = 0,
	CATALOG_STALE = 1,	/* the branch head has moved: compute again */
	CATALOG_MISSING = 2	/* a chunk relied on was freed: store again */
};

/*
 * Commit a state, in one transaction; then its record and its line of the
 * journal.  An enum catalog_outcome, or:
 *
 * DSV_EREFUSED: the name is borne by another job's state, or new_branch and
 * the branch is there.
 */
int catalog_add_state(struct catalog *c, const struct catalog_state *s,
		      struct dsv_err *err);

/* This makes a pending state durable. */
struct catalog_content {
	unsigned char manifest[HASH_BYTES];
	const struct manifest *files_of;
	const struct ingest_result *ingest;
	int64_t files, size_bytes, stored_bytes;
};

/*
 * Bind the capture of a pending state to its content, once; also of one that
 * was taken for lost and whose bytes are found after all.  An enum
 * catalog_outcome; any other state is left as it is.
 */
int catalog_bind(struct catalog *c, int64_t seq,
		 const struct catalog_content *content, struct dsv_err *err);
/* The node of a pending state died with its bytes. */
int catalog_lose(struct catalog *c, int64_t seq, struct dsv_err *err);

struct catalog_pending {
	int64_t seq;
	unsigned char id[HASH_BYTES];
	unsigned char capture[HASH_BYTES];
	int64_t size_bytes;
	int64_t created_ns;
	bool lost;
};

/*
 * 1: a state has the capture, or (waiting) needs it still, pending or lost;
 * 0: none.
 */
int catalog_has_capture(struct catalog *c, const unsigned char id[HASH_BYTES],
			bool waiting, struct dsv_err *err);
/* Oldest first, lost: those too; the caller frees *out. */
int catalog_pending(struct catalog *c, bool lost, struct catalog_pending **out,
		    size_t *count, struct dsv_err *err);

/* ---- Reading states -------------------------------------------------- */

/* Whole ids or hexadecimal prefixes.  DSV_ENOTFOUND: none, ambiguous. */
int catalog_find_id(struct catalog *c, const char *prefix, int64_t *seq,
		    struct dsv_err *err);
/* -1 in *seq: no such id. */
int catalog_seq(struct catalog *c, const unsigned char id[HASH_BYTES],
		int64_t *seq, struct dsv_err *err);
/* DSV_ENOTFOUND: no such state. */
int catalog_id(struct catalog *c, int64_t seq, unsigned char id[HASH_BYTES],
	       struct dsv_err *err);
/*
 * Each of out[count] is the caller's.  DSV_ENOTFOUND: a state has gone (only
 * prune --forget takes records).
 */
int catalog_load(struct catalog *c, const int64_t *seqs, size_t count,
		 struct dsv_state **out, struct dsv_err *err);
/* Frees what is in *job, of a state or of a list. */
void job_release(struct dsv_job *job);

/* *seq is 0 when the branch has no state.  DSV_ENOTFOUND: no branch. */
int catalog_branch_head(struct catalog *c, const char *branch, int64_t *seq,
			struct dsv_err *err);
/* -1 in *seq: no such name. */
int catalog_name_get(struct catalog *c, const char *name, int64_t *seq,
		     struct dsv_err *err);
/* parents of seq, in order; the caller frees *out. */
int catalog_parents(struct catalog *c, int64_t seq, int64_t **out,
		    size_t *count, struct dsv_err *err);
int catalog_children(struct catalog *c, int64_t seq, int64_t **out,
		     size_t *count, struct dsv_err *err);
/*
 * The live state with the largest (sign > 0) or smallest numeric attribute
 * key; of branch, or of all (NULL); among equals the newest.  -1: none has it.
 */
int catalog_extreme(struct catalog *c, const char *key, int sign,
		    const char *branch, int64_t *seq, struct dsv_err *err);
/* The manifest of a live state.  DSV_ENOTFOUND: pruned; says when, why. */
int catalog_content(struct catalog *c, int64_t seq,
		    unsigned char manifest[HASH_BYTES], struct dsv_err *err);

/* ---- Searching ------------------------------------------------------- */

struct catalog_query {
	const char *expr;	/* NULL: every state */
	const char *branch;	/* that the state was made on; NULL: any */
	const char *scope;	/* NULL: any */
	int64_t descendants_of;	/* not that state itself; 0: any */
	int64_t ancestors_of;
	struct dsv_strings sort;	/* "KEY", "-KEY"; none: newest first */
	int64_t limit;		/* < 0: none */
	bool pruned;		/* pruned states too */
};

/*
 * The states that satisfy the query, in its order; *out is the caller's.
 *
 * DSV_EUSAGE: the expression, with the column.  DSV_ENOTFOUND: the branch or
 * the scope.
 */
int catalog_find(struct catalog *c, const struct catalog_query *query,
		 int64_t **out, size_t *count, struct dsv_err *err);
/* Only how many. */
int catalog_find_count(struct catalog *c, const struct catalog_query *query,
		       int64_t *count, struct dsv_err *err);

struct catalog_log_query {
	const int64_t *heads;
	size_t head_count;
	const int64_t *hidden;	/* they and their ancestors are left out */
	size_t hidden_count;
	bool first_parent;
	int64_t since_ns, until_ns;	/* 0: none */
	int64_t limit;			/* < 0: none */
	int64_t below;			/* only smaller seqs; 0: all */
};

/* The heads and their ancestors, newest first; *out is the caller's. */
int catalog_log(struct catalog *c, const struct catalog_log_query *query,
		int64_t **out, size_t *count, struct dsv_err *err);
/* The nearest common ancestor, which a or b may be; -1: none. */
int catalog_merge_base(struct catalog *c, int64_t a, int64_t b, int64_t *out,
		       struct dsv_err *err);

/* ---- Branches, names, scopes, attributes, pins ----------------------- */

/*
 * The keys of attributes and parameters; each item and the list are the
 * caller's to free(), also on failure.
 */
int catalog_keys(struct catalog *c, char ***out, size_t *count,
		 struct dsv_err *err);

int catalog_branches(struct catalog *c, struct dsv_branches *out,
		     struct dsv_err *err);
int catalog_branch_set(struct catalog *c, const char *name, int64_t head,
		       bool force, struct dsv_err *err);
/* Unless the head is another than from by now. */
int catalog_branch_back(struct catalog *c, const char *name, int64_t from,
			int64_t to, struct dsv_err *err);
int catalog_branch_rename(struct catalog *c, const char *from, const char *to,
			  struct dsv_err *err);
int catalog_branch_delete(struct catalog *c, const char *name,
			  struct dsv_err *err);
int catalog_names(struct catalog *c, struct dsv_names *out,
		  struct dsv_err *err);
int catalog_name_set(struct catalog *c, const char *name, int64_t seq,
		     bool force, struct dsv_err *err);
int catalog_name_delete(struct catalog *c, const char *name,
			struct dsv_err *err);
int catalog_scopes(struct catalog *c, struct dsv_scopes *out,
		   struct dsv_err *err);
int catalog_scope_open(struct catalog *c, const char *name,
		       struct dsv_err *err);
int catalog_scope_close(struct catalog *c, const char *name,
			struct dsv_err *err);
int catalog_scope_change(struct catalog *c, const char *name,
			 const int64_t *seqs, size_t count, bool add,
			 struct dsv_err *err);
int catalog_attr_change(struct catalog *c, int64_t seq,
			const struct dsv_kvs *set,
			const struct dsv_strings *unset, const char *author,
			struct dsv_err *err);
int catalog_attr_history(struct catalog *c, int64_t seq,
			 struct dsv_attr_history *out, struct dsv_err *err);
int catalog_pin(struct catalog *c, const int64_t *seqs, size_t count,
		bool pinned, struct dsv_err *err);

#endif
