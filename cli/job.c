/* SPDX-License-Identifier: MIT */
/* dsv job - what the Slurm plugin and "fork --sbatch" run */
#include "sbatch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct dsv_job_request request = {
	.size_bytes = sizeof(request),
};
static const char *ticket;
static const char *job_id;
static int64_t wait_status = -1;
static bool porcelain;

#define TICKET_OPT \
	{ .name = "ticket", .value = "TICKET", \
	  .help = "as printed by prepare", .string = &ticket }
#define PORCELAIN_OPT \
	{ .name = "porcelain", .help = "print KEY=VALUE, each ended by a NUL", \
	  .flag = &porcelain }

static const struct opt prepare_opts[] = {
	{ .name = "fork", .value = "REV", .help = "the state to fork",
	  .string = &request.rev },
	{ .name = "set", .value = "[+]KEY=VALUE",
	  .help = "change a parameter, with '+' add one (repeatable)",
	  .strings = &request.set },
	{ .name = "unset", .value = "KEY",
	  .help = "remove a parameter (repeatable)",
	  .strings = &request.unset },
	{ .name = "sweep", .value = "[+]KEY=V,V",
	  .help = "a value for each task of the array (repeatable)",
	  .strings = &request.sweep },
	{ .name = "array", .value = "TASKS",
	  .help = "the tasks of the job, as given to sbatch",
	  .string = &request.array },
	{ .name = "branch", .value = "BRANCH", .help = "the new branch",
	  .string = &request.branch },
	{ .name = "to", .value = "DIR",
	  .help = "where to place the files; %j %a %N %b",
	  .string = &request.to },
	{ .name = "parts", .value = "all|mine",
	  .help = "which parts of a state each node gets",
	  .string = &request.parts },
	{ .name = "message", .value = "TEXT", .help = "why the fork is made",
	  .string = &request.message },
	{ .name = "clusters", .value = "NAME[,NAME]",
	  .help = "where the job is sent, as given to sbatch",
	  .string = &request.clusters },
	{ 'n', "dry-run", NULL, "check only", .flag = &request.dry_run },
	PORCELAIN_OPT,
	{ 0 },
};

static const struct opt start_opts[] = {
	TICKET_OPT,
	PORCELAIN_OPT,
	{ 0 },
};

static const struct opt finish_opts[] = {
	TICKET_OPT,
	{ .name = "status", .value = "N", .help = "as returned by waitpid(2)",
	  .number = &wait_status },
	{ 0 },
};

static const struct opt bind_opts[] = {
	TICKET_OPT,
	{ .name = "job", .value = "ID", .help = "the job's id",
	  .string = &job_id },
	{ 0 },
};

static const struct opt ticket_opts[] = {
	TICKET_OPT,
	{ 0 },
};

static const char *wrapper;

static const struct opt exec_opts[] = {
	TICKET_OPT,
	{ .name = "script", .value = "FILE", .string = &wrapper,
	  .help = "run the script that this wrapper holds" },
	{ 0 },
};

static int need_ticket(struct dsv_err *err)
{
	return ticket && *ticket ? 0 :
	       dsv_fail(err, DSV_EUSAGE, "--ticket is missing");
}

static void print_pair(const char *key, const char *value)
{
	printf("%s=", key);
	out_exact(stdout, value);
	putchar(porcelain ? '\0' : '\n');
}

static int run_prepare(struct dsv *d, int argc, char **argv,
		       struct dsv_err *err)
{
	struct dsv_submission s;
	char tasks[32];
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0 && !request.rev)
		ret = dsv_fail(err, DSV_EUSAGE, "--fork is missing");
	if (ret == 0)
		ret = dsv_job_prepare(d, &request, &s, err);
	if (ret < 0)
		return ret;
	if (!request.dry_run)
		print_pair("TICKET", s.ticket);
	print_pair("REPO", dsv_path(d));
	print_pair("STATE", s.id);
	if (s.tasks > 0) {
		snprintf(tasks, sizeof(tasks), "%zu", s.tasks);
		print_pair("TASKS", tasks);
	}
	print_pair("V", "1");
	dsv_submission_release(&s);
	return 0;
}

static int run_start(struct dsv *d, int argc, char **argv,
		     struct dsv_err *err)
{
	char **env, **e;
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = need_ticket(err);
	if (ret == 0)
		ret = dsv_job_start(d, ticket, &env, NULL, err);
	if (ret < 0)
		return ret;
	for (e = env; *e; e++) {
		out_exact(stdout, *e);
		putchar(porcelain ? '\0' : '\n');
	}
	dsv_environment_free(env);
	return 0;
}

