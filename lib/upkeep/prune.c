/* SPDX-License-Identifier: MIT */
/*
 * Prune and restore.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../base/options.h"
#include "../group/group.h"
#include "../job/job.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../pending/parts.h"
#include "../space/space.h"
#include "pruning.h"
#include "repack.h"

enum { EXACT_STATES = 500 };	/* of how many the bytes are worked out */

static int grace(struct dsv *d, int64_t *out_ns, struct dsv_err *err)
{
	/* A mistyped key would have bytes freed earlier than was meant. */
	int ret = config_check_section(&d->config, "prune.",
				       "nothing was removed", err);

	return ret < 0 ? ret : config_duration(&d->config, "prune.grace",
					       DAY_NS, out_ns, err);
}

/*
 * Lists what will be removed, oldest first, so that heads step back only once.
 */
static int list_removed(const struct pruning *p, int64_t **out, size_t *count,
			struct dsv_err *err)
{
	int64_t *seqs = malloc((p->list.count + 1) * sizeof(*seqs));
	size_t i, n = 0;

	if (!seqs)
		return dsv_fail_nomem(err);
	for (i = 0; i < p->list.count; i++)
		if (p->kept[i] == 0)
			seqs[n++] = p->list.items[i].seq;
	*out = seqs;
	*count = n;
	return 0;
}

/*
 * Returns an upper bound: no more than what the states added, these or those
 * pruned before, since what a remaining state has added is in use.
 */
static int64_t bound(const struct pruning *p)
{
	int64_t size = 0, stored = p->list.pruned_stored_bytes;
	size_t i;

	for (i = 0; i < p->list.count; i++) {
		if (p->kept[i])
			continue;
		size += p->list.items[i].size_bytes;
		stored += p->list.items[i].stored_bytes;
	}
	return stored < size ? stored : size;
}

/* Computes what it would free, for the report of a dry run. */
static int foresee(struct pruning *p, const int64_t *seqs, size_t count,
		   struct dsv_prune_report *out, struct dsv_err *err)
{
	struct dsv *d = p->d;
	int64_t grace_ns, expired = 0, bytes = 0;
	int ret;

	ret = grace(d, &grace_ns, err);
	if (ret == 0)
		ret = catalog_condemned(d->catalog, now_ns() - grace_ns,
					&expired, err);
	if (ret == 0 && count <= EXACT_STATES) {
		ret = catalog_prune_estimate(d->catalog, d->store, seqs, count,
					     &bytes, err);
	} else {
		bytes = bound(p);
		out->bounded = true;
	}
	if (ret == DSV_ECORRUPT) {
		bytes = bound(p);
		out->bounded = true;
		ret = 0;
	}
	out->freed_now_bytes = expired + (p->options->expire_now ? bytes : 0);
	out->freed_later_bytes = p->options->expire_now ? 0 : bytes;
	if (out->freed_later_bytes > 0)
		out->later_ns = now_ns() + grace_ns;
	return ret;
}

static void sweep_files(struct dsv *d, int64_t before_ns)
{
	int64_t grace_ns;

	group_sweep(d, before_ns);
	parts_tidy(d, before_ns);
	capture_sweep(d, before_ns);
	if (pruning_head_grace(d, &grace_ns, NULL) == 0)
		job_sweep_files(d, now_ns() - grace_ns);
}

/* All of this may be repeated: what is already done is skipped. */
static int carry_out_once(struct dsv *d, const struct catalog_prune *prune,
			  struct catalog_pruned *pruned,
			  struct dsv_prune_report *out, struct dsv_err *err)
{
	struct catalog_swept swept;
	struct catalog_pruned done;
	int64_t grace_ns, before_ns, condemned = 0, left = 0, freed = 0;
	size_t i;
	int ret;

