/* SPDX-License-Identifier: MIT */
/* dsv wait - until states are durable, or there is one that is wanted */
#include "cli.h"

static const char *expr;
static int64_t timeout_ns = -1;

static const struct opt opts[] = {
	{ .name = "for", .value = "EXPR",
	  .help = "until a state satisfies EXPR; print its id",
	  .string = &expr },
	{ .name = "timeout", .value = "DURATION",
	  .help = "give up after this time, with exit status 1",
	  .duration_ns = &timeout_ns },
	{ 0 },
};

static int wait_for(struct dsv *d, int argc, int64_t timeout_ms,
		    struct dsv_err *err)
{
	struct dsv_state *s;
	struct dsv_json *j;
	char id[DSV_ID_SIZE];
	int ret = cli_operands(argc, 0, 0, err);

	if (ret == 0)
		ret = dsv_wait_for(d, expr, timeout_ms, id, err);
	if (ret == 0 && !cli.json)
		puts(id);
	if (ret < 0 || !cli.json)
		return ret;
	ret = dsv_state_get(d, id, &s, err);
	if (ret < 0)
		return ret;
	j = dsv_json_new();
	if (j)
		json_state(j, NULL, s);
	dsv_state_free(s);
	return json_print(j, err);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc, argv);
	int64_t timeout_ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000;

	return expr ? wait_for(d, argc, timeout_ms, err) :
		dsv_wait(d, &revs, timeout_ms, err);
}

const struct cmd cmd_wait = {
	.name = "wait",
	.summary = "wait until states are durable",
	.synopsis = "[OPTION...] [REV...]\n[OPTION...] --for EXPR",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
