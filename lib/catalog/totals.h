/* SPDX-License-Identifier: MIT */
/* This counts how much there is, for status and du. */
#ifndef DSV_CATALOG_TOTALS_H
#define DSV_CATALOG_TOTALS_H

#include "catalog.h"

struct catalog_totals {
	int64_t states, pruned, size_bytes, pending, lost;
	int64_t scopes_open, jobs, segments, chunks;
	int64_t chunk_bytes;		/* stored, not condemned */
	int64_t condemned_bytes;
};

int catalog_totals(struct catalog *c, struct catalog_totals *out,
		   struct dsv_err *err);
/* by is "branch", "author" or "scope"; the caller frees the items. */
int catalog_usage(struct catalog *c, const char *by, struct dsv_usages *out,
		  struct dsv_err *err);

#endif
