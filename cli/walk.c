/* SPDX-License-Identifier: MIT */
/* dsv next, prev, merge-base, rev-parse - print ids, one per line */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int run_next(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_ids ids;
	int ret = cli_operands(argc, 1, 1, err);

	if (ret == 0)
		ret = dsv_next(d, argv[0], &ids, err);
	return ret < 0 ? ret : ids_print(&ids, err);
}

static int run_prev(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_ids ids;
	int ret = cli_operands(argc, 1, 1, err);

	if (ret == 0)
		ret = dsv_prev(d, argv[0], &ids, err);
	return ret < 0 ? ret : ids_print(&ids, err);
}

static int run_merge_base(struct dsv *d, int argc, char **argv,
			  struct dsv_err *err)
{
	struct dsv_ids ids = { 0 };
	char id[DSV_ID_SIZE];
	int ret = cli_operands(argc, 2, 2, err);

	if (ret == 0)
		ret = dsv_merge_base(d, argv[0], argv[1], id, err);
	if (ret < 0)
		return ret;
	ids.items = malloc(sizeof(id));
	if (!ids.items)
		return dsv_fail_nomem(err);
	memcpy(ids.items[ids.count++], id, sizeof(id));
	return ids_print(&ids, err);
}

/* Prints all of them, or none. */
static int run_rev_parse(struct dsv *d, int argc, char **argv,
			 struct dsv_err *err)
{
	struct dsv_ids ids = { 0 };
	int i, ret = cli_operands(argc, 1, -1, err);

	if (ret < 0)
		return ret;
	ids.items = calloc((size_t)argc, sizeof(ids.items[0]));
	if (!ids.items)
		return dsv_fail_nomem(err);
	for (i = 0; i < argc && ret == 0; i++)
		ret = dsv_rev_parse(d, argv[i], ids.items[ids.count++], err);
	if (ret == 0)
		return ids_print(&ids, err);
	dsv_ids_free(&ids);
	return ret;
}

const struct cmd cmd_next = {
	.name = "next",
	.summary = "print the states that follow a state",
	.synopsis = "[OPTION...] REV",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_next,
};

const struct cmd cmd_prev = {
	.name = "prev",
	.summary = "print the states that a state comes from",
	.synopsis = "[OPTION...] REV",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_prev,
};

const struct cmd cmd_merge_base = {
	.name = "merge-base",
	.summary = "print the nearest common ancestor of two states",
	.synopsis = "[OPTION...] REV REV",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_merge_base,
};

const struct cmd cmd_rev_parse = {
	.name = "rev-parse",
	.summary = "print the full ids of revisions",
	.synopsis = "[OPTION...] REV...",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_rev_parse,
};
