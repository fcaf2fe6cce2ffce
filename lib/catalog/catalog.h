/* SPDX-License-Identifier: MIT */
/*
 * The catalog knows which states there are, how they are connected and what
 * they are made of.  Its interface is whole operations: each is one transaction
 * (or one consistent read), so that a database server could take SQLite's
 * place.  Nothing here is called with a lock held; no lock is held while bytes
 * move.
 *
 * A state is known here by its id (bytes) or by its seq, the number of the
 * transaction that made it: "newest" refers to the order of seq.
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
/*
 * Opens the catalog for reading; the first operation that writes opens it for
 * writing.
 */
int catalog_open(const struct catalog_options *options, struct catalog **out,
		 struct dsv_err *err);
void catalog_close(struct catalog *c);
/*
 * Returns why a committed record or line of the journal could not be written
 * and waits for the next writer, or NULL if all are written as far as is known.
 */
const char *catalog_unpublished(const struct catalog *c);
/*
 * Returns a descriptor that poll(2) finds readable when something may have been
 * committed, which the caller closes with close(), or -1 if nothing can report
 * that.
 */
int catalog_watch(struct catalog *c);
/*
 * Reads the events of fd.  Returns whether something may really have been
 * committed.
 */
bool catalog_watch_heard(int fd);
/* Describes the database and its journal mode for people; static. */
const char *catalog_describe(struct catalog *c);

/*
 * Makes sure that a full disk can be pruned: DIR/reserve is given back when
 * there is no space for the catalog's own journal.  A failure does not matter.
 */
void catalog_reserve(struct catalog *c);
bool catalog_reserve_use(struct catalog *c);

/* ---- Chunks ------------------------------------------------------------ */

/* This is a chunk_lookup; arg is the catalog. */
int catalog_chunks_from(void *arg, const unsigned char hash[HASH_BYTES],
			struct chunk *rows, size_t max, struct dsv_err *err);
/* Returns 1 if *out is its row, or 0 if there is none, or the chunk is bad. */
int catalog_chunk_lookup(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err);
/* Does the same for a chunk that was found to be bad. */
int catalog_chunk_marked(struct catalog *c,
			 const unsigned char hash[HASH_BYTES],
			 struct chunk *out, struct dsv_err *err);

/*
 * Makes new durable segments known, in small transactions, before the state
 * that uses them is committed.  Until then they are staged: nothing of them is
 * freed except by the sweep, which respects age.  A chunk that is already
 * stored elsewhere (somebody was faster) is left out and is a dead range; a bad
 * one is replaced.
 *
 * Returns CATALOG_MISSING if a segment was swept before it was known: the
 * caller stores it again.
 */
int catalog_stage(struct catalog *c, const struct ingest_segment *segments,
		  size_t count, struct dsv_err *err);
/*
 * Returns whether the segments are worth a stage.  A few chunks are not worth a
 * transaction of their own: when the process that stored them commits the
 * state, that makes them known, too.
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
	 * This is the branch head that the state was computed from (NULL if the
	 * branch has none, or is new).  With new_branch, the branch must be
	 * new.
	 */
	const unsigned char *expected_head;
	bool new_branch;
	/* This is the job that makes the state; NULL if there is none. */
	const char *job_id, *cluster, *nodes;
	/*
	 * This is the content: of another state (fork), or a manifest of an
	 * ingest.
	 */
	unsigned char manifest[HASH_BYTES];
	/*
	 * This is set if the state is captured on one node only: it is pending
	 * and has no manifest yet.  Otherwise it is NULL.
	 */
	const unsigned char *capture;
	const struct ingest_result *ingest;	/* NULL: all is there */
	const struct manifest *files_of;	/* whose recipes are counted */
	int64_t fork_row;	/* the job's row to update; 0: none */
};

enum catalog_outcome {
	CATALOG_DONE = 0,
	CATALOG_STALE = 1,	/* the branch head has moved: compute again */
	CATALOG_MISSING = 2	/* a chunk relied on was freed: store again */
};

/*
 * Commits a state in one transaction; then writes its record and its line of
 * the journal.  Returns an enum catalog_outcome.
 *
 * Fails with DSV_EREFUSED if another job's state has the name, or if new_branch
 * is set and the branch exists.
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
 * Binds the capture of a pending state to its content, once; also that of a
 * state that was considered lost and whose bytes are found after all.  Returns
 * an enum catalog_outcome; any other state is left unchanged.
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
 * Returns 1 if a state has the capture, or (waiting) still needs it, pending or
 * lost; 0 if none does.
 */
