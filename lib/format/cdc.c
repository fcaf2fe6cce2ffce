/* SPDX-License-Identifier: MIT */
#include "cdc.h"

#include <string.h>

#include "../base/hash.h"
#include "../base/str.h"

/*
 * gear[i] is the first 8 bytes, little-endian, of the SHA-256 of these ten
 * bytes and the byte i.
 */
#define GEAR_SEED "dsv-gear-1"

/* The hash at a position depends on this many bytes before it. */
#define WINDOW_BYTES 64

/*
 * The top bits depend on the whole window.  There are two more than
 * log2(average) before the average and two fewer after it: FastCDC's
 * normalisation level 2.
 */
#define MASK_HARD (0x3fffffULL << 42)
#define MASK_EASY (0x3ffffULL << 46)

int cdc_init(struct cdc *cdc)
{
	unsigned char seed[sizeof(GEAR_SEED)], hash[HASH_BYTES];
	int i;

	memcpy(seed, GEAR_SEED, sizeof(seed));
	for (i = 0; i < 256; i++) {
		seed[sizeof(seed) - 1] = (unsigned char)i;
		if (!hash_bytes(seed, sizeof(seed), hash))
			return DSV_ESYS;
		cdc->gear[i] = get_u64(hash);
	}
	return 0;
}

static size_t roll(const struct cdc *cdc, const unsigned char *data,
		   size_t from, size_t to, uint64_t mask, uint64_t *hash)
{
	uint64_t h = *hash;
	size_t i;

	for (i = from; i < to; i++) {
		h = (h << 1) + cdc->gear[data[i]];
		if (!(h & mask))
			return i + 1;
	}
	*hash = h;
	return 0;
}

/*
 * Hashing begins one window before the smallest cut, so that whether a position
 * is a cut does not depend on where the chunk began: the cuts of two files then
 * agree again soon after a difference.
 */
size_t cdc_cut(const struct cdc *cdc, const unsigned char *data, size_t len)
{
	size_t middle, i, cut;
	uint64_t h = 0;

	if (len <= CDC_MIN_BYTES)
		return len;
	if (len > CDC_MAX_BYTES)
		len = CDC_MAX_BYTES;
	middle = len < CDC_AVERAGE_BYTES ? len : CDC_AVERAGE_BYTES;
	for (i = CDC_MIN_BYTES - WINDOW_BYTES; i < CDC_MIN_BYTES; i++)
		h = (h << 1) + cdc->gear[data[i]];
	if (!(h & MASK_HARD))
		return CDC_MIN_BYTES;
	cut = roll(cdc, data, CDC_MIN_BYTES, middle, MASK_HARD, &h);
	if (!cut)
		cut = roll(cdc, data, middle, len, MASK_EASY, &h);
	return cut ? cut : len;
}
