/* SPDX-License-Identifier: MIT */
#ifndef DSV_JOB_PARAMS_H
#define DSV_JOB_PARAMS_H

#include "../repo/repo.h"

/* "DSV_PARAM_<KEY>", the caller's to free(); NULL: out of memory. */
char *params_variable(const char *key);

#endif