	ret = grace(d, &grace_ns, err);
	/* These were pruned before and are named once more. */
	for (i = 0; ret == 0 && prune->expire && !prune->by_rule &&
	     i < prune->count; i++)
		ret = catalog_expire(d->catalog, d->store, prune->seqs[i],
				     err);
	if (ret == 0)
		ret = catalog_prune(d->catalog, d->store, prune, &done, err);
	if (ret < 0)
		return ret;
	pruned->states += done.states;
	pruned->unreadable += done.unreadable;
	ret = catalog_condemn(d->catalog, d->store, &condemned, &left, err);
	if (ret < 0)
		return ret;
	if (!prune->expire && condemned > 0) {
		out->freed_later_bytes += condemned;
		out->later_ns = now_ns() + grace_ns;
	}
	ret = catalog_free_expired(d->catalog, d->store, now_ns() - grace_ns,
				   &freed, err);
	out->freed_now_bytes += freed;
	before_ns = now_ns() - (grace_ns > DAY_NS ? grace_ns : DAY_NS);
	if (ret == 0)
		ret = catalog_sweep(d->catalog, d->store, before_ns, &swept,
				    err);
	if (ret == 0)
		sweep_files(d, before_ns);
	if (ret == 0)
		out->freed_now_bytes += swept.bytes;
	if (ret == 0 && left > 0)
		repo_warn(d, "%" PRId64 " segments were left as they are: a"
			  " recipe that may need them is damaged (an fsck tells"
			  " which)", left);
	return ret;
}

static int carry_out(struct dsv *d, const struct catalog_prune *prune,
		     struct dsv_prune_report *out, struct dsv_err *err)
{
	struct catalog_pruned pruned = { 0, 0, 0 };
	int ret;

	ret = carry_out_once(d, prune, &pruned, out, err);
	/* The catalog needs some room to record what is to be freed. */
	if (ret == DSV_ENOSPC && catalog_reserve_use(d->catalog))
		ret = carry_out_once(d, prune, &pruned, out, err);
	if (ret == 0) {
		catalog_reserve(d->catalog);
		repack_if_it_pays(d);
	}
	out->removed = pruned.states;
	if (ret == 0 && pruned.unreadable > 0)
		ret = dsv_fail_hint(err, DSV_EPARTIAL, DSV_HINT_FSCK, NULL,
				    "%" PRId64 " states were not pruned: their"
				    " manifests are damaged",
				    pruned.unreadable);
	return ret;
}

/* ---- Named states ---------------------------------------------------- */

static int check_state(struct dsv *d, int64_t seq, const char *rev,
		       struct dsv_err *err)
{
	struct dsv_state *s = NULL;
	uint32_t kept = 0;
	int ret;

	ret = catalog_state_kept(d->catalog, seq, &kept, err);
	if (ret == 0 && (kept & CATALOG_HELD))
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_JOB_SYNC, NULL,
				     "'%s' is held by a waiting or running job",
				     rev);
	if (ret == 0 && (kept & CATALOG_PINNED))
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_UNPIN, rev,
				     "'%s' is pinned", rev);
	if (ret == 0)
		ret = catalog_load(d->catalog, &seq, 1, &s, err);
	if (ret == 0 && s->pending)
		ret = dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_WAIT, rev,
				    "'%s' is pending: its bytes are on one"
				    " node only", rev);
	dsv_state_free(s);
	return ret;
}

static int resolve_all(struct dsv *d, const struct dsv_strings *revs,
		       bool check, int64_t **out, size_t *count,
		       struct dsv_err *err)
{
	int64_t *seqs = malloc((revs->count + 1) * sizeof(*seqs));
	size_t i, n = 0;
	int ret = 0;

	if (!seqs)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < revs->count; i++) {
		ret = rev_resolve(d, revs->items[i], &seqs[i], err);
		if (ret == 0 && check)
			ret = check_state(d, seqs[i], revs->items[i], err);
	}
	if (ret < 0) {
		free(seqs);
		return ret;
	}
	qsort(seqs, revs->count, sizeof(*seqs), compare_int64);
	for (i = 0; i < revs->count; i++)
		if (n == 0 || seqs[n - 1] != seqs[i])
			seqs[n++] = seqs[i];
	*out = seqs;
	*count = n;
	return 0;
}

