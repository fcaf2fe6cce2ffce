/* SPDX-License-Identifier: MIT */
/* dsv tag - capture files and directories as a new state */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static struct dsv_tag_options options = {
	.size_bytes = sizeof(options),
};
static int64_t rank = NOT_GIVEN, ranks = NOT_GIVEN;
static int64_t group_timeout_ns;
static const char *params_from;
static const char *attrs_from;

static const struct opt opts[] = {
	{ 'm', "message", "TEXT", "what this state is",
	  .string = &options.message },
	{ 'b', "branch", "BRANCH", "the branch it is made on, created if new",
	  .string = &cli.branch },
	{ .name = "name", .value = "NAME", .help = "a name for the state",
	  .string = &options.name },
	{ 'p', "param", "KEY=VALUE", "set a parameter (repeatable)",
	  .strings = &options.params },
	{ 'a', "attr", "KEY=VALUE", "set an attribute (repeatable)",
	  .strings = &options.attrs },
	{ .name = "params-from", .value = "FILE",
	  .help = "read all parameters from a JSON object",
	  .string = &params_from },
	{ .name = "attrs-from", .value = "FILE",
	  .help = "read attributes from a JSON object", .string = &attrs_from },
	{ .name = "unset-param", .value = "KEY",
	  .help = "remove a parameter (repeatable)",
	  .strings = &options.unset_params },
	{ 's', "scope", "SCOPE", "put it into a scope (repeatable)",
	  .strings = &options.scopes },
	{ .name = "pin", .help = "no rule will remove it",
	  .flag = &options.pin },
	{ .name = "async",
	  .help = "return early; store in the background",
	  .flag = &options.async },
	{ .name = "move", .help = "the files may be moved away",
	  .flag = &options.move },
	{ .name = "collective", .help = "several processes make one state",
	  .flag = &options.collective },
	{ .name = "replicated",
	  .help = "they hold the same files: each stores its share",
	  .flag = &options.replicated },
	{ .name = "rank", .value = "RANK",
	  .help = "the rank of this process, from 0", .number = &rank },
	{ .name = "ranks", .value = "N", .help = "how many there are",
	  .number = &ranks },
	{ .name = "group", .value = "GROUP",
	  .help = "which processes belong together",
	  .string = &options.group },
	{ .name = "group-timeout", .value = "DURATION",
	  .help = "how long to wait for the others (10m)",
	  .duration_ns = &group_timeout_ns },
	{ .name = "parent", .value = "REV", .help = "a parent (repeatable)",
	  .strings = &options.parents },
	{ .name = "exclude", .value = "GLOB",
	  .help = "leave out what matches (repeatable)",
	  .strings = &options.excludes },
	{ 0 },
};

/* Reads a file whose text stays until the program ends. */
static int read_object(const char *path, const char **out,
		       struct dsv_err *err)
{
	char *text;
	size_t len;
	int ret;

	if (!path)
		return 0;
	ret = read_text(path, &text, &len, err);
	if (ret < 0)
		return ret;
	if (strlen(text) != len) {
		free(text);
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not JSON", path);
	}
	*out = text;
	return 0;
}

static int print_state(struct dsv *d, const char *id, struct dsv_err *err)
{
	struct dsv_json *j;
	struct dsv_state *s;
	int ret;

	if (!cli.json) {
		puts(id);
		return 0;
	}
	ret = dsv_state_get(d, id, &s, err);
	if (ret < 0)
		return ret;
	j = dsv_json_new();
	if (j)
		json_state(j, NULL, s);
	dsv_state_free(s);
	return json_print(j, err);
}

/* Runs pre-tag (id is NULL) or post-tag; of a group, only rank 0 does. */
static int run_hook(struct dsv *d, const char *id, struct dsv_err *err)
{
	struct hook h = {
		.name = id ? "post-tag" : "pre-tag", .state = id,
		.args = options.paths,
	};
	char *branch = NULL;
	int ret;

	if (!hook_is_set(d, h.name) || !dsv_tag_leads(d, &options))
		return 0;
	ret = dsv_branch_current(d, &branch, err);
	h.branch = branch;
	if (ret == 0 && id)
		hook_tell(d, &h);
	else if (ret == 0)
		ret = hook_run(d, &h, err);
	if (ret < 0 && !id)
		dsv_tag_refuse(d, &options, err);
	free(branch);
	return ret;
}

static int group_options(struct dsv_err *err)
{
	if ((rank == NOT_GIVEN) != (ranks == NOT_GIVEN))
		return dsv_fail(err, DSV_EUSAGE, "--rank and --ranks must be"
				" given together");
	if (ranks != NOT_GIVEN && (ranks <= 0 || rank < 0 || rank >= ranks))
		return dsv_fail(err, DSV_EUSAGE, "rank %" PRId64 " of %" PRId64
				" is impossible (ranks are counted from 0)",
				rank, ranks);
	if (ranks != NOT_GIVEN) {
		options.rank = rank;
		options.ranks = ranks;
	}
	if (group_timeout_ns > 0 && group_timeout_ns < 1000000)
		group_timeout_ns = 1000000;
	options.group_timeout_ms = group_timeout_ns / 1000000;
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	char id[DSV_ID_SIZE];
	int ret = cli_operands(argc, 1, -1, err);

	if (ret < 0)
		return ret;
	if (params_from && attrs_from && !strcmp(params_from, "-") &&
	    !strcmp(attrs_from, "-"))
		return dsv_fail(err, DSV_EUSAGE, "only one of --params-from "
				"and --attrs-from can be '-'");
	options.paths = strings_of(argc, argv);
	ret = group_options(err);
	if (ret == 0)
		ret = read_object(params_from, &options.params_from, err);
	if (ret == 0)
		ret = read_object(attrs_from, &options.attrs_from, err);
	if (ret == 0)
		ret = run_hook(d, NULL, err);
	if (ret == 0)
		ret = dsv_tag(d, &options, id, err);
	if (ret == 0)
		ret = print_state(d, id, err);
	if (ret == 0 && options.async && dsv_queue_is_automatic(d))
		queue_start(dsv_path(d));
	return ret < 0 ? ret : run_hook(d, id, err);
}

const struct cmd cmd_tag = {
	.name = "tag",
	.summary = "capture files and directories as a new state",
	.synopsis = "[OPTION...] PATH...",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
