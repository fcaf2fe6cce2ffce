/* SPDX-License-Identifier: MIT */
/* What a helper said, as the user shall read it. */
#ifndef DSV_SPANK_REPORT_H
#define DSV_SPANK_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "exec.h"

bool helper_succeeded(const struct helper_result *r);

/* Why it failed: its own words, or else what became of it. */
void report_failure(const struct helper *h, const struct helper_result *r);

/* What it said though it succeeded; in slurmstepd slurm_info goes nowhere. */
void report_remarks(const struct helper *h, const struct helper_result *r);

/*
 * The next KEY=VALUE of a helper's output, NULL at its end.  *pos starts at 0.
 * What lacks its NUL was cut off and is not given.
 */
const char *next_pair(const struct helper_result *r, size_t *pos);

#endif