static int run_finish(struct dsv *d, int argc, char **argv,
		      struct dsv_err *err)
{
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = need_ticket(err);
	if (ret == 0 && (wait_status < 0 || wait_status > 0xffff))
		ret = dsv_fail(err, DSV_EUSAGE, "--status is missing or is "
			       "not the status of a process");
	return ret < 0 ? ret :
	       dsv_job_finish(d, ticket, (int)wait_status, err);
}

static int run_bind(struct dsv *d, int argc, char **argv,
		    struct dsv_err *err)
{
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = need_ticket(err);
	if (ret == 0 && !job_id)
		ret = dsv_fail(err, DSV_EUSAGE, "--job is missing");
	return ret < 0 ? ret : dsv_job_bind(d, ticket, job_id, err);
}

static int run_cancel(struct dsv *d, int argc, char **argv,
		      struct dsv_err *err)
{
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = need_ticket(err);
	return ret < 0 ? ret : dsv_job_cancel(d, ticket, err);
}

static int run_sync(struct dsv *d, int argc, char **argv,
		    struct dsv_err *err)
{
	struct dsv_json *j;
	int64_t changed;
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = dsv_job_sync(d, &changed, err);
	if (ret < 0)
		return ret;
	if (cli.json) {
		j = dsv_json_new();
		if (j) {
			dsv_json_object(j, NULL);
			dsv_json_int(j, "closed", changed);
			dsv_json_end(j);
		}
		return json_print(j, err);
	}
	if (changed > 0 && !cli.quiet)
		fprintf(stderr, "closed %" PRId64 " job record%s\n", changed,
			changed == 1 ? "" : "s");
	return 0;
}

/*
 * Without the plugin nothing of ours runs on the job's other nodes before its
 * steps do, so a step of all its tasks places the files there.
 */
static int start_on_nodes(const char *repo, struct dsv_err *err)
{
	const char *components = getenv("SLURM_HET_SIZE");
	char groups[48], text[4096];
	const char *argv[] = {
		"srun", "--overlap", groups, program_path(), "--repo", repo,
		"job", "start", "--ticket", ticket, NULL
	};
	struct child child = { .argv = (char **)(void *)argv };
	int fd = -1, pid, status, ret;

	snprintf(groups, sizeof(groups), "--het-group=0-%d",
		 components ? atoi(components) - 1 : 0);
	if (!components)
		argv[2] = "--kill-on-bad-exit=1";
	child.stdout_fd = &fd;
	ret = child_start(&child, &pid, err);
	if (ret < 0)
		return ret;
	/* This is an environment; the tasks get theirs from the script. */
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	ret = child_wait(pid, true, &status, err);
	if (ret == 0 && status != 0)
		ret = dsv_fail(err, DSV_ESYS, "the files could not be placed"
			       " on every node of the job");
	return ret;
}

/*
 * Gets the command to run: the operands, after the wrapper's script if there
 * is one.  The caller frees the array.
 */
static int exec_command(int argc, char **argv, char ***command,
			struct dsv_err *err)
{
	static char path[32];
	int n = 0, fd, ret;

	ret = cli_operands(argc, wrapper ? 0 : 1, -1, err);
	if (ret == 0)
		ret = need_ticket(err);
	if (ret == 0 && wrapper)
		ret = script_open(wrapper, ticket, &fd, err);
	if (ret < 0)
		return ret;
	*command = calloc((size_t)argc + 2, sizeof(**command));
	if (!*command)
		return dsv_fail_nomem(err);
	if (wrapper) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		(*command)[n++] = path;
	}
	if (argc > 0)
		memcpy(*command + n, argv, (size_t)argc * sizeof(*argv));
	return 0;
}

/*
 * The repository is closed while the script runs, which may take days, on a
 * file system that may go away in the meantime.
 */
static int run_exec(struct dsv *unused, int argc, char **argv,
		    struct dsv_err *err)
{
	struct child child = {
		.name = wrapper ? "the job's script" : NULL,
		.hold = true,
	};
	struct dsv_err end_err;
	struct dsv *d = NULL;
	bool each_node = false;
	int pid, status, ret;

	(void)unused;
	ret = exec_command(argc, argv, &child.argv, err);
	if (ret == 0)
		ret = cli_open(&d, err);
	if (ret == 0)
		ret = dsv_job_start(d, ticket, &child.environment, &each_node,
				    err);
	if (ret == 0 && each_node)
		ret = start_on_nodes(dsv_path(d), err);
	dsv_close(d);
	d = NULL;
	ui_progress_clear();
	if (ret == 0)
		ret = child_start(&child, &pid, err);
	if (ret == 0)
		ret = child_wait(pid, true, &status, err);
	dsv_environment_free(child.environment);
	free(child.argv);
	if (ret < 0)
		return ret;
	/* The work is done: failing to record its end must not undo it. */
	if (cli_open(&d, &end_err) < 0 ||
	    dsv_job_finish(d, ticket, status, &end_err) < 0) {
		dsv_fail_in(&end_err, -1, "record the end of the job");
		cli_warn_of(&end_err);
	}
	dsv_close(d);
	return child_status(status);
}

