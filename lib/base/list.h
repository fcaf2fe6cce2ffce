/* SPDX-License-Identifier: MIT */
#ifndef DSV_BASE_LIST_H
#define DSV_BASE_LIST_H

#include <stddef.h>

#include "../dsv.h"

/*
 * Room for one more item of size bytes in *items, which starts as NULL and
 * has count; the capacity follows from the count.
 */
int list_grow(void **items, size_t count, size_t size, struct dsv_err *err);

/* For qsort() and bsearch(), of int64_t. */
int compare_int64(const void *a, const void *b);

#endif
