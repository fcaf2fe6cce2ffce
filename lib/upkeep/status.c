/* SPDX-License-Identifier: MIT */
/*
 * The repository at a glance.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/texts.h"
#include "../catalog/totals.h"
#include "../job/job.h"
#include "../repo/repo.h"

static int current_head(struct dsv *d, const char *branch,
			char head[DSV_ID_SIZE], struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int64_t seq = 0;
	int ret;

	ret = catalog_branch_head(d->catalog, branch, &seq, err);
	if (ret == DSV_ENOTFOUND || (ret == 0 && seq <= 0))
		return 0;
	if (ret == 0)
		ret = catalog_id(d->catalog, seq, id, err);
	if (ret == 0)
		hash_to_hex(id, head);
	return ret;
}

int dsv_status(struct dsv *d, struct dsv_status *out, struct dsv_err *err)
{
	struct catalog_totals totals;
	struct dsv_status s = { .branch = NULL };
	int ret;

	job_refresh(d);
	ret = repo_branch(d, &s.branch, err);
	if (ret == 0)
		ret = current_head(d, s.branch, s.head, err);
	if (ret == 0)
		ret = catalog_totals(d->catalog, &totals, err);
	if (ret < 0) {
		free(s.branch);
		return ret;
	}
	s.states = totals.states;
	s.pruned = totals.pruned;
	s.size_bytes = totals.size_bytes;
	s.stored_bytes = totals.chunk_bytes + totals.condemned_bytes;
	s.condemned_bytes = totals.condemned_bytes;
	s.pending = totals.pending;
	s.lost = totals.lost;
	s.scopes_open = totals.scopes_open;
	s.jobs = totals.jobs;
	*out = s;
	return 0;
}

void dsv_status_release(struct dsv_status *status)
{
	free(status->branch);
	memset(status, 0, sizeof(*status));
}

int dsv_usage(struct dsv *d, const char *by, struct dsv_usages *out,
	      struct dsv_err *err)
{
	return catalog_usage(d->catalog, by, out, err);
}

void dsv_usages_free(struct dsv_usages *usages)
{
	size_t i;

	for (i = 0; i < usages->count; i++)
		text_free(usages->items[i].key);
	free(usages->items);
	memset(usages, 0, sizeof(*usages));
}
