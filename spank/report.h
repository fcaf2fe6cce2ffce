/* SPDX-License-Identifier: MIT */
/* Shows the user what a helper said. */
#ifndef DSV_SPANK_REPORT_H
#define DSV_SPANK_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "exec.h"

bool helper_succeeded(const struct helper_result *r);

/* Reports why it failed: its own words, or else what became of it. */
void report_failure(const struct helper *h, const struct helper_result *r);

/* Reports what it said although it succeeded. */
void report_remarks(const struct helper *h, const struct helper_result *r);

/*
 * Returns the next KEY=VALUE of a helper's output, or NULL at its end.  *pos
 * starts at 0.  A pair without its NUL was cut off and is not returned.
 */
const char *next_pair(const struct helper_result *r, size_t *pos);

#endif
