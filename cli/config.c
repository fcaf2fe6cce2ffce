/* SPDX-License-Identifier: MIT */
/* dsv config - read and write the configuration */
#include "cli.h"

#include <string.h>
#include <strings.h>

char *config_value(struct dsv *d, const char *key)
{
	struct dsv_config_items config;
	char *value = NULL;
	size_t i;

	if (dsv_config_list(d, DSV_CONFIG_ANY, &config, NULL) < 0)
		return NULL;
	for (i = config.count; i > 0 && !value; i--) {
		if (!strcmp(config.items[i - 1].key, key))
			value = strdup(config.items[i - 1].value);
	}
	dsv_config_items_free(&config);
	return value;
}

static bool list_all;
static bool unset;
static bool at_system, at_user, at_repo;
static bool show_origin;

static const struct opt opts[] = {
	{ 'l', "list", NULL, "list every key", .flag = &list_all },
	{ .name = "unset", .help = "remove KEY", .flag = &unset },
	{ .name = "system", .help = "the machine's file",
	  .flag = &at_system },
	{ .name = "user", .help = "the user's file", .flag = &at_user },
	{ .name = "repo", .help = "the repository's file",
	  .flag = &at_repo },
	{ .name = "show-origin",
	  .help = "also print the file each value is from",
	  .flag = &show_origin },
	{ 0 },
};

/* As in git, case matters in subsections only. */
static bool same_key(const char *a, const char *b)
{
	size_t section = strcspn(a, ".");
	const char *last = strrchr(a, '.');
	size_t name = last ? (size_t)(last - a) : section;

	return strlen(a) == strlen(b) && name >= section &&
	       !strncasecmp(a, b, section) &&
	       !memcmp(a + section, b + section, name - section) &&
	       !strcasecmp(a + name, b + name);
}

static int print_json(const struct dsv_config_items *list, const char *key,
		      struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_array(j, NULL);
	for (i = 0; i < list->count; i++) {
		const struct dsv_config_item *item = &list->items[i];

		if (key && !same_key(item->key, key))
			continue;
		dsv_json_object(j, NULL);
		dsv_json_string(j, "key", item->key);
		dsv_json_string(j, "value", item->value);
		dsv_json_string(j, "origin", item->origin);
		dsv_json_end(j);
	}
	dsv_json_end(j);
	return json_print(j, err);
}

static void print_origin(const struct dsv_config_item *item)
{
	if (!show_origin)
		return;
	out_text(stdout, item->origin ? item->origin : "");
	putchar('\t');
}

static void print_item(const struct dsv_config_item *item)
{
	print_origin(item);
	out_text(stdout, item->key);
	putchar('=');
	out_text(stdout, item->value);
	putchar('\n');
}

static int show(struct dsv *d, enum dsv_config_level level, const char *key,
		struct dsv_err *err)
{
	const struct dsv_config_item *found = NULL;
	struct dsv_config_items list;
	int ret = dsv_config_list(d, level, &list, err);
	size_t i;

	if (ret < 0)
		return ret;
	for (i = 0; i < list.count; i++) {
		if (key && same_key(list.items[i].key, key))
			found = &list.items[i];
		else if (!key && !cli.json)
			print_item(&list.items[i]);
	}
	if (key && !found) {
		ret = dsv_fail(err, DSV_ENOTFOUND, "'%s' is not set", key);
	} else if (cli.json) {
		ret = print_json(&list, key, err);
	} else if (found) {
		print_origin(found);
		out_block(stdout, found->value);
		putchar('\n');
	}
	dsv_config_items_free(&list);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	enum dsv_config_level level = DSV_CONFIG_ANY;
	int ret;

	if (at_system + at_user + at_repo > 1)
		return dsv_fail(err, DSV_EUSAGE,
				"only one of --system, --user, --repo is"
				" allowed");
	if (at_system)
		level = DSV_CONFIG_SYSTEM;
	else if (at_user)
		level = DSV_CONFIG_USER;
	else if (at_repo)
		level = DSV_CONFIG_REPO;
	/* Opening it again gives the reason why it could not be opened. */
	if (!d && (at_repo || (level == DSV_CONFIG_ANY &&
			       (unset || argc == 2)))) {
		ret = cli_open(&d, err);
		dsv_close(d);
		return ret;
	}
	if (unset) {
		ret = cli_operands(argc, 1, 1, err);
		return ret < 0 ? ret :
		       dsv_config_set(d, level, argv[0], NULL, err);
	}
	if (argc == 0 && !list_all)
		return dsv_fail(err, DSV_EUSAGE, "KEY or --list is missing");
	ret = cli_operands(argc, 0, list_all ? 0 : 2, err);
	if (ret < 0)
		return ret;
	if (argc == 2)
		return dsv_config_set(d, level, argv[0], argv[1], err);
	return show(d, level, argc ? argv[0] : NULL, err);
}

const struct cmd cmd_config = {
	.name = "config",
	.summary = "read and write the configuration",
	.synopsis = "[OPTION...] KEY [VALUE]\n[OPTION...] --list\n"
		    "[OPTION...] --unset KEY",
	.opts = opts,
	.flags = CMD_MAYBE_CONFIG | CMD_JSON,
	.run = run,
};
