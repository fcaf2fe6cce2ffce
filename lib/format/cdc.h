/* SPDX-License-Identifier: MIT */
/*
 * This is content-defined chunking: FastCDC with normalised chunking (Xia et
 * al., USENIX ATC'16), average 1 MiB.  The gear table is derived from SHA-256
 * (see dsv-format(5)), so that anybody can reproduce it.
 */
#ifndef DSV_FORMAT_CDC_H
#define DSV_FORMAT_CDC_H

#include <stddef.h>
#include <stdint.h>

#include "../dsv.h"

#define CDC_MIN_BYTES (256 << 10)
#define CDC_AVERAGE_BYTES (1 << 20)
#define CDC_MAX_BYTES (4 << 20)

struct cdc {
	uint64_t gear[256];
};

/* Returns DSV_ESYS if libcrypto fails. */
int cdc_init(struct cdc *cdc);

/*
 * Returns the length of the first chunk of data: between CDC_MIN_BYTES and
 * CDC_MAX_BYTES, or len if that is smaller.  Pass at least CDC_MAX_BYTES unless
 * the data ends before that: the cut is then a pure function of the bytes.
 */
size_t cdc_cut(const struct cdc *cdc, const unsigned char *data, size_t len);

#endif
