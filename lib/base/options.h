/* SPDX-License-Identifier: MIT */
/* This reads options of callers that were compiled against another dsv.h. */
#ifndef DSV_BASE_OPTIONS_H
#define DSV_BASE_OPTIONS_H

#include <stddef.h>

#include "../dsv.h"

/*
 * Fills own, of size bytes, from options that begin with their size; fields
 * that an older caller does not know are 0.  Returns DSV_EUSAGE if the size is
 * not set, or if a newer caller uses fields that this dsv does not know.
 */
int options_take(void *own, size_t size, const void *given,
		 struct dsv_err *err);

#endif
