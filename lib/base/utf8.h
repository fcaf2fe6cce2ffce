/* SPDX-License-Identifier: MIT */
#ifndef DSV_BASE_UTF8_H
#define DSV_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/*
 * Returns the length of the valid UTF-8 sequence (RFC 3629) that text starts
 * with, or 0 if it does not start with one.
 */
size_t utf8_sequence(const char *text, size_t len);

/* Returns whether all of text is valid UTF-8. */
bool utf8_is_valid(const char *text);

/* Appends text; bytes that are not UTF-8 become \xNN. */
void utf8_clean(struct str *out, const char *text, size_t len);

#endif
