/* SPDX-License-Identifier: MIT */
/* dsv init - make a repository */
#include "cli.h"

#include <string.h>

static const char *shared;

static const struct opt opts[] = {
	{ .name = "shared", .value = "group",
	  .help = "writable by the directory's group", .string = &shared },
	{ 0 },
};

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_json *j;
	const char *dir;
	bool existed = false;
	int ret = cli_operands(argc, 0, 1, err);

	(void)d;
	if (ret < 0)
		return ret;
	if (shared && strcmp(shared, "group"))
		return dsv_fail(err, DSV_EUSAGE,
				"--shared: '%s' is not group", shared);
	dir = argc ? argv[0] : cli.repo ? cli.repo : ".";
	ret = dsv_init(dir, shared != NULL, &existed, err);
	if (ret < 0)
		return ret;
	if (cli.json) {
		j = dsv_json_new();
		if (j) {
			dsv_json_object(j, NULL);
			dsv_json_string(j, "dir", dir);
			dsv_json_bool(j, "existed", existed);
			dsv_json_end(j);
		}
		return json_print(j, err);
	}
	if (!cli.quiet) {
		fprintf(stderr, "%s repository in '",
			existed ? "there is already a" : "made a");
		out_text(stderr, dir);
		fputs("'\n", stderr);
	}
	return 0;
}

const struct cmd cmd_init = {
	.name = "init",
	.summary = "make a repository",
	.synopsis = "[OPTION...] [DIR]",
	.opts = opts,
	.flags = CMD_JSON,
	.run = run,
};
