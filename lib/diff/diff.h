/* SPDX-License-Identifier: MIT */
#ifndef DSV_DIFF_DIFF_H
#define DSV_DIFF_DIFF_H

#include "side.h"

/* A struct dsv_diff borrows from this. */
struct diff_memory {
	struct side a, b;
	int64_t seq_a, seq_b;
	struct dsv_state *state_a, *state_b;	/* b: NULL with a directory */
};

/*
 * Appends to diff the tensors in which two files with one path differ.  If one
 * is NULL, appends all of the other's.  Sets *held if both hold tensors.
 */
int diff_tensors(const char *path, struct side_file *a, struct side_file *b,
		 double tolerance, struct dsv_diff *diff, bool *held,
		 struct dsv_err *err);
void diff_tensor_release(struct dsv_diff_tensor *t);

#endif
