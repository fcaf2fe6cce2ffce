/* SPDX-License-Identifier: MIT */
/*
 * The elements of tensors as numbers, and how far two tensors are apart.
 * Elements are little-endian and need no alignment.
 */
#ifndef DSV_FORMAT_NUMERIC_H
#define DSV_FORMAT_NUMERIC_H

#include <stddef.h>
#include <stdint.h>

enum numeric_type {
	NUMERIC_NONE,		/* no numbers that are known here */
	NUMERIC_F64, NUMERIC_F32, NUMERIC_F16, NUMERIC_BF16,
	NUMERIC_F8_E4M3, NUMERIC_F8_E5M2,
	NUMERIC_I64, NUMERIC_I32, NUMERIC_I16, NUMERIC_I8,
	NUMERIC_U64, NUMERIC_U32, NUMERIC_U16, NUMERIC_U8,
	NUMERIC_BOOL
};

/*
 * dtype as struct format_tensor has it.  *parts is how many numbers an
 * element has: 2 for complex ones, real and imaginary part, else 1.
 */
enum numeric_type numeric_type_of(const char *dtype, int *parts);
/* Bytes of a number. */
size_t numeric_size(enum numeric_type type);
/* A number as a double; of 64-bit integers the nearest one. */
double numeric_load(enum numeric_type type, const void *data);

/*
 * Two NaNs are equal, as are 0 and -0, and infinities of one sign.  Numbers
 * of which only one is a NaN have no distance: they are counted in nans, and
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

/* Compare count numbers and add to out. */
void numeric_compare(enum numeric_type type_a, const void *a,
		     enum numeric_type type_b, const void *b, size_t count,
		     double tolerance, struct numeric_diff *out);
/* Pairs that are known to be equal. */
void numeric_equal(int64_t count, struct numeric_diff *out);
/*
 * The root of the mean of the squares of |a - b|, those with a NaN left out.
 * Neither overflows nor underflows.
 */
double numeric_rms(const struct numeric_diff *diff);

#endif
