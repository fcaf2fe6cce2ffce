/* SPDX-License-Identifier: MIT */
/*
 * The memory of the pickle machine: its values, its stack with marks, its
 * memo.  A false return means that a bound or memory has run out, or that the
 * stack has not what is asked for; no_memory tells the first two apart.
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

/* NULL as false above. */
struct pickle_value *pickle_new(struct pickle *p, enum pickle_type type);

/* Make room for one more than index. */
bool pickle_reserve(struct pickle *p, struct pickle_vector *v, size_t index);

/* Append to the items of v. */
bool pickle_extend(struct pickle *p, struct pickle_value *v,
		   struct pickle_value **items, size_t count);

/* v may be NULL: false. */
bool pickle_push(struct pickle *p, struct pickle_value *v);

/* How many values are above the last mark. */
size_t pickle_height(const struct pickle *p);

/* NULL when a mark or the bottom is in the way. */
struct pickle_value *pickle_pop(struct pickle *p);
struct pickle_value *pickle_top(const struct pickle *p);

/* Take the last count values off the stack as the items of a new one. */
bool pickle_collect(struct pickle *p, enum pickle_type type, size_t count);

#endif
