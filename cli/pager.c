/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pager_pid;

/* Splits into words only: no shell is involved. */
static int split(char *text, char **argv, int max)
{
	char *save = NULL;
	char *word;
	int count = 0;

	for (word = strtok_r(text, " \t", &save); word && count < max - 1;
	     word = strtok_r(NULL, " \t", &save))
		argv[count++] = word;
	argv[count] = NULL;
	return count;
}

void pager_start(void)
{
	const char *pager = getenv("DSV_PAGER");
	char text[512], *argv[32];
	int fd = -1;
	struct child child = { .argv = argv, .stdin_fd = &fd };

	if (!out_is_terminal() || cli.no_pager || pager_pid)
		return;
	if (!pager)
		pager = "less -FRSX";
	snprintf(text, sizeof(text), "%s", pager);
	if (split(text, argv, 32) == 0 || !strcmp(argv[0], "cat"))
		return;
	fflush(stdout);
	if (child_start(&child, &pager_pid, NULL) < 0) {
		pager_pid = 0;
		return;
	}
	if (dup2(fd, STDOUT_FILENO) < 0)
		cli_warn("the pager cannot be used");
	close(fd);
}

void pager_wait(void)
{
	int status;

	if (!pager_pid)
		return;
	fflush(stdout);
	close(STDOUT_FILENO);
	child_wait(pager_pid, false, &status, NULL);
	pager_pid = 0;
}
