/* SPDX-License-Identifier: MIT */
/*
 * The graph beside "dsv log --graph", drawn as git draws it, one state at a
 * time.  A column is an edge that is open: the id of the parent it leads to.
 * After a state its column becomes its parents; edges that lead to the same
 * state then move left, a column a row, until they meet:
 *
 *	* | |
 *	| |/
 *	|/|
 *	* |
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct column {
	char id[DSV_ID_SIZE];
	size_t at;		/* where the edge is, in columns */
	size_t target;		/* where it is to be */
};

struct graph {
	struct column *columns;
	size_t count, capacity;
	size_t current;		/* of the last state */
	size_t parents;		/* it has */
	bool root;		/* it had none, and no line came after it */
};

struct graph *graph_new(void)
{
	return calloc(1, sizeof(struct graph));
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	free(g->columns);
	free(g);
}

/* Room for count columns. */
static int reserve(struct graph *g, size_t count, struct dsv_err *err)
{
	struct column *columns;
	size_t capacity = g->capacity ? g->capacity : 8;

	if (count <= g->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	columns = realloc(g->columns, capacity * sizeof(*columns));
	if (!columns)
		return dsv_fail_nomem(err);
	g->columns = columns;
	g->capacity = capacity;
	return 0;
}

int graph_state(struct graph *g, const char *id,
		const char (*parents)[DSV_ID_SIZE], size_t parent_count,
		struct dsv_err *err)
{
	size_t i, at, tail;
	int ret;

	ret = reserve(g, g->count + parent_count + 1, err);
	if (ret < 0)
		return ret;
	for (at = 0; at < g->count; at++)
		if (!strcmp(g->columns[at].id, id))
			break;
	/* Not to look like the child of a root that was drawn above it. */
	if (at == g->count && g->root && at == g->current) {
		for (i = 0; i < at; i++)
			fputs("| ", stdout);
		putchar('\n');
	}
	if (at == g->count)
		g->count++;
	for (i = 0; i < g->count; i++)
		fputs(i == at ? "* " : "| ", stdout);

	/* The state's column makes room for those of its parents. */
	tail = g->count - at - 1;
	memmove(&g->columns[at + parent_count], &g->columns[at + 1],
		tail * sizeof(*g->columns));
	for (i = 0; i < parent_count; i++)
		memcpy(g->columns[at + i].id, parents[i], DSV_ID_SIZE);
	g->count = at + parent_count + tail;
	g->current = at;
	g->parents = parent_count;
	g->root = parent_count == 0;
	return 0;
}

/* Before graph_end() the state has one column, whatever its parents. */
void graph_more(struct graph *g)
{
	size_t shown = g->count - g->parents + 1;
	size_t i;

	g->root = false;
	for (i = 0; i < shown; i++)
		fputs(i == g->current && g->parents == 0 ? "  " : "| ",
		      stdout);
}

/* "|\ \": one row per parent but the first. */
static void fan_out(const struct graph *g)
{
	size_t right = g->count - g->current - g->parents;
	size_t row, i;

	for (row = 1; row < g->parents; row++) {
		for (i = 0; i + 1 < g->current + row; i++)
			fputs("| ", stdout);
		fputs("|\\", stdout);
		for (i = 0; i < right; i++)
			fputs(" \\", stdout);
		putchar('\n');
	}
}

/* The first edge before i that leads to the same state; i: none does. */
static size_t twin(const struct graph *g, size_t i)
{
	size_t end = g->current + g->parents;
	size_t k = i >= end ? g->current : 0;

	/* Only the last state's parents can be there twice. */
	if (i < g->current)
		return i;
	for (; k < i && (i < end || k < end); k++)
		if (!strcmp(g->columns[k].id, g->columns[i].id))
			return k;
	return i;
}

/* Edges to the same state share the leftmost's column; how many are left. */
static size_t aim(struct graph *g)
{
	size_t i, k, next = 0;

	for (i = 0; i < g->count; i++) {
		struct column *c = &g->columns[i];

		/* A root's column is gone: those right of it move up. */
		c->at = i + (g->parents == 0 && i >= g->current);
		k = twin(g, i);
		c->target = k < i ? g->columns[k].target : next++;
	}
	return next;
}

/* One row in which every edge that has to moves one column to the left. */
static bool row(struct graph *g, char *line, size_t width)
{
	bool moved = false;
	size_t i, used = 0, mark;

	memset(line, ' ', width);
	for (i = 0; i < g->count; i++) {
		struct column *c = &g->columns[i];

		mark = 2 * c->at;
		if (c->at > c->target) {
			mark--;
			line[mark] = '/';
			moved = true;
		} else {
			line[mark] = '|';
		}
		if (mark >= used)
			used = mark + 1;
	}
	line[used] = '\0';
	if (!moved)
		return false;
	puts(line);
	for (i = 0; i < g->count; i++)
		if (g->columns[i].at > g->columns[i].target)
			g->columns[i].at--;
	return true;
}

void graph_end(struct graph *g)
{
	size_t width = 2 * (g->count + 1) + 1;
	size_t i, next;
	char *line;

	fan_out(g);
	next = aim(g);
	line = malloc(width + 1);
	while (line && row(g, line, width))
		;
	free(line);
	for (i = 0; i < g->count; i++)
		if (g->columns[i].target != i)
			memcpy(g->columns[g->columns[i].target].id,
			       g->columns[i].id, DSV_ID_SIZE);
	g->count = next;
}
