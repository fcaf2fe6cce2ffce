/* SPDX-License-Identifier: MIT */
/* dsv branch, switch - directions of the lineage */
#include "cli.h"

static bool force;
static bool rename_it;
static bool delete_it;
static bool create;

static const struct opt opts[] = {
	{ 'f', "force", NULL, "move an existing branch", .flag = &force },
	{ 'm', "move", NULL, "rename OLD to NEW", .flag = &rename_it },
	{ 'd', "delete", NULL, "delete branches; their states stay",
	  .flag = &delete_it },
	{ 0 },
};

static const struct opt switch_opts[] = {
	{ 'c', "create", NULL, "create the branch", .flag = &create },
	{ 0 },
};

static void json_branch(struct dsv_json *j, const struct dsv_branch *b)
{
	dsv_json_object(j, NULL);
	dsv_json_string(j, "name", b->name);
	dsv_json_string(j, "head", b->head[0] ? b->head : NULL);
	dsv_json_bool(j, "current", b->current);
	dsv_json_end(j);
}

static int print_json(const struct dsv_branches *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++)
			json_branch(j, &list->items[i]);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int list_branches(struct dsv *d, struct dsv_err *err)
{
	struct dsv_branches list;
	int ret = dsv_branches(d, &list, err);
	size_t i;

	if (ret < 0)
		return ret;
	if (cli.json) {
		ret = print_json(&list, err);
	} else {
		for (i = 0; i < list.count; i++) {
			printf("%c ", list.items[i].current ? '*' : ' ');
			out_text(stdout, list.items[i].name);
			if (cli.verbose)
				printf(" %.12s", list.items[i].head);
			putchar('\n');
		}
	}
	dsv_branches_free(&list);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	int i, ret;

	if (rename_it + delete_it + force > 1)
		return dsv_fail(err, DSV_EUSAGE,
				"only one of -f, -m, -d is allowed");
	if (rename_it) {
		ret = cli_operands(argc, 2, 2, err);
		return ret < 0 ? ret :
		       dsv_branch_rename(d, argv[0], argv[1], err);
	}
	if (delete_it) {
		ret = cli_operands(argc, 1, -1, err);
		for (i = 0; i < argc && ret == 0; i++)
			ret = dsv_branch_delete(d, argv[i], err);
		return ret;
	}
	if (argc == 0 && !force)
		return list_branches(d, err);
	ret = cli_operands(argc, 1, 2, err);
	return ret < 0 ? ret :
	       dsv_branch_create(d, argv[0], argc > 1 ? argv[1] : NULL, force,
				 err);
}

static int run_switch(struct dsv *d, int argc, char **argv,
		      struct dsv_err *err)
{
	int ret = cli_operands(argc, 1, 1, err);

	return ret < 0 ? ret : dsv_switch(d, argv[0], create, err);
}

const struct cmd cmd_branch = {
	.name = "branch",
	.summary = "list, create, move, rename or delete branches",
	.synopsis = "[OPTION...]\n[-f] NAME [REV]\n-m OLD NEW\n-d NAME...",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};

const struct cmd cmd_switch = {
	.name = "switch",
	.summary = "set the current branch",
	.synopsis = "[-c] BRANCH",
	.opts = switch_opts,
	.flags = CMD_REPO,
	.run = run_switch,
};
