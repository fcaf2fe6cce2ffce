/* SPDX-License-Identifier: MIT */
/* dsv pin, unpin - protect states from rules, or stop doing so */
#include "cli.h"

static int set(struct dsv *d, int argc, char **argv, bool pinned,
	       struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc, argv);
	int ret = cli_operands(argc, 1, -1, err);

	return ret < 0 ? ret : dsv_pin(d, &revs, pinned, err);
}

static int run_pin(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	return set(d, argc, argv, true, err);
}

static int run_unpin(struct dsv *d, int argc, char **argv,
		     struct dsv_err *err)
{
	return set(d, argc, argv, false, err);
}

const struct cmd cmd_pin = {
	.name = "pin",
	.summary = "let no rule remove these states",
	.synopsis = "[OPTION...] REV...",
	.flags = CMD_REPO | CMD_BRANCH,
	.run = run_pin,
};

const struct cmd cmd_unpin = {
	.name = "unpin",
	.summary = "let rules remove these states again",
	.synopsis = "[OPTION...] REV...",
	.flags = CMD_REPO | CMD_BRANCH,
	.run = run_unpin,
};
