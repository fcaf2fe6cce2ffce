/* SPDX-License-Identifier: MIT */
/*
 * Tests elements of tensors as numbers, and their distances.
 */
#include "tap.h"

#include <float.h>
#include <math.h>

#include "../../lib/format/numeric.h"

static void load_is(enum numeric_type type, uint64_t bits, double want,
		    const char *what)
{
	unsigned char bytes[8];
	double got;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(bits >> 8 * i);
	got = numeric_load(type, bytes);
	if (!ok((isnan(want) && isnan(got)) ||
		(got == want && signbit(got) == signbit(want)), "%s", what))
		diag("got %a, want %a", got, want);
}

static void test_half(void)
{
	load_is(NUMERIC_F16, 0x3c00, 1, "f16: 1");
	load_is(NUMERIC_F16, 0xc000, -2, "f16: -2");
	load_is(NUMERIC_F16, 0x7bff, 65504, "f16: the largest");
	load_is(NUMERIC_F16, 0x0001, 0x1p-24, "f16: the smallest subnormal");
	load_is(NUMERIC_F16, 0x83ff, -1023 * 0x1p-24,
		"f16: the largest negative subnormal");
	load_is(NUMERIC_F16, 0x0400, 0x1p-14, "f16: the smallest normal");
	load_is(NUMERIC_F16, 0x8000, -0.0, "f16: -0");
	load_is(NUMERIC_F16, 0x7c00, INFINITY, "f16: inf");
	load_is(NUMERIC_F16, 0xfc00, -INFINITY, "f16: -inf");
	load_is(NUMERIC_F16, 0x7e00, NAN, "f16: nan");
	load_is(NUMERIC_F16, 0x7c01, NAN, "f16: a signalling nan");
	load_is(NUMERIC_BF16, 0x3f80, 1, "bf16: 1");
	load_is(NUMERIC_BF16, 0x0001, 0x1p-133, "bf16: the smallest subnormal");
	load_is(NUMERIC_BF16, 0x8000, -0.0, "bf16: -0");
	load_is(NUMERIC_BF16, 0xff80, -INFINITY, "bf16: -inf");
	load_is(NUMERIC_BF16, 0x7fc0, NAN, "bf16: nan");
}

static void test_eight(void)
{
	load_is(NUMERIC_F8_E4M3, 0x38, 1, "e4m3: 1");
	load_is(NUMERIC_F8_E4M3, 0x7e, 448, "e4m3: the largest");
	load_is(NUMERIC_F8_E4M3, 0x01, 0x1p-9, "e4m3: the smallest");
	load_is(NUMERIC_F8_E4M3, 0x80, -0.0, "e4m3: -0");
	load_is(NUMERIC_F8_E4M3, 0xff, NAN, "e4m3: nan");
	load_is(NUMERIC_F8_E5M2, 0x3c, 1, "e5m2: 1");
	load_is(NUMERIC_F8_E5M2, 0x7b, 57344, "e5m2: the largest");
	load_is(NUMERIC_F8_E5M2, 0x01, 0x1p-16, "e5m2: the smallest");
	load_is(NUMERIC_F8_E5M2, 0xfc, -INFINITY, "e5m2: -inf");
}

static void test_others(void)
{
	load_is(NUMERIC_F64, 1, 0x1p-1074, "f64: the smallest subnormal");
	load_is(NUMERIC_F32, 0x80000001, -0x1p-149,
		"f32: the smallest negative subnormal");
	load_is(NUMERIC_I8, 0x80, -128, "i8: -128");
	load_is(NUMERIC_I16, 0xffff, -1, "i16: -1");
	load_is(NUMERIC_I32, 0x80000000, -0x1p31, "i32: the smallest");
	load_is(NUMERIC_I64, UINT64_MAX, -1, "i64: -1");
	load_is(NUMERIC_U8, 0x80, 128, "u8: 128");
	load_is(NUMERIC_U16, 0xffff, 65535, "u16: 65535");
	load_is(NUMERIC_U32, 0x80000000, 0x1p31, "u32: 2^31");
	load_is(NUMERIC_U64, UINT64_MAX, 0x1p64, "u64: the nearest double");
	load_is(NUMERIC_BOOL, 2, 1, "bool: any other byte is true");
}

