/* SPDX-License-Identifier: MIT */
/* dsv scope - manage named sets of states with a lifetime */
#include "cli.h"

static void json_scope(struct dsv_json *j, const struct dsv_scope *s)
{
	dsv_json_object(j, NULL);
	dsv_json_string(j, "name", s->name);
	dsv_json_bool(j, "open", s->open);
	dsv_json_int(j, "states", s->states);
	dsv_json_time(j, "created", s->created_ns);
	if (s->closed_ns)
		dsv_json_time(j, "closed", s->closed_ns);
	else
		dsv_json_null(j, "closed");
	dsv_json_end(j);
}

static int print_json(const struct dsv_scopes *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++)
			json_scope(j, &list->items[i]);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int run_list(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_scopes list;
	int ret = cli_operands(argc, 0, 0, err);
	size_t i;

	(void)argv;
	if (ret == 0)
		ret = dsv_scopes(d, &list, err);
	if (ret < 0)
		return ret;
	if (cli.json)
		ret = print_json(&list, err);
	for (i = 0; i < list.count && !cli.json; i++) {
		out_text(stdout, list.items[i].name);
		printf(" %s %" PRId64 "\n",
		       list.items[i].open ? "open" : "closed",
		       list.items[i].states);
	}
	dsv_scopes_free(&list);
	return ret;
}

static int run_open(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	int ret = cli_operands(argc, 1, 1, err);

	return ret < 0 ? ret : dsv_scope_open(d, argv[0], err);
}

static int run_close(struct dsv *d, int argc, char **argv,
		     struct dsv_err *err)
{
	int ret = cli_operands(argc, 1, 1, err);

	return ret < 0 ? ret : dsv_scope_close(d, argv[0], err);
}

static int run_add(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc - 1, argv + 1);
	int ret = cli_operands(argc, 2, -1, err);

	return ret < 0 ? ret : dsv_scope_add(d, argv[0], &revs, err);
}

static int run_rm(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc - 1, argv + 1);
	int ret = cli_operands(argc, 2, -1, err);

	return ret < 0 ? ret : dsv_scope_remove(d, argv[0], &revs, err);
}

static const struct cmd cmd_scope_list = {
	.name = "scope list",
	.summary = "list name, open or closed, number of states",
	.synopsis = "[OPTION...]",
	.flags = CMD_REPO | CMD_JSON,
	.run = run_list,
};

static const struct cmd cmd_scope_open = {
	.name = "scope open",
	.summary = "make a scope, or open it again",
	.synopsis = "NAME",
	.flags = CMD_REPO,
	.run = run_open,
};

static const struct cmd cmd_scope_close = {
	.name = "scope close",
	.summary = "close a scope; its states stay in it",
	.synopsis = "NAME",
	.flags = CMD_REPO,
	.run = run_close,
};

static const struct cmd cmd_scope_add = {
	.name = "scope add",
	.summary = "put states into a scope",
	.synopsis = "NAME REV...",
	.flags = CMD_REPO | CMD_BRANCH,
	.run = run_add,
};

static const struct cmd cmd_scope_rm = {
	.name = "scope rm",
	.summary = "take states out of a scope",
	.synopsis = "NAME REV...",
	.flags = CMD_REPO | CMD_BRANCH,
	.run = run_rm,
};

static const struct cmd *const subs[] = {
	&cmd_scope_list, &cmd_scope_open, &cmd_scope_close, &cmd_scope_add,
	&cmd_scope_rm, NULL
};

const struct cmd cmd_scope = {
	.name = "scope",
	.summary = "manage named sets of states with a lifetime",
	.synopsis = "list|open|close|add|rm [ARG...]",
	.subs = subs,
};
