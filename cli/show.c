/* SPDX-License-Identifier: MIT */
/* dsv show - show everything about one state, and its files */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool tensors;

static const struct opt opts[] = {
	{ .name = "tensors", .help = "show the tensors that its files hold",
	  .flag = &tensors },
	{ 0 },
};

void out_oneline(const struct refs *refs, const struct dsv_state *s)
{
	color_start(COLOR_ID);
	printf("%.12s", s->id);
	color_end();
	refs_print(refs, s);
	if (s->message && *s->message) {
		putchar(' ');
		out_line(stdout, s->message);
	} else if (strcmp(s->kind, "tag")) {
		putchar(' ');
		out_text(stdout, s->kind);
		if (s->parent_count)
			printf(" of %.12s", s->parents[0]);
	}
}

static void out_message(const char *message)
{
	const char *end;

	if (!message || !*message)
		return;
	putchar('\n');
	for (; *message; message = *end ? end + 1 : end) {
		end = strchrnul(message, '\n');
		fputs("    ", stdout);
		out_line(stdout, message);
		putchar('\n');
	}
}

static void out_job(const struct dsv_job *job)
{
	if (!job || !job->id)
		return;
	printf("Job:     ");
	out_text(stdout, job->id);
	if (job->nodes && *job->nodes) {
		printf(" on ");
		out_text(stdout, job->nodes);
	}
	if (job->state) {
		printf(", ");
		out_text(stdout, job->state);
	}
	if (job->exit_code >= 0)
		printf(", exit %d", job->exit_code);
	putchar('\n');
}

static void out_pruned(const struct dsv_state *s)
{
	char when[DSV_TIME_SIZE];

	dsv_format_time(s->pruned_ns, when);
	printf("Pruned:  %s", when);
	if (s->pruned_by) {
		printf(" (");
		out_text(stdout, s->pruned_by);
		putchar(')');
	}
	putchar('\n');
}

static void out_list(const char *head, const struct dsv_kvs *kvs)
{
	if (kvs->count == 0)
		return;
	printf("%s", head);
	out_kvs(stdout, kvs);
	putchar('\n');
}

static void out_size(const struct dsv_state *s)
{
	char size[DSV_TIME_SIZE], stored[DSV_TIME_SIZE];

	dsv_format_size(s->size_bytes, size);
	dsv_format_size(s->stored_bytes, stored);
	printf("Size:    %s in %" PRId64 " file%s, %s new\n", size, s->files,
	       s->files == 1 ? "" : "s", stored);
}

int out_state(struct dsv *d, const struct refs *refs,
	      const struct dsv_state *s, struct dsv_err *err)
{
	struct dsv_state *parent;
	char when[DSV_TIME_SIZE];
	size_t i;
	int ret;

	ret = parent_for_changes(d, s, &parent, err);
	if (ret < 0)
		return ret;
	color_start(COLOR_ID);
	printf("state %s", s->id);
	color_end();
	refs_print(refs, s);
	putchar('\n');
	if (strcmp(s->kind, "tag")) {
		printf("Kind:    ");
		out_text(stdout, s->kind);
		putchar('\n');
	}
	printf("Branch:  ");
	out_text(stdout, s->branch ? s->branch : "");
	printf("\nAuthor:  ");
	out_text(stdout, s->author);
	if (s->host && *s->host) {
		printf(" on ");
		out_text(stdout, s->host);
	}
	dsv_format_time(s->created_ns, when);
	printf("\nDate:    %s\n", when);
	out_job(s->job);
	out_size(s);
	if (s->pruned)
		out_pruned(s);
	for (i = 0; i < s->scopes.count; i++) {
		printf(i ? " " : "Scopes:  ");
		out_text(stdout, s->scopes.items[i]);
		if (i + 1 == s->scopes.count)
			putchar('\n');
	}
	out_list("Params: ", &s->params);
	if (parent && s->changed.count + s->unset.count > 0) {
		printf("Changed: ");
		out_changes(stdout, s, parent, ", ");
		putchar('\n');
	}
	out_list("Attrs:  ", &s->attrs);
	out_message(s->message);
	dsv_state_free(parent);
	return 0;
}

static const char *type_name(enum dsv_entry_type type)
{
	return type == DSV_DIR ? "dir" : type == DSV_LINK ? "link" : "file";
}

static void out_entry(const struct dsv_entry *e)
{
	static const char mark[] = { '-', 'd', 'l' };

	printf("%c%c %12" PRId64 "  ", mark[e->type],
	       e->executable ? 'x' : '-', e->size_bytes);
	out_text(stdout, e->path);
	if (e->target) {
		printf(" -> ");
		out_text(stdout, e->target);
	}
	putchar('\n');
}

