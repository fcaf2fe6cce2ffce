/* SPDX-License-Identifier: MIT */
/*
 * Two tensors of one shape, element by element, in whatever order is best
 * for both: these are sizes and strides after irrelevant dimensions are
 * removed and adjacent ones are joined.
 */
#ifndef DSV_DIFF_TENSOR_VIEW_H
#define DSV_DIFF_TENSOR_VIEW_H

#include "../format/format.h"
#include "../format/numeric.h"
#include "side.h"

#define VIEW_RANK_MAX 64

struct view {
	struct side_file *file;
	int64_t offset_bytes;
	int64_t width;		/* bytes of an element */
	int64_t stride[VIEW_RANK_MAX];	/* in bytes */
	char *whole;		/* not NULL: all that it reaches over */
};

struct view_pair {
	struct view a, b;
	size_t rank;
	int64_t size[VIEW_RANK_MAX];
	int64_t repeated;	/* how many elements each one stands for */
	enum numeric_type type_a, type_b;	/* NONE: bytes only */
	int parts;		/* numbers of an element */
	double tolerance;	/* the caller's */
};

/* Returns NULL, or why the two cannot be compared. */
const char *view_pair_init(struct view_pair *p, struct side_file *a,
			   const struct format_tensor *x, struct side_file *b,
			   const struct format_tensor *y);
void view_pair_release(struct view_pair *p);
/* Sets *differ if any byte, or with different types any number, differs. */
int view_pair_compare(struct view_pair *p, struct numeric_diff *out,
		      bool *differ, struct dsv_err *err);

#endif
