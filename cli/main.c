/* SPDX-License-Identifier: MIT */
/* dsv - git for the states of a training run */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct cmd *const commands[] = {
	&cmd_init, &cmd_tag, &cmd_log, &cmd_show, &cmd_find, &cmd_next,
	&cmd_prev, &cmd_merge_base, &cmd_rev_parse, &cmd_diff, &cmd_bisect,
	&cmd_checkout, &cmd_cat, &cmd_fork, &cmd_branch, &cmd_switch,
	&cmd_name, &cmd_attr, &cmd_params, &cmd_queue, &cmd_wait, &cmd_pin,
	&cmd_unpin, &cmd_scope, &cmd_prune, &cmd_restore, &cmd_repack,
	&cmd_fsck, &cmd_status, &cmd_doctor, &cmd_du, &cmd_config, &cmd_job,
	&cmd_help, NULL
};

static struct dsv_strings dirs;
static bool version;

static const struct opt opts[] = {
	{ 'C', NULL, "DIR", "run as if started in DIR", .strings = &dirs },
	{ .name = "version", .help = "print the version", .flag = &version },
	{ 0 },
};

static const struct cmd cmd_dsv = {
	.name = "",
	.summary = "git for the states of a training run",
	.synopsis = "[OPTION...] COMMAND [ARG...]",
	.opts = opts,
	.flags = CMD_STOP | CMD_JSON,
};

