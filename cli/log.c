/* SPDX-License-Identifier: MIT */
/* dsv log - show the history of a state, newest first */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static struct dsv_log_options options = {
	.size_bytes = sizeof(options),
	.limit = NOT_GIVEN,
};
static bool oneline;
static bool graphical;
static bool dot;
static const char *columns_text;
static struct dsv_strings columns;
static struct refs *refs;

static const struct opt opts[] = {
	{ 'n', "limit", "COUNT", "at most COUNT states",
	  .number = &options.limit },
	{ .name = "oneline", .help = "one line per state", .flag = &oneline },
	{ .name = "graph", .help = "draw the lineage beside the states",
	  .flag = &graphical },
	{ .name = "all", .help = "start from every branch",
	  .flag = &options.all },
	{ .name = "first-parent", .help = "follow only first parents",
	  .flag = &options.first_parent },
	{ .name = "since", .value = "TIME", .help = "made at TIME or later",
	  .time_ns = &options.since_ns },
	{ .name = "until", .value = "TIME", .help = "made at TIME or earlier",
	  .time_ns = &options.until_ns },
	{ .name = "columns", .value = "KEY,...",
	  .help = "one line per state, with these values",
	  .string = &columns_text },
	{ .name = "dot", .help = "print a graph for dot(1)", .flag = &dot },
	{ 0 },
};

/* Reads keys as expressions do: attr.K, param.K, else whichever it has. */
static const struct dsv_value *value_of(const struct dsv_state *s,
					const char *key)
{
	const struct dsv_value *value;

	if (!strncmp(key, "attr.", 5))
		return dsv_kvs_get(&s->attrs, key + 5);
	if (!strncmp(key, "param.", 6))
		return dsv_kvs_get(&s->params, key + 6);
	value = dsv_kvs_get(&s->attrs, key);
	return value ? value : dsv_kvs_get(&s->params, key);
}

static void print_columns(const struct dsv_state *s)
{
	const struct dsv_value *value;
	size_t i;

	for (i = 0; i < columns.count; i++) {
		value = value_of(s, columns.items[i]);
		putchar(' ');
		out_text(stdout, columns.items[i]);
		putchar('=');
		out_text(stdout, value ? value->text : "-");
	}
}

static void print_changes(const struct dsv_state *s,
			  const struct dsv_state *parent)
{
	color_start(COLOR_CHANGE);
	out_changes(stdout, s, parent, ", ");
	color_end();
}

static int print_line(struct dsv *d, const struct dsv_state *s,
		      struct dsv_err *err)
{
	struct dsv_state *parent;
	int ret;

	out_oneline(refs, s);
	print_columns(s);
	if (!columns.count && s->changed.count + s->unset.count > 0) {
		ret = parent_for_changes(d, s, &parent, err);
		if (ret < 0)
			return ret;
		printf(" [");
		print_changes(s, parent);
		putchar(']');
		dsv_state_free(parent);
	}
	putchar('\n');
	return 0;
}

static int print_long(struct dsv *d, const struct dsv_state *s,
		      struct dsv_err *err)
{
	static bool second;

	if (second)
		putchar('\n');
	second = true;
	return out_state(d, refs, s, err);
}

/* ---- --graph ---- */

static int draw(struct graph *g, struct dsv *d, const struct dsv_state *s,
		const char (*parents)[DSV_ID_SIZE], size_t parent_count,
		struct dsv_err *err)
{
	struct dsv_state *parent;
	int ret;

	ret = parent_for_changes(d, s, &parent, err);
	if (ret == 0)
		ret = graph_state(g, s->id, parents, parent_count, err);
	if (ret < 0)
		return ret;
	out_oneline(refs, s);
	if (columns.count)
		print_columns(s);
	else
		out_kvs(stdout, &s->attrs);
	putchar('\n');
	if (s->changed.count + s->unset.count > 0) {
		graph_more(g);
		print_changes(s, parent);
		putchar('\n');
	}
	graph_end(g);
	dsv_state_free(parent);
	return 0;
}

static int draw_all(struct graph *g, struct dsv *d, struct dsv_list *l,
		    struct dsv_err *err)
{
	struct dsv_state *s;
	size_t count;
	int ret;

	while ((ret = dsv_list_next(l, &s, err)) > 0) {
		count = s->parent_count;
		if (count > 1 && options.first_parent)
			count = 1;
		ret = draw(g, d, s, (const char (*)[DSV_ID_SIZE])s->parents,
			   count, err);
		dsv_state_free(s);
		if (ret < 0 || cli_stopped())
			break;
	}
	return ret;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

/*
 * Draws states[] without edges to states that are not among them: a limit, a
 * range or a time cuts the history, and an edge would lead nowhere.
 */
static int draw_known(struct graph *g, struct dsv *d,
		      struct dsv_state **states, size_t count,
		      struct dsv_err *err)
{
	char (*ids)[DSV_ID_SIZE] = calloc(count + 1, sizeof(*ids));
	char (*parents)[DSV_ID_SIZE] = NULL;
	size_t i, k, max = 1, kept;
	int ret = 0;

