/* SPDX-License-Identifier: MIT */
#include "numeric.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "../base/str.h"

enum { BLOCK = 512 };

static const struct {
	const char *dtype;
	enum numeric_type type;
	int parts;
} dtypes[] = {
	{ "F64", NUMERIC_F64, 1 }, { "F32", NUMERIC_F32, 1 },
	{ "F16", NUMERIC_F16, 1 }, { "BF16", NUMERIC_BF16, 1 },
	{ "F8_E4M3", NUMERIC_F8_E4M3, 1 }, { "F8_E5M2", NUMERIC_F8_E5M2, 1 },
	{ "I64", NUMERIC_I64, 1 }, { "I32", NUMERIC_I32, 1 },
	{ "I16", NUMERIC_I16, 1 }, { "I8", NUMERIC_I8, 1 },
	{ "U64", NUMERIC_U64, 1 }, { "U32", NUMERIC_U32, 1 },
	{ "U16", NUMERIC_U16, 1 }, { "U8", NUMERIC_U8, 1 },
	{ "BOOL", NUMERIC_BOOL, 1 },
	{ "C64", NUMERIC_F32, 2 }, { "C128", NUMERIC_F64, 2 },
};

enum numeric_type numeric_type_of(const char *dtype, int *parts)
{
	size_t i;

	for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes); i++) {
		if (!strcmp(dtypes[i].dtype, dtype)) {
			*parts = dtypes[i].parts;
			return dtypes[i].type;
		}
	}
	*parts = 1;
	return NUMERIC_NONE;
}

size_t numeric_size(enum numeric_type type)
{
	switch (type) {
	case NUMERIC_F64: case NUMERIC_I64: case NUMERIC_U64:
		return 8;
	case NUMERIC_F32: case NUMERIC_I32: case NUMERIC_U32:
		return 4;
	case NUMERIC_F16: case NUMERIC_BF16: case NUMERIC_I16:
	case NUMERIC_U16:
		return 2;
	default:
		return 1;
	}
}

/* ---- Floats by their bits ---- */

static double float_of_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return (double)f;
}

