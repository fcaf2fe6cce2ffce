/* SPDX-License-Identifier: MIT */
/* dsv attr - show or change the attributes of a state */
#include "cli.h"

#include <string.h>

static struct dsv_strings unset;
static bool history;

static const struct opt opts[] = {
	{ .name = "unset", .value = "KEY",
	  .help = "remove an attribute (repeatable)", .strings = &unset },
	{ .name = "history", .help = "show every change, the oldest first",
	  .flag = &history },
	{ 0 },
};

static int json_history(const struct dsv_attr_history *h, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_array(j, NULL);
	for (i = 0; i < h->count; i++) {
		const struct dsv_attr_change *c = &h->items[i];

		dsv_json_object(j, NULL);
		dsv_json_time(j, "time", c->time_ns);
		dsv_json_string(j, "author", c->author);
		dsv_json_string(j, "key", c->key);
		dsv_json_bool(j, "unset", c->unset);
		if (!c->unset)
			dsv_json_value(j, "value", &c->value);
		dsv_json_end(j);
	}
	dsv_json_end(j);
	return json_print(j, err);
}

static int print_history(struct dsv *d, const char *rev, struct dsv_err *err)
{
	struct dsv_attr_history h;
	char when[DSV_TIME_SIZE];
	int ret = dsv_attr_history(d, rev, &h, err);
	size_t i;

	if (ret < 0)
		return ret;
	if (cli.json)
		ret = json_history(&h, err);
	for (i = 0; i < h.count && !cli.json; i++) {
		const struct dsv_attr_change *c = &h.items[i];

		dsv_format_time(c->time_ns, when);
		printf("%s ", when);
		out_text(stdout, c->author ? c->author : "");
		printf(c->unset ? " -" : " ");
		out_text(stdout, c->key);
		if (!c->unset) {
			putchar('=');
			out_text(stdout, c->value.text);
		}
		putchar('\n');
	}
	dsv_attr_history_free(&h);
	return ret;
}

static int print_attrs(struct dsv *d, const char *rev, struct dsv_err *err)
{
	struct dsv_json *j;
	struct dsv_state *s;
	int ret = dsv_state_get(d, rev, &s, err);
	size_t i;

	if (ret < 0)
		return ret;
	if (cli.json) {
		j = dsv_json_new();
		if (j)
			json_kvs(j, NULL, &s->attrs);
		ret = json_print(j, err);
	} else {
		for (i = 0; i < s->attrs.count; i++) {
			out_kv(stdout, &s->attrs.items[i]);
			putchar('\n');
		}
	}
	dsv_state_free(s);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings assignments;
	size_t i;
	int ret = cli_operands(argc, 1, -1, err);

	if (ret < 0)
		return ret;
	assignments = strings_of(argc - 1, argv + 1);
	for (i = 0; i < assignments.count; i++)
		if (!strchr(assignments.items[i], '='))
			return dsv_fail(err, DSV_EUSAGE,
					"'%s' is not KEY=VALUE",
					assignments.items[i]);
	if (history && assignments.count + unset.count > 0)
		return dsv_fail(err, DSV_EUSAGE, "--history changes nothing");
	if (history)
		return print_history(d, argv[0], err);
	if (assignments.count + unset.count == 0)
		return print_attrs(d, argv[0], err);
	return dsv_attr_set(d, argv[0], &assignments, &unset, err);
}

const struct cmd cmd_attr = {
	.name = "attr",
	.summary = "show or change the attributes of a state",
	.synopsis = "[OPTION...] REV [KEY=VALUE...]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};
