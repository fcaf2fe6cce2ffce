/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef int print_fn(struct dsv *d, const struct dsv_state *s,
		     struct dsv_err *err);

static int list_json(struct dsv_list *l, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	struct dsv_state *s;
	int ret;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_array(j, NULL);
	while ((ret = dsv_list_next(l, &s, err)) > 0) {
		json_state(j, NULL, s);
		dsv_state_free(s);
		ret = json_flush(j, err);
		if (ret < 0 || cli_stopped())
			break;
	}
	dsv_json_end(j);
	if (ret >= 0)
		ret = json_flush(j, err);
	dsv_json_free(j);
	return ret < 0 ? ret : 0;
}

int list_print(struct dsv_list *l, print_fn *print, struct dsv *d,
	       struct dsv_err *err)
{
	struct format *f = NULL;
	struct dsv_state *s;
	int ret = 0;

	if (cli.json) {
		ret = list_json(l, err);
		goto out;
	}
	if (cli.format)
		ret = format_parse(cli.format, &f, err);
	while (ret >= 0 && !cli_stopped()) {
		ret = dsv_list_next(l, &s, err);
		if (ret <= 0)
			break;
		if (f)
			format_print(f, s);
		else
			ret = print(d, s, err);
		dsv_state_free(s);
	}
out:
	format_free(f);
	dsv_list_free(l);
	return ret < 0 ? ret : 0;
}

int ids_print(struct dsv_ids *ids, struct dsv_err *err)
{
	struct dsv_json *j;
	int ret = 0;
	size_t i;

	if (cli.json) {
		j = json_new();
		if (j)
			json_ids(j, NULL,
				 (const char (*)[DSV_ID_SIZE])ids->items,
				 ids->count);
		ret = json_print(j, err);
	} else {
		for (i = 0; i < ids->count; i++)
			puts(ids->items[i]);
	}
	dsv_ids_free(ids);
	return ret;
}

/* The branches are sorted by head, the current one first among equals. */
struct refs {
	struct dsv_branches branches;
};

static int by_head(const void *a, const void *b)
{
	const struct dsv_branch *x = a, *y = b;
	int order = strcmp(x->head, y->head);

	if (order)
		return order;
	if (x->current != y->current)
		return x->current ? -1 : 1;
	return strcmp(x->name, y->name);
}

int refs_load(struct dsv *d, struct refs **out, struct dsv_err *err)
{
	struct refs *refs = calloc(1, sizeof(*refs));
	int ret;

	if (!refs)
		return dsv_fail_nomem(err);
	ret = dsv_branches(d, &refs->branches, err);
	if (ret < 0) {
		free(refs);
		return ret;
	}
	if (refs->branches.count > 1)
		qsort(refs->branches.items, refs->branches.count,
		      sizeof(refs->branches.items[0]), by_head);
	*out = refs;
	return 0;
}

void refs_free(struct refs *refs)
{
	if (!refs)
		return;
	dsv_branches_free(&refs->branches);
	free(refs);
}

static void colored(enum color color, const char *text)
{
	color_start(color);
	out_text(stdout, text);
	color_end();
}

void refs_print(const struct refs *refs, const struct dsv_state *s)
{
	const struct dsv_branch *b = refs->branches.items;
	size_t low = 0, high = refs->branches.count, middle;
	const char *lead = " (";

	while (low < high) {
		middle = (low + high) / 2;
		if (strcmp(b[middle].head, s->id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < refs->branches.count && !strcmp(b[low].head, s->id);
	     low++) {
		fputs(lead, stdout);
		if (b[low].current)
			colored(COLOR_HEAD, "HEAD -> ");
		colored(COLOR_BRANCH, b[low].name);
		lead = ", ";
	}
	if (s->name) {
		fputs(lead, stdout);
		colored(COLOR_NAME, "name: ");
		colored(COLOR_NAME, s->name);
		lead = ", ";
	}
	if (s->pinned) {
		fputs(lead, stdout);
		colored(COLOR_NAME, "pinned");
		lead = ", ";
	}
	if (s->pruned || s->pending || s->lost) {
		fputs(lead, stdout);
		colored(COLOR_GONE, s->pruned ? "pruned" :
			s->lost ? "lost" : "pending");
		lead = ", ";
	}
	if (!strcmp(lead, ", "))
		putchar(')');
}

int parent_for_changes(struct dsv *d, const struct dsv_state *s,
		       struct dsv_state **out, struct dsv_err *err)
{
	*out = NULL;
	if (s->parent_count == 0 || s->changed.count == 0)
		return 0;
	return dsv_state_get(d, s->parents[0], out, err);
}

void out_changes(FILE *out, const struct dsv_state *s,
		 const struct dsv_state *parent, const char *separator)
{
	const struct dsv_value *old;
	const char *lead = "";
	size_t i;

	for (i = 0; i < s->changed.count; i++) {
		const struct dsv_kv *kv = &s->changed.items[i];

		old = parent ? dsv_kvs_get(&parent->params, kv->key) : NULL;
		fputs(lead, out);
		lead = separator;
		if (!old) {
			out_kv(out, kv);
			continue;
		}
		out_text(out, kv->key);
		putc(' ', out);
		out_text(out, old->text);
		fputs(" -> ", out);
		out_text(out, kv->value.text);
	}
	for (i = 0; i < s->unset.count; i++) {
		fprintf(out, "%s-", lead);
		lead = separator;
		out_text(out, s->unset.items[i]);
	}
}
