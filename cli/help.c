/* SPDX-License-Identifier: MIT */
/* dsv help - show the manual page of a command */
#include "cli.h"

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	const struct cmd *cmd;
	int ret = cli_operands(argc, 0, 1, err);

	(void)d;
	if (ret < 0)
		return ret;
	if (argc == 0) {
		cli_usage(stdout);
		return 0;
	}
	cmd = cli_find(argv[0]);
	if (!cmd)
		return cli_no_command(argv[0], NULL, err);
	cli_help(cmd);
	return 0;
}

const struct cmd cmd_help = {
	.name = "help",
	.summary = "show the manual page of a command",
	.synopsis = "[COMMAND]",
	.run = run,
};
