/* SPDX-License-Identifier: MIT */
#ifndef DSV_COMMIT_DESCRIBE_H
#define DSV_COMMIT_DESCRIBE_H

#include "draft.h"

/* Fills in everything of a state except its content. */
int tag_describe(struct dsv *d, const struct dsv_tag_options *o,
		 struct draft *out, struct dsv_err *err);

#endif
