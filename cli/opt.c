/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct common {
	unsigned int flags;	/* any of these; 0: every command */
	struct opt opt;
};

static const struct common commons[] = {
	{ CMD_JSON, { .name = "json", .help = "print one JSON document",
		      .flag = &cli.json } },
	{ CMD_JSON, { .name = "jsonl", .help = "print one JSON object per line",
		      .flag = &cli.jsonl } },
	{ CMD_FORMAT, { .name = "format", .value = "FORMAT",
			.help = "print %(field)s of each state",
			.string = &cli.format } },
	{ CMD_BRANCH, { 'b', "branch", "BRANCH", "the current branch",
			.string = &cli.branch } },
	{ 0, { .name = "repo", .value = "DIR",
	       .help = "the repository, or the directory that holds it",
	       .string = &cli.repo } },
	{ 0, { .name = "lock-wait", .value = "DURATION",
	       .help = "how long to wait for another writer",
	       .duration_ns = &cli.lock_wait_ns } },
	{ 0, { .name = "no-pager", .help = "do not page the output",
	       .flag = &cli.no_pager } },
	{ 0, { .name = "color", .value = "auto|always|never",
	       .help = "when to colour", .string = &cli.color } },
	{ 0, { 'q', "quiet", NULL, "no progress, no advice",
	       .flag = &cli.quiet } },
	{ 0, { 'v', "verbose", NULL, "say more", .flag = &cli.verbose } },
	{ 0, { .letter = 'h', .help = "print this text", .flag = &cli.usage } },
	{ 0, { .name = "help", .help = "show the manual page",
	       .flag = &cli.help } },
	/* These are for completions, hence without a help text. */
	{ 0, { .name = "list-options", .flag = &cli.list_options } },
	{ 0, { .name = "list-commands", .flag = &cli.list_commands } },
};

#define COMMON_COUNT (sizeof(commons) / sizeof(commons[0]))

static bool opt_is_end(const struct opt *o)
{
	return !o->name && !o->letter;
}

static bool opt_matches(const struct opt *o, char letter, const char *name,
			size_t len)
{
	if (!name)
		return letter && o->letter == letter;
	return o->name && strlen(o->name) == len && !memcmp(o->name, name, len);
}

static bool common_applies(const struct common *c, const struct cmd *cmd)
{
	return !c->flags || cmd->flags & c->flags;
}

/* A command's own options come first: "config --repo" is not "--repo DIR". */
static const struct opt *opt_find(const struct cmd *cmd, char letter,
				  const char *name, size_t len)
{
	const struct opt *o = cmd->opts;
	size_t i;

	for (; o && !opt_is_end(o); o++)
		if (opt_matches(o, letter, name, len))
			return o;
	for (i = 0; i < COMMON_COUNT; i++)
		if (common_applies(&commons[i], cmd) &&
		    opt_matches(&commons[i].opt, letter, name, len))
			return &commons[i].opt;
	return NULL;
}

int strings_add(struct dsv_strings *list, const char *text,
		struct dsv_err *err)
{
	const char **items;

	items = realloc((void *)list->items,
			(list->count + 1) * sizeof(*items));
	if (!items)
		return dsv_fail_nomem(err);
	items[list->count++] = text;
	list->items = items;
	return 0;
}

struct dsv_strings strings_of(int argc, char **argv)
{
	struct dsv_strings list = {
		.count = argc > 0 ? (size_t)argc : 0,
		.items = (const char *const *)argv
	};

	return list;
}

static int parse_number(const char *text, int64_t *out, struct dsv_err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || strchr(" \t\n", *text))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a number", text);
	*out = n;
	return 0;
}

static int opt_set(const struct opt *o, const char *value,
		   struct dsv_err *err)
{
	int ret = 0;

	if (o->flag)
		*o->flag = true;
	else if (o->string)
		*o->string = value;
	else if (o->strings)
		return strings_add(o->strings, value, err);
	else if (o->number)
		ret = parse_number(value, o->number, err);
	else if (o->duration_ns)
		ret = dsv_parse_duration(value, o->duration_ns, err);
	else if (o->size_bytes)
		ret = dsv_parse_size(value, o->size_bytes, err);
	else if (o->time_ns)
		ret = dsv_parse_time(value, time_now_ns(), o->time_ns, err);
	if (ret < 0 && o->name)
		return dsv_fail_in(err, ret, "--%s", o->name);
	if (ret < 0)
		return dsv_fail_in(err, ret, "-%c", o->letter);
	return ret;
}

static int unknown_option(const struct cmd *cmd, const char *text, size_t len,
			  struct dsv_err *err)
{
	const char *names[64] = { NULL }, *near;
	const struct opt *o;
	size_t i, count = 0;
	char word[64];

	for (o = cmd->opts; o && !opt_is_end(o) && count < 32; o++)
		if (o->name)
			names[count++] = o->name;
	for (i = 0; i < COMMON_COUNT; i++)
		if (common_applies(&commons[i], cmd) && commons[i].opt.name &&
		    commons[i].opt.help)
			names[count++] = commons[i].opt.name;
	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	near = dsv_suggest(word, names, count);
	if (near)
		return dsv_fail(err, DSV_EUSAGE, "unknown option '--%.*s'"
				" (did you mean '--%s'?)", (int)len, text,
				near);
	return dsv_fail(err, DSV_EUSAGE, "unknown option '--%.*s'", (int)len,
			text);
}

