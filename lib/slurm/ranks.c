/* SPDX-License-Identifier: MIT */
#include "ranks.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

enum { COUNT_MAX = 1 << 24 };	/* tasks; more is no layout */

void ranks_release(struct ranks *r)
{
	free(r->items);
	*r = (struct ranks)RANKS_INIT;
}

bool ranks_has(const struct ranks *r, int64_t rank)
{
	size_t i;

	for (i = 0; i < r->count && r->items[i] != rank; i++)
		;
	return i < r->count;
}

int ranks_add(struct ranks *r, int64_t rank, struct dsv_err *err)
{
	int ret;

	if (ranks_has(r, rank))
		return 0;
	ret = list_grow((void **)&r->items, r->count, sizeof(*r->items), err);
	if (ret == 0)
		r->items[r->count++] = rank;
	return ret;
}

/* Returns the number at *p and moves *p past it, or -1 if there is none. */
static int64_t take_number(const char **p)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)**p))
		return -1;
	for (; isdigit((unsigned char)**p) && n < COUNT_MAX; (*p)++)
		n = n * 10 + (**p - '0');
	return n < COUNT_MAX ? n : -1;
}

int ranks_parse(const char *text, struct ranks *out, struct dsv_err *err)
{
	struct ranks r = RANKS_INIT;
	const char *p = text;
	int ret = 0;

	while (ret == 0) {
		int64_t rank = take_number(&p);

		if (rank < 0 || (*p && *p != ','))
			ret = dsv_fail(err, DSV_EUSAGE, "'%.40s' is not a list"
				       " of ranks", text);
		else
			ret = ranks_add(&r, rank, err);
		if (!*p++)
			break;
	}
	if (ret < 0)
		ranks_release(&r);
	else
		*out = r;
	return ret;
}

void ranks_print(const struct ranks *r, struct str *out)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		str_printf(out, "%s%" PRId64, i > 0 ? "," : "", r->items[i]);
}

/* Parses how many tasks each node has, as in "2(x3),1". */
static int parse_counts(const char *text, struct str *out, int64_t *sum,
			struct dsv_err *err)
{
	const char *p = text ? text : "";
	int64_t count, times;

	for (*sum = 0; *p; p += *p == ',') {
		times = 1;
		count = take_number(&p);
		if (count > 0 && !strncmp(p, "(x", 2)) {
			p += 2;
			times = take_number(&p);
			p += *p == ')';
		}
		if (count < 1 || times < 1 || (*p && *p != ',') ||
		    *sum + count * times > COUNT_MAX)
			break;
		for (*sum += count * times; times > 0; times--)
			str_add(out, &count, sizeof(count));
	}
	if (*p || *sum == 0)
		return dsv_fail(err, DSV_EREFUSED, "which ranks this node has"
				" is not known: SLURM_TASKS_PER_NODE is '%s'",
				text ? text : "");
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

/*
 * Tasks are dealt out round by round, a node's share at a time, to nodes that
 * have room; a batch script runs on the first.
 */
static int first_node(const int64_t *counts, size_t nodes, int64_t share,
		      struct ranks *out, struct dsv_err *err)
{
	int64_t round, rank = 0;
	int ret = 0;
	size_t i;

	for (round = 0; ret == 0 && round * share < counts[0]; round++) {
		for (i = 0; ret == 0 && i < nodes; i++) {
			int64_t n = counts[i] - round * share;
			int64_t end = rank + (n > share ? share : n);

			if (n <= 0)
				continue;
			for (; i == 0 && ret == 0 && rank < end; rank++)
				ret = ranks_add(out, rank, err);
			rank = end;
		}
	}
	return ret;
}

/* Returns how many a node gets at a time, or 0 if each task knows its node. */
static int64_t share_of(const struct process *p)
{
	const char *name = p->distribution ? p->distribution : "block";

	if (!strncmp(name, "cyclic", 6))
		return 1;
	if (!strncmp(name, "plane", 5) && p->plane > 0)
		return p->plane;
	return strncmp(name, "block", 5) ? 0 : COUNT_MAX;
}

static int batch_ranks(struct dsv *d, struct ranks *out, int64_t *total,
		       struct dsv_err *err)
{
	int64_t share = share_of(&d->process);
	struct str counts = STR_INIT;
	int ret;

	ret = parse_counts(d->process.tasks_per_node, &counts, total, err);
	if (ret == 0 && share == 0)
		ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_PARTS_ALL,
				    NULL, "which ranks this node gets by a"
				    " distribution '%s' is not known before"
				    " srun", d->process.distribution);
	if (ret == 0)
		ret = first_node((int64_t *)(void *)counts.data,
				 counts.len / sizeof(int64_t), share, out,
				 err);
	if (d->process.tasks > 0)
		*total = d->process.tasks;
	str_release(&counts);
	return ret;
}

static int fail_tasks(int64_t tasks, int64_t parts, struct dsv_err *err)
{
	char needed[24];

	snprintf(needed, sizeof(needed), "%" PRId64, parts);
	return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_TASKS, needed,
			     "%" PRId64 " task%s cannot have the %s parts of"
			     " the state", tasks, tasks == 1 ? "" : "s",
			     needed);
}

int ranks_here(struct dsv *d, int64_t size, struct ranks *out,
	       struct dsv_err *err)
{
	struct ranks r = RANKS_INIT;
	int64_t total = d->process.tasks;
	int ret;

	ret = d->process.node_tasks ?
		ranks_parse(d->process.node_tasks, &r, err) :
		batch_ranks(d, &r, &total, err);
	if (ret == 0 && total != size)
		ret = fail_tasks(total, size, err);
	if (ret < 0)
		ranks_release(&r);
	else
		*out = r;
	return ret;
}
