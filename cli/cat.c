/* SPDX-License-Identifier: MIT */
/* dsv cat - print the bytes of a file of a state */
#include "cli.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *tensor;

static const struct opt opts[] = {
	{ .name = "tensor", .value = "NAME", .help = "print only this tensor",
	  .string = &tensor },
	{ 0 },
};

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	int ret = cli_operands(argc, 1, 1, err);
	struct stat st;

	/* No progress amid the output, which "| head" may end at any point. */
	if (fstat(STDOUT_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		cli.quiet = true;
	return ret < 0 ? ret : dsv_cat(d, argv[0], tensor, STDOUT_FILENO, err);
}

const struct cmd cmd_cat = {
	.name = "cat",
	.summary = "print the bytes of a file of a state",
	.synopsis = "[OPTION...] REV:PATH",
	.opts = opts,
	.flags = CMD_REPO | CMD_BRANCH,
	.run = run,
};
