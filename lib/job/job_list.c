/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "../base/texts.h"
#include "../base/value.h"
#include "job.h"

void dsv_jobs_free(struct dsv_jobs *jobs)
{
	size_t i;

	for (i = 0; i < jobs->count; i++)
		job_release(&jobs->items[i]);
	free(jobs->items);
	*jobs = (struct dsv_jobs){ 0, NULL };
}

/*
 * Returns the id of a state as a string of its own, or NULL if there is none.
 */
static int state_id(struct dsv *d, int64_t seq, const char **out,
		    struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	char *hex;
	int ret;

	if (!seq)
		return 0;
	ret = catalog_id(d->catalog, seq, id, err);
	if (ret < 0)
		return ret == DSV_ENOTFOUND ? 0 : ret;
	hex = malloc(HASH_HEX_SIZE);
	if (!hex)
		return dsv_fail_nomem(err);
	hash_to_hex(id, hex);
	*out = hex;
	return 0;
}

/* This moves the texts out of from. */
static int convert(struct dsv *d, struct catalog_job *from,
		   struct dsv_job *to, struct dsv_err *err)
{
	struct dsv_state *fork;
	const char *task = from->job_id ? strchr(from->job_id, '_') : NULL;
	int ret;

	memset(to, 0, sizeof(*to));
	to->id = from->job_id;
	to->cluster = job_clusters(from);
	/* It is not known yet which of several it will run on. */
	if (to->cluster && strchr(to->cluster, ',')) {
		text_free(to->cluster);
		to->cluster = NULL;
	}
	to->state = from->state;
	to->branch = from->branch;
	to->nodes = from->nodes;
	to->ticket = from->ticket;
	from->job_id = from->state = from->branch = from->nodes =
		from->ticket = NULL;
	to->array_task = task ? strdup(task + 1) : NULL;
	to->exit_code = from->exit_code;
	to->signal = from->signal;
	to->attempt = from->attempt;
	to->submitted_ns = from->submitted_ns;
	to->started_ns = from->started_ns;
	to->ended_ns = from->ended_ns;
	ret = state_id(d, from->fork, &to->fork, err);
	if (ret == 0)
		ret = state_id(d, from->fork_state, &to->fork_state, err);
	if (ret < 0 || !from->fork_state)
		return ret;
	ret = catalog_load(d->catalog, &from->fork_state, 1, &fork, err);
	if (ret == 0) {
		ret = kvs_copy(&fork->params, &to->params, err);
		dsv_state_free(fork);
	}
	return ret;
}

int dsv_jobs(struct dsv *d, struct dsv_jobs *out, struct dsv_err *err)
{
	struct dsv_jobs list = { 0, NULL };
	struct catalog_job *jobs;
	size_t count, i;
	int ret;

	job_refresh(d);
	ret = catalog_jobs(d->catalog, false, &jobs, &count, err);
	if (ret < 0)
		return ret;
	list.items = calloc(count + 1, sizeof(*list.items));
	if (!list.items)
		ret = dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < count; i++) {
		/*
		 * This is the submission of an array whose tasks have all
		 * arrived.
		 */
		if (!strcmp(jobs[i].state, "SUBMITTED"))
			continue;
		ret = convert(d, &jobs[i], &list.items[list.count++], err);
	}
	catalog_jobs_free(jobs, count);
	if (ret < 0)
		dsv_jobs_free(&list);
	else
		*out = list;
	return ret;
}