/* Fills the candidates as if a rule had chosen them, for the report. */
static int fill_candidates(struct pruning *p, const int64_t *seqs,
			   size_t count, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	p->list.items = calloc(count + 1, sizeof(*p->list.items));
	p->kept = calloc(count + 1, sizeof(*p->kept));
	if (!p->list.items || !p->kept)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < count; i++)
		ret = catalog_candidate_load(p->d->catalog, seqs[i],
					     &p->list.items[p->list.count++],
					     err);
	return ret;
}

static bool has_rules(const struct dsv_prune_options *o)
{
	return o->keep_last || o->keep_hourly || o->keep_daily ||
		o->keep_weekly || o->keep_monthly || o->keep_within_ns ||
		o->keep_best.count || o->keep_every.count ||
		o->keep_where.count || o->out_of_scope || o->policy ||
		o->branch || o->scope || o->where || o->author || o->group_by;
}

static int decide(struct pruning *p, int64_t **seqs, size_t *count,
		  struct dsv_err *err)
{
	const struct dsv_prune_options *o = p->options;
	int ret;

	if (o->revs.count > 0 && has_rules(o))
		return dsv_fail(err, DSV_EUSAGE, "either states or rules, not"
				" both");
	if (o->revs.count > 0) {
		ret = resolve_all(p->d, &o->revs, true, seqs, count, err);
		return ret < 0 ? ret : fill_candidates(p, *seqs, *count, err);
	}
	ret = rules_init(p->d, o, &p->rules, err);
	if (ret == 0)
		ret = pruning_decide(p, err);
	return ret < 0 ? ret : list_removed(p, seqs, count, err);
}

static int prune_states(struct dsv *d, const struct dsv_prune_options *options,
			struct dsv_prune_report *out, struct dsv_err *err)
{
	struct pruning p = { .d = d, .options = options };
	struct dsv_prune_report report = { 0 };
	struct catalog_prune prune = {
		.author = d->process.author,
		.by_rule = options->revs.count == 0,
		.expire = options->expire_now,
		.forget = options->forget,
	};
	int64_t *seqs = NULL;
	size_t count = 0;
	int ret = 0;

	if (!options->dry_run)
		ret = repo_writable(d, err);
	if (ret == 0)
		job_refresh(d);
	if (ret == 0)
		ret = decide(&p, &seqs, &count, err);
	if (ret == 0)
		ret = pruning_report(&p, &report, err);
	prune.seqs = seqs;
	prune.count = count;
	prune.rule = p.rules.text ? p.rules.text : "by hand";
	if (ret == 0)
		ret = options->dry_run ? foresee(&p, seqs, count, &report,
						 err) :
			carry_out(d, &prune, &report, err);
	if (ret == 0 && report.left_alone.count > 0)
		ret = dsv_fail(err, DSV_EPARTIAL, "%zu group%s left alone:"
			       " no state there has the key of keep-best",
			       report.left_alone.count,
			       report.left_alone.count > 1 ? "s were" :
			       " was");
	free(seqs);
	pruning_release(&p);
	if (ret == 0 || ret == DSV_EPARTIAL)
		*out = report;
	else
		dsv_prune_report_free(&report);
	return ret;
}

int dsv_prune(struct dsv *d, const struct dsv_prune_options *given,
	      struct dsv_prune_report *out, struct dsv_err *err)
{
	struct dsv_prune_options o;
	int ret = options_take(&o, sizeof(o), given, err);

	return ret < 0 ? ret : prune_states(d, &o, out, err);
}

int dsv_restore(struct dsv *d, const struct dsv_strings *revs,
		struct dsv_err *err)
{
	int64_t *seqs = NULL;
	size_t count = 0, i;
	int ret;

	ret = repo_writable(d, err);
	if (ret == 0)
		ret = resolve_all(d, revs, false, &seqs, &count, err);
	for (i = 0; ret == 0 && i < count; i++)
		ret = catalog_restore(d->catalog, d->store, seqs[i], err);
	free(seqs);
	return ret;
}
