/* SPDX-License-Identifier: MIT */
/* Tests the rules of a prune on numbers. */
#include "../../lib/upkeep/retention.h"

#include <math.h>

#include "tap.h"

#define HOUR (INT64_C(3600) * 1000000000)
#define DAY (24 * HOUR)
/* 2026-01-05, a Monday, 00:00 UTC */
#define MONDAY (INT64_C(20458) * DAY)

enum { MAX = 64 };

static int64_t created[MAX];
static double values[MAX];
static unsigned char match[MAX];

/* Returns what a rule keeps of states 0 .. count-1, oldest first: "0 3 4". */
static const char *kept_by(struct retention_rule rule, size_t count)
{
	static char text[512];
	uint64_t kept[MAX] = { 0 };
	size_t members[MAX];
	bool alone;
	size_t i, n = 0;

	rule.values = values;
	rule.match = match;
	for (i = 0; i < count; i++)
		members[i] = count - 1 - i;
	must(retention_apply(created, members, count, &rule, 1, kept, &alone,
			     NULL) == 0);
	if (alone)
		return "alone";
	text[0] = '\0';
	for (i = 0; i < count; i++)
		if (kept[i])
			n += (size_t)sprintf(text + n, "%s%zu", n ? " " : "",
					     i);
	return text;
}

static void hourly(size_t count, int64_t step_ns)
{
	size_t i;

	for (i = 0; i < count; i++) {
		created[i] = MONDAY + (int64_t)i * step_ns;
		values[i] = NAN;
		match[i] = 0;
	}
}

static void test_last(void)
{
	hourly(5, HOUR);
	is_str(kept_by((struct retention_rule){ .kind = RETENTION_LAST,
						.count = 2 }, 5),
	       "3 4", "the newest two");
	is_str(kept_by((struct retention_rule){ .kind = RETENTION_LAST,
						.count = 9 }, 5),
	       "0 1 2 3 4", "all, when there are fewer");
}

static void test_calendar(void)
{
	struct retention_rule daily = { .kind = RETENTION_DAILY, .count = 2 };
	struct retention_rule hours = { .kind = RETENTION_HOURLY, .count = 3 };
	struct retention_rule weekly = { .kind = RETENTION_WEEKLY,
					 .count = 2 };
	struct retention_rule monthly = { .kind = RETENTION_MONTHLY,
					  .count = 9 };

	hourly(12, 6 * HOUR);
	is_str(kept_by(daily, 12), "7 11", "the newest of the last two days");
	hourly(6, HOUR / 2);
	is_str(kept_by(hours, 6), "1 3 5", "the newest of each hour");
	hourly(21, DAY);
	is_str(kept_by(weekly, 21), "13 20", "weeks end on Sunday");
	hourly(61, DAY);
	is_str(kept_by(monthly, 61), "26 54 60", "months have their lengths");

	/* The clock went back: the hour is met twice, but kept once. */
	hourly(4, HOUR);
	created[3] = created[1];
	is_str(kept_by(hours, 4), "0 2 3", "a period counts once");
	is_int(retention_period(RETENTION_DAILY, -1), -1,
	       "the day before 1970");
}

static void test_within(void)
{
	struct retention_rule within = { .kind = RETENTION_WITHIN,
					 .within_ns = 2 * HOUR };

	hourly(6, HOUR);
	is_str(kept_by(within, 6), "3 4 5", "two hours before the newest");
	created[5] = created[0] - DAY;
	is_str(kept_by(within, 6), "0 1 2 3 4 5",
	       "the newest is the last committed, whatever its clock said");
}

static void test_best(void)
{
	struct retention_rule best = { .kind = RETENTION_BEST, .count = 2,
				       .sign = 1 };

	hourly(5, HOUR);
	is_str(kept_by(best, 5), "alone", "no value: left alone");
	values[0] = 3;
	values[2] = 5;
	values[3] = 3;
	is_str(kept_by(best, 5), "2 3", "the best two, among equals the newer");
	best.sign = -1;
	best.count = 1;
	values[1] = -INFINITY;
	is_str(kept_by(best, 5), "1", "the smallest");
}

static void test_every(void)
{
	struct retention_rule every = { .kind = RETENTION_EVERY, .every = 10 };
	size_t i;

	hourly(7, HOUR);
	for (i = 0; i < 5; i++)
		values[i] = (double)i * 5;
	values[5] = 12.5;
	is_str(kept_by(every, 7), "0 2 4", "multiples, zero among them");
	every.every = 2.5;
	is_str(kept_by(every, 7), "0 1 2 3 4 5", "of a fraction too");
}

static void test_where(void)
{
	hourly(3, HOUR);
	match[1] = 1;
	is_str(kept_by((struct retention_rule){ .kind = RETENTION_WHERE }, 3),
	       "1", "what matches");
}

static void test_parse(void)
{
	struct dsv_err err;
	double every;
	int64_t n;
	char *key;
	int sign;

	must(retention_parse_best("max:val/acc:3", &sign, &key, &n, NULL) == 0);
	is_str(key, "val/acc", "the key of max:val/acc:3");
	ok(sign == 1 && n == 3, "its sign and number");
	free(key);
	must(retention_parse_every("step:1e3", &key, &every, NULL) == 0);
	ok(every == 1000 && !strcmp(key, "step"), "step:1e3");
	free(key);
	is_int(retention_parse_best("acc:3", &sign, &key, &n, &err),
	       DSV_EUSAGE, "neither max nor min");
	is_str(err.msg, "'acc:3' is not max:KEY:N or min:KEY:N",
	       "the message says how");
	is_int(retention_parse_best("max:acc", &sign, &key, &n, NULL),
	       DSV_EUSAGE, "no number");
	is_int(retention_parse_best("max:acc:0", &sign, &key, &n, NULL),
	       DSV_EUSAGE, "none");
	is_int(retention_parse_best("max:9x:1", &sign, &key, &n, NULL),
	       DSV_EUSAGE, "no key");
	is_int(retention_parse_every("step:0", &key, &every, NULL),
	       DSV_EUSAGE, "every nothing");
	is_int(retention_parse_every("step", &key, &every, NULL), DSV_EUSAGE,
	       "every what");
}

int main(void)
{
	test_last();
	test_calendar();
	test_within();
	test_best();
	test_every();
	test_where();
	test_parse();
	return tap_done();
}
