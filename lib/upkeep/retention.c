/* SPDX-License-Identifier: MIT */
#include "retention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/value.h"

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Returns the months since year 0 for a day since 1970 (proleptic Gregorian,
 * UTC).
 */
static int64_t month_of(int64_t day)
{
	int64_t z = day + 719468;	/* since 0000-03-01 */
	int64_t era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;	/* 0: March */

	return (yoe + era * 400) * 12 + mp + 2;
}

int64_t retention_period(enum retention_kind kind, int64_t time_ns)
{
	int64_t hour = floor_div(time_ns, HOUR_NS);
	int64_t day = floor_div(hour, 24);

	switch (kind) {
	case RETENTION_HOURLY:
		return hour;
	case RETENTION_WEEKLY:
		return floor_div(day + 3, 7);	/* 1970-01-01: a Thursday */
	case RETENTION_MONTHLY:
		return month_of(day);
	default:
		return day;
	}
}

struct group {
	const int64_t *created_ns;
	const size_t *members;
	size_t count;
};

static void keep(uint64_t *kept, size_t index, size_t rule)
{
	kept[index] |= UINT64_C(1) << rule;
}

/*
 * The periods met so far, in a table whose size is a power of two with room to
 * spare.
 */
struct periods {
	size_t size;
	int64_t *slots;		/* INT64_MIN: empty */
};

static bool meet(struct periods *p, int64_t period)
{
	size_t i = (size_t)((uint64_t)period * UINT64_C(0x9e3779b97f4a7c15) >>
			    20) & (p->size - 1);

	while (p->slots[i] != INT64_MIN && p->slots[i] != period)
		i = (i + 1) & (p->size - 1);
	if (p->slots[i] == period)
		return false;
	p->slots[i] = period;
	return true;
}

/*
 * Keeps the newest of each of the first count periods that are met. "Newest" is
 * by the order of commits: clocks may have gone back and forth, so a period may
 * be met again.
 */
static int apply_calendar(const struct group *g, const struct retention_rule *r,
			  size_t rule, uint64_t *kept, struct dsv_err *err)
{
	struct periods periods = { 16, NULL };
	int64_t n = 0;
	size_t i;

	while (periods.size / 2 <= g->count &&
	       periods.size / 2 <= (uint64_t)r->count)
		periods.size *= 2;
	periods.slots = malloc(periods.size * sizeof(*periods.slots));
	if (!periods.slots)
		return dsv_fail_nomem(err);
	for (i = 0; i < periods.size; i++)
		periods.slots[i] = INT64_MIN;
	for (i = 0; i < g->count && n < r->count; i++) {
		size_t index = g->members[i];

		if (!meet(&periods, retention_period(r->kind,
						     g->created_ns[index])))
			continue;
		keep(kept, index, rule);
		n++;
	}
	free(periods.slots);
	return 0;
}

struct ranked {
	double value;
	size_t index;
};

/* Orders the best first and, among equals, the newest. */
static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return (x->index < y->index) - (x->index > y->index);
}

static int apply_best(const struct group *g, const struct retention_rule *r,
		      size_t rule, uint64_t *kept, struct dsv_err *err)
{
	struct ranked *list = malloc((g->count + 1) * sizeof(*list));
	size_t n = 0, i;

	if (!list)
		return dsv_fail_nomem(err);
	for (i = 0; i < g->count; i++) {
		double value = r->values[g->members[i]];

		if (isnan(value))
			continue;
		list[n].value = r->sign > 0 ? value : -value;
		list[n++].index = g->members[i];
	}
	qsort(list, n, sizeof(*list), compare_ranked);
	for (i = 0; i < n && (int64_t)i < r->count; i++)
		keep(kept, list[i].index, rule);
	free(list);
	return 0;
}

static bool is_kept(const struct group *g, const struct retention_rule *r,
		    size_t i)
{
	size_t index = g->members[i];
	int64_t newest_ns = g->created_ns[g->members[0]];

	switch (r->kind) {
	case RETENTION_LAST:
		return (int64_t)i < r->count;
	case RETENTION_WITHIN:
		return i == 0 || g->created_ns[index] >=
			newest_ns - r->within_ns;
	case RETENTION_EVERY:
		return !isnan(r->values[index]) &&
			fmod(r->values[index], r->every) == 0;
	case RETENTION_WHERE:
		return r->match[index];
	default:
		return false;
	}
}

static bool has_value(const struct group *g, const struct retention_rule *r)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		if (!isnan(r->values[g->members[i]]))
			return true;
	return false;
}

int retention_apply(const int64_t *created_ns, const size_t *members,
		    size_t count, const struct retention_rule *rules,
		    size_t rule_count, uint64_t *kept, bool *alone,
		    struct dsv_err *err)
{
	const struct group g = { created_ns, members, count };
	size_t rule, i;
	int ret = 0;

	*alone = false;
	for (rule = 0; rule < rule_count; rule++)
		if (rules[rule].kind == RETENTION_BEST &&
		    !has_value(&g, &rules[rule]))
			*alone = true;
	for (rule = 0; ret == 0 && !*alone && rule < rule_count; rule++) {
		const struct retention_rule *r = &rules[rule];

		if (r->kind == RETENTION_BEST)
			ret = apply_best(&g, r, rule, kept, err);
		else if (r->kind >= RETENTION_HOURLY &&
			 r->kind <= RETENTION_MONTHLY)
			ret = apply_calendar(&g, r, rule, kept, err);
		for (i = 0; i < count; i++)
			if (is_kept(&g, r, i))
				keep(kept, members[i], rule);
	}
	return ret;
}

/* Splits text at its last colon; the part before it is the key. */
static int split_key(const char *text, char **key, const char **rest,
		     struct dsv_err *err)
{
	const char *colon = strrchr(text, ':');
	char *copy;

	if (!colon)
		return -1;
	copy = strndup(text, (size_t)(colon - text));
	if (!copy)
		return dsv_fail_nomem(err);
	if (!key_is_valid(copy)) {
		free(copy);
		return -1;
	}
	*key = copy;
	*rest = colon + 1;
	return 0;
}

static int parse_count(const char *text, int64_t *out)
{
	char *end;
	long long n;

	if (*text < '0' || *text > '9' || strlen(text) > 15)
		return -1;
	n = strtoll(text, &end, 10);
	if (*end || n <= 0)
		return -1;
	*out = n;
	return 0;
}

int retention_parse_best(const char *text, int *sign, char **key,
			 int64_t *count, struct dsv_err *err)
{
	const char *rest;
	char *name = NULL;
	int ret = -1;

	*sign = !strncmp(text, "max:", 4) ? 1 : !strncmp(text, "min:", 4) ? -1 :
		0;
	if (*sign != 0)
		ret = split_key(text + 4, &name, &rest, err);
	if (ret < -1)
		return ret;
	if (ret == 0)
		ret = parse_count(rest, count);
	if (ret < 0) {
		free(name);
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not max:KEY:N or"
				" min:KEY:N", text);
	}
	*key = name;
	return 0;
}

int retention_parse_every(const char *text, char **key, double *every,
			  struct dsv_err *err)
{
	const char *rest;
	char *name = NULL;
	int ret;

	ret = split_key(text, &name, &rest, err);
	if (ret < -1)
		return ret;
	if (ret < 0 || !number_parse(rest, every) || !(*every > 0)) {
		free(name);
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not KEY:N", text);
	}
	*key = name;
	return 0;
}
