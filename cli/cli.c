/* SPDX-License-Identifier: MIT */
/* The options of the program as a whole, and what commands do with them. */
#include "cli.h"

struct cli cli = { .lock_wait_ns = -1 };

int cli_operands(int argc, int min, int max, struct dsv_err *err)
{
	if (argc < min)
		return dsv_fail(err, DSV_EUSAGE, "missing operand; "
				"see 'dsv %s -h'", cli.command);
	if (max >= 0 && argc > max)
		return dsv_fail(err, DSV_EUSAGE, "too many operands; "
				"see 'dsv %s -h'", cli.command);
	return 0;
}

int cli_not_negative(int64_t number, const char *option, struct dsv_err *err)
{
	if (number >= 0 || number == NOT_GIVEN)
		return 0;
	return dsv_fail(err, DSV_EUSAGE, "%s: %" PRId64 " is negative", option,
			number);
}

void cli_options(struct dsv_options *out)
{
	*out = (struct dsv_options){
		.size_bytes = sizeof(*out),
		.repo = cli.repo,
		.branch = cli.branch,
		.lock_wait_ms = -1,
		.warn = ui_warn,
		.progress = ui_wants_progress() ? ui_progress : NULL,
		.interrupted = &cli.interrupted,
	};

	if (cli.lock_wait_ns >= 0)
		out->lock_wait_ms = (cli.lock_wait_ns + 999999) / 1000000;
}

int cli_open(struct dsv **out, struct dsv_err *err)
{
	struct dsv_options options;

	cli_options(&options);
	return dsv_open(&options, out, err);
}
