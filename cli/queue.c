/* SPDX-License-Identifier: MIT */
/* dsv queue - show or store what was captured with tag --async */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool run_it;
static bool background;

static const struct opt opts[] = {
	{ .name = "run", .help = "store what this host has captured",
	  .flag = &run_it },
	{ .name = "background",
	  .help = "with --run: in a separate process, at low priority",
	  .flag = &background },
	{ 0 },
};

/* Runs in the worker, which keeps nothing of the caller's. */
static void leave_caller(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	/* Linux 5.9 has close_range(2), but not every libc has its wrapper. */
	if (syscall(SYS_close_range, 3, ~0U, 0) < 0) {
		int fd, max = (int)sysconf(_SC_OPEN_MAX);

		for (fd = 3; fd < max && fd < 65536; fd++)
			close(fd);
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	if (setpriority(PRIO_PROCESS, 0, 10) < 0 || chdir("/") < 0)
		return;		/* it works without as well */
}

void queue_start(const char *repo)
{
	char dsv[] = "dsv", repo_opt[] = "--repo", quiet[] = "-q",
	     queue[] = "queue", run[] = "--run";
	char *path = strdup(repo);
	char *argv[] = { dsv, quiet, repo_opt, path, queue, run, NULL };
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = path ? fork() : -1;
	if (pid == 0) {
		/* It forks twice, so that nobody has to wait for the worker. */
		setsid();
		if (fork() != 0)
			_exit(0);
		leave_caller();
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	if (pid > 0)
		child_reap((int)pid);
	free(path);
}

static int json_queue(const struct dsv_queue *q, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < q->count; i++) {
			const struct dsv_queue_item *item = &q->items[i];

			dsv_json_object(j, NULL);
			dsv_json_string(j, "id", item->id);
			if (item->rank >= 0)
				dsv_json_int(j, "rank", item->rank);
			dsv_json_string(j, "host", item->host);
			dsv_json_string(j, "dir", item->dir);
			dsv_json_bool(j, "here", item->here);
			dsv_json_int(j, "size", item->size_bytes);
			dsv_json_time(j, "created", item->created_ns);
			dsv_json_end(j);
		}
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static void print_queue(const struct dsv_queue *q)
{
	char size[DSV_TIME_SIZE], created[DSV_TIME_SIZE];
	size_t i;

	for (i = 0; i < q->count; i++) {
		const struct dsv_queue_item *item = &q->items[i];

		dsv_format_size(item->size_bytes, size);
		dsv_format_time(item->created_ns, created);
		printf("%.12s  %s  %10s  ", item->id, created, size);
		out_text(stdout, item->host ? item->host : "nowhere");
		if (item->rank >= 0)
			printf(" (rank %" PRId64 ")", item->rank);
		if (!item->here)
			fputs(item->host ? " (only there)" : " (lost)",
			      stdout);
		putchar('\n');
	}
}

/* Usually nobody waits for this, so it may repack as well. */
static int run_queue(struct dsv *d, struct dsv_err *err)
{
	const struct dsv_repack_options options = {
		.size_bytes = sizeof(options),
		.if_it_pays = true,
	};
	struct dsv_repack_report report;
	int64_t stored;
	int ret = dsv_queue_run(d, false, &stored, err);

	if (ret == 0 && !cli.quiet)
		fprintf(stderr, "stored %" PRId64 " state%s\n", stored,
			stored == 1 ? "" : "s");
	if (ret == 0 && stored > 0)
		ret = dsv_repack(d, &options, &report, err);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_queue q;
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret < 0)
		return ret;
	if (background && !run_it)
		return dsv_fail(err, DSV_EUSAGE,
				"--background needs --run");
	if (background) {
		queue_start(dsv_path(d));
		return 0;
	}
	if (run_it)
		return run_queue(d, err);
	ret = dsv_queue(d, &q, err);
	if (ret < 0)
		return ret;
	if (cli.json)
		ret = json_queue(&q, err);
	else
		print_queue(&q);
	dsv_queue_free(&q);
	return ret;
}

const struct cmd cmd_queue = {
	.name = "queue",
	.summary = "show or store what was captured with tag --async",
	.synopsis = "[--run [--background]]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