static void test_types(void)
{
	int parts;

	is_int(numeric_type_of("C64", &parts), NUMERIC_F32, "C64 is of F32");
	is_int(parts, 2, "two of them");
	is_int(numeric_type_of("BF16", &parts), NUMERIC_BF16, "BF16");
	is_int(parts, 1, "one of it");
	is_int(numeric_type_of("Q4_0", &parts), NUMERIC_NONE,
	       "Q4_0 is a block, not a number");
	is_int((int64_t)numeric_size(NUMERIC_BF16), 2, "BF16 has 2 bytes");
}

static struct numeric_diff compare(const double *a, const double *b, size_t n,
				   double tolerance)
{
	struct numeric_diff diff = NUMERIC_DIFF_INIT;

	numeric_compare(NUMERIC_F64, a, NUMERIC_F64, b, n, tolerance, &diff);
	return diff;
}

static void test_distances(void)
{
	const double a[] = { 1, 2, 3, 4 };
	const double b[] = { 1, 2.5, 3, 2 };
	struct numeric_diff d = compare(a, b, 4, 0);

	is_int(d.count, 4, "four compared");
	is_int(d.differing, 2, "two differ");
	ok(d.max == 2, "the largest distance");
	ok(d.relative == 0.5, "the largest relative distance");
	ok(fabs(numeric_rms(&d) - sqrt(4.25 / 4)) < 1e-15, "rms");
	d = compare(a, b, 4, 0.5);
	is_int(d.differing, 1, "a distance equal to the tolerance is none");
	ok(d.max == 2, "the tolerance does not change the maximum");
	numeric_equal(4, &d);
	ok(fabs(numeric_rms(&d) - sqrt(4.25 / 8)) < 1e-15,
	   "equal pairs count for rms");
	d = compare(a, b, 0, 0);
	ok(d.count == 0 && numeric_rms(&d) == 0, "of nothing");
}

static void test_special(void)
{
	const double a[] = { NAN, INFINITY, 0.0, 1 };
	const double b[] = { -NAN, INFINITY, -0.0, 1 };
	const double nan[] = { 1, INFINITY, -0.0, 1.5 };
	const double inf[] = { NAN, -INFINITY, 0, 1 };
	struct numeric_diff d = compare(a, b, 4, 0);

	ok(d.differing == 0 && d.nans == 0 && d.max == 0,
	   "nan and nan, inf and inf, 0 and -0 are equal");
	d = compare(a, nan, 4, 1000);
	is_int(d.nans, 1, "one nan is counted");
	is_int(d.differing, 1, "and differs whatever the tolerance");
	ok(d.max == 0.5, "the others have their distance");
	ok(fabs(numeric_rms(&d) - 0.5 / sqrt(3)) < 1e-15,
	   "rms leaves the nan out");
	d = compare(a, inf, 4, 1000);
	ok(isinf(d.max) && isinf(numeric_rms(&d)) && isinf(d.relative) &&
	   d.differing == 1, "inf and -inf are infinitely apart");
	d = compare(inf, a, 4, 0);
	numeric_compare(NUMERIC_F64, a, NUMERIC_F64, nan, 4, 0, &d);
	ok(isinf(numeric_rms(&d)), "and remain so with what comes after");
}

