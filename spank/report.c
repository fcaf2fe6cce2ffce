/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <slurm/spank.h>
#include <string.h>

typedef void print_fn(const char *line, int len);

static void print_error(const char *line, int len)
{
	slurm_error("dsv: %.*s", len, line);
}

static void print_info(const char *line, int len)
{
	slurm_info("dsv: %.*s", len, line);
}

static void print_plain(const char *line, int len)
{
	slurm_spank_log("dsv: %.*s", len, line);
}

bool helper_succeeded(const struct helper_result *r)
{
	return r->outcome == HELPER_EXITED && r->code == 0;
}

/* Whoever ran sbatch did not run the "dsv job prepare" of "dsv ...: reason". */
static const char *skip_prefix(const char *line)
{
	size_t n;

	if (strncmp(line, "dsv", 3))
		return line;
	n = 3 + strspn(line + 3, " abcdefghijklmnopqrstuvwxyz-");
	return !strncmp(line + n, ": ", 2) ? line + n + 2 : line;
}

/* Returns how many lines were printed. */
static int print_lines(const char *text, print_fn *print)
{
	const char *line, *end;
	int count = 0;

	for (line = text; line && *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		line = skip_prefix(line);
		if (end <= line)
			continue;
		print(line, (int)(end - line));
		count++;
	}
	return count;
}

void report_failure(const struct helper *h, const struct helper_result *r)
{
	if (print_lines(r->errors, print_error) > 0 &&
	    r->outcome == HELPER_EXITED)
		return;
	switch (r->outcome) {
	case HELPER_EXITED:
		slurm_error("dsv: '%s' failed with exit code %d", h->argv[0],
			    r->code);
		break;
	case HELPER_KILLED:
		slurm_error("dsv: '%s' was killed by signal %d", h->argv[0],
			    r->code);
		break;
	case HELPER_TIMED_OUT:
		slurm_error("dsv: '%s' did not answer in %d s", h->argv[0],
			    h->timeout_ms / 1000);
		break;
	case HELPER_NOT_RUN:
		slurm_error("dsv: run '%s': %s", h->argv[0],
			    strerror(r->code));
		break;
	}
}

/* In slurmstepd slurm_info() goes nowhere. */
void report_remarks(const struct helper *h, const struct helper_result *r)
{
	print_lines(r->errors, h->remote ? print_plain : print_info);
}

const char *next_pair(const struct helper_result *r, size_t *pos)
{
	const char *pair, *end;

	if (*pos >= r->output_size)
		return NULL;
	pair = r->output + *pos;
	end = memchr(pair, '\0', r->output_size - *pos);
	if (!end)
		return NULL;
	*pos = (size_t)(end - r->output) + 1;
	return pair;
}
