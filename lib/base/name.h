/* SPDX-License-Identifier: MIT */
/* This is the rule for the names of branches, states and scopes. */
#ifndef DSV_BASE_NAME_H
#define DSV_BASE_NAME_H

#include "../dsv.h"

/*
 * Checks whether name is allowed for a branch, a name or a scope (what says
 * which):
 * [A-Za-z0-9_][A-Za-z0-9_./-]*, no "..", not HEAD, not 64 hexadecimal
 * digits, at most 255 bytes.  Returns DSV_EUSAGE if it is not.
 */
int name_check(const char *name, const char *what, struct dsv_err *err);

#endif
