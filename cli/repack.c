/* SPDX-License-Identifier: MIT */
/* dsv repack - put many small segments into few */
#include "cli.h"

static struct dsv_repack_options options = {
	.size_bytes = sizeof(options),
};

static const struct opt opts[] = {
	{ 'n', "dry-run", NULL, "only report, change nothing",
	  .flag = &options.dry_run },
	{ 0 },
};

static int json_report(const struct dsv_repack_report *r, struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();

	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_int(j, "segments", r->segments);
		dsv_json_int(j, "made", r->made);
		dsv_json_int(j, "moved", r->moved_bytes);
		dsv_json_int(j, "freed", r->freed_bytes);
		dsv_json_bool(j, "dry_run", options.dry_run);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_repack_report r;
	char moved[DSV_TIME_SIZE];
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = dsv_repack(d, &options, &r, err);
	if (ret < 0)
		return ret;
	ui_progress_clear();
	if (cli.json)
		return json_report(&r, err);
	dsv_format_size(r.moved_bytes, moved);
	if (options.dry_run)
		printf("would repack %" PRId64 " segments, %s\n", r.segments,
		       moved);
	else
		printf("repacked %" PRId64 " segments into %" PRId64 ", %s\n",
		       r.segments, r.made, moved);
	return 0;
}

const struct cmd cmd_repack = {
	.name = "repack",
	.summary = "put many small segments into few",
	.synopsis = "[OPTION...]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