int catalog_has_capture(struct catalog *c, const unsigned char id[HASH_BYTES],
			bool waiting, struct dsv_err *err);
/*
 * Lists pending states, oldest first; with lost, those that are lost, too.  The
 * caller frees *out.
 */
int catalog_pending(struct catalog *c, bool lost, struct catalog_pending **out,
		    size_t *count, struct dsv_err *err);

/* ---- Reading states -------------------------------------------------- */

/*
 * Takes whole ids or hexadecimal prefixes.  Fails with DSV_ENOTFOUND if there
 * is no such id, or several.
 */
int catalog_find_id(struct catalog *c, const char *prefix, int64_t *seq,
		    struct dsv_err *err);
/* Sets *seq to -1 if there is no such id. */
int catalog_seq(struct catalog *c, const unsigned char id[HASH_BYTES],
		int64_t *seq, struct dsv_err *err);
/* Fails with DSV_ENOTFOUND if there is no such state. */
int catalog_id(struct catalog *c, int64_t seq, unsigned char id[HASH_BYTES],
	       struct dsv_err *err);
/*
 * The caller frees each of out[count].  Fails with DSV_ENOTFOUND if a state no
 * longer exists (only prune --forget removes records).
 */
int catalog_load(struct catalog *c, const int64_t *seqs, size_t count,
		 struct dsv_state **out, struct dsv_err *err);
/* Frees what is in *job, of a state or of a list. */
void job_release(struct dsv_job *job);

/*
 * Sets *seq to 0 if the branch has no state.  Fails with DSV_ENOTFOUND if there
 * is no such branch.
 */
int catalog_branch_head(struct catalog *c, const char *branch, int64_t *seq,
			struct dsv_err *err);
/* Sets *seq to -1 if there is no such name. */
int catalog_name_get(struct catalog *c, const char *name, int64_t *seq,
		     struct dsv_err *err);
/* Gets the parents of seq, in order; the caller frees *out. */
int catalog_parents(struct catalog *c, int64_t seq, int64_t **out,
		    size_t *count, struct dsv_err *err);
int catalog_children(struct catalog *c, int64_t seq, int64_t **out,
		     size_t *count, struct dsv_err *err);
/*
 * Finds the live state with the largest (sign > 0) or smallest value of the
 * numeric attribute key, of branch or of all branches (NULL); the newest of
 * equal ones.  The result is -1 if no state has the attribute.
 */
int catalog_extreme(struct catalog *c, const char *key, int sign,
		    const char *branch, int64_t *seq, struct dsv_err *err);
/*
 * Gets the manifest of a live state.  Fails with DSV_ENOTFOUND if the state is
 * pruned; the message says when and why.
 */
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
 * Finds the states that satisfy the query, in its order.  The caller frees
 * *out.
 *
 * Fails with DSV_EUSAGE if the expression is wrong, and gives the column; with
 * DSV_ENOTFOUND if there is no such branch or scope.
 */
int catalog_find(struct catalog *c, const struct catalog_query *query,
		 int64_t **out, size_t *count, struct dsv_err *err);
/* Only counts them. */
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

/* Lists the heads and their ancestors, newest first.  The caller frees *out. */
int catalog_log(struct catalog *c, const struct catalog_log_query *query,
		int64_t **out, size_t *count, struct dsv_err *err);
/*
 * Finds the nearest common ancestor, which may be a or b; -1 if there is none.
 */
int catalog_merge_base(struct catalog *c, int64_t a, int64_t b, int64_t *out,
		       struct dsv_err *err);

/* ---- Branches, names, scopes, attributes, pins ----------------------- */

/*
 * Lists the keys of attributes and parameters.  The caller frees each item and
 * the list with free(), also on failure.
 */
int catalog_keys(struct catalog *c, char ***out, size_t *count,
		 struct dsv_err *err);

int catalog_branches(struct catalog *c, struct dsv_branches *out,
		     struct dsv_err *err);
int catalog_branch_set(struct catalog *c, const char *name, int64_t head,
		       bool force, struct dsv_err *err);
/* Moves the branch back, unless its head is no longer the state from. */
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
