/* SPDX-License-Identifier: MIT */
/* dsv status, du - show the repository at a glance */
#include "cli.h"

#include <string.h>

static const char *by = "branch";

static const struct opt du_opts[] = {
	{ .name = "by", .value = "branch|author|scope",
	  .help = "what to sum up by", .string = &by },
	{ 0 },
};

static int json_status(struct dsv *d, const struct dsv_status *s,
		       struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();

	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_string(j, "repo", dsv_path(d));
		dsv_json_string(j, "branch", s->branch);
		dsv_json_string(j, "head", s->head[0] ? s->head : NULL);
		dsv_json_int(j, "states", s->states);
		dsv_json_int(j, "pruned", s->pruned);
		dsv_json_int(j, "size", s->size_bytes);
		dsv_json_int(j, "stored", s->stored_bytes);
		dsv_json_int(j, "condemned", s->condemned_bytes);
		dsv_json_int(j, "pending", s->pending);
		dsv_json_int(j, "lost", s->lost);
		dsv_json_int(j, "scopes_open", s->scopes_open);
		dsv_json_int(j, "jobs", s->jobs);
		dsv_json_end(j);
	}
	return json_print(j, err);
}

/* Lists the hosts that alone have what is pending: only they can store it. */
static void print_hosts(struct dsv *d)
{
	const char *lead = "waits on   ";
	struct dsv_queue q;
	size_t i, k;

	if (dsv_queue(d, &q, NULL) < 0)
		return;
	for (i = 0; i < q.count; i++) {
		const struct dsv_queue_item *item = &q.items[i];

		if (item->here || !item->host)
			continue;
		for (k = 0; k < i; k++) {
			if (!q.items[k].here && q.items[k].host &&
			    !strcmp(q.items[k].host, item->host))
				break;
		}
		if (k < i)
			continue;
		printf("%s ", lead);
		out_text(stdout, item->host);
		lead = ",";
	}
	if (*lead == ',')
		putchar('\n');
	dsv_queue_free(&q);
}

static void print_status(struct dsv *d, const struct dsv_status *s)
{
	char size[DSV_TIME_SIZE], stored[DSV_TIME_SIZE];

	printf("repository  ");
	out_text(stdout, dsv_path(d));
	printf("\nbranch      ");
	out_text(stdout, s->branch);
	printf(s->head[0] ? ", head %.12s\n" : ", no state yet\n", s->head);
	dsv_format_size(s->size_bytes, size);
	dsv_format_size(s->stored_bytes, stored);
	printf("states      %" PRId64 ", %s, stored in %s\n", s->states, size,
	       stored);
	if (s->pruned)
		printf("pruned      %" PRId64 "\n", s->pruned);
	if (s->condemned_bytes) {
		dsv_format_size(s->condemned_bytes, size);
		printf("to be freed %s\n", size);
	}
	if (s->pending || s->lost)
		printf("pending     %" PRId64 ", lost %" PRId64 "\n",
		       s->pending, s->lost);
	if (s->pending)
		print_hosts(d);
	if (s->scopes_open)
		printf("open scopes %" PRId64 "\n", s->scopes_open);
	if (s->jobs)
		printf("jobs        %" PRId64 " waiting or running\n",
		       s->jobs);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_status s = { 0 };
	int ret = cli_operands(argc, 0, 0, err);

	(void)argv;
	if (ret == 0)
		ret = dsv_status(d, &s, err);
	if (ret < 0)
		return ret;
	if (cli.json)
		ret = json_status(d, &s, err);
	else
		print_status(d, &s);
	dsv_status_release(&s);
	return ret;
}

static int json_usage(const struct dsv_usages *list, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	size_t i;

	if (j) {
		dsv_json_array(j, NULL);
		for (i = 0; i < list->count; i++) {
			dsv_json_object(j, NULL);
			dsv_json_string(j, by, list->items[i].key);
			dsv_json_int(j, "states", list->items[i].states);
			dsv_json_int(j, "size", list->items[i].size_bytes);
			dsv_json_int(j, "stored", list->items[i].stored_bytes);
			dsv_json_end(j);
		}
		dsv_json_end(j);
	}
	return json_print(j, err);
}

static int run_du(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	char size[DSV_TIME_SIZE], stored[DSV_TIME_SIZE];
	struct dsv_usages list;
	int ret = cli_operands(argc, 0, 0, err);
	size_t i;

	(void)argv;
	if (ret == 0)
		ret = dsv_usage(d, by, &list, err);
	if (ret < 0)
		return ret;
	if (cli.json)
		ret = json_usage(&list, err);
	else if (list.count)
		printf("%12s %12s %8s  %s\n", "stored", "size", "states", by);
	for (i = 0; i < list.count && !cli.json; i++) {
		dsv_format_size(list.items[i].stored_bytes, stored);
		dsv_format_size(list.items[i].size_bytes, size);
		printf("%12s %12s %8" PRId64 "  ", stored, size,
		       list.items[i].states);
		out_text(stdout, list.items[i].key ? list.items[i].key : "");
		putchar('\n');
	}
	dsv_usages_free(&list);
	return ret;
}

const struct cmd cmd_status = {
	.name = "status",
	.summary = "show the repository at a glance",
	.synopsis = "[OPTION...]",
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};

const struct cmd cmd_du = {
	.name = "du",
	.summary = "show the bytes of branches, authors or scopes",
	.synopsis = "[OPTION...]",
	.opts = du_opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run_du,
};
