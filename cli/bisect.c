/* SPDX-License-Identifier: MIT */
/* dsv bisect - find the first bad state of a line */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_SKIP 125
#define STATUS_CANNOT_RUN 126	/* a shell uses this and the next */
#define STATUS_ABORT 128

static const char *along;

static const struct opt start_opts[] = {
	{ .name = "along", .value = "BRANCH",
	  .help = "among several parents, follow the one on BRANCH",
	  .string = &along },
	{ 0 },
};

/* ---- Printing what is known so far ---- */

/* Returns how many tests n states need: halves until none is left. */
static int steps_of(int64_t n)
{
	int steps = 0;

	for (; n > 0; n /= 2)
		steps++;
	return steps;
}

static int print_json(const struct dsv_bisect *b, struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();
	bool done = !b->next[0];

	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_bool(j, "done", done);
		dsv_json_string(j, "next", done ? NULL : b->next);
		dsv_json_string(j, "first_bad",
				done && !b->skipped.count ? b->bad : NULL);
		dsv_json_string(j, "bad", b->bad);
		dsv_json_string(j, "good", b->good);
		dsv_json_int(j, "left", b->left);
		dsv_json_int(j, "steps", steps_of(b->left));
		dsv_json_int(j, "pruned", b->pruned);
		json_ids(j, "skipped",
			 (const char (*)[DSV_ID_SIZE])b->skipped.items,
			 b->skipped.count);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

/* Prints "HEAD: 0123456789ab lr=0.1 epoch 4" on stderr. */
static int print_head(struct dsv *d, const char *head, const char *id,
		      struct dsv_err *err)
{
	struct dsv_state *s;
	int ret = dsv_state_get(d, id, &s, err);

	if (ret < 0)
		return ret;
	fprintf(stderr, "%s: %.12s", head, id);
	out_kvs(stderr, &s->attrs);
	if (s->message && *s->message) {
		putc(' ', stderr);
		out_line(stderr, s->message);
	}
	putc('\n', stderr);
	dsv_state_free(s);
	return 0;
}

static int print_text(struct dsv *d, const struct dsv_bisect *b,
		      struct dsv_err *err)
{
	size_t i;

	if (b->next[0]) {
		puts(b->next);
		if (cli.quiet)
			return 0;
		fprintf(stderr, "%" PRId64 " state%s left to test, %d step%s"
			"\n", b->left, b->left == 1 ? "" : "s",
			steps_of(b->left), steps_of(b->left) == 1 ? "" : "s");
		return print_head(d, "next", b->next, err);
	}
	for (i = 0; i < b->skipped.count; i++)
		puts(b->skipped.items[i]);
	puts(b->bad);
	if (cli.quiet || b->skipped.count)
		return 0;
	if (b->pruned)
		fprintf(stderr, "%" PRId64 " state%s between it and the last"
			" good state %s pruned\n", b->pruned,
			b->pruned == 1 ? "" : "s",
			b->pruned == 1 ? "is" : "are");
	return print_head(d, "first bad state", b->bad, err);
}

/* Frees b. */
static int conclude(struct dsv *d, struct dsv_bisect *b, struct dsv_err *err)
{
	size_t skipped = b->next[0] ? 0 : b->skipped.count;
	int ret = cli.json ? print_json(b, err) : print_text(d, b, err);

	dsv_bisect_release(b);
	if (ret < 0 || skipped == 0)
		return ret;
	return dsv_fail(err, DSV_EPARTIAL, "the first bad state is one of"
			" these: all but the last were skipped");
}

/* ---- start, good, bad, skip, reset, log ---- */

static int run_start(struct dsv *d, int argc, char **argv,
		     struct dsv_err *err)
{
	struct dsv_bisect b;
	int ret = cli_operands(argc, 2, 2, err);

	if (ret == 0)
		ret = dsv_bisect_start(d, argv[0], argv[1], along, &b, err);
	return ret < 0 ? ret : conclude(d, &b, err);
}

static int mark(struct dsv *d, int argc, char **argv,
		enum dsv_bisect_mark what, struct dsv_err *err)
{
	struct dsv_bisect b;
	int i, ret = 0;

	if (argc == 0)
		ret = dsv_bisect_mark(d, NULL, what, &b, err);
	for (i = 0; i < argc && ret == 0; i++) {
		ret = dsv_bisect_mark(d, argv[i], what, &b, err);
		if (ret == 0 && i + 1 < argc)
			dsv_bisect_release(&b);
	}
	return ret < 0 ? ret : conclude(d, &b, err);
}

static int run_good(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	return mark(d, argc, argv, DSV_BISECT_GOOD, err);
}

static int run_bad(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	return mark(d, argc, argv, DSV_BISECT_BAD, err);
}

static int run_skip(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	return mark(d, argc, argv, DSV_BISECT_SKIP, err);
}

static int run_reset(struct dsv *d, int argc, char **argv,
		     struct dsv_err *err)
{
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	return ret < 0 ? ret : dsv_bisect_reset(d, err);
}

/* Prints the commands that repeat the search. */
static int run_log(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	char *text, *line, *save = NULL;
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = dsv_bisect_log(d, &text, err);
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		printf("dsv bisect ");
		out_text(stdout, line);
		putchar('\n');
	}
	free(text);
	return 0;
}

/* ---- run ---- */

