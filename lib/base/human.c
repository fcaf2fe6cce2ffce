/* SPDX-License-Identifier: MIT */
/* This reads and writes durations, sizes and times in the form people use. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "../dsv.h"
#include "clock.h"

struct unit {
	const char *name;
	double factor;
};

/*
 * Parses pairs of number and unit, such as "1.5" "h" "30" "m", at least one,
 * and adds them up.
 */
static bool parse_units(const char *text, const struct unit *units,
			bool many, double *out)
{
	double sum = 0;
	const char *p = text;

	do {
		const struct unit *u;
		char *end;
		double number;
		size_t len;

		/* strtod() would read hexadecimal. */
		if (!isdigit((unsigned char)*p) || p[1] == 'x' || p[1] == 'X')
			return false;
		number = strtod(p, &end);
		p = end;
		for (len = 0; isalpha((unsigned char)p[len]); len++)
			;
		for (u = units; u->name; u++) {
			if (strlen(u->name) == len &&
			    !strncasecmp(p, u->name, len))
				break;
		}
		if (!u->name)
			return false;
		sum += number * u->factor;
		p += len;
	} while (*p && many);
	*out = sum;
	return *p == '\0' && sum < 9.2e18;
}

int dsv_parse_duration(const char *text, int64_t *out_ns, struct dsv_err *err)
{
	static const struct unit units[] = {
		{ "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },
		{ "d", 86400e9 }, { "w", 7 * 86400e9 }, { NULL, 0 }
	};
	double ns = 0;

	/*
	 * A number alone could be seconds, Slurm's minutes, or days: we do not
	 * guess.
	 */
	if (strcmp(text, "0") != 0 && !parse_units(text, units, true, &ns))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a duration"
				" (90s, 15m, 12h, 7d, 4w)", text);
	*out_ns = (int64_t)ns;
	return 0;
}

int dsv_parse_size(const char *text, int64_t *out_bytes, struct dsv_err *err)
{
	static const struct unit units[] = {
		{ "", 1 }, { "B", 1 },
		{ "K", 1024 }, { "KiB", 1024 }, { "KB", 1e3 },
		{ "M", 1048576 }, { "MiB", 1048576 }, { "MB", 1e6 },
		{ "G", 1073741824 }, { "GiB", 1073741824 }, { "GB", 1e9 },
		{ "T", 1099511627776 }, { "TiB", 1099511627776 },
		{ "TB", 1e12 }, { NULL, 0 }
	};
	double bytes;

	if (!parse_units(text, units, false, &bytes))
		return dsv_fail(err, DSV_EUSAGE,
				"'%s' is not a size (10GiB, 500MB)", text);
	*out_bytes = (int64_t)bytes;
	return 0;
}

/* Parses "Z", "+02:00" or "-0530" into seconds east of UTC. */
static const char *parse_zone(const char *p, int *out_s)
{
	int sign = *p == '-' ? -1 : 1;
	int hours, minutes, len = 0;

	if (*p == 'Z' || *p == 'z') {
		*out_s = 0;
		return p + 1;
	}
	if ((*p != '+' && *p != '-') ||
	    sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &len) != 2)
		return NULL;
	if (len != 5 || hours > 23 || minutes > 59)
		return NULL;
	*out_s = sign * (hours * 3600 + minutes * 60);
	return p + 1 + len;
}

/* Returns whether the day exists; strptime() accepts February 30. */
static bool is_day(const struct tm *tm)
{
	struct tm other = { .tm_year = tm->tm_year, .tm_mon = tm->tm_mon,
			    .tm_mday = tm->tm_mday };

	return timegm(&other) != -1 && other.tm_mday == tm->tm_mday;
}

static bool parse_calendar(const char *text, int64_t *out_ns)
{
	struct tm tm = { .tm_isdst = -1 };
	double fraction = 0;
	const char *p;
	int zone_s;
	char *end;

	p = strptime(text, "%Y-%m-%d", &tm);
	if (!p || !is_day(&tm))
		return false;
	if (*p == '\0') {
		*out_ns = (int64_t)mktime(&tm) * NS_PER_S;
		return true;
	}
	if (*p != 'T' && *p != 't' && *p != ' ')
		return false;
	p = strptime(p + 1, "%H:%M", &tm);
	if (p && *p == ':')
		p = strptime(p + 1, "%S", &tm);
	if (!p)
		return false;
	if (*p == '.') {
		fraction = strtod(p, &end);
		p = end;
	}
	if (*p == '\0') {
		*out_ns = (int64_t)mktime(&tm) * NS_PER_S +
			(int64_t)(fraction * 1e9);
		return true;
	}
	p = parse_zone(p, &zone_s);
	if (!p || *p)
		return false;
	*out_ns = ((int64_t)timegm(&tm) - zone_s) * NS_PER_S +
		(int64_t)(fraction * 1e9);
	return true;
}

int dsv_parse_time(const char *text, int64_t now, int64_t *out_ns,
		   struct dsv_err *err)
{
	int64_t ago_ns;

	if (text[0] == '-' && dsv_parse_duration(text + 1, &ago_ns, NULL) == 0)
		*out_ns = now - ago_ns;
	else if (!parse_calendar(text, out_ns))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a time"
				" (2026-01-31, \"2026-01-31 14:00\", -7d)",
				text);
	return 0;
}

void dsv_format_time(int64_t time_ns, char out[DSV_TIME_SIZE])
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;

	if (time_ns < 0 && time_ns % NS_PER_S)
		seconds--;
	if (!gmtime_r(&seconds, &tm) ||
	    !strftime(out, DSV_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, DSV_TIME_SIZE, "@%" PRId64, (int64_t)seconds);
}

void dsv_format_age(int64_t time_ns, int64_t now, char out[DSV_TIME_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} steps[] = {
		{ 365 * 86400, "year" }, { 30 * 86400, "month" },
		{ 7 * 86400, "week" }, { 86400, "day" }, { 3600, "hour" },
		{ 60, "minute" }, { 1, "second" },
	};
	int64_t age_s = (now - time_ns) / NS_PER_S;
	size_t i;

	if (age_s < 1) {
		snprintf(out, DSV_TIME_SIZE, "%s",
			 age_s < 0 ? "in the future" : "now");
		return;
	}
	for (i = 0; steps[i].seconds > age_s; i++)
		;
	age_s /= steps[i].seconds;
	snprintf(out, DSV_TIME_SIZE, "%" PRId64 " %s%s ago", age_s,
		 steps[i].name, age_s == 1 ? "" : "s");
}

void dsv_format_size(int64_t bytes, char out[DSV_TIME_SIZE])
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes;
	int i = -1;

	while (fabs(n) >= 1024 && i < 5) {
		n /= 1024;
		i++;
	}
	if (i < 0)
		snprintf(out, DSV_TIME_SIZE, "%" PRId64 " B", bytes);
	else
		snprintf(out, DSV_TIME_SIZE, "%.1f %ciB", n, units[i]);
}