static void test_range(void)
{
	const double zero[] = { 0, 0, 0 };
	const double large[] = { 1e300, 1e300, 1e-300 };
	const double small[] = { 3e-310, 4e-310, 0 };
	const double huge[] = { DBL_MAX, 0, 0 };
	const double other[] = { -DBL_MAX, 0, 0 };
	struct numeric_diff d = compare(zero, large, 3, 0);

	ok(fabs(numeric_rms(&d) / (1e300 * sqrt(2. / 3)) - 1) < 1e-15,
	   "squares do not overflow");
	d = compare(zero, small, 3, 0);
	ok(fabs(numeric_rms(&d) / (5e-310 / sqrt(3)) - 1) < 1e-12,
	   "nor underflow");
	numeric_compare(NUMERIC_F64, zero, NUMERIC_F64, large, 3, 0, &d);
	ok(fabs(numeric_rms(&d) / (1e300 * sqrt(2. / 6)) - 1) < 1e-15,
	   "small before large");
	numeric_compare(NUMERIC_F64, zero, NUMERIC_F64, small, 3, 0, &d);
	ok(fabs(numeric_rms(&d) / (1e300 * sqrt(2. / 9)) - 1) < 1e-15,
	   "and after");
	d = compare(huge, other, 3, 0);
	ok(isinf(d.max), "a distance that no double holds is infinite");
}

static void test_integers(void)
{
	const int64_t a[] = { INT64_MAX, INT64_MIN, -1, (1LL << 53) + 1 };
	const int64_t b[] = { INT64_MAX - 1, INT64_MAX, 1, 1LL << 53 };
	struct numeric_diff d = NUMERIC_DIFF_INIT;
	const uint64_t u = UINT64_MAX, v = UINT64_MAX - 1;

	numeric_compare(NUMERIC_I64, a, NUMERIC_I64, b, 1, 0, &d);
	ok(d.max == 1 && d.differing == 1, "INT64_MAX is not one less");
	numeric_compare(NUMERIC_I64, a + 3, NUMERIC_I64, b + 3, 1, 0, &d);
	ok(d.max == 1 && d.differing == 2, "nor 2^53 + 1");
	numeric_compare(NUMERIC_I64, a + 2, NUMERIC_I64, b + 2, 1, 0, &d);
	ok(d.max == 2, "-1 and 1");
	numeric_compare(NUMERIC_I64, a + 1, NUMERIC_I64, b + 1, 1, 0, &d);
	ok(d.max == 0x1p64, "the ends of the range");
	d = (struct numeric_diff)NUMERIC_DIFF_INIT;
	numeric_compare(NUMERIC_U64, &u, NUMERIC_U64, &v, 1, 0, &d);
	ok(d.max == 1, "UINT64_MAX is not one less");
}

static void test_mixed(void)
{
	const float f[] = { 1, 1.00390625f, -0.0f };
	const unsigned char bf[] = { 0x80, 0x3f, 0x80, 0x3f, 0, 0 };
	unsigned char shifted[sizeof(f) + 1];
	struct numeric_diff d = NUMERIC_DIFF_INIT;

	memcpy(shifted + 1, f, sizeof(f));
	numeric_compare(NUMERIC_F32, shifted + 1, NUMERIC_BF16, bf, 3, 0, &d);
	ok(d.differing == 1 && d.max == 0.00390625,
	   "F32 with BF16, at an odd address");
}

static void test_many(void)
{
	enum { N = 5000 };
	static float a[N], b[N];
	struct numeric_diff d = NUMERIC_DIFF_INIT;
	size_t i;

	for (i = 0; i < N; i++) {
		a[i] = (float)i;
		b[i] = (float)i + (i == N - 1 ? 3 : 0);
	}
	numeric_compare(NUMERIC_F32, a, NUMERIC_F32, b, N, 0, &d);
	ok(d.count == N && d.differing == 1 && d.max == 3,
	   "the last of many blocks");
}

int main(void)
{
	test_half();
	test_eight();
	test_others();
	test_types();
	test_distances();
	test_special();
	test_range();
	test_integers();
	test_mixed();
	test_many();
	return tap_done();
}
