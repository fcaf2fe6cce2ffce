/* SPDX-License-Identifier: MIT */
/*
 * This is the memory of the pickle machine: its values, its stack with marks,
 * its memo.  A return of false means that a bound or memory was exhausted, or
 * that the stack lacks what was asked for; no_memory marks lack of memory.
 */
#ifndef DSV_FORMAT_PICKLE_STACK_H
#define DSV_FORMAT_PICKLE_STACK_H

#include "pickle.h"

#define PICKLE_MARKS_MAX (1 << 20)

struct pickle_vector {
	struct pickle_value **items;
	size_t count, capacity;
};

struct pickle {
	const unsigned char *data;
	size_t len, at;
	struct pickle_block *blocks;
	size_t values_count;
	size_t items_count;	/* places allocated to values */
	struct pickle_vector stack, memo;
	size_t *marks;		/* heights of the stack */
	size_t marks_count;
	bool no_memory;
};

bool pickle_no_memory(struct pickle *p);

/* Returns NULL where others return false. */
struct pickle_value *pickle_new(struct pickle *p, enum pickle_type type);

/* Makes room for index + 1 values. */
bool pickle_reserve(struct pickle *p, struct pickle_vector *v, size_t index);

/* Appends to the items of v. */
bool pickle_extend(struct pickle *p, struct pickle_value *v,
		   struct pickle_value **items, size_t count);

/* Pushes v, which may be NULL: then it returns false. */
bool pickle_push(struct pickle *p, struct pickle_value *v);

/* Returns how many values are above the last mark. */
size_t pickle_height(const struct pickle *p);

/* Returns NULL if a mark or the bottom is in the way. */
struct pickle_value *pickle_pop(struct pickle *p);
struct pickle_value *pickle_top(const struct pickle *p);

/* Takes the last count values off the stack as the items of a new one. */
bool pickle_collect(struct pickle *p, enum pickle_type type, size_t count);

#endif
