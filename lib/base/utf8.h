/* SPDX-License-Identifier: MIT */
#ifndef DSV_BASE_UTF8_H
#define DSV_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/*
 * The length of the valid UTF-8 sequence (RFC 3629) that text starts with; 0
 * when it starts with none.
 */
size_t utf8_sequence(const char *text, size_t len);

/* Whether all of text is valid UTF-8. */
bool utf8_is_valid(const char *text);

/* Append text; bytes that are not UTF-8 become \xNN. */
void utf8_clean(struct str *out, const char *text, size_t len);

#endif
