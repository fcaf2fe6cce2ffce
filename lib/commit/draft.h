/* SPDX-License-Identifier: MIT */
/*
 * Where a new state is put: its branch, parents and parameters, and the
 * commit of it.
 */
#ifndef DSV_COMMIT_LINE_H
#define DSV_COMMIT_LINE_H

#include "../repo/repo.h"
#include "record.h"

struct line {
	char *branch;
	bool has_head;
	unsigned char head[HASH_BYTES];		/* of the branch, now */
	struct record record;			/* owns what is made here */
	const char *nodes;			/* of the job; or NULL */
};

void line_release(struct line *l);

/*
 * The branch, its head, and as parents the revisions given, else the head.
 * DSV_EREFUSED: the parents do not hold the head.
 */
int line_place(struct dsv *d, const struct dsv_strings *parents,
	       struct line *out, struct dsv_err *err);

/* Author, host, job, time and nonce. */
int line_stamp(struct dsv *d, struct line *l, struct dsv_err *err);

/*
 * From the inherited parameters to the record's (params, set, unset): from
 * (a JSON object, may be NULL) replaces all, assignments single ones.
 */
int line_params(struct line *l, const struct dsv_kvs *inherited,
		const char *from, const struct dsv_strings *assignments,
		const struct dsv_strings *unset, struct dsv_err *err);
/* Say in the record what differs from the inherited parameters. */
int line_changes(struct line *l, const struct dsv_kvs *inherited,
		 struct dsv_err *err);

/* The parameters of the first parent; none: an empty list. */
int line_inherited(struct dsv *d, const struct line *l, struct dsv_kvs *out,
		   struct dsv_err *err);

/* What a struct catalog_state borrows. */
struct line_text {
	struct str record;
	struct str message;	/* valid UTF-8 */
	char *changed;
};

/*
 * Encode the record: fills in s, whose content, files, scopes, ... are there
 * already; its id is known then.  It borrows from l and out.
 */
int line_encode(struct line *l, struct catalog_state *s, struct line_text *out,
		struct dsv_err *err);
void line_text_release(struct line_text *text);

/*
 * Encode the record and commit the state, whose content, files, scopes, ...
 * are in s already.  An enum catalog_outcome; on 0 id is the state's.
 */
int line_commit(struct dsv *d, struct line *l, struct catalog_state *s,
		char id[DSV_ID_SIZE], struct dsv_err *err);

#endif