static double double_of_bits(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static double half_of_bits(unsigned int h)
{
	uint32_t sign = (h & 0x8000u) << 16;
	unsigned int exponent = h >> 10 & 0x1f;
	uint32_t mantissa = h & 0x3ff;
	double d;

	if (exponent == 0) {
		d = mantissa * 0x1p-24;
		return sign ? -d : d;
	}
	if (exponent == 0x1f)
		return float_of_bits(sign | 0x7f800000u | mantissa << 13);
	return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

/* This type has no infinities; only all ones is a NaN. */
static double e4m3_of_bits(unsigned int b)
{
	unsigned int exponent = b >> 3 & 0xf;
	unsigned int mantissa = b & 7;
	double d;

	if ((b & 0x7f) == 0x7f)
		return NAN;
	if (exponent == 0)
		d = mantissa * 0x1p-9;
	else
		d = ldexp(8 + mantissa, (int)exponent - 10);
	return b & 0x80 ? -d : d;
}

#define LOAD_ALL(expression) \
	do { \
		for (i = 0; i < count; i++) \
			out[i] = (expression); \
	} while (0)

static void load(enum numeric_type type, const unsigned char *p, size_t count,
		 double *out)
{
	size_t i;

	switch (type) {
	case NUMERIC_F64: LOAD_ALL(double_of_bits(get_u64(p + 8 * i))); break;
	case NUMERIC_F32: LOAD_ALL(float_of_bits(get_u32(p + 4 * i))); break;
	case NUMERIC_F16: LOAD_ALL(half_of_bits(get_u16(p + 2 * i))); break;
	case NUMERIC_BF16:
		LOAD_ALL(float_of_bits((uint32_t)get_u16(p + 2 * i) << 16));
		break;
	case NUMERIC_F8_E4M3: LOAD_ALL(e4m3_of_bits(p[i])); break;
	/* It is the upper half of an F16. */
	case NUMERIC_F8_E5M2: LOAD_ALL(half_of_bits(p[i] * 256u)); break;
	case NUMERIC_I64: LOAD_ALL((double)(int64_t)get_u64(p + 8 * i)); break;
	case NUMERIC_I32: LOAD_ALL((int32_t)get_u32(p + 4 * i)); break;
	case NUMERIC_I16: LOAD_ALL((int16_t)get_u16(p + 2 * i)); break;
	case NUMERIC_I8: LOAD_ALL((int8_t)p[i]); break;
	case NUMERIC_U64: LOAD_ALL((double)get_u64(p + 8 * i)); break;
	case NUMERIC_U32: LOAD_ALL(get_u32(p + 4 * i)); break;
	case NUMERIC_U16: LOAD_ALL(get_u16(p + 2 * i)); break;
	case NUMERIC_U8: LOAD_ALL(p[i]); break;
	case NUMERIC_BOOL: LOAD_ALL(p[i] != 0); break;
	case NUMERIC_NONE: LOAD_ALL(0); break;
	}
}

double numeric_load(enum numeric_type type, const void *data)
{
	double d;

	load(type, data, 1, &d);
	return d;
}

/* ---- Distances ---- */

/*
 * Large integers that are close differ by less than doubles can show, so their
 * distance is computed as an integer.
 */
static void exact_distances(enum numeric_type type, const unsigned char *a,
			    const unsigned char *b, size_t count, double *out)
{
	size_t i;

	for (i = 0; i < count; i++) {
		uint64_t x = get_u64(a + 8 * i);
		uint64_t y = get_u64(b + 8 * i);
		/*
		 * Shifted by bias, signed numbers have the order of unsigned
		 * ones.
		 */
		uint64_t bias = type == NUMERIC_I64 ? UINT64_C(1) << 63 : 0;

		out[i] = (double)((x ^ bias) > (y ^ bias) ? x - y : y - x);
	}
}

static void distances(const double *x, const double *y, size_t count,
		      double *out)
{
	size_t i;

	/* Equal infinities do not differ; add_up() handles NaNs. */
	for (i = 0; i < count; i++)
		out[i] = x[i] == y[i] ? 0 : fabs(x[i] - y[i]);
}

static void add_squares(const double *d, size_t count, double max,
			struct numeric_diff *out)
{
	double sum = 0;
	double ratio;
	size_t i;

	if (max == 0)
		return;
	if (isinf(max)) {
		out->scale = max;
		out->squares = 1;
		return;
	}
	for (i = 0; i < count; i++)
		sum += (d[i] / max) * (d[i] / max);
	if (max > out->scale) {
		ratio = out->scale / max;
		out->squares = sum + out->squares * ratio * ratio;
		out->scale = max;
	} else if (!isinf(out->scale)) {
		ratio = max / out->scale;
		out->squares += sum * ratio * ratio;
	}
}

static void add_up(const double *x, const double *y, double *d, size_t count,
		   double tolerance, struct numeric_diff *out)
{
	double max = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		double larger, relative;

		if (d[i] == 0)
			continue;
		if (isnan(d[i])) {
			d[i] = 0;
			if (isnan(x[i]) && isnan(y[i]))
				continue;
			out->nans++;
			out->differing++;
			continue;
		}
		if (d[i] > tolerance)
			out->differing++;
		if (d[i] > max)
			max = d[i];
		larger = fmax(fabs(x[i]), fabs(y[i]));
		relative = isinf(d[i]) ? d[i] : d[i] / larger;
		if (relative > out->relative)
			out->relative = relative;
	}
	out->count += (int64_t)count;
	add_squares(d, count, max, out);
	if (max > out->max)
		out->max = max;
}

void numeric_compare(enum numeric_type type_a, const void *a,
		     enum numeric_type type_b, const void *b, size_t count,
		     double tolerance, struct numeric_diff *out)
{
	const unsigned char *p = a;
	const unsigned char *q = b;
	bool exact = type_a == type_b &&
		(type_a == NUMERIC_I64 || type_a == NUMERIC_U64);
	double x[BLOCK], y[BLOCK], d[BLOCK];

	while (count > 0) {
		size_t n = count < BLOCK ? count : BLOCK;

		load(type_a, p, n, x);
		load(type_b, q, n, y);
		if (exact)
			exact_distances(type_a, p, q, n, d);
		else
			distances(x, y, n, d);
		add_up(x, y, d, n, tolerance, out);
		p += n * numeric_size(type_a);
		q += n * numeric_size(type_b);
		count -= n;
	}
}

void numeric_equal(int64_t count, struct numeric_diff *out)
{
	out->count += count;
}

double numeric_rms(const struct numeric_diff *diff)
{
	int64_t count = diff->count - diff->nans;

	if (count <= 0)
		return 0;
	return diff->scale * sqrt(diff->squares / (double)count);
}