static void out_tensor(const struct dsv_tensor *t)
{
	size_t i;

	out_text(stdout, t->path);
	putchar(' ');
	out_text(stdout, t->name);
	putchar(' ');
	out_text(stdout, t->dtype);
	printf(" [");
	for (i = 0; i < t->rank; i++)
		printf("%s%" PRId64, i ? "," : "", t->shape[i]);
	printf("] %" PRId64 "\n", t->size_bytes);
}

static void json_entries(struct dsv_json *j, const struct dsv_entries *list)
{
	size_t i;

	dsv_json_array(j, "entries");
	for (i = 0; i < list->count; i++) {
		const struct dsv_entry *e = &list->items[i];

		dsv_json_object(j, NULL);
		dsv_json_string(j, "path", e->path);
		dsv_json_string(j, "type", type_name(e->type));
		dsv_json_int(j, "size", e->size_bytes);
		dsv_json_bool(j, "executable", e->executable);
		dsv_json_string(j, "target", e->target);
		if (e->part >= 0)
			dsv_json_int(j, "part", e->part);
		dsv_json_end(j);
	}
	dsv_json_end(j);
}

static void json_tensors(struct dsv_json *j, const struct dsv_tensors *list)
{
	size_t i, k;

	dsv_json_array(j, "tensors");
	for (i = 0; i < list->count; i++) {
		const struct dsv_tensor *t = &list->items[i];

		dsv_json_object(j, NULL);
		dsv_json_string(j, "path", t->path);
		dsv_json_string(j, "name", t->name);
		dsv_json_string(j, "dtype", t->dtype);
		dsv_json_array(j, "shape");
		for (k = 0; k < t->rank; k++)
			dsv_json_int(j, NULL, t->shape[k]);
		dsv_json_end(j);
		dsv_json_int(j, "bytes", t->size_bytes);
		dsv_json_end(j);
	}
	dsv_json_end(j);
}

static int print_json(const struct dsv_state *s,
		      const struct dsv_entries *entries,
		      const struct dsv_tensors *list, struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();

	if (j) {
		dsv_json_object(j, NULL);
		json_state_members(j, s);
		json_entries(j, entries);
		if (tensors)
			json_tensors(j, list);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int print_text(struct dsv *d, const struct dsv_state *s,
		      const struct dsv_entries *entries,
		      const struct dsv_tensors *list, struct dsv_err *err)
{
	struct refs *refs = NULL;
	size_t i;
	int ret;

	ret = color_init(d, err);
	if (ret == 0)
		ret = refs_load(d, &refs, err);
	if (ret == 0)
		ret = out_state(d, refs, s, err);
	refs_free(refs);
	if (ret < 0)
		return ret;
	if (entries->count)
		putchar('\n');
	for (i = 0; i < entries->count && !cli_stopped(); i++)
		out_entry(&entries->items[i]);
	if (list->count)
		putchar('\n');
	for (i = 0; i < list->count && !cli_stopped(); i++)
		out_tensor(&list->items[i]);
	return 0;
}

static int print_format(const struct dsv_state *s, struct dsv_err *err)
{
	struct format *f;
	int ret = format_parse(cli.format, &f, err);

	if (ret < 0)
		return ret;
	format_print(f, s);
	format_free(f);
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_entries entries = { 0 };
	struct dsv_tensors list = { 0 };
	struct dsv_state *s = NULL;
	int ret;

	ret = cli_operands(argc, 0, 1, err);
	if (ret == 0)
		ret = dsv_state_get(d, argc ? argv[0] : NULL, &s, err);
	if (ret == 0 && cli.format && !cli.json) {
		ret = print_format(s, err);
		goto out;
	}
	/* A pruned or pending state has no entries to list. */
	if (ret == 0 && !s->pruned && !s->pending)
		ret = dsv_entries(d, s->id, &entries, err);
	if (ret == 0 && tensors)
		ret = dsv_tensors(d, s->id, &list, err);
	if (ret < 0)
		goto out;
	if (cli.json) {
		ret = print_json(s, &entries, &list, err);
	} else {
		pager_start();
		ret = print_text(d, s, &entries, &list, err);
	}
out:
	dsv_entries_free(&entries);
	dsv_tensors_free(&list);
	dsv_state_free(s);
	return ret;
}

const struct cmd cmd_show = {
	.name = "show",
	.summary = "show everything about one state, and its files",
	.synopsis = "[OPTION...] [REV]",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_FORMAT | CMD_BRANCH,
	.run = run,
};
