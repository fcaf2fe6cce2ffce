/* SPDX-License-Identifier: MIT */
/*
 * The Test Anything Protocol for unit programs:
 *
 *	int main(void)
 *	{
 *		ok(1 + 1 == 2, "one and one are two");
 *		is_str(name, "main", "the first branch is main");
 *		return tap_done();
 *	}
 *
 * A failed test says where it is and continues.  tap_done() prints the plan
 * and gives main() its exit status.
 */
#ifndef T_UNIT_TAP_H
#define T_UNIT_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count;
static int tap_failed;

__attribute__((unused, format(printf, 4, 5)))
static bool tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

/* ok(condition, sentence): the sentence may be a printf() format. */
#define ok(condition, ...) \
	tap_ok((condition), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...) \
	tap_is_int((got), (want), __FILE__, __LINE__, __VA_ARGS__)

#define is_str(got, want, ...) \
	tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

/* Use it for what is not under test but needed to continue. */
#define must(condition) \
	do { \
		if (!(condition)) { \
			printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, \
			       #condition); \
			exit(1); \
		} \
	} while (0)

#define diag(...) \
	do { \
		printf("# "); \
		printf(__VA_ARGS__); \
		putchar('\n'); \
	} while (0)

__attribute__((unused, format(printf, 5, 6)))
static bool tap_is_int(int64_t got, int64_t want, const char *file, int line,
		       const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (tap_ok(got == want, file, line, "%s", text))
		return true;
	diag("got %" PRId64 ", want %" PRId64, got, want);
	return false;
}

/* NULL equals only NULL. */
__attribute__((unused, format(printf, 5, 6)))
static bool tap_is_str(const char *got, const char *want, const char *file,
		       int line, const char *fmt, ...)
{
	bool good = got && want ? !strcmp(got, want) : got == want;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (tap_ok(good, file, line, "%s", text))
		return true;
	diag("got '%s', want '%s'", got ? got : "(null)",
	     want ? want : "(null)");
	return false;
}

/* Prints a plan that expects nothing; main() then returns 0. */
__attribute__((unused))
static int tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 0;
}

__attribute__((unused))
static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
