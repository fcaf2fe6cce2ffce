/* SPDX-License-Identifier: MIT */
/* dsv fork - start a branch from a state, and a run on it */
#include "sbatch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct dsv_fork_options options = {
	.size_bytes = sizeof(options),
};
static const char *to;
static const char *after;
static const char *parts;
static struct dsv_strings sweep;
static bool use_sbatch;

static const struct opt opts[] = {
	{ 'b', "branch", "BRANCH", "the new branch",
	  .string = &options.branch },
	{ .name = "set", .value = "[+]KEY=VALUE",
	  .help = "change a parameter, with '+' add one (repeatable)",
	  .strings = &options.set },
	{ .name = "unset", .value = "KEY",
	  .help = "remove a parameter (repeatable)",
	  .strings = &options.unset },
	{ .name = "sweep", .value = "[+]KEY=V,V",
	  .help = "make a fork for each combination (repeatable)",
	  .strings = &sweep },
	{ 'm', "message", "TEXT", "why the fork is made",
	  .string = &options.message },
	{ 's', "scope", "SCOPE", "put the fork into a scope (repeatable)",
	  .strings = &options.scopes },
	{ .name = "to", .value = "DIR", .help = "check the files out to DIR",
	  .string = &to },
	{ .name = "parts", .value = "all|mine",
	  .help = "with --sbatch: which parts of a state a node gets",
	  .string = &parts },
	{ .name = "sbatch", .help = "submit what follows '--' with sbatch",
	  .flag = &use_sbatch },
	{ .name = "after", .value = "JOB",
	  .help = "with --sbatch: start when this job has ended",
	  .string = &after },
	{ 0 },
};

static int checkout(struct dsv *d, const char *id, struct dsv_err *err)
{
	struct dsv_checkout_options o = {
		.size_bytes = sizeof(o), .rev = id, .dir = to, .rank = -1,
	};
	struct dsv_checkout_result result;

	return dsv_checkout(d, &o, &result, err);
}

static bool has_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir)))
		found = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (dir)
		closedir(dir);
	return found;
}

/*
 * Files that already exist may be in the way.  No branch must be left behind
 * then, so the checkout comes before the fork.
 */
static int make_fork(struct dsv *d, const char *rev, struct dsv_fork *fork,
		     struct dsv_err *err)
{
	char id[DSV_ID_SIZE];
	int ret = dsv_rev_parse(d, rev, id, err);

	if (ret == 0 && to && has_files(to))
		ret = checkout(d, id, err);
	options.rev = id;
	if (ret == 0)
		ret = dsv_fork(d, &options, fork, err);
	if (ret == 0 && to) {
		ret = checkout(d, fork->id, err);
		if (ret == DSV_EREFUSED &&
		    dsv_branch_delete(d, fork->branch, NULL) == 0)
			return ret;
		if (ret < 0)
			ret = dsv_fail_in(err, ret, "branch '%s' was made, "
					  "but not checked out", fork->branch);
	}
	return ret;
}

/* Returns the command's exit status. */
static int run_command(struct dsv *d, const struct dsv_fork *fork,
		       char **argv, struct dsv_err *err)
{
	struct child child = { .argv = argv, .dir = to, .hold = true };
	char *dir = NULL;
	int pid, status, ret;

	if (to) {
		dir = realpath(to, NULL);
		if (!dir)
			return dsv_fail_errno(err, "find '%s'", to);
	}
	ret = dsv_fork_environment(d, fork->id, dir, &child.environment, err);
	if (ret == 0)
		ret = child_start(&child, &pid, err);
	if (ret == 0)
		ret = child_wait(pid, true, &status, err);
	dsv_environment_free(child.environment);
	free(dir);
	return ret < 0 ? ret : child_status(status);
}

static int check_operands(int argc, struct dsv_err *err)
{
	int before = cli.before_rest < 0 ? argc : cli.before_rest;
	int rest = argc - before;

	if (before != 1)
		return dsv_fail(err, DSV_EUSAGE, before == 0 ?
				"REV is missing; see 'dsv fork -h'" :
				"only one REV is allowed; a command "
				"follows '--'");
	if (cli.before_rest >= 0 && rest == 0)
		return dsv_fail(err, DSV_EUSAGE, "no command after '--'");
	if (use_sbatch && rest == 0)
		return dsv_fail(err, DSV_EUSAGE,
				"--sbatch: no script after '--'");
	if (sweep.count && !use_sbatch && (rest > 0 || to))
		return dsv_fail(err, DSV_EUSAGE, "--sweep makes many forks:"
				" --to and COMMAND need --sbatch");
	if (after && !use_sbatch)
		return dsv_fail(err, DSV_EUSAGE, "--after needs --sbatch");
	if (parts && !use_sbatch)
		return dsv_fail(err, DSV_EUSAGE, "--parts needs --sbatch");
	return 0;
}

static int run_sweep(struct dsv *d, const char *rev, struct dsv_err *err)
{
	struct dsv_forks forks;
	int ret;

	options.rev = rev;
	ret = dsv_fork_sweep(d, &options, &sweep, &forks, err);
	if (ret < 0)
		return ret;
	ret = fork_print(stdout, &forks, NULL, err);
	if (ret == 0)
		fork_tell(d, &forks);
	dsv_forks_free(&forks);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct sbatch sbatch = {
		.request = { .size_bytes = sizeof(sbatch.request) },
		.after = after,
	};
	struct dsv_fork fork;
	struct dsv_forks forks = { 1, &fork };
	int ret = check_operands(argc, err);

	if (ret < 0)
		return ret;
	if (use_sbatch) {
		sbatch.request.rev = argv[0];
		sbatch.request.set = options.set;
		sbatch.request.unset = options.unset;
		sbatch.request.sweep = sweep;
		sbatch.request.branch = options.branch;
		sbatch.request.to = to;
		sbatch.request.parts = parts;
		sbatch.request.message = options.message;
		sbatch.request.scopes = options.scopes;
		sbatch.request.fork_now = true;
		sbatch.argc = argc - 1;
		sbatch.argv = argv + 1;
		return sbatch_submit(d, &sbatch, err);
	}
	if (sweep.count)
		return run_sweep(d, argv[0], err);
	ret = make_fork(d, argv[0], &fork, err);
	if (ret < 0)
		return ret;
	ui_progress_clear();
	ret = fork_print(argc > 1 ? stderr : stdout, &forks, NULL, err);
	if (ret == 0)
		fork_tell(d, &forks);
	if (ret < 0 || argc == 1)
		return ret;
	return run_command(d, &fork, argv + 1, err);
}

const struct cmd cmd_fork = {
	.name = "fork",
	.summary = "start a branch from a state, and a run on it",
	.synopsis = "[OPTION...] REV\n[OPTION...] REV -- COMMAND [ARG...]\n"
		    "[OPTION...] --sbatch REV -- [SBATCH-OPTION...] SCRIPT "
		    "[ARG...]",
	.opts = opts,
	.flags = CMD_REPO | CMD_REST | CMD_JSON,
	.run = run,
};
