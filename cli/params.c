/* SPDX-License-Identifier: MIT */
/* dsv params - print the parameters of a state */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const char *format;

static const struct opt opts[] = {
	{ .name = "format", .value = "FORMAT",
	  .help = "json, nested, env, argparse, hydra or lines",
	  .string = &format },
	{ 0 },
};

/* What another job has left in the environment is not meant for us. */
static const char *default_rev(void)
{
	const char *rev = getenv("DSV_STATE");
	const char *ours = getenv("SLURM_JOB_ID");
	const char *theirs = getenv("DSV_JOB_ID");

	if (!rev || !*rev)
		return NULL;
	if (theirs && *theirs && ours && strcmp(ours, theirs))
		return NULL;
	return rev;
}

static int print_value(const struct dsv_state *s, const char *key,
		       struct dsv_err *err)
{
	const struct dsv_value *value = dsv_kvs_get(&s->params, key);
	struct dsv_json *j;
	int ret;

	if (!value)
		return dsv_fail(err, DSV_ENOTFOUND,
				"state %.12s has no parameter '%s'", s->id,
				key);
	if (cli.json) {
		j = dsv_json_new();
		if (j)
			dsv_json_value(j, NULL, value);
		ret = json_print(j, err);
		putchar('\n');
		return ret;
	}
	out_exact(stdout, value->text);
	putchar('\n');
	return 0;
}

static int print_all(const struct dsv_state *s, struct dsv_err *err)
{
	char *text;
	size_t len;
	int ret;

	if (!format)
		format = cli.json ? "json" : "lines";
	ret = dsv_params_format(&s->params, format, &text, err);
	if (ret < 0)
		return ret;
	out_exact(stdout, text);
	len = strlen(text);
	if (len && text[len - 1] != '\n')
		putchar('\n');
	free(text);
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_state *s;
	int ret = cli_operands(argc, 0, 2, err);

	if (ret == 0 && argc > 1 && format)
		ret = dsv_fail(err, DSV_EUSAGE,
			       "--format and KEY exclude each other");
	if (ret == 0)
		ret = dsv_state_get(d, argc ? argv[0] : default_rev(), &s,
				    err);
	if (ret < 0)
		return ret;
	ret = argc > 1 ? print_value(s, argv[1], err) : print_all(s, err);
	dsv_state_free(s);
	return ret;
}

const struct cmd cmd_params = {
	.name = "params",
	.summary = "print the parameters of a state",
	.synopsis = "[OPTION...] [REV [KEY]]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};
