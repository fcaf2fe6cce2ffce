/* SPDX-License-Identifier: MIT */
/*
 * The report of a prune.  It may have a million items: branches and lists of
 * reasons, of which there are few, are shared between them.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/texts.h"
#include "pruning.h"

/* This holds what a report's strings are part of. */
struct memory {
	size_t branch_count;
	struct {
		int64_t id;
		char *name;
	} *branches;
	size_t reason_count;
	struct reasons {
		uint64_t bits;
		struct texts list;
	} *reasons;
};

void dsv_prune_report_free(struct dsv_prune_report *report)
{
	struct memory *m = report->memory;
	size_t i;

	for (i = 0; m && i < m->branch_count; i++)
		free(m->branches[i].name);
	for (i = 0; m && i < m->reason_count; i++)
		texts_release(&m->reasons[i].list);
	if (m) {
		free(m->branches);
		free(m->reasons);
	}
	free(m);
	texts_free_view(&report->left_alone);
	free(report->items);
	memset(report, 0, sizeof(*report));
}

/* Returns where id is, or where it is to be put. */
static size_t branch_place(const struct memory *m, int64_t id)
{
	size_t low = 0, high = m->branch_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->branches[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int branch_of(struct pruning *p, struct memory *m, int64_t id,
		     const char **out, struct dsv_err *err)
{
	size_t at = branch_place(m, id);
	char *name;
	int ret;

	if (at < m->branch_count && m->branches[at].id == id) {
		*out = m->branches[at].name;
		return 0;
	}
	ret = catalog_branch_name(p->d->catalog, id, &name, err);
	if (ret < 0)
		return ret;
	ret = list_grow((void **)&m->branches, m->branch_count,
			sizeof(*m->branches), err);
	if (ret < 0) {
		free(name);
		return ret;
	}
	memmove(&m->branches[at + 1], &m->branches[at],
		(m->branch_count++ - at) * sizeof(*m->branches));
	m->branches[at].id = id;
	m->branches[at].name = name;
	*out = name;
	return 0;
}

static const char *reason_text(const struct pruning *p, int bit)
{
	static const char *const always[] = {
		[KEPT_ALONE - KEPT_ALONE] = "group left alone",
		[KEPT_OUT_OF_SCOPE - KEPT_ALONE] = RULE_OUT_OF_SCOPE,
		[KEPT_PINNED - KEPT_ALONE] = "pinned",
		[KEPT_NAMED - KEPT_ALONE] = "named",
		[KEPT_HELD - KEPT_ALONE] = "held by a job",
		[KEPT_OPEN_SCOPE - KEPT_ALONE] = "in an open scope",
		[KEPT_LIVE_HEAD - KEPT_ALONE] = "head of a job's branch",
		[KEPT_YOUNG_HEAD - KEPT_ALONE] = "head of a young branch",
	};

	return bit >= KEPT_ALONE ? always[bit - KEPT_ALONE] :
		p->rules.items[bit].text;
}

static int make_reasons(struct pruning *p, uint64_t bits,
			struct texts *out, struct dsv_err *err)
{
	int bit, ret = 0;

	if (bits == 0)
		return texts_add(out, p->options->revs.count > 0 ?
				  "by hand" : "no rule keeps it", err);
	for (bit = 0; ret == 0 && bit < 64; bit++)
		if (bits >> bit & 1)
			ret = texts_add(out, reason_text(p, bit), err);
	return ret;
}

static int reasons_of(struct pruning *p, struct memory *m, uint64_t bits,
		      struct dsv_strings *out, struct dsv_err *err)
{
	size_t low = 0, high = m->reason_count;
	struct reasons *more;
	int ret;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->reasons[mid].bits < bits)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == m->reason_count || m->reasons[low].bits != bits) {
		struct texts list = TEXTS_INIT;

		ret = make_reasons(p, bits, &list, err);
		if (ret == 0)
			ret = list_grow((void **)&m->reasons, m->reason_count,
					sizeof(*more), err);
		if (ret < 0) {
			texts_release(&list);
			return ret;
		}
		more = m->reasons;
		memmove(&more[low + 1], &more[low],
			(m->reason_count++ - low) * sizeof(*more));
		more[low].bits = bits;
		more[low].list = list;
	}
	*out = texts_view(&m->reasons[low].list);
	return 0;
}

static int fill_item(struct pruning *p, struct memory *m, size_t i,
		     struct dsv_prune_item *item, struct dsv_err *err)
{
	const struct catalog_candidate *from = &p->list.items[i];
	int ret;

	hash_to_hex(from->id, item->id);
	item->remove = p->kept[i] == 0;
	ret = branch_of(p, m, from->branch, &item->branch, err);
	return ret < 0 ? ret : reasons_of(p, m, p->kept[i], &item->reasons,
					  err);
}

int pruning_report(struct pruning *p, struct dsv_prune_report *out,
		   struct dsv_err *err)
{
	struct dsv_prune_report report = { .count = p->list.count };
	struct memory *m = calloc(1, sizeof(*m));
	size_t i;
	int ret = 0;

	report.memory = m;
	report.items = calloc(report.count + 1, sizeof(*report.items));
	if (!m || !report.items)
		ret = dsv_fail_nomem(err);
	/* The report lists the newest first. */
	for (i = 0; ret == 0 && i < report.count; i++) {
		ret = fill_item(p, m, report.count - 1 - i, &report.items[i],
				err);
		report.removed += report.items[i].remove;
	}
	if (ret < 0) {
		dsv_prune_report_free(&report);
		return ret;
	}
	report.left_alone = texts_view(&p->alone);
	p->alone = (struct texts)TEXTS_INIT;
	*out = report;
	return 0;
}
