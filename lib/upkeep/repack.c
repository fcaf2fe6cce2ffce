/* SPDX-License-Identifier: MIT */
/*
 * Repacking, by hand or when it pays.
 */
#include "repack.h"

#include "../base/options.h"
#include "../space/space.h"

static int repack(struct dsv *d, const struct dsv_repack_options *options,
		  struct dsv_repack_report *out, struct dsv_err *err)
{
	const struct catalog_repack how = {
		.dry_run = options->dry_run,
		.if_it_pays = options->if_it_pays,
	};
	struct dsv_repack_report report = { 0, 0, 0, 0 };
	struct catalog_repacked done;
	int ret = 0;

	if (!options->dry_run)
		ret = repo_writable(d, err);
	if (ret == 0)
		ret = catalog_repack(d->catalog, d->store, &how, &done, err);
	if (ret < 0)
		return ret;
	report.segments = done.segments;
	report.made = done.made;
	report.moved_bytes = done.bytes;
	/* What is condemned keeps its grace. */
	if (done.made > 0)
		ret = catalog_free_expired(d->catalog, d->store, 0,
					   &report.freed_bytes, err);
	if (ret == 0)
		*out = report;
	return ret;
}

int dsv_repack(struct dsv *d, const struct dsv_repack_options *given,
	       struct dsv_repack_report *out, struct dsv_err *err)
{
	struct dsv_repack_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : repack(d, &o, out, err);
}

void repack_if_it_pays(struct dsv *d)
{
	const struct dsv_repack_options options = { .if_it_pays = true };
	struct dsv_repack_report report;
	struct dsv_err err;
	int ret = repack(d, &options, &report, &err);

	if (ret < 0 && ret != DSV_EINTERRUPTED)
		repo_warn(d, "small segments were not repacked: %s", err.msg);
}
