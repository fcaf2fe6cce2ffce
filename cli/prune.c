/* SPDX-License-Identifier: MIT */
/* dsv prune, restore - remove states by rules, and undo it */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static struct dsv_prune_options options = {
	.size_bytes = sizeof(options),
};
static int64_t keep_within_ns = -1;
static const char *expire;

static const struct opt opts[] = {
	{ 'n', "dry-run", NULL, "only report, change nothing",
	  .flag = &options.dry_run },
	{ .name = "keep-last", .value = "N", .help = "keep the newest N",
	  .number = &options.keep_last },
	{ .name = "keep-hourly", .value = "N",
	  .help = "keep the newest of each of the last N hours",
	  .number = &options.keep_hourly },
	{ .name = "keep-daily", .value = "N", .help = "... days",
	  .number = &options.keep_daily },
	{ .name = "keep-weekly", .value = "N", .help = "... weeks",
	  .number = &options.keep_weekly },
	{ .name = "keep-monthly", .value = "N", .help = "... months",
	  .number = &options.keep_monthly },
	{ .name = "keep-within", .value = "DURATION",
	  .help = "keep what is within DURATION of the newest",
	  .duration_ns = &keep_within_ns },
	{ .name = "keep-best", .value = "max:KEY:N|min:KEY:N",
	  .help = "keep the N best (repeatable)",
	  .strings = &options.keep_best },
	{ .name = "keep-every", .value = "KEY:N",
	  .help = "keep where KEY is a multiple of N (repeatable)",
	  .strings = &options.keep_every },
	{ .name = "keep-where", .value = "EXPR",
	  .help = "keep what satisfies EXPR (repeatable)",
	  .strings = &options.keep_where },
	{ .name = "out-of-scope",
	  .help = "keep what is in no scope or in an open one",
	  .flag = &options.out_of_scope },
	{ .name = "policy", .value = "NAME",
	  .help = "the rules of [prune \"NAME\"] in the configuration",
	  .string = &options.policy },
	{ .name = "branch", .value = "BRANCH",
	  .help = "select only states of this branch",
	  .string = &options.branch },
	{ .name = "scope", .value = "SCOPE",
	  .help = "select only states of this scope",
	  .string = &options.scope },
	{ .name = "where", .value = "EXPR",
	  .help = "select only what satisfies EXPR",
	  .string = &options.where },
	{ .name = "author", .value = "USER|*",
	  .help = "select only this author's states",
	  .string = &options.author },
	{ .name = "group-by", .value = "branch,scope",
	  .help = "apply the rules to each group (default: branch)",
	  .string = &options.group_by },
	{ .name = "unsafe-allow-remove-all",
	  .help = "allow a group to become empty",
	  .flag = &options.remove_all },
	{ .name = "expire", .value = "now",
	  .help = "free the bytes at once: no restore",
	  .string = &expire },
	{ .name = "forget", .help = "delete the records too",
	  .flag = &options.forget },
	{ 0 },
};

/* A report may have a million items, so its text is printed in parts. */
enum { FLUSH_EVERY = 1000 };

static void json_report(struct dsv_json *j, const struct dsv_prune_report *r)
{
	size_t i;

	dsv_json_object(j, NULL);
	dsv_json_array(j, "states");
	for (i = 0; i < r->count; i++) {
		const struct dsv_prune_item *item = &r->items[i];

		dsv_json_object(j, NULL);
		dsv_json_string(j, "id", item->id);
		dsv_json_string(j, "branch", item->branch);
		dsv_json_string(j, "action", item->remove ? "remove" : "keep");
		json_strings(j, "reasons", &item->reasons);
		dsv_json_end(j);
		if (i % FLUSH_EVERY == FLUSH_EVERY - 1)
			json_flush(j, NULL);
	}
	dsv_json_end(j);
	dsv_json_int(j, "removed", r->removed);
	dsv_json_int(j, "freed_now", r->freed_now_bytes);
	dsv_json_int(j, "freed_later", r->freed_later_bytes);
	if (r->later_ns)
		dsv_json_time(j, "later", r->later_ns);
	else
		dsv_json_null(j, "later");
	dsv_json_bool(j, "bounded", r->bounded);
	json_strings(j, "left_alone", &r->left_alone);
	dsv_json_bool(j, "dry_run", options.dry_run);
	dsv_json_end(j);
}

static void print_item(const struct dsv_prune_item *item)
{
	size_t i;

	printf("%s  %.12s  ", item->remove ? "remove" : "keep  ", item->id);
	out_text(stdout, item->branch ? item->branch : "");
	for (i = 0; i < item->reasons.count; i++) {
		fputs(i ? ", " : "  ", stdout);
		out_text(stdout, item->reasons.items[i]);
	}
	putchar('\n');
}

