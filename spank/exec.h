/* SPDX-License-Identifier: MIT */
/* Runs a helper with a time limit, from a process that may have threads. */
#ifndef DSV_SPANK_EXEC_H
#define DSV_SPANK_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HELPER_OUTPUT_MAX (1024 * 1024)	/* of stdout; more is an error */
#define HELPER_ERRORS_MAX (8 * 1024)	/* of stderr; the rest is dropped */

struct helper {
	char *const *argv;	/* argv[0]: absolute path */
	char *const *envp;
	int timeout_ms;
	bool remote;		/* in slurmstepd */
	bool drop;		/* we are root: become this user */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
};

enum helper_outcome {
	HELPER_EXITED,		/* code says how */
	HELPER_KILLED,		/* by signal number code */
	HELPER_TIMED_OUT,	/* killed, or abandoned if it would not die */
	HELPER_NOT_RUN,		/* code is an errno */
};

struct helper_result {
	enum helper_outcome outcome;
	int code;
	char *output;		/* stdout, with a NUL after its last byte */
	size_t output_size;
	char *errors;		/* stderr, likewise */
};

/* The helper's stdin is /dev/null, and it inherits no descriptor of ours. */
void helper_run(const struct helper *h, struct helper_result *r);
void helper_result_release(struct helper_result *r);

#endif
