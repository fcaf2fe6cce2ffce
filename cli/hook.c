/* SPDX-License-Identifier: MIT */
/*
 * Hooks are the commands of [hook "NAME"] in the machine's and the user's
 * configuration.  A repository's own configuration is never asked: whoever can
 * write to it could run commands as everybody who uses it.
 */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct commands {
	struct dsv_config_items levels[2];	/* the machine's, the user's */
	struct dsv_strings list;
};

static void commands_free(struct commands *c)
{
	free((void *)c->list.items);
	dsv_config_items_free(&c->levels[0]);
	dsv_config_items_free(&c->levels[1]);
}

static int commands_load(struct dsv *d, const char *name, struct commands *c,
			 struct dsv_err *err)
{
	static const enum dsv_config_level levels[] = {
		DSV_CONFIG_SYSTEM, DSV_CONFIG_USER
	};
	char key[64];
	size_t i, k;
	int ret = 0;

	/* A hook's commands run no hooks: post-tag could tag for ever. */
	if (getenv("DSV_HOOK"))
		return 0;
	snprintf(key, sizeof(key), "hook.%s.command", name);
	for (i = 0; i < 2 && ret == 0; i++) {
		ret = dsv_config_list(d, levels[i], &c->levels[i], err);
		for (k = 0; ret == 0 && k < c->levels[i].count; k++)
			if (!strcmp(c->levels[i].items[k].key, key))
				ret = strings_add(&c->list,
						  c->levels[i].items[k].value,
						  err);
	}
	return ret;
}

bool hook_is_set(struct dsv *d, const char *name)
{
	struct commands c = { 0 };
	bool found = commands_load(d, name, &c, NULL) < 0 || c.list.count > 0;

	commands_free(&c);
	return found;
}

/* The hook may not read it: a closed pipe is not an error. */
static void feed(int fd, const struct dsv_strings *lines)
{
	FILE *f = fdopen(fd, "w");
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	size_t i;

	if (!f) {
		close(fd);
		goto out;
	}
	for (i = 0; i < lines->count && !ferror(f); i++)
		fprintf(f, "%s\n", lines->items[i]);
	fclose(f);
out:
	signal(SIGPIPE, old);
}

/* Runs sh -c COMMAND dsv-NAME ARG... and returns its exit status. */
static int run_one(const struct hook *h, const char *command,
		   char **environment, struct dsv_err *err)
{
	struct dsv_strings argv = { 0, NULL };
	struct child child = { .environment = environment, .to_stderr = true };
	char name[64];
	int fd = -1, pid, status, ret;
	size_t i;

	snprintf(name, sizeof(name), "dsv-%s", h->name);
	ret = strings_add(&argv, "sh", err);
	if (ret == 0)
		ret = strings_add(&argv, "-c", err);
	if (ret == 0)
		ret = strings_add(&argv, command, err);
	if (ret == 0)
		ret = strings_add(&argv, name, err);
	for (i = 0; i < h->args.count && ret == 0; i++)
		ret = strings_add(&argv, h->args.items[i], err);
	if (ret == 0)
		ret = strings_add(&argv, NULL, err);
	child.argv = (char **)argv.items;
	child.stdin_fd = &fd;
	if (ret == 0)
		ret = child_start(&child, &pid, err);
	if (ret == 0) {
		feed(fd, &h->lines);
		ret = child_wait(pid, false, &status, err);
	}
	free((void *)argv.items);
	return ret < 0 ? ret : child_status(status);
}

static int run_all(const struct hook *h, const struct commands *c,
		   char **environment, struct dsv_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < c->list.count; i++) {
		ret = run_one(h, c->list.items[i], environment, err);
		if (ret < 0)
			return dsv_fail_in(err, ret, "hook %s", h->name);
		if (ret > 0)
			return dsv_fail(err, DSV_EREFUSED, "hook %s: '%s' ended"
					" with status %d", h->name,
					c->list.items[i], ret);
	}
	return 0;
}

int hook_run(struct dsv *d, const struct hook *h, struct dsv_err *err)
{
	const char *const names[] = {
		"DSV_HOOK", "DSV_REPO", "DSV_STATE", "DSV_BRANCH"
	};
	const char *const values[] = {
		h->name, dsv_path(d), h->state, h->branch
	};
	char *environment[5] = { NULL };
	struct commands c = { 0 };
	size_t i, n = 0;
	int ret;

	ret = commands_load(d, h->name, &c, err);
	for (i = 0; i < 4 && ret == 0 && c.list.count; i++)
		if (values[i] && asprintf(&environment[n++], "%s=%s",
					  names[i], values[i]) < 0) {
			environment[--n] = NULL;
			ret = dsv_fail_nomem(err);
		}
	if (ret == 0)
		ret = run_all(h, &c, environment, err);
	while (n > 0)
		free(environment[--n]);
	commands_free(&c);
	return ret;
}

void hook_tell(struct dsv *d, const struct hook *h)
{
	struct dsv_err err;

	if (hook_run(d, h, &err) < 0)
		cli_warn_of(&err);
}