/* next is the following word or NULL; *used is set if it was the value. */
static int parse_long(const struct cmd *cmd, char *word, char *next,
		      bool *used, struct dsv_err *err)
{
	const char *name = word + 2;
	const char *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct opt *o = opt_find(cmd, 0, name, len);

	if (!o)
		return unknown_option(cmd, name, len, err);
	if (o->flag) {
		if (value)
			return dsv_fail(err, DSV_EUSAGE,
					"option '--%s' takes no value",
					o->name);
		return opt_set(o, NULL, err);
	}
	if (value)
		return opt_set(o, value + 1, err);
	if (o->implied)
		return opt_set(o, o->implied, err);
	if (!next)
		return dsv_fail(err, DSV_EUSAGE, "option '--%s' needs a value",
				o->name);
	*used = true;
	return opt_set(o, next, err);
}

static int parse_short(const struct cmd *cmd, char *word, char *next,
		       bool *used, struct dsv_err *err)
{
	const struct opt *o;
	char *p;
	int ret;

	for (p = word + 1; *p; p++) {
		o = opt_find(cmd, *p, NULL, 0);
		if (!o)
			return dsv_fail(err, DSV_EUSAGE,
					"unknown option '-%c'", *p);
		if (o->flag) {
			ret = opt_set(o, NULL, err);
			if (ret < 0)
				return ret;
			continue;
		}
		if (p[1])
			return opt_set(o, p + 1, err);
		if (!next)
			return dsv_fail(err, DSV_EUSAGE,
					"option '-%c' needs a value", *p);
		*used = true;
		return opt_set(o, next, err);
	}
	return 0;
}

int opt_parse(const struct cmd *cmd, int argc, char **argv,
	      struct dsv_err *err)
{
	bool stop = cmd->flags & CMD_STOP;
	int i, ret, count = 0;
	bool used;

	cli.before_rest = -1;
	for (i = 0; i < argc; i++) {
		char *word = argv[i];
		char *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(word, "--")) {
			cli.before_rest = count;
			i++;
			break;
		}
		if (word[0] != '-' || !word[1]) {
			if (stop)
				break;
			argv[count++] = word;
			continue;
		}
		used = false;
		if (word[1] == '-')
			ret = parse_long(cmd, word, next, &used, err);
		else
			ret = parse_short(cmd, word, next, &used, err);
		if (ret < 0)
			return ret;
		i += used;
	}
	while (i < argc)
		argv[count++] = argv[i++];
	cli.json |= cli.jsonl;
	argv[count] = NULL;	/* as in main(), for those who exec it */
	return count;
}

static void usage_row(const struct opt *o, FILE *out)
{
	char left[80];
	int len;

	if (!o->help)
		return;
	len = snprintf(left, sizeof(left), "  ");
	if (o->letter)
		len += snprintf(left + len, sizeof(left) - (size_t)len,
				"-%c%s", o->letter, o->name ? ", " : "");
	if (o->name)
		len += snprintf(left + len, sizeof(left) - (size_t)len,
				"--%s", o->name);
	if (o->value)
		snprintf(left + len, sizeof(left) - (size_t)len, "%s%s%s",
			 o->implied ? "[=" : " ", o->value,
			 o->implied ? "]" : "");
	if (strlen(left) > 26)
		fprintf(out, "%s\n%26s  %s\n", left, "", o->help);
	else
		fprintf(out, "%-26s  %s\n", left, o->help);
}

void opt_usage(const struct cmd *cmd, FILE *out)
{
	const char *form = cmd->synopsis;
	const char *lead = "usage:";
	const struct opt *o;
	size_t i, len;

	while (form) {
		len = strcspn(form, "\n");
		fprintf(out, "%s dsv %s%s%.*s\n", lead, cmd->name,
			len ? " " : "", (int)len, form);
		form = form[len] ? form + len + 1 : NULL;
		lead = "      ";
	}
	fprintf(out, "\n%s\n\n", cmd->summary);
	for (i = 0; cmd->subs && cmd->subs[i]; i++)
		fprintf(out, "  %-16s  %s\n", cmd->subs[i]->name,
			cmd->subs[i]->summary);
	if (cmd->subs)
		putc('\n', out);
	for (o = cmd->opts; o && !opt_is_end(o); o++)
		usage_row(o, out);
	for (i = 0; i < COMMON_COUNT; i++)
		if (common_applies(&commons[i], cmd) &&
		    opt_find(cmd, commons[i].opt.letter, commons[i].opt.name,
			     commons[i].opt.name ?
			     strlen(commons[i].opt.name) : 0) ==
			    &commons[i].opt)
			usage_row(&commons[i].opt, out);
}

/* Prints LETTER, NAME, VALUE, HELP, separated by tabs, for completions. */
static void list_row(const struct opt *o)
{
	if (!o->help)
		return;
	printf("%s%.1s\t%s%s\t%s\t%s\n", o->letter ? "-" : "", &o->letter,
	       o->name ? "--" : "", o->name ? o->name : "",
	       o->value ? o->value : "", o->help);
}

void opt_list(const struct cmd *cmd)
{
	const struct opt *o;
	size_t i;

	for (o = cmd->opts; o && !opt_is_end(o); o++)
		list_row(o);
	for (i = 0; i < COMMON_COUNT; i++)
		if (common_applies(&commons[i], cmd))
			list_row(&commons[i].opt);
}
