/* SPDX-License-Identifier: MIT */
#ifndef DSV_LINEAGE_JOB_H
#define DSV_LINEAGE_JOB_H

#include "../base/fs.h"
#include "../catalog/job.h"
#include "repo.h"

/* Close the row as state; its fork's branch goes if nothing came of it. */
int job_withdraw(struct dsv *d, const struct catalog_job *job,
		 const char *state, struct dsv_err *err);

/*
 * Before holds are looked at: dsv_job_sync() where there is anything to ask
 * about, best effort (a reader may not write what it learns).
 */
void job_refresh(struct dsv *d);

/*
 * Put the files of state seq into dir, which appears whole or not at all,
 * once however many ask for it at the same time.
 */
int job_place_files(struct dsv *d, int64_t seq, const char *dir,
		    struct dsv_err *err);

/*
 * Remove what was placed in the repository for forks whose branch has been
 * pruned, best effort; never that of a waiting or running job.
 */
void job_sweep_files(struct dsv *d);

#endif
