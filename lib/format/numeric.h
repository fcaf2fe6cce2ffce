/* SPDX-License-Identifier: MIT */
/*
 * This reads the elements of tensors as numbers, and computes how far apart two
 * tensors are.  Elements are little-endian and need no alignment.
 */
#ifndef DSV_FORMAT_NUMERIC_H
#define DSV_FORMAT_NUMERIC_H

#include <stddef.h>
#include <stdint.h>

enum numeric_type {
	NUMERIC_NONE,		/* not numbers, or of an unknown type */
	NUMERIC_F64, NUMERIC_F32, NUMERIC_F16, NUMERIC_BF16,
	NUMERIC_F8_E4M3, NUMERIC_F8_E5M2,
	NUMERIC_I64, NUMERIC_I32, NUMERIC_I16, NUMERIC_I8,
	NUMERIC_U64, NUMERIC_U32, NUMERIC_U16, NUMERIC_U8,
	NUMERIC_BOOL
};

/*
 * Returns the type for dtype, which is as in struct format_tensor.  *parts is
 * how many numbers an element has: 2 if it is complex, real and imaginary part,
 * else 1.
 */
enum numeric_type numeric_type_of(const char *dtype, int *parts);
/* Returns how many bytes a number has. */
size_t numeric_size(enum numeric_type type);
/* Returns a number as a double; for 64-bit integers, the nearest one. */
double numeric_load(enum numeric_type type, const void *data);

/*
 * Two NaNs are equal, as are 0 and -0, and infinities of one sign.  If only one
 * of two numbers is a NaN, they have no distance: they are counted in nans, and
 * differ whatever the tolerance.
 */
struct numeric_diff {
	int64_t count;		/* pairs compared */
	int64_t differing;	/* further apart than the tolerance */
	int64_t nans;
	double max;		/* the largest |a - b| */
	double relative;	/* the largest |a - b| / max(|a|, |b|) */
	double scale, squares;	/* see numeric_rms() */
};

#define NUMERIC_DIFF_INIT { 0, 0, 0, 0, 0, 0, 0 }

/* Compares count numbers and adds the result to out. */
void numeric_compare(enum numeric_type type_a, const void *a,
		     enum numeric_type type_b, const void *b, size_t count,
		     double tolerance, struct numeric_diff *out);
/* Adds count pairs that are known to be equal. */
void numeric_equal(int64_t count, struct numeric_diff *out);
/*
 * Returns the root of the mean of the squares of |a - b|, leaving out pairs
 * with a NaN.  It neither overflows nor underflows.
 */
double numeric_rms(const struct numeric_diff *diff);

#endif
