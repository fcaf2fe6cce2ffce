/* SPDX-License-Identifier: MIT */
/*
 * The rules of a prune, on numbers alone: they decide which states of one group
 * are kept.
 */
#ifndef DSV_UPKEEP_RETENTION_H
#define DSV_UPKEEP_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../dsv.h"

enum retention_kind {
	RETENTION_LAST,		/* the newest count */
	RETENTION_HOURLY,	/* the newest of each of count hours, ... */
	RETENTION_DAILY,
	RETENTION_WEEKLY,	/* weeks start on Monday */
	RETENTION_MONTHLY,
	RETENTION_WITHIN,	/* within_ns before the newest */
	RETENTION_BEST,		/* the count largest (sign > 0) or smallest */
	RETENTION_EVERY,	/* the value is a multiple of every */
	RETENTION_WHERE		/* match */
};

enum { RETENTION_MAX_RULES = 48 };

struct retention_rule {
	enum retention_kind kind;
	int64_t count;
	int64_t within_ns;
	int sign;
	double every;
	const double *values;		/* by state; NAN: unset */
	const unsigned char *match;	/* by state; 1: matches */
};

/*
 * Applies the rules to one group: members[count] are indexes of states, newest
 * first; created_ns is also by index.  Sets bit i of kept[index] when rule i
 * keeps the state.
 *
 * Sets *alone if the group has no value of a RETENTION_BEST rule and is to be
 * left alone; kept is then unchanged.
 */
int retention_apply(const int64_t *created_ns, const size_t *members,
		    size_t count, const struct retention_rule *rules,
		    size_t rule_count, uint64_t *kept, bool *alone,
		    struct dsv_err *err);

/*
 * Parses "max:KEY:N" or "min:KEY:N"; the caller frees *key.  Fails with
 * DSV_EUSAGE.
 */
int retention_parse_best(const char *text, int *sign, char **key,
			 int64_t *count, struct dsv_err *err);
/* Parses "KEY:N". */
int retention_parse_every(const char *text, char **key, double *every,
			  struct dsv_err *err);

/* Returns the number of the period of a kind that a time falls into. */
int64_t retention_period(enum retention_kind kind, int64_t time_ns);

#endif
