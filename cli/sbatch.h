/* SPDX-License-Identifier: MIT */
/* Forks: how they are printed, and how they are submitted. */
#ifndef CLI_SBATCH_H
#define CLI_SBATCH_H

#include "cli.h"

struct sbatch {
	struct dsv_job_request request;
	const char *after;	/* job id, or NULL */
	int argc;
	char **argv;		/* [SBATCH ARGS] SCRIPT [ARGS] */
};

/* The options of sbatch that matter for a fork. */
struct sbatch_options {
	const char *array, *clusters;	/* NULL: none */
	bool test_only;
};

/* The script to be submitted. */
struct job_script {
	int options;		/* how many of argv are sbatch's own */
	int wrap;		/* where --wrap is; -1: not given */
	int wrap_words;		/* 1: --wrap=V, 2: --wrap V */
	struct sbatch_options given, lines;	/* on the command line; in
						   the script */
	char *text;		/* the script */
	size_t len;
	const char *name;
	char *words;		/* what lines points to */
};

/* Fills options, wrap, wrap_words, given. */
int script_find(const struct sbatch *s, struct job_script *script,
		struct dsv_err *err);
/* Fills text, which the caller frees, len and name. */
int script_load(const struct sbatch *s, struct job_script *script,
		struct dsv_err *err);
/* Fills lines and words, which the caller frees. */
int script_read_options(struct job_script *script, struct dsv_err *err);
/*
 * Writes a wrapper that starts the job first and holds the script.  It is in a
 * directory of its own below $TMPDIR until script_unwrap(path).
 */
int script_wrap(const struct dsv *d, const char *ticket,
		const struct job_script *script, char path[PATH_MAX],
		struct dsv_err *err);
/* Removes the wrapper, if path is not "". */
void script_unwrap(char path[PATH_MAX]);
/*
 * Opens the script that a wrapper holds: a file in memory that can be run as
 * /proc/self/fd/<fd>.  fd stays open across exec; the caller closes it.
 */
int script_open(const char *wrapper, const char *ticket, int *fd,
		struct dsv_err *err);

/* Returns the exit status of sbatch when it refused. */
int sbatch_submit(struct dsv *d, const struct sbatch *s, struct dsv_err *err);

/* Runs the hook post-fork once for each. */
void fork_tell(struct dsv *d, const struct dsv_forks *forks);
/* Prints "BRANCH ID [JOBID]", or the same as JSON. */
int fork_print(FILE *out, const struct dsv_forks *forks, const char *job_id,
	       struct dsv_err *err);

#endif
