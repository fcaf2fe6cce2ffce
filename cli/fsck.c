/* SPDX-License-Identifier: MIT */
/* dsv fsck - check that everything is there, and as it was stored */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static struct dsv_fsck_options options = {
	.size_bytes = sizeof(options),
};
static const char *data;
static bool rebuild;
static size_t lost;	/* records, according to the rebuild */

static const struct opt opts[] = {
	{ .name = "data", .value = "PERCENT",
	  .help = "hash the stored bytes, or a share of them",
	  .string = &data, .implied = "100" },
	{ .name = "repair", .help = "repair what can be repaired",
	  .flag = &options.repair },
	{ .name = "rebuild",
	  .help = "rebuild the catalog; the old one is moved aside",
	  .flag = &rebuild },
	{ 0 },
};

static int parse_data(struct dsv_err *err)
{
	char *end;

	if (!data)
		return 0;
	options.data_percent = strtod(data, &end);
	if (*end == '%')
		end++;
	if (end == data || *end || !(options.data_percent > 0) ||
	    options.data_percent > 100)
		return dsv_fail(err, DSV_EUSAGE,
				"--data=%s is not a percentage", data);
	return 0;
}

static int print_json(const struct dsv_fsck_report *r, bool ok,
		      struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();
	char hint[HINT_SIZE];
	size_t i;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_object(j, NULL);
	dsv_json_bool(j, "ok", ok);
	dsv_json_array(j, "problems");
	for (i = 0; i < r->count; i++) {
		const struct dsv_problem *p = &r->items[i];

		dsv_json_object(j, NULL);
		dsv_json_string(j, "kind", p->kind);
		dsv_json_string(j, "object", p->object);
		json_strings(j, "states", &p->states);
		dsv_json_string(j, "message", p->message);
		if (hint_text(p->hint, "", hint))
			dsv_json_string(j, "hint", hint);
		dsv_json_bool(j, "repaired", p->repaired);
		dsv_json_end(j);
	}
	dsv_json_end(j);
	dsv_json_int(j, "states", r->states);
	dsv_json_int(j, "segments", r->segments);
	dsv_json_int(j, "chunks", r->chunks);
	dsv_json_int(j, "data_bytes", r->data_bytes);
	dsv_json_end(j);
	return json_print(j, err);
}

/* --json has the other states. */
#define STATES_SHOWN 5

static void print_problem(const struct dsv_problem *p)
{
	size_t i, shown = p->states.count;
	const char *object = p->object ? p->object : "";
	char hint[HINT_SIZE];

	if (shown > STATES_SHOWN + 1 && !cli.verbose)
		shown = STATES_SHOWN;
	printf("%s ", p->kind);
	if (strlen(object) >= 32 &&
	    strspn(object, "0123456789abcdef") == strlen(object))
		printf("%.12s", object);
	else
		out_text(stdout, object);
	printf(": ");
	out_text(stdout, p->message);
	if (hint_text(p->hint, "", hint))
		printf(" (%s)", hint);
	for (i = 0; i < shown; i++)
		printf("%s%.12s", i ? ", " : " (states ", p->states.items[i]);
	if (shown < p->states.count)
		printf(" and %zu more", p->states.count - shown);
	if (shown)
		putchar(')');
	puts(p->repaired ? ", repaired" : "");
}

/*
 * Runs before the repository is opened.  A problem that stays is reported
 * again by the check.
 */
static int make_catalog(struct dsv_err *err)
{
	struct dsv_fsck_report report = { 0 };
	struct dsv_options o;
	size_t i;
	int ret;

	cli_options(&o);
	ret = dsv_rebuild(&o, &report, err);
	for (i = 0; ret == 0 && i < report.count; i++) {
		const struct dsv_problem *p = &report.items[i];

		lost += !p->repaired && !strcmp(p->kind, "record");
		if (!cli.json)
			print_problem(p);
	}
	dsv_fsck_report_free(&report);
	return ret;
}

static int check(struct dsv *d, struct dsv_err *err)
{
	struct dsv_fsck_report report = { 0 };
	char size[DSV_TIME_SIZE];
	int printed = 0, ret;
	size_t i;

	ret = dsv_fsck(d, &options, &report, err);
	if (ret == 0 && lost > 0)
		ret = dsv_fail(err, DSV_ECORRUPT, "%zu record%s lost", lost,
			       lost == 1 ? " is" : "s are");
	if (ret < 0 && ret != DSV_ECORRUPT)
		return ret;
	ui_progress_clear();
	if (cli.json) {
		printed = print_json(&report, ret == 0,
				     ret < 0 ? NULL : err);
	} else {
		for (i = 0; i < report.count; i++)
			print_problem(&report.items[i]);
		dsv_format_size(report.data_bytes, size);
		if (!cli.quiet)
			printf("%" PRId64 " states, %" PRId64 " segments, %"
			       PRId64 " chunks, %s hashed: %s\n",
			       report.states, report.segments, report.chunks,
			       size, ret < 0 ? "damaged" : "clean");
	}
	dsv_fsck_report_free(&report);
	return ret < 0 ? ret : printed;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = parse_data(err);
	if (ret == 0 && rebuild)
		ret = make_catalog(err);
	if (ret == 0)
		ret = cli_open(&d, err);
	if (ret == 0)
		ret = check(d, err);
	dsv_close(d);
	return ret;
}

const struct cmd cmd_fsck = {
	.name = "fsck",
	.summary = "check the repository",
	.synopsis = "[OPTION...]",
	.opts = opts,
	.flags = CMD_JSON,
	.run = run,
};
