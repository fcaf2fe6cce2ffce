/* SPDX-License-Identifier: MIT */
#ifndef DSV_BASE_LIST_H
#define DSV_BASE_LIST_H

#include <stddef.h>

#include "../dsv.h"

/*
 * Makes room for one more item of size bytes in *items, which starts as NULL
 * and holds count items; the capacity follows from the count.
 */
int list_grow(void **items, size_t count, size_t size, struct dsv_err *err);

/* Compares two int64_t, for qsort() and bsearch(). */
int compare_int64(const void *a, const void *b);

#endif
