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
 * The branch, its head, and as parents the revisions given, else the head.
 * DSV_EREFUSED: the parents do not hold the head.
 */
int draft_place(struct dsv *d, const struct dsv_strings *parents,
		struct draft *out, struct dsv_err *err);

/* Author, host, job, time and nonce. */
int draft_stamp(struct dsv *d, struct draft *draft, struct dsv_err *err);

/*
 * From the inherited parameters to the record's (params, set, unset): from
 * (a JSON object, may be NULL) replaces all, assignments single ones.
 */
int draft_params(struct draft *draft, const struct dsv_kvs *inherited,
		 const char *from, const struct dsv_strings *assignments,
		 const struct dsv_strings *unset, struct dsv_err *err);
/* Say in the record what differs from the inherited parameters. */
int draft_changes(struct draft *draft, const struct dsv_kvs *inherited,
		  struct dsv_err *err);

/* The parameters of the first parent; none: an empty list. */
int draft_inherited(struct dsv *d, const struct draft *draft,
		    struct dsv_kvs *out, struct dsv_err *err);

/* What a struct catalog_state borrows. */
struct draft_text {
	struct str record;
	struct str message;	/* valid UTF-8 */
	char *changed;
};

/*
 * Encode the record: fills in s, whose content, files, scopes, ... are there
 * already; its id is known then.  It borrows from l and out.
 */
int draft_encode(struct draft *draft, struct catalog_state *s,
		 struct draft_text *out, struct dsv_err *err);
void draft_text_release(struct draft_text *text);

/*
 * Encode the record and commit the state, whose content, files, scopes, ...
 * are in s already.  An enum catalog_outcome; on 0 id is the state's.
 */
int draft_commit(struct dsv *d, struct draft *draft, struct catalog_state *s,
		 char id[DSV_ID_SIZE], struct dsv_err *err);

#endif
