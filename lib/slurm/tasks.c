/* SPDX-License-Identifier: MIT */
#include "tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

void tasks_release(struct tasks *t)
{
	free(t->ids);
	*t = (struct tasks)TASKS_INIT;
}

static int malformed(const char *spec, struct dsv_err *err)
{
	return dsv_fail(err, DSV_EUSAGE, "'%s' names no tasks of an array",
			spec);
}

static int add(struct tasks *t, int64_t id, struct dsv_err *err)
{
	int ret;

	if (t->count == TASKS_MAX)
		return dsv_fail(err, DSV_EUSAGE, "the array has more than %d"
				" tasks", TASKS_MAX);
	ret = list_grow((void **)&t->ids, t->count, sizeof(*t->ids), err);
	if (ret == 0)
		t->ids[t->count++] = id;
	return ret;
}

/* Returns false if there is no number at *p. */
static bool number(const char **p, int64_t *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*out = strtoll(*p, &end, 10);
	*p = end;
	return !errno;
}

/* Adds "5", "5-9" or "5-9:2". */
static int add_range(const char *spec, const char **p, struct tasks *t,
		     struct dsv_err *err)
{
	int64_t first, last, step = 1;
	int ret = 0;

	if (!number(p, &first))
		return malformed(spec, err);
	last = first;
	if (**p == '-') {
		(*p)++;
		if (!number(p, &last))
			return malformed(spec, err);
	}
	if (**p == ':') {
		(*p)++;
		if (!number(p, &step) || step < 1)
			return malformed(spec, err);
	}
	if (last < first)
		return malformed(spec, err);
	for (; ret == 0 && first <= last; first += step) {
		ret = add(t, first, err);
		if (last - first < step)
			break;
	}
	return ret;
}

int tasks_parse(const char *spec, struct tasks *out, struct dsv_err *err)
{
	struct tasks t = TASKS_INIT;
	const char *p = spec;
	int64_t limit;
	int ret;

	for (;;) {
		ret = add_range(spec, &p, &t, err);
		if (ret < 0 || *p != ',')
			break;
		p++;
	}
	if (ret == 0 && *p == '%') {
		p++;
		if (!number(&p, &limit))
			ret = malformed(spec, err);
	}
	if (ret == 0 && *p)
		ret = malformed(spec, err);
	if (ret < 0)
		tasks_release(&t);
	else
		*out = t;
	return ret;
}

int tasks_count_up(size_t count, struct tasks *out, struct dsv_err *err)
{
	int64_t *ids = calloc(count + 1, sizeof(*ids));
	size_t i;

	if (!ids)
		return dsv_fail_nomem(err);
	for (i = 0; i < count; i++)
		ids[i] = (int64_t)i;
	out->ids = ids;
	out->count = count;
	return 0;
}

bool tasks_equal(const struct tasks *a, const struct tasks *b)
{
	return a->count == b->count &&
	       (a->count == 0 ||
		!memcmp(a->ids, b->ids, a->count * sizeof(*a->ids)));
}