static void print_report(const struct dsv_prune_report *r)
{
	char now[DSV_TIME_SIZE], later[DSV_TIME_SIZE], when[DSV_TIME_SIZE];
	const char *most = r->bounded ? "at most " : "";
	size_t i;

	for (i = 0; i < r->count; i++)
		if (options.dry_run || cli.verbose)
			print_item(&r->items[i]);
	for (i = 0; i < r->left_alone.count; i++) {
		printf("left alone: ");
		out_text(stdout, r->left_alone.items[i]);
		putchar('\n');
	}
	if (cli.quiet && !options.dry_run)
		return;
	dsv_format_size(r->freed_now_bytes, now);
	dsv_format_size(r->freed_later_bytes, later);
	printf("%s %" PRId64 " state%s of %zu; %s%s %s now",
	       options.dry_run ? "would remove" : "removed", r->removed,
	       r->removed == 1 ? "" : "s", r->count, most, now,
	       options.dry_run ? "would be freed" : "freed");
	if (r->freed_later_bytes > 0) {
		printf(", %s%s later", most, later);
		if (r->later_ns) {
			dsv_format_time(r->later_ns, when);
			printf(" (%s)", when);
		}
	}
	putchar('\n');
}

/* Runs a hook with the ids of the removed states on its stdin. */
static int run_hook(struct dsv *d, const char *name,
		    const struct dsv_prune_report *r, bool after,
		    struct dsv_err *err)
{
	struct hook h = { .name = name };
	size_t i;
	int ret = 0;

	for (i = 0; i < r->count && ret == 0; i++)
		if (r->items[i].remove)
			ret = strings_add(&h.lines, r->items[i].id, err);
	if (ret == 0 && h.lines.count && after)
		hook_tell(d, &h);
	else if (ret == 0 && h.lines.count)
		ret = hook_run(d, &h, err);
	free((void *)h.lines.items);
	return ret;
}

/* Asks the hook about what would be removed. */
static int ask_hook(struct dsv *d, struct dsv_err *err)
{
	struct dsv_prune_options dry = options;
	struct dsv_prune_report report = { 0 };
	int ret;

	if (options.dry_run || !hook_is_set(d, "pre-prune"))
		return 0;
	dry.dry_run = true;
	ret = dsv_prune(d, &dry, &report, err);
	if (ret < 0 && ret != DSV_EPARTIAL)
		return ret;
	ret = run_hook(d, "pre-prune", &report, false, err);
	dsv_prune_report_free(&report);
	return ret;
}

static int check_options(struct dsv_err *err)
{
	const int64_t counts[] = {
		options.keep_last, options.keep_hourly, options.keep_daily,
		options.keep_weekly, options.keep_monthly
	};
	size_t i;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i] < 0)
			return dsv_fail(err, DSV_EUSAGE,
					"the number of states to keep is"
					" negative");
	if (expire && strcmp(expire, "now"))
		return dsv_fail(err, DSV_EUSAGE,
				"--expire: '%s' is not now", expire);
	options.expire_now = expire != NULL;
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_prune_report report = { 0 };
	struct dsv_json *j;
	int printed = 0, ret = check_options(err);

	if (ret < 0)
		return ret;
	/* As a rule it would keep the newest, which nobody means by it. */
	if (keep_within_ns == 0)
		return dsv_fail(err, DSV_EUSAGE,
				"--keep-within: must be longer than 0s");
	options.keep_within_ns = keep_within_ns > 0 ? keep_within_ns : 0;
	options.revs = strings_of(argc, argv);
	ret = ask_hook(d, err);
	if (ret < 0)
		return ret;
	ret = dsv_prune(d, &options, &report, err);
	if (ret < 0 && ret != DSV_EPARTIAL)
		return ret;
	ui_progress_clear();
	if (cli.json) {
		j = dsv_json_new();
		if (j)
			json_report(j, &report);
		printed = json_print(j, ret < 0 ? NULL : err);
	} else {
		print_report(&report);
	}
	if (!options.dry_run && hook_is_set(d, "post-prune"))
		run_hook(d, "post-prune", &report, true, NULL);
	dsv_prune_report_free(&report);
	return ret < 0 ? ret : printed;
}

static int run_restore(struct dsv *d, int argc, char **argv,
		       struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc, argv);
	int ret = cli_operands(argc, 1, -1, err);

	return ret < 0 ? ret : dsv_restore(d, &revs, err);
}

const struct cmd cmd_prune = {
	.name = "prune",
	.summary = "remove states and free their bytes",
	.synopsis = "[OPTION...] RULE...\n[OPTION...] REV...",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};

const struct cmd cmd_restore = {
	.name = "restore",
	.summary = "undo a prune within the grace period",
	.synopsis = "[OPTION...] REV...",
	.flags = CMD_REPO,
	.run = run_restore,
};
