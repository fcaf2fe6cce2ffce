/* SPDX-License-Identifier: MIT */
#include "grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "../base/texts.h"
#include "../base/value.h"

void grid_release(struct grid *g)
{
	size_t i;

	for (i = 0; i < g->axis_count; i++)
		texts_release(&g->axes[i]);
	free(g->axes);
	*g = (struct grid)GRID_INIT;
}

/* "<start>=<value>" of len bytes. */
static int add_value(struct texts *axis, const char *key, size_t key_len,
		     const char *value, size_t len, struct dsv_err *err)
{
	return texts_take(axis, str_format("%.*s=%.*s", (int)key_len, key,
					   (int)len, value), err);
}

static int split_json(struct texts *axis, const char *sweep,
		      const char *equals, struct dsv_err *err)
{
	struct texts values;
	size_t i;
	int ret;

	ret = json_list_texts(equals + 1, &values, err);
	if (ret < 0)
		return dsv_fail(err, DSV_EUSAGE, "'%s': what follows ':=' is no"
				" JSON list", sweep);
	for (i = 0; ret == 0 && i < values.count; i++)
		ret = add_value(axis, sweep, (size_t)(equals - sweep),
				values.items[i], strlen(values.items[i]), err);
	texts_release(&values);
	return ret;
}

static int split_commas(struct texts *axis, const char *sweep,
			const char *equals, struct dsv_err *err)
{
	const char *p = equals + 1;
	int ret = 0;

	for (;;) {
		size_t len = strcspn(p, ",");

		ret = add_value(axis, sweep, (size_t)(equals - sweep), p, len,
				err);
		if (ret < 0 || !p[len])
			return ret;
		p += len + 1;
	}
}

static int parse_axis(const char *sweep, struct texts *axis,
		      struct dsv_err *err)
{
	const char *equals = strchr(sweep, '=');
	char *key;
	int ret;

	ret = kvs_assignment_key(sweep + (*sweep == '+'), &key, err);
	if (ret < 0)
		return ret;
	free(key);
	ret = equals[-1] == ':' ? split_json(axis, sweep, equals, err) :
		split_commas(axis, sweep, equals, err);
	if (ret == 0 && axis->count == 0)
		ret = dsv_fail(err, DSV_EUSAGE, "'%s' names no value", sweep);
	return ret;
}

int grid_parse(const struct dsv_strings *sweeps, struct grid *out,
	       struct dsv_err *err)
{
	struct grid g = GRID_INIT;
	size_t i;
	int ret = 0;

	if (sweeps->count > 0) {
		g.axes = calloc(sweeps->count, sizeof(*g.axes));
		if (!g.axes)
			return dsv_fail_nomem(err);
		g.rows = 1;
	}
	for (i = 0; ret == 0 && i < sweeps->count; i++) {
		ret = parse_axis(sweeps->items[i], &g.axes[g.axis_count++],
				 err);
		if (ret == 0 && g.axes[i].count > TASKS_MAX / g.rows)
			ret = dsv_fail(err, DSV_EUSAGE, "the sweep has more"
				       " than %d combinations", TASKS_MAX);
		if (ret == 0)
			g.rows *= g.axes[i].count;
	}
	if (ret < 0)
		grid_release(&g);
	else
		*out = g;
	return ret;
}

int grid_row(const struct grid *g, size_t row, const struct dsv_strings *set,
	     struct dsv_strings *out, struct dsv_err *err)
{
	const char **items = calloc(set->count + g->axis_count + 1,
				    sizeof(*items));
	size_t i;

	if (!items)
		return dsv_fail_nomem(err);
	if (set->count > 0)
		memcpy(items, set->items, set->count * sizeof(*items));
	for (i = g->axis_count; i > 0; i--) {
		const struct texts *axis = &g->axes[i - 1];

		items[set->count + i - 1] = axis->items[row % axis->count];
		row /= axis->count;
	}
	out->items = items;
	out->count = set->count + g->axis_count;
	return 0;
}

int grid_fail_tasks(const struct grid *g, struct dsv_err *err)
{
	char tasks[32];

	snprintf(tasks, sizeof(tasks), "0-%zu", g->rows - 1);
	return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_ARRAY, tasks,
			     "the sweep has %zu combinations: it needs an array"
			     " of the tasks %s", g->rows, tasks);
}
