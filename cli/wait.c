/* SPDX-License-Identifier: MIT */
/* dsv wait - wait until states are durable, or until one appears */
#include "cli.h"

#include <string.h>

#define PATIENCE_MS 10000	/* after this we say what we wait for */

static const char *expr;
static int64_t timeout_ns = -1;

static const struct opt opts[] = {
	{ .name = "for", .value = "EXPR",
	  .help = "wait until a state satisfies EXPR; print its id",
	  .string = &expr },
	{ .name = "timeout", .value = "DURATION",
	  .help = "give up after this time, with exit status 1",
	  .duration_ns = &timeout_ns },
	{ 0 },
};

static int wait_for(struct dsv *d, int argc, int64_t timeout_ms,
		    struct dsv_err *err)
{
	struct dsv_state *s;
	struct dsv_json *j;
	char id[DSV_ID_SIZE];
	int ret = cli_operands(argc, 0, 0, err);

	if (ret == 0)
		ret = dsv_wait_for(d, expr, timeout_ms, id, err);
	if (ret == 0 && !cli.json)
		puts(id);
	if (ret < 0 || !cli.json)
		return ret;
	ret = dsv_state_get(d, id, &s, err);
	if (ret < 0)
		return ret;
	j = dsv_json_new();
	if (j)
		json_state(j, NULL, s);
	dsv_state_free(s);
	return json_print(j, err);
}

static bool is_awaited(struct dsv *d, const struct dsv_strings *revs,
		       const char *id)
{
	char named[DSV_ID_SIZE];
	size_t i;

	for (i = 0; i < revs->count; i++) {
		if (dsv_rev_parse(d, revs->items[i], named, NULL) == 0 &&
		    !strcmp(named, id))
			return true;
	}
	return false;
}

/* A node that is gone stores nothing, and nobody here would notice. */
static void warn_where(struct dsv *d, const struct dsv_strings *revs)
{
	const struct dsv_queue_item *last = NULL;
	struct dsv_queue q;
	size_t i;

	if (dsv_queue(d, &q, NULL) < 0)
		return;
	for (i = 0; i < q.count; i++) {
		const struct dsv_queue_item *item = &q.items[i];

		if (item->here || !item->host ||
		    !is_awaited(d, revs, item->id) ||
		    (last && !strcmp(last->id, item->id) &&
		     !strcmp(last->host, item->host)))
			continue;
		cli_warn("%.12s waits on host %s, which alone has its files:"
			 " run 'dsv wait' there", item->id, item->host);
		last = item;
	}
	dsv_queue_free(&q);
}

static int wait_durable(struct dsv *d, const struct dsv_strings *revs,
			int64_t timeout_ms, struct dsv_err *err)
{
	bool is_short = timeout_ms >= 0 && timeout_ms <= PATIENCE_MS;
	int ret = dsv_wait(d, revs, is_short ? timeout_ms : PATIENCE_MS, err);

	if (ret != DSV_NO)
		return ret;
	warn_where(d, revs);
	if (is_short)
		return ret;
	return dsv_wait(d, revs, timeout_ms < 0 ? -1 :
			timeout_ms - PATIENCE_MS, err);
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_strings revs = strings_of(argc, argv);
	int64_t timeout_ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000;

	return expr ? wait_for(d, argc, timeout_ms, err) :
		wait_durable(d, &revs, timeout_ms, err);
}

const struct cmd cmd_wait = {
	.name = "wait",
	.summary = "wait until states are durable",
	.synopsis = "[OPTION...] [REV...]\n[OPTION...] --for EXPR",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON,
	.run = run,
};
