/* SPDX-License-Identifier: MIT */
#include "../../lib/format/cdc.h"
#include "format_source.h"

#define SIZE_BYTES (24 << 20)

struct ends {
	size_t count;
	size_t at[256];
};

static struct ends cut_all(const struct cdc *cdc, const char *data, size_t len)
{
	struct ends ends = { 0 };
	size_t at = 0;

	while (at < len) {
		at += cdc_cut(cdc, (const unsigned char *)data + at, len - at);
		must(ends.count < 256);
		ends.at[ends.count++] = at;
	}
	return ends;
}

static bool sizes_good(const struct ends *ends)
{
	size_t i, start = 0;

	for (i = 0; i < ends->count; start = ends->at[i++])
		if (ends->at[i] - start > CDC_MAX_BYTES ||
		    (ends->at[i] - start < CDC_MIN_BYTES &&
		     i + 1 < ends->count))
			return false;
	return true;
}

/* Counts b's cuts that, moved back by shift, are not a's. */
static size_t differ(const struct ends *a, const struct ends *b, size_t shift)
{
	size_t i, j, missing = 0;

	for (i = 0; i < b->count; i++) {
		for (j = 0; j < a->count; j++)
			if (b->at[i] == a->at[j] + shift)
				break;
		missing += j == a->count;
	}
	return missing;
}

static void test_gear(const struct cdc *cdc)
{
	is_int((int64_t)cdc->gear[0], (int64_t)0x185f0c99c8c8796c,
	       "gear[0] is what SHA-256 of the seed and 0 gives");
	is_int((int64_t)cdc->gear[255], (int64_t)0xd6a3d90aa64c4d02,
	       "gear[255] is what SHA-256 of the seed and 255 gives");
}

static void test_random(const struct cdc *cdc, const struct str *data)
{
	struct ends a = cut_all(cdc, data->data, data->len);
	struct ends b = cut_all(cdc, data->data, data->len);
	size_t average = data->len / a.count;

	ok(sizes_good(&a), "random bytes: chunks keep the bounds");
	ok(average > (3 << 18) && average < (3 << 19),
	   "random bytes: the average is near 1 MiB");
	ok(!memcmp(&a, &b, sizeof(a)), "the same bytes give the same cuts");
	is_int(a.at[0], 1058876, "the first cut of known bytes is known");
}

static void test_insertion(const struct cdc *cdc, const struct str *data)
{
	struct ends a = cut_all(cdc, data->data, data->len), b;
	struct str longer = STR_INIT;

	str_add(&longer, data->data, 3 << 20);
	str_puts(&longer, "inserted");
	str_add(&longer, data->data + (3 << 20), data->len - (3 << 20));
	must(!str_failed(&longer));
	b = cut_all(cdc, longer.data, longer.len);
	/* Cuts before the insertion do not move, those after it do. */
	ok(differ(&a, &b, 8) <= 5,
	   "after an insertion the cuts agree again within a few chunks");
	str_release(&longer);
}

static void test_bounds(const struct cdc *cdc, const unsigned char *zeros)
{
	is_int(cdc_cut(cdc, zeros, 0), 0, "no bytes: nothing to cut");
	is_int(cdc_cut(cdc, zeros, 1), 1, "one byte is a chunk");
	is_int(cdc_cut(cdc, zeros, CDC_MIN_BYTES), CDC_MIN_BYTES,
	       "the smallest chunk is not cut");
	is_int(cdc_cut(cdc, zeros, CDC_MIN_BYTES + 1), CDC_MIN_BYTES + 1,
	       "a little more is one chunk at the end of the data");
	is_int(cdc_cut(cdc, zeros, SIZE_BYTES), CDC_MAX_BYTES,
	       "zeros are cut at the largest size");
}

int main(void)
{
	unsigned char *zeros = calloc(1, SIZE_BYTES);
	struct str data = STR_INIT;
	struct cdc cdc;

	must(zeros && cdc_init(&cdc) == 0);
	fill(&data, SIZE_BYTES, 1);
	must(!str_failed(&data));
	test_gear(&cdc);
	test_random(&cdc, &data);
	test_insertion(&cdc, &data);
	test_bounds(&cdc, zeros);
	str_release(&data);
	free(zeros);
	return tap_done();
}
