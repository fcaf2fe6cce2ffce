/* SPDX-License-Identifier: MIT */
/* Options of callers that were compiled against another dsv.h. */
#ifndef DSV_BASE_OPTIONS_H
#define DSV_BASE_OPTIONS_H

#include <stddef.h>

#include "../dsv.h"

/*
 * Fill own, of size bytes, from options that begin with their size: what an
 * older caller does not know is 0.  DSV_EUSAGE: the size is not set, or a
 * newer caller asks for what this dsv does not know.
 */
int options_take(void *own, size_t size, const void *given,
		 struct dsv_err *err);

#endif
