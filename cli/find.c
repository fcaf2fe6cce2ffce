/* SPDX-License-Identifier: MIT */
/* dsv find - find the states that satisfy an expression */
#include "cli.h"

static struct dsv_find_options options = {
	.size_bytes = sizeof(options),
	.limit = NOT_GIVEN,
};
static bool count;
static bool exit_code;

static const struct opt opts[] = {
	{ .name = "branch", .value = "BRANCH", .help = "made on this branch",
	  .string = &options.branch },
	{ .name = "scope", .value = "SCOPE", .help = "in this scope",
	  .string = &options.scope },
	{ .name = "descendants-of", .value = "REV",
	  .help = "that descend from REV", .string = &options.descendants_of },
	{ .name = "ancestors-of", .value = "REV",
	  .help = "that REV descends from", .string = &options.ancestors_of },
	{ .name = "sort", .value = "[-]KEY",
	  .help = "order by KEY, '-': the largest first (repeatable)",
	  .strings = &options.sort },
	{ 'n', "limit", "COUNT", "at most COUNT states",
	  .number = &options.limit },
	{ .name = "count", .help = "print only their number", .flag = &count },
	{ .name = "pruned", .help = "include pruned states",
	  .flag = &options.pruned },
	{ .name = "exit-code", .help = "exit with 1 if there are none",
	  .flag = &exit_code },
	{ 0 },
};

static int print_count(int64_t n, struct dsv_err *err)
{
	struct dsv_json *j;

	if (!cli.json) {
		printf("%" PRId64 "\n", n);
		return 0;
	}
	j = dsv_json_new();
	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_int(j, "count", n);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

/* People get a summary, programs plain ids. */
static int print_state(struct dsv *d, const struct dsv_state *s,
		       struct dsv_err *err)
{
	(void)d;
	(void)err;
	out_id(stdout, s->id);
	if (out_is_terminal()) {
		putchar(' ');
		out_text(stdout, s->branch ? s->branch : "");
		if (s->name) {
			printf(" (");
			out_text(stdout, s->name);
			putchar(')');
		}
		if (s->pruned)
			printf(" pruned");
		out_kvs(stdout, &s->attrs);
		if (s->message && *s->message) {
			putchar(' ');
			out_line(stdout, s->message);
		}
	}
	putchar('\n');
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_list *l;
	int64_t n;
	int ret;

	if (argc > 1)
		return dsv_fail(err, DSV_EUSAGE,
				"give one expression, in quotes");
	options.expr = argc ? argv[0] : NULL;
	ret = cli_not_negative(options.limit, "-n", err);
	if (ret < 0)
		return ret;
	if (count) {
		ret = dsv_find_count(d, &options, &n, err);
		if (ret == 0)
			ret = print_count(n, err);
	} else {
		ret = dsv_find(d, &options, &l, err);
		if (ret < 0)
			return ret;
		n = dsv_list_count(l);
		if (n > 0)
			pager_start();
		ret = list_print(l, print_state, d, err);
	}
	if (ret < 0)
		return ret;
	return exit_code && n == 0 ? 1 : 0;
}

const struct cmd cmd_find = {
	.name = "find",
	.summary = "find the states that satisfy an expression",
	.synopsis = "[OPTION...] [EXPR]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_FORMAT,
	.run = run,
};