const struct cmd *cli_find(const char *name)
{
	size_t i;

	for (i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

void cli_usage(FILE *out)
{
	size_t i;

	fprintf(out, "usage: dsv [-C DIR] [--repo DIR] [-q] [-v] COMMAND "
		"[ARG...]\n\n");
	for (i = 0; commands[i]; i++)
		if (!(commands[i]->flags & CMD_HIDDEN))
			fprintf(out, "  %-12s  %s\n", commands[i]->name,
				commands[i]->summary);
	fprintf(out, "\n'dsv COMMAND -h' lists the options of a command, "
		"'dsv help COMMAND'\nshows its manual page.\n");
}

static void list_commands(const struct cmd *const *list)
{
	for (; list && *list; list++)
		if (!((*list)->flags & CMD_HIDDEN))
			printf("%s\t%s\n", (*list)->name, (*list)->summary);
}

/* Returns true if man(1) showed it. */
static bool man_page(const char *page)
{
	char *argv[] = { (char *)"man", (char *)page, NULL };
	struct child child = { .argv = argv, .quiet = true };
	int pid, status;

	fflush(stdout);
	if (child_start(&child, &pid, NULL) < 0 ||
	    child_wait(pid, false, &status, NULL) < 0)
		return false;
	return child_status(status) == 0;
}

void cli_help(const struct cmd *cmd)
{
	char page[64] = "dsv";

	if (cmd)
		snprintf(page, sizeof(page), "dsv-%.*s",
			 (int)strcspn(cmd->name, " "), cmd->name);
	if (man_page(page))
		return;
	if (cmd)
		opt_usage(cmd, stdout);
	else
		cli_usage(stdout);
}

static int run(const struct cmd *cmd, int argc, char **argv,
	       struct dsv_err *err)
{
	struct dsv_options options;
	struct dsv *d = NULL;
	int ret = 0;

	cli_options(&options);
	options.only_config = cmd->flags & CMD_MAYBE_CONFIG;
	if (cmd->flags & (CMD_REPO | CMD_MAYBE_CONFIG))
		ret = dsv_open(&options, &d, err);
	/* "config --user safe.repository" is the way out of a refusal. */
	if ((ret == DSV_ENOREPO || ret == DSV_EREFUSED) &&
	    cmd->flags & CMD_MAYBE_CONFIG)
		ret = 0;
	if (d)
		trace("repository %s", dsv_path(d));
	if (ret == 0)
		ret = cmd->run(d, argc, argv, err);
	dsv_close(d);
	return ret;
}

int cli_no_command(const char *name, const struct cmd *group,
		   struct dsv_err *err)
{
	const struct cmd *const *list = group ? group->subs : commands;
	const char *words[64] = { NULL }, *near, *space;
	size_t count = 0;

	for (; *list && count < 64; list++) {
		space = strchr((*list)->name, ' ');
		if (!((*list)->flags & CMD_HIDDEN))
			words[count++] = space ? space + 1 : (*list)->name;
	}
	near = dsv_suggest(name, words, count);
	if (near)
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a command (did"
				" you mean '%s'?)", name, near);
	return dsv_fail(err, DSV_EUSAGE, "'%s' is not a command; see"
			" 'dsv %s%s'", name, group ? group->name : "help",
			group ? " -h" : "");
}

/* Finds the command of a group: "job start". */
static int find_sub(const struct cmd **cmd, int *argc, char ***argv,
		    struct dsv_err *err)
{
	const struct cmd *group = *cmd;
	const struct cmd *const *sub = group->subs;
	const char *name = (*argv)[0];
	const char *word;

	if (*argc < 1)
		return dsv_fail(err, DSV_EUSAGE, "missing command; "
				"see 'dsv %s -h'", cli.command);
	for (; *sub; sub++) {
		word = strchr((*sub)->name, ' ') + 1;
		if (strcmp(word, name))
			continue;
		*cmd = *sub;
		cli.command = (*sub)->name;
		(*argc)--;
		(*argv)++;
		return 0;
	}
	return cli_no_command(name, group, err);
}

/* Replaces the process; returns only if there is no such program. */
static int run_external(int argc, char **argv, struct dsv_err *err)
{
	char name[NAME_MAX], path[PATH_MAX], *slash;

	(void)argc;
	if (strchr(argv[0], '/') || strlen(argv[0]) > 100)
		goto unknown;
	if (cli.repo && setenv("DSV_REPO", cli.repo, 1) < 0)
		return dsv_fail_errno(err, "set DSV_REPO");
	snprintf(name, sizeof(name), "dsv-%s", argv[0]);
	snprintf(path, sizeof(path), "%s", program_path());
	slash = strrchr(path, '/');
	if (slash) {
		snprintf(slash, sizeof(path) - (size_t)(slash - path),
			 "/../libexec/dsv/%s", name);
		execv(path, argv);
	}
	execvp(name, argv);
	if (errno != ENOENT)
		return dsv_fail_errno(err, "run '%s'", name);
unknown:
	return cli_no_command(argv[0], NULL, err);
}

static int command(int argc, char **argv, struct dsv_err *err)
{
	const struct cmd *cmd = cli_find(argv[0]);
	int ret;

	if (!cmd)
		return run_external(argc, argv, err);
	cli.command = cmd->name;
	argc--;
	argv++;
	if (cmd->subs && argc > 0 && argv[0][0] != '-') {
		ret = find_sub(&cmd, &argc, &argv, err);
		if (ret < 0)
			return ret;
	}
	argc = opt_parse(cmd, argc, argv, err);
	if (argc < 0)
		return argc;
	if (cli.list_options || cli.list_commands) {
		if (cli.list_options)
			opt_list(cmd);
		else
			list_commands(cmd->subs);
		return 0;
	}
	if (cli.usage || cli.help) {
		if (cli.help)
			cli_help(cmd);
		else
			opt_usage(cmd, stdout);
		return 0;
	}
	if (cmd->subs)
		return find_sub(&cmd, &argc, &argv, err);
	return run(cmd, argc, argv, err);
}

static int dispatch(int argc, char **argv, struct dsv_err *err)
{
	size_t i;

	argc = opt_parse(&cmd_dsv, argc, argv, err);
	if (argc < 0)
		return argc;
	if (version) {
		printf("dsv %s\n", DSV_VERSION);
		return 0;
	}
	if (cli.list_commands) {
		list_commands(commands);
		return 0;
	}
	if (cli.list_options) {
		opt_list(&cmd_dsv);
		return 0;
	}
	if (cli.help || cli.usage) {
		if (cli.help)
			cli_help(NULL);
		else
			cli_usage(stdout);
		return 0;
	}
	for (i = 0; i < dirs.count; i++)
		if (chdir(dirs.items[i]) < 0)
			return dsv_fail_errno(err, "change to directory '%s'",
					      dirs.items[i]);
	if (argc == 0) {
		cli_usage(stderr);
		return 2;
	}
	return command(argc, argv, err);
}

/* Asked before the options are parsed, so that their errors are JSON too. */
static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json") || !strcmp(argv[i], "--jsonl"))
			return true;
	return false;
}

/* The one place that prints an error. */
static int report(int ret, const struct dsv_err *err, bool json)
{
	char text[ERR_TEXT_SIZE];

	if (json) {
		json_error(-ret, err);
		return -ret;
	}
	fprintf(stderr, "dsv%s%s: ", cli.command ? " " : "",
		cli.command ? cli.command : "");
	err_text(err, text);
	out_text(stderr, text);
	putc('\n', stderr);
	return -ret;
}

/*
 * If stdout is closed, the first file to be opened would become stdout.  So
 * /dev/null is opened for reading in its place, and writing still fails.
 */
static void open_standard_files(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
			_exit(-DSV_ESYS);
}

int main(int argc, char **argv)
{
	struct dsv_err err = { .msg = "" };
	bool json = wants_json(argc, argv);
	int ret;

	open_standard_files();
	signals_catch();
	trace("start: %s", argc > 1 ? argv[1] : "");
	ret = dispatch(argc - 1, argv + 1, &err);
	ui_progress_clear();
	errno = 0;
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (errno == 0)
			errno = EIO;
		/* The reader has had enough: there is nothing to report. */
		if (errno == EPIPE)
			return ret < 0 ? -ret : 128 + 13;
		if (ret >= 0)
			ret = dsv_fail_errno(&err, "write the output");
	}
	pager_wait();
	if (cli.interrupted && (ret < 0 || cli_stopped()))
		ret = dsv_fail(&err, DSV_EINTERRUPTED, "interrupted");
	trace("end: %d", ret < 0 ? -ret : ret);
	return ret < 0 ? report(ret, &err, json) : ret;
}
