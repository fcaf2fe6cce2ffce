/* SPDX-License-Identifier: MIT */
/* dsv wait - until states are durable */
#include "cli.h"

static int64_t timeout_ns = -1;

static const struct opt opts[] = {
	{ .name = "timeout", .value = "DURATION",
	  .help = "give up after this time, with exit status 1",
	  .duration_ns = &timeout_ns },
	{ 0 },
};

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc, argv);

	return dsv_wait(d, &revs, timeout_ns < 0 ? -1 : timeout_ns / 1000000,
			err);
}

const struct cmd cmd_wait = {
	.name = "wait",
	.summary = "wait until states are durable",
	.synopsis = "[OPTION...] [REV...]",
	.opts = opts,
	.flags = CMD_REPO,
	.run = run,
};
