/* SPDX-License-Identifier: MIT */
/* dsv name - list, give, move or delete names of states */
#include "cli.h"

static bool force;
static bool delete_it;

static const struct opt opts[] = {
	{ 'f', "force", NULL, "move an existing name", .flag = &force },
	{ 'd', "delete", NULL, "delete names; their states stay",
	  .flag = &delete_it },
	{ 0 },
};

static int print_json(const struct dsv_names *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++) {
			dsv_json_object(j, NULL);
			dsv_json_string(j, "name", list->items[i].name);
			dsv_json_string(j, "id", list->items[i].id);
			dsv_json_end(j);
		}
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int list_names(struct dsv *d, struct dsv_err *err)
{
	struct dsv_names list;
	int ret = dsv_names(d, &list, err);
	size_t i;

	if (ret < 0)
		return ret;
	if (cli.json) {
		ret = print_json(&list, err);
	} else {
		for (i = 0; i < list.count; i++) {
			out_text(stdout, list.items[i].name);
			putchar(' ');
			out_id(stdout, list.items[i].id);
			putchar('\n');
		}
	}
	dsv_names_free(&list);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	int i, ret;

	if (delete_it) {
		ret = cli_operands(argc, 1, -1, err);
		for (i = 0; i < argc && ret == 0; i++)
			ret = dsv_name_delete(d, argv[i], err);
		return ret;
	}
	if (argc == 0 && !force)
		return list_names(d, err);
	ret = cli_operands(argc, 1, 2, err);
	return ret < 0 ? ret :
	       dsv_name_set(d, argv[0], argc > 1 ? argv[1] : NULL, force, err);
}

const struct cmd cmd_name = {
	.name = "name",
	.summary = "list, give, move or delete names of states",
	.synopsis = "[OPTION...]\n[-f] NAME [REV]\n-d NAME...",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};