/* Returns the command's exit status. */
static int test_state(struct dsv *d, const char *id, char **argv,
		      struct dsv_err *err)
{
	struct child child = { .argv = argv, .to_stderr = true };
	char state[DSV_ID_SIZE + 16], *repo = NULL;
	char *environment[] = { state, NULL, NULL, NULL };
	const char *branch = getenv("DSV_BRANCH");
	char *kept = NULL;
	int pid, status, ret;

	snprintf(state, sizeof(state), "DSV_STATE=%s", id);
	if (asprintf(&repo, "DSV_REPO=%s", dsv_path(d)) < 0)
		return dsv_fail_nomem(err);
	environment[1] = repo;
	if (branch && asprintf(&kept, "DSV_BRANCH=%s", branch) < 0) {
		free(repo);
		return dsv_fail_nomem(err);
	}
	environment[2] = kept;
	child.environment = environment;
	ret = child_start(&child, &pid, err);
	if (ret == 0)
		ret = child_wait(pid, true, &status, err);
	free(repo);
	free(kept);
	return ret < 0 ? ret : child_status(status);
}

/* A script that cannot run would mark every state bad. */
static int check_command(struct dsv *d, const char *good, int status,
			 char **argv, struct dsv_err *err)
{
	int ret;

	if (status != STATUS_CANNOT_RUN && status != STATUS_CANNOT_RUN + 1)
		return 0;
	ret = print_head(d, "status 126 or 127; trying the good state too",
			 good, err);
	if (ret == 0)
		ret = test_state(d, good, argv, err);
	if (ret == status)
		return dsv_fail(err, DSV_ESYS, "the command also ends with"
				" status %d at the good state %.12s: it does"
				" not work", status, good);
	return ret < 0 ? ret : 0;
}

static int judge(struct dsv *d, struct dsv_bisect *b, bool *checked,
		 char **argv, enum dsv_bisect_mark *what, struct dsv_err *err)
{
	static const char *const names[] = {
		[DSV_BISECT_GOOD] = "good", [DSV_BISECT_BAD] = "bad",
		[DSV_BISECT_SKIP] = "skip",
	};
	int ret, status;

	status = test_state(d, b->next, argv, err);
	if (status < 0)
		return status;
	if (cli_stopped())
		return dsv_fail(err, DSV_EINTERRUPTED, "interrupted");
	if (status >= STATUS_ABORT)
		return dsv_fail(err, DSV_ESYS, "the command ended with status"
				" %d at state %.12s, which was not marked",
				status, b->next);
	if (!*checked) {
		ret = check_command(d, b->good, status, argv, err);
		if (ret < 0)
			return ret;
		*checked = true;
	}
	*what = status == 0 ? DSV_BISECT_GOOD :
		status == STATUS_SKIP ? DSV_BISECT_SKIP : DSV_BISECT_BAD;
	return cli.quiet ? 0 : print_head(d, names[*what], b->next, err);
}

static int run_run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_bisect b, after;
	enum dsv_bisect_mark what = DSV_BISECT_SKIP;
	bool checked = false;
	int ret = cli_operands(argc, 1, -1, err);

	if (ret == 0)
		ret = dsv_bisect_get(d, &b, err);
	if (ret < 0)
		return ret;
	while (b.next[0]) {
		ret = judge(d, &b, &checked, argv, &what, err);
		if (ret == 0)
			ret = dsv_bisect_mark(d, b.next, what, &after, err);
		if (ret < 0) {
			dsv_bisect_release(&b);
			return ret;
		}
		dsv_bisect_release(&b);
		b = after;
	}
	return conclude(d, &b, err);
}

/* ---- */

static const struct cmd cmd_bisect_start = {
	.name = "bisect start",
	.summary = "begin: BAD is bad, its ancestor GOOD is good",
	.synopsis = "[OPTION...] BAD GOOD",
	.opts = start_opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_start,
};

static const struct cmd cmd_bisect_good = {
	.name = "bisect good",
	.summary = "the state to be tested (or REV) is good",
	.synopsis = "[OPTION...] [REV...]",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_good,
};

static const struct cmd cmd_bisect_bad = {
	.name = "bisect bad",
	.summary = "the state to be tested (or REV) is bad",
	.synopsis = "[OPTION...] [REV...]",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_bad,
};

static const struct cmd cmd_bisect_skip = {
	.name = "bisect skip",
	.summary = "the state to be tested (or REV) cannot be tested",
	.synopsis = "[OPTION...] [REV...]",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run_skip,
};

static const struct cmd cmd_bisect_run = {
	.name = "bisect run",
	.summary = "let a command decide about each state",
	.synopsis = "[OPTION...] COMMAND [ARG...]",
	.flags = CMD_REPO | CMD_JSON | CMD_STOP,
	.run = run_run,
};

static const struct cmd cmd_bisect_reset = {
	.name = "bisect reset",
	.summary = "forget the search",
	.synopsis = "",
	.flags = CMD_REPO,
	.run = run_reset,
};

static const struct cmd cmd_bisect_log = {
	.name = "bisect log",
	.summary = "print the search so far as commands",
	.synopsis = "",
	.flags = CMD_REPO,
	.run = run_log,
};

static const struct cmd *const subs[] = {
	&cmd_bisect_start, &cmd_bisect_good, &cmd_bisect_bad,
	&cmd_bisect_skip, &cmd_bisect_run, &cmd_bisect_reset,
	&cmd_bisect_log, NULL
};

const struct cmd cmd_bisect = {
	.name = "bisect",
	.summary = "find the first bad state of a line",
	.synopsis = "start|good|bad|skip|run|reset|log [ARG...]",
	.subs = subs,
};
