/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (7 * 24 * 3600 / 4)	/* in ms it fits an int */

static int parse_seconds(const char *text, int *ms)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > SECONDS_MAX)
		return -1;
	*ms = (int)n * 1000;
	return 0;
}

static int parse_arg(struct config *c, const char *arg)
{
	static const struct {
		const char *key;
		size_t offset;
	} times[] = {
		{ "timeout=", offsetof(struct config, prepare_timeout_ms) },
		{ "start_timeout=", offsetof(struct config, start_timeout_ms) },
		{ "finish_timeout=",
		  offsetof(struct config, finish_timeout_ms) },
	};
	size_t i, len;

	if (!strncmp(arg, "dsv=/", 5)) {
		c->dsv = arg + 4;
		return 0;
	}
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		len = strlen(times[i].key);
		if (!strncmp(arg, times[i].key, len))
			return parse_seconds(arg + len, (int *)((char *)c +
							 times[i].offset));
	}
	return -1;
}

void config_parse(struct config *c, int argc, char **argv)
{
	int i;

	c->dsv = DSV_BINDIR "/dsv";
	c->prepare_timeout_ms = 20 * 1000;
	c->start_timeout_ms = 3600 * 1000;
	c->finish_timeout_ms = 10 * 1000;
	for (i = 0; i < argc; i++) {
		if (!parse_arg(c, argv[i]) || c->error[0])
			continue;
		snprintf(c->error, sizeof(c->error),
			 "plugstack.conf: bad argument '%.200s'", argv[i]);
	}
}
