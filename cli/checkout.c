/* SPDX-License-Identifier: MIT */
/* dsv checkout - write the files of a state into a directory */
#include "cli.h"

#include <string.h>

static struct dsv_checkout_options options = {
	.size_bytes = sizeof(options),
	.rank = NOT_GIVEN,
};
static const char *link_mode;

static const struct opt opts[] = {
	{ .name = "path", .value = "GLOB",
	  .help = "only what matches (repeatable)",
	  .strings = &options.paths },
	{ .name = "link", .value = "auto|reflink|copy",
	  .help = "whether to share blocks with the store",
	  .string = &link_mode },
	{ .name = "force", .help = "overwrite files that differ",
	  .flag = &options.force },
	{ .name = "rank", .value = "RANK",
	  .help = "only this rank's part", .number = &options.rank },
	{ .name = "if-any", .help = "succeed if there is nothing to check out",
	  .flag = &options.if_any },
	{ .name = "nearest",
	  .help = "else the nearest ancestor that is available",
	  .flag = &options.nearest },
	{ 0 },
};

static int parse_link(struct dsv_err *err)
{
	if (!link_mode || !strcmp(link_mode, "auto"))
		options.link = DSV_LINK_AUTO;
	else if (!strcmp(link_mode, "reflink"))
		options.link = DSV_LINK_REFLINK;
	else if (!strcmp(link_mode, "copy"))
		options.link = DSV_LINK_COPY;
	else
		return dsv_fail(err, DSV_EUSAGE, "--link: '%s' is not auto,"
				" reflink or copy", link_mode);
	return 0;
}

static int print_json(const struct dsv_checkout_result *r,
		      struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();

	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_string(j, "id", r->id[0] ? r->id : NULL);
		dsv_json_string(j, "dir", options.dir ? options.dir : ".");
		dsv_json_int(j, "files", r->files);
		dsv_json_int(j, "size", r->size_bytes);
		dsv_json_int(j, "reflinked", r->reflinked);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static void print_text(const struct dsv_checkout_result *r)
{
	char size[DSV_TIME_SIZE];

	dsv_format_size(r->size_bytes, size);
	fprintf(stderr, "%.12s: %" PRId64 " file%s, %s, to '", r->id,
		r->files, r->files == 1 ? "" : "s", size);
	out_text(stderr, options.dir ? options.dir : ".");
	fputs("'\n", stderr);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_checkout_result result = { 0 };
	int ret = cli_operands(argc, 1, 2, err);

	if (ret == 0)
		ret = parse_link(err);
	if (ret == 0)
		ret = cli_not_negative(options.rank, "--rank", err);
	if (ret < 0)
		return ret;
	options.rev = argv[0];
	options.dir = argc > 1 ? argv[1] : NULL;
	ret = dsv_checkout(d, &options, &result, err);
	if (ret < 0)
		return ret;
	if (cli.json)
		return print_json(&result, err);
	if (!cli.quiet && result.id[0]) {
		ui_progress_clear();
		print_text(&result);
	}
	return 0;
}

const struct cmd cmd_checkout = {
	.name = "checkout",
	.summary = "write the files of a state into a directory",
	.synopsis = "[OPTION...] REV [DIR]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};
