/* SPDX-License-Identifier: MIT */
/* Colours, the same as in git's log. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool enabled;

/* The colours of a graph's lines, in git's order. */
static const char *const lines[] = {
	"\033[31m", "\033[32m", "\033[33m", "\033[34m", "\033[35m", "\033[36m",
	"\033[1;31m", "\033[1;32m", "\033[1;33m", "\033[1;34m", "\033[1;35m",
	"\033[1;36m",
};

static const char *const inks[] = {
	[COLOR_ID] = "\033[33m",
	[COLOR_HEAD] = "\033[1;36m",
	[COLOR_BRANCH] = "\033[1;32m",
	[COLOR_NAME] = "\033[1;33m",
	[COLOR_GONE] = "\033[31m",
	[COLOR_CHANGE] = "\033[36m",
};

static int set_when(const char *when, const char *source, struct dsv_err *err)
{
	const char *term = getenv("TERM");

	if (!strcasecmp(when, "always") || !strcasecmp(when, "never")) {
		enabled = strcasecmp(when, "always") == 0;
		return 0;
	}
	if (strcasecmp(when, "auto") != 0)
		return dsv_fail(err, DSV_EUSAGE, "%s: '%s' is not auto, always"
				" or never", source, when);
	enabled = out_is_terminal() && term && strcmp(term, "dumb") != 0;
	return 0;
}

int color_init(struct dsv *d, struct dsv_err *err)
{
	const char *no_color = getenv("NO_COLOR");
	char *when;
	int ret;

	if (cli.color)
		return set_when(cli.color, "--color", err);
	if (no_color && *no_color)
		return 0;
	when = config_value(d, "color.ui");
	ret = set_when(when ? when : "auto", "color.ui", err);
	free(when);
	return ret;
}

void color_start(enum color color)
{
	if (enabled)
		fputs(inks[color], stdout);
}

void color_end(void)
{
	if (enabled)
		fputs("\033[m", stdout);
}

void color_mark(char mark, unsigned int line)
{
	size_t count = sizeof(lines) / sizeof(lines[0]);

	if (!enabled || mark == ' ')
		putchar(mark);
	else
		printf("%s%c\033[m", lines[line % count], mark);
}
