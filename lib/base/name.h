/* SPDX-License-Identifier: MIT */
/*
 * What branches, states and scopes may be called.
 */
#ifndef DSV_BASE_NAME_H
#define DSV_BASE_NAME_H

#include "../dsv.h"

/*
 * May this be a branch, a name or a scope (what says which)?
 * [A-Za-z0-9_][A-Za-z0-9_./-]*, no "..", not HEAD, not 64 hexadecimal
 * digits, at most 255 bytes.  DSV_EUSAGE.
 */
int name_check(const char *name, const char *what, struct dsv_err *err);

#endif
