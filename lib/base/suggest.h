/* SPDX-License-Identifier: MIT */
#ifndef DSV_BASE_SUGGEST_H
#define DSV_BASE_SUGGEST_H

#include <stddef.h>

/*
 * The candidate that a person who typed word most likely meant; NULL when
 * none is near.  The first among equals.
 */
const char *suggest(const char *word, const char *const *candidates,
		    size_t count);

#endif
