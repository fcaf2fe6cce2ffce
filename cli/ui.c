/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool progress_shown;

/*
 * The first signal asks to stop; the second may be the same one, sent to the
 * group as well; whoever sends a third is in earnest.
 */
static void on_signal(int number)
{
	static volatile sig_atomic_t count;

	cli.interrupted = number;
	if (++count > 2)
		_exit(-DSV_EINTERRUPTED);
}

void signals_catch(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigaction old;
	size_t i;

	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		/* A signal that nohup(1) ignores stays ignored. */
		if (sigaction(caught[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &sa, NULL);
	}
	/* Some parents leave it ignored, but "dsv log | head" has to end. */
	signal(SIGPIPE, SIG_DFL);
	/* A file beyond "ulimit -f" is an error like any other. */
	signal(SIGXFSZ, SIG_IGN);
}

bool cli_stopped(void)
{
	return cli.interrupted || ferror(stdout);
}

void ui_warn(void *arg, const char *msg)
{
	(void)arg;
	cli_warn("%s", msg);
}

void cli_warn(const char *fmt, ...)
{
	struct dsv_err err = { .hint = DSV_HINT_NONE };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	cli_warn_of(&err);
}

void cli_warn_of(const struct dsv_err *err)
{
	char hint[HINT_SIZE], line[ERR_TEXT_SIZE];
	struct dsv_json *j;
	const char *text;
	size_t len;

	ui_progress_clear();
	j = cli.json ? dsv_json_new() : NULL;
	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_object(j, "warning");
		dsv_json_string(j, "message", err->msg);
		if (hint_text(err->hint, err->subject, hint))
			dsv_json_string(j, "hint", hint);
		dsv_json_end(j);
		dsv_json_end(j);
		text = dsv_json_take(j, &len);
		if (text)
			fprintf(stderr, "%.*s", (int)len, text);
		dsv_json_free(j);
		return;
	}
	fprintf(stderr, "dsv%s%s: warning: ", cli.command ? " " : "",
		cli.command ? cli.command : "");
	err_text(err, line);
	out_text(stderr, line);
	putc('\n', stderr);
}

void trace(const char *fmt, ...)
{
	const char *where = getenv("DSV_TRACE");
	int64_t now = time_now_ns();
	char when[DSV_TIME_SIZE], text[4096 + 64];
	bool to_stderr;
	va_list ap;
	FILE *f;

	if (!where || !*where || !strcmp(where, "0"))
		return;
	to_stderr = !strcmp(where, "1") || !strcmp(where, "stderr");
	f = to_stderr ? stderr : fopen(where, "ae");
	if (!f)
		return;
	dsv_format_time(now, when);
	fprintf(f, "dsv[%ld] %.19s.%03d ", (long)getpid(), when,
		(int)(now / 1000000 % 1000));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_text(f, text);
	putc('\n', f);
	if (!to_stderr)
		fclose(f);
}

bool ui_wants_progress(void)
{
	const char *text = getenv("DSV_PROGRESS");

	return !cli.quiet && isatty(STDERR_FILENO) &&
	       !(text && !strcmp(text, "0"));
}

static void print_bar(int64_t done_bytes, int64_t total_bytes)
{
	int i, full = 0;

	if (done_bytes > total_bytes)
		done_bytes = total_bytes;
	full = (int)((double)done_bytes / (double)total_bytes * 20);
	putc('[', stderr);
	for (i = 0; i < 20; i++)
		putc(i < full ? '#' : ' ', stderr);
	putc(']', stderr);
}

/* Prints at most ten times a second, and without colours, for NO_COLOR. */
void ui_progress(void *arg, const char *what, int64_t done_bytes,
		 int64_t total_bytes)
{
	static int64_t last_ns;
	char done[DSV_TIME_SIZE], total[DSV_TIME_SIZE];
	int64_t now = time_now_ns();

	(void)arg;
	if (cli.quiet || now - last_ns < 100000000)
		return;
	last_ns = now;
	dsv_format_size(done_bytes, done);
	dsv_format_size(total_bytes, total);
	fputs("\r", stderr);
	if (total_bytes > 0) {
		print_bar(done_bytes, total_bytes);
		fprintf(stderr, " %s of %s ", done, total);
	} else {
		fprintf(stderr, "%s ", done);
	}
	out_line(stderr, what ? what : "");
	fputs("    ", stderr);
	fflush(stderr);
	progress_shown = true;
}

void ui_progress_clear(void)
{
	if (!progress_shown)
		return;
	progress_shown = false;
	fprintf(stderr, "\r%78s\r", "");
	fflush(stderr);
}
