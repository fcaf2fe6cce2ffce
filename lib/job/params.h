/* SPDX-License-Identifier: MIT */
#ifndef DSV_JOB_PARAMS_H
#define DSV_JOB_PARAMS_H

#include "../repo/repo.h"

/*
 * Returns "DSV_PARAM_<KEY>", which the caller frees, or NULL if out of memory.
 */
char *params_variable(const char *key);

#endif
