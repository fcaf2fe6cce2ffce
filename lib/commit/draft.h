/* SPDX-License-Identifier: MIT */
/*
 * Where a new state is put: its branch, parents and parameters, and the
 * commit of it.
 */
#ifndef DSV_COMMIT_DRAFT_H
#define DSV_COMMIT_DRAFT_H

#include "../repo/repo.h"
#include "record.h"

struct draft {
	char *branch;
	bool has_head;
	unsigned char head[HASH_BYTES];		/* of the branch, now */
	struct record record;			/* owns what is made here */
	const char *nodes;			/* of the job; or NULL */
};

void draft_release(struct draft *draft);

/*
 * Fills in the branch, its head, and as parents the given revisions, or else
 * the head.  Fails with DSV_EREFUSED if the parents do not include the head.
 */
int draft_place(struct dsv *d, const struct dsv_strings *parents,
		struct draft *out, struct dsv_err *err);

/* Fills in author, host, job, time and nonce. */
int draft_stamp(struct dsv *d, struct draft *draft, struct dsv_err *err);

/*
 * Derives the record's parameters (params, set, unset) from the inherited ones:
 * from (a JSON object or NULL) replaces all, assignments replace single ones.
 */
int draft_params(struct draft *draft, const struct dsv_kvs *inherited,
		 const char *from, const struct dsv_strings *assignments,
		 const struct dsv_strings *unset, struct dsv_err *err);
/* Records what differs from the inherited parameters. */
int draft_changes(struct draft *draft, const struct dsv_kvs *inherited,
		  struct dsv_err *err);

/* Returns the first parent's parameters, or an empty list without one. */
int draft_inherited(struct dsv *d, const struct draft *draft,
		    struct dsv_kvs *out, struct dsv_err *err);

/* A struct catalog_state borrows from this. */
struct draft_text {
	struct str record;
	struct str message;	/* valid UTF-8 */
	char *changed;
};

/*
 * Encodes the record and fills in s, whose content, files, scopes, ... are
 * already set; its id is then known.  It borrows from l and out.
 */
int draft_encode(struct draft *draft, struct catalog_state *s,
		 struct draft_text *out, struct dsv_err *err);
void draft_text_release(struct draft_text *text);

/*
 * Encodes the record and commits the state, whose content, files, scopes, ...
 * are already in s.  Returns an enum catalog_outcome; on 0, id is the state's.
 */
int draft_commit(struct dsv *d, struct draft *draft, struct catalog_state *s,
		 char id[DSV_ID_SIZE], struct dsv_err *err);

#endif
