/* SPDX-License-Identifier: MIT */
/*
 * One search under way: find.c decides, find_run.c carries out.
 */
#ifndef DSV_FIND_SEARCH_H
#define DSV_FIND_SEARCH_H

#include "find.h"

enum {
	FIND_FEW = 8000,	/* states that are looked at one by one */
	FIND_WALK = 20000,	/* newest states to walk before giving up */
	FIND_SORTED_WALK = 4000,	/* in another order: scattered */
	FIND_MAX_SORT = 16
};

struct sort {
	struct find_key key;
	bool descending;
};

struct search {
	struct find_context x;
	const struct catalog_query *query;
	struct find_node *tree;		/* NULL: all */
	const struct find_node *conjuncts[FIND_MAX_COMPARISONS + 2];
	size_t conjunct_count;
	struct find_set set;		/* only these, when it has bits */
	struct sort sorts[FIND_MAX_SORT];
	size_t sort_count;
	/* This finds the fewest states: a conjunct, or the set, or none. */
	const struct find_node *driver;
	bool set_drives;
	int64_t estimate;
	const struct find_node *given;	/* holds for all of the set */
	bool counting;
	int64_t *seqs;
	int64_t count;
	struct dsv_err *err;
};

/* Have as many states been found as were asked for? */
static inline bool search_enough(const struct search *f)
{
	return f->query->limit >= 0 && f->count >= f->query->limit;
}

/* The driver finds these, they satisfy the query, and are sorted. */
int search_run_driver(struct search *f);
/* All states from one seq to below another, each looked at, sorted. */
int search_run_walk(struct search *f, int64_t from, int64_t below);
/*
 * In the order of the first sort key's index, which is an attribute's or a
 * parameter's.
 */
int search_run_sorted(struct search *f);
/* The same, but gives up after FIND_SORTED_WALK: not enough may be found. */
int search_try_sorted(struct search *f);
/* Does the query limit the numbers of the first sort key? */
bool search_sort_is_bounded(const struct search *f);

#endif