/* ---- list ---- */

static int json_jobs(const struct dsv_jobs *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++)
			json_job(j, NULL, &list->items[i]);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static void print_job(const struct dsv_job *job)
{
	char when[DSV_TIME_SIZE] = "-";

	if (job->started_ns)
		dsv_format_time(job->started_ns, when);
	out_column(stdout, job->id ? job->id : "-", 10);
	putchar(' ');
	out_column(stdout, job->state ? job->state : "-", 10);
	printf(" %-20s ", when);
	if (job->signal)
		printf("%3d:%-3d ", job->exit_code < 0 ? 0 : job->exit_code,
		       job->signal);
	else if (job->exit_code >= 0)
		printf("%3d     ", job->exit_code);
	else
		printf("  -     ");
	out_column(stdout, job->nodes ? job->nodes : "-", 12);
	putchar(' ');
	out_text(stdout, job->branch ? job->branch : "-");
	if (job->fork)
		printf(" from %.12s", job->fork);
	out_kvs(stdout, &job->params);
	putchar('\n');
}

static int run_list(struct dsv *d, int argc, char **argv,
		    struct dsv_err *err)
{
	struct dsv_jobs list;
	int ret = cli_operands(argc, 0, 0, err);
	size_t i;

	(void)argv;
	if (ret == 0)
		ret = dsv_jobs(d, &list, err);
	if (ret < 0)
		return ret;
	if (cli.json) {
		ret = json_jobs(&list, err);
	} else if (list.count) {
		printf("%-10s %-10s %-20s %-7s %-12s %s\n", "job", "state",
		       "started", "exit", "nodes", "branch");
		for (i = 0; i < list.count; i++)
			print_job(&list.items[i]);
	}
	dsv_jobs_free(&list);
	return ret;
}

static const struct cmd cmd_job_list = {
	.name = "job list",
	.summary = "list the jobs that dsv knows, the newest first",
	.synopsis = "[OPTION...]",
	.flags = CMD_REPO | CMD_JSON,
	.run = run_list,
};

static const struct cmd cmd_job_sync = {
	.name = "job sync",
	.summary = "ask Slurm which jobs have ended, and end their holds",
	.synopsis = "[OPTION...]",
	.flags = CMD_REPO | CMD_JSON,
	.run = run_sync,
};

static const struct cmd cmd_job_prepare = {
	.name = "job prepare",
	.summary = "at submission: check, hold the state, make a ticket",
	.synopsis = "--fork REV [OPTION...]",
	.opts = prepare_opts,
	.flags = CMD_REPO,
	.run = run_prepare,
};

static const struct cmd cmd_job_bind = {
	.name = "job bind",
	.summary = "record which job a ticket belongs to",
	.synopsis = "--ticket TICKET --job ID",
	.opts = bind_opts,
	.flags = CMD_REPO,
	.run = run_bind,
};

static const struct cmd cmd_job_start = {
	.name = "job start",
	.summary = "in the job: fork, place the files, print the environment",
	.synopsis = "--ticket TICKET [--porcelain]",
	.opts = start_opts,
	.flags = CMD_REPO,
	.run = run_start,
};

static const struct cmd cmd_job_finish = {
	.name = "job finish",
	.summary = "record the end of a job",
	.synopsis = "--ticket TICKET --status N",
	.opts = finish_opts,
	.flags = CMD_REPO,
	.run = run_finish,
};

static const struct cmd cmd_job_cancel = {
	.name = "job cancel",
	.summary = "withdraw a ticket whose job was not submitted",
	.synopsis = "--ticket TICKET",
	.opts = ticket_opts,
	.flags = CMD_REPO,
	.run = run_cancel,
};

static const struct cmd cmd_job_exec = {
	.name = "job exec",
	.summary = "start, run a command, finish",
	.synopsis = "--ticket TICKET [--script FILE] -- [COMMAND] [ARG...]",
	.opts = exec_opts,
	.flags = CMD_STOP,
	.run = run_exec,
};

static const struct cmd *const subs[] = {
	&cmd_job_list, &cmd_job_sync, &cmd_job_prepare, &cmd_job_bind,
	&cmd_job_start, &cmd_job_finish, &cmd_job_cancel, &cmd_job_exec, NULL
};

const struct cmd cmd_job = {
	.name = "job",
	.summary = "manage jobs that run on forks; used by the plugin",
	.synopsis = "list|sync|prepare|bind|start|finish|cancel|exec "
		    "[ARG...]",
	.subs = subs,
};
