/* SPDX-License-Identifier: MIT */
/*
 * The graph of "dsv log --graph" is drawn as git draws it, one state at a
 * time.  A column is an open edge: the id of the parent it leads to.
 * After a state its column becomes its parents; edges that lead to the same
 * state then move left, one column per row, until they meet:
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
	size_t target;		/* where it has to go */
	unsigned int line;	/* whose colour it has */
};

struct graph {
	struct column *columns;
	size_t count, capacity;
	size_t current;		/* of the last state */
	size_t parents;		/* of the last state */
	bool root;		/* it had none, and no line follows yet */
	unsigned int lines;	/* the number of lines so far */
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

/* Makes room for count columns. */
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

static void edge(unsigned int line)
{
	color_mark('|', line);
	putchar(' ');
}

int graph_state(struct graph *g, const char *id,
		const char (*parents)[DSV_ID_SIZE], size_t parent_count,
		struct dsv_err *err)
{
	unsigned int line;
	size_t i, at, tail;
	int ret;

	ret = reserve(g, g->count + parent_count + 1, err);
	if (ret < 0)
		return ret;
	for (at = 0; at < g->count; at++)
		if (!strcmp(g->columns[at].id, id))
			break;
	/* It must not look like the child of a root drawn above it. */
	if (at == g->count && g->root && at == g->current) {
		for (i = 0; i < at; i++)
			edge(g->columns[i].line);
		putchar('\n');
	}
	if (at == g->count)
		g->columns[g->count++].line = g->lines++;
	for (i = 0; i < g->count; i++) {
		if (i == at)
			fputs("* ", stdout);
		else
			edge(g->columns[i].line);
	}

	/* The state's column makes room for those of its parents. */
	line = g->columns[at].line;
	tail = g->count - at - 1;
	memmove(&g->columns[at + parent_count], &g->columns[at + 1],
		tail * sizeof(*g->columns));
	for (i = 0; i < parent_count; i++) {
		memcpy(g->columns[at + i].id, parents[i], DSV_ID_SIZE);
		g->columns[at + i].line = i ? g->lines++ : line;
	}
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
	size_t i, skipped;

	g->root = false;
	for (i = 0; i < shown; i++) {
		skipped = i > g->current ? g->parents - 1 : 0;
		if (i == g->current && g->parents == 0)
			fputs("  ", stdout);
		else
			edge(g->columns[i + skipped].line);
	}
}

/* Draws "|\ \", one row for each parent but the first. */
static void fan_out(const struct graph *g)
{
	size_t right = g->count - g->current - g->parents;
	size_t row, i;

	for (row = 1; row < g->parents; row++) {
		for (i = 0; i + 1 < g->current + row; i++)
			edge(g->columns[i].line);
		color_mark('|', g->columns[i].line);
		color_mark('\\', g->columns[i + 1].line);
		for (i = 0; i < right; i++) {
			putchar(' ');
			color_mark('\\', g->columns[g->current + g->parents +
						    i].line);
		}
		putchar('\n');
	}
}

/* Returns the first edge before i that leads to the same state, or i. */
static size_t twin(const struct graph *g, size_t i)
{
	size_t end = g->current + g->parents;
	size_t k = i >= end ? g->current : 0;

	/* Only the last state's parents can appear twice. */
	if (i < g->current)
		return i;
	for (; k < i && (i < end || k < end); k++)
		if (!strcmp(g->columns[k].id, g->columns[i].id))
			return k;
	return i;
}

/*
 * Edges to the same state share the leftmost's column.  Returns how many
 * columns are left.
 */
static size_t aim(struct graph *g)
{
	size_t i, k, next = 0;

	for (i = 0; i < g->count; i++) {
		struct column *c = &g->columns[i];

		/* A root's column is gone: those to its right move up. */
		c->at = i + (g->parents == 0 && i >= g->current);
		k = twin(g, i);
		c->target = k < i ? g->columns[k].target : next++;
	}
	return next;
}

struct mark {
	char mark;
	unsigned int line;
};

/* Draws a row in which every edge that has to move goes one column left. */
static bool row(struct graph *g, struct mark *marks, size_t width)
{
	bool moved = false;
	size_t i, used = 0, at;

	for (i = 0; i < width; i++)
		marks[i].mark = ' ';
	for (i = 0; i < g->count; i++) {
		struct column *c = &g->columns[i];

		at = 2 * c->at;
		if (c->at > c->target) {
			marks[--at].mark = '/';
			moved = true;
		} else {
			marks[at].mark = '|';
		}
		marks[at].line = c->line;
		if (at >= used)
			used = at + 1;
	}
	if (!moved)
		return false;
	for (i = 0; i < used; i++)
		color_mark(marks[i].mark, marks[i].line);
	putchar('\n');
	for (i = 0; i < g->count; i++)
		if (g->columns[i].at > g->columns[i].target)
			g->columns[i].at--;
	return true;
}

void graph_end(struct graph *g)
{
	size_t width = 2 * (g->count + 1) + 1;
	size_t i, count, left = 0;
	struct mark *marks;

	fan_out(g);
	count = aim(g);
	marks = calloc(width, sizeof(*marks));
	while (marks && row(g, marks, width))
		;
	free(marks);
	/* Where edges meet, the leftmost continues. */
	for (i = 0; i < g->count; i++)
		if (g->columns[i].target == left)
			g->columns[left++] = g->columns[i];
	g->count = count;
}
