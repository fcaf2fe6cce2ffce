/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdint.h>
#include <stdlib.h>

int list_grow(void **items, size_t count, size_t size, struct dsv_err *err)
{
	void *more;

	/* The list grows when it is empty, and from 16 on at powers of two. */
	if (count != 0 && (count < 16 || (count & (count - 1)) != 0))
		return 0;
	more = realloc(*items, (count < 16 ? 16 : 2 * count) * size);
	if (!more)
		return dsv_fail_nomem(err);
	*items = more;
	return 0;
}

int compare_int64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}