	for (i = 0; i < count; i++)
		if (states[i]->parent_count > max)
			max = states[i]->parent_count;
	parents = calloc(max, sizeof(*parents));
	if (!ids || !parents) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	for (i = 0; i < count; i++)
		memcpy(ids[i], states[i]->id, DSV_ID_SIZE);
	qsort(ids, count, sizeof(*ids), by_id);
	for (i = 0; i < count && ret == 0 && !cli_stopped(); i++) {
		kept = 0;
		for (k = 0; k < states[i]->parent_count; k++) {
			if (k > 0 && options.first_parent)
				break;
			if (bsearch(states[i]->parents[k], ids, count,
				    sizeof(*ids), by_id))
				memcpy(parents[kept++], states[i]->parents[k],
				       DSV_ID_SIZE);
		}
		ret = draw(g, d, states[i],
			   (const char (*)[DSV_ID_SIZE])parents, kept, err);
	}
out:
	free(ids);
	free(parents);
	return ret;
}

/* Tells whether states can have parents that are not printed. */
static bool is_cut(void)
{
	size_t i;

	for (i = 0; i < options.revs.count; i++)
		if (strstr(options.revs.items[i], ".."))
			return true;
	return options.limit >= 0 || options.since_ns || options.until_ns;
}

static int print_graph(struct dsv *d, struct dsv_list *l, struct dsv_err *err)
{
	int64_t total = dsv_list_count(l);
	struct dsv_state **states = NULL;
	struct graph *g = graph_new();
	size_t count = 0;
	int ret = 0;

	if (!g) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	if (total < 0 || !is_cut()) {
		ret = draw_all(g, d, l, err);
		goto out;
	}
	states = calloc((size_t)total + 1, sizeof(struct dsv_state *));
	if (!states) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	while (count < (size_t)total &&
	       (ret = dsv_list_next(l, &states[count], err)) > 0)
		count++;
	if (ret >= 0)
		ret = draw_known(g, d, states, count, err);
out:
	while (count > 0)
		dsv_state_free(states[--count]);
	free(states);
	graph_free(g);
	dsv_list_free(l);
	return ret;
}

/* ---- --dot ---- */

/* Prints the label of a state, or of the edge to it, as a string of dot(1). */
static int dot_string(const struct dsv_state *s, const struct dsv_state *parent,
		      bool edge, struct dsv_err *err)
{
	char *text = NULL, *p;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return dsv_fail_nomem(err);
	if (edge) {
		out_changes(f, s, parent, "\n");
	} else {
		fprintf(f, "%.12s\n", s->id);
		out_text(f, s->name ? s->name : s->branch ? s->branch : "");
		putc('\n', f);
		out_line(f, s->message ? s->message : "");
		out_kvs(f, &s->attrs);
	}
	fclose(f);
	putchar('"');
	for (p = text; p && *p; p++) {
		if (*p == '"' || *p == '\\')
			putchar('\\');
		if (*p == '\n')
			fputs("\\n", stdout);
		else
			putchar(*p);
	}
	putchar('"');
	free(text);
	return 0;
}

static int dot_state(struct dsv *d, const struct dsv_state *s,
		     struct dsv_err *err)
{
	struct dsv_state *parent;
	size_t i;
	int ret;

	ret = parent_for_changes(d, s, &parent, err);
	if (ret < 0)
		return ret;
	printf("\t\"%.12s\" [label=", s->id);
	ret = dot_string(s, NULL, false, err);
	printf("%s];\n", s->pruned ? ", style=dashed" :
	       !strcmp(s->kind, "fork") ? ", shape=ellipse" : "");
	for (i = 0; i < s->parent_count && ret == 0; i++) {
		printf("\t\"%.12s\" -> \"%.12s\"", s->parents[i], s->id);
		if (i == 0 && parent) {
			printf(" [label=");
			ret = dot_string(s, parent, true, err);
			printf("]");
		}
		printf(";\n");
		if (options.first_parent)
			break;
	}
	dsv_state_free(parent);
	return ret;
}

static int print_dot(struct dsv *d, struct dsv_list *l, struct dsv_err *err)
{
	int ret;

	printf("digraph dsv {\n\tnode [shape=box];\n");
	ret = list_print(l, dot_state, d, err);
	printf("}\n");
	return ret;
}

/* ---- */

static int split_columns(struct dsv_err *err)
{
	char *text, *word, *save = NULL;
	int ret = 0;

	if (!columns_text)
		return 0;
	text = strdup(columns_text);
	if (!text)
		return dsv_fail_nomem(err);
	for (word = strtok_r(text, ",", &save); word && ret == 0;
	     word = strtok_r(NULL, ",", &save))
		ret = strings_add(&columns, word, err);
	return ret;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	bool json = cli.json || cli.format;
	struct dsv_list *l;
	int ret;

	options.revs = strings_of(argc, argv);
	ret = cli_not_negative(options.limit, "-n", err);
	if (ret == 0)
		ret = color_init(d, err);
	if (ret == 0)
		ret = split_columns(err);
	if (ret == 0)
		ret = refs_load(d, &refs, err);
	if (ret == 0)
		ret = dsv_log(d, &options, &l, err);
	if (ret < 0)
		goto out;
	if (!dot || json)
		pager_start();
	if (dot && !json)
		ret = print_dot(d, l, err);
	else if (graphical && !json)
		ret = print_graph(d, l, err);
	else if (oneline || columns.count)
		ret = list_print(l, print_line, d, err);
	else
		ret = list_print(l, print_long, d, err);
out:
	refs_free(refs);
	return ret;
}

const struct cmd cmd_log = {
	.name = "log",
	.summary = "show the history of a state, newest first",
	.synopsis = "[OPTION...] [REV... | REV..REV]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_FORMAT | CMD_BRANCH,
	.run = run,
};
