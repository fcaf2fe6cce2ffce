/* SPDX-License-Identifier: MIT */
/*
 * Make a repository of many states: generate DIR STATES [FROM].
 *
 * It has 200 branches, most of them forks of forks, of about the same length; 8
 * parameters, of which a fork changes one; 6 attributes per state; every tenth
 * state in one of 50 scopes; new content every hundred states; four branches
 * pruned to a half.  It uses the library only, as training code would.  On
 * /dev/shm, where syncs cost nothing, a state takes a millisecond.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/dsv.h"

enum { BRANCHES = 200, SCOPES = 50, TURN = 100, CONTENT_EVERY = 100 };

static void check(int ret, const struct dsv_err *err)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "generate: %s\n", err->msg);
	exit(1);
}

/* This returns the same series every time. */
static uint64_t noise(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static double fraction(void)
{
	return (double)(noise() >> 11) / 9007199254740992.0;
}

struct run {
	const char *dir;
	char file[4096];
	int64_t made;
	int64_t steps[BRANCHES];
};

static void new_content(struct run *r)
{
	FILE *f = fopen(r->file, "w");

	if (!f || fprintf(f, "{\"state\": %" PRId64 "}\n", r->made) < 0 ||
	    fclose(f) != 0) {
		perror(r->file);
		exit(1);
	}
}

static void tag_one(struct run *r, struct dsv *d, int branch)
{
	static const char *const params[] = {
		"lr=0.001", "batch_size=32", "optimizer=adamw", "seed=1",
		"dropout=0.1", "warmup=1000", "model=gpt2", "weight_decay=0.01",
	};
	int64_t step = ++r->steps[branch];
	char attrs[6][48], scope[32];
	const char *attr_list[6];
	const char *paths[] = { r->file }, *scopes[] = { scope };
	struct dsv_tag_options o = {
		.size_bytes = sizeof(o), .paths = { 1, paths },
	};
	char id[DSV_ID_SIZE];
	struct dsv_err err;
	int i;

	snprintf(attrs[0], 48, "step=%" PRId64, step);
	snprintf(attrs[1], 48, "acc=%.6f", 1 - 0.9 / (1 + step * fraction()));
	snprintf(attrs[2], 48, "loss=%.6f", 4 * fraction());
	snprintf(attrs[3], 48, "epoch=%" PRId64, step / 100);
	snprintf(attrs[4], 48, "grad_norm=%.4f", 10 * fraction());
	snprintf(attrs[5], 48, "note=%s", step % 1000 ? "ok" : "spike");
	for (i = 0; i < 6; i++)
		attr_list[i] = attrs[i];
	o.attrs = (struct dsv_strings){ 6, attr_list };
	if (branch == 0 && step == 1)
		o.params = (struct dsv_strings){ 8, params };
	if (r->made % 10 == 0) {
		snprintf(scope, sizeof(scope), "scope-%d",
			 (int)(noise() % SCOPES));
		o.scopes = (struct dsv_strings){ 1, scopes };
	}
	if (r->made % CONTENT_EVERY == 0)
		new_content(r);
	check(dsv_tag(d, &o, id, &err), &err);
	r->made++;
}

/* A branch continues from the newest state of an earlier one. */
static void fork_one(struct run *r, struct dsv *d, int branch)
{
	char rev[32], name[32], set[48];
	const char *sets[] = { set };
	struct dsv_fork_options o = {
		.size_bytes = sizeof(o),
		.rev = rev, .branch = name, .set = { 1, sets },
	};
	struct dsv_fork fork;
	struct dsv_err err;

	snprintf(rev, sizeof(rev), "b%d", (int)(noise() % (uint64_t)branch));
	snprintf(name, sizeof(name), "b%d", branch);
	snprintf(set, sizeof(set), "lr=%.6f", fraction() / 100);
	check(dsv_fork(d, &o, &fork, &err), &err);
	r->made++;
}

static struct dsv *open_branch(const struct run *r, int branch)
{
	char name[32];
	struct dsv_options o = {
		.size_bytes = sizeof(o),
		.repo = r->dir, .branch = name, .lock_wait_ms = -1,
	};
	struct dsv *d = NULL;
	struct dsv_err err;

	snprintf(name, sizeof(name), "b%d", branch);
	check(dsv_open(&o, &d, &err), &err);
	return d;
}

static void turn(struct run *r, int branch, int64_t count)
{
	struct dsv *d = open_branch(r, branch);

	if (branch > 0 && r->steps[branch] == 0)
		fork_one(r, d, branch);
	while (count-- > 0)
		tag_one(r, d, branch);
	dsv_close(d);
}

static void prune_some(const struct run *r)
{
	int branch;

	for (branch = 7; branch < BRANCHES; branch += BRANCHES / 4) {
		struct dsv *d = open_branch(r, branch);
		char name[32];
		struct dsv_prune_options o = {
			.size_bytes = sizeof(o),
			.branch = name,
			.keep_last = r->steps[branch] / 2 + 1,
		};
		struct dsv_prune_report report;
		struct dsv_err err;

		snprintf(name, sizeof(name), "b%d", branch);
		check(dsv_prune(d, &o, &report, &err), &err);
		dsv_prune_report_free(&report);
		dsv_close(d);
	}
}

int main(int argc, char **argv)
{
	struct run r = { .dir = argc > 1 ? argv[1] : NULL };
	int64_t want = argc > 2 ? atoll(argv[2]) : 0;
	int64_t each = want / BRANCHES < TURN ? want / BRANCHES : TURN;
	struct dsv_err err;
	int branch = 0;

	if (!r.dir || each < 1) {
		fprintf(stderr, "usage: generate DIR STATES (200 or more)\n");
		return 2;
	}
	check(dsv_init(r.dir, false, NULL, &err), &err);
	snprintf(r.file, sizeof(r.file), "%s/metrics.json", r.dir);
	while (r.made < want) {
		turn(&r, branch, each);
		branch = (branch + 1) % BRANCHES;
	}
	prune_some(&r);
	printf("%" PRId64 " states\n", r.made);
	return 0;
}
