/* SPDX-License-Identifier: MIT */
#ifndef DSV_JOB_JOB_H
#define DSV_JOB_JOB_H

#include "../catalog/job.h"
#include "../os/fs.h"
#include "../repo/repo.h"

/* Close the row as state; its fork's branch goes if nothing came of it. */
int job_withdraw(struct dsv *d, const struct catalog_job *job,
		 const char *state, struct dsv_err *err);

/*
 * Where it runs or, before it has started, where it was sent: maybe to one of
 * "a,b".  NULL: not known; the caller's to free().
 */
char *job_clusters(const struct catalog_job *job);

/*
 * Before holds are looked at: dsv_job_sync() where there is anything to ask
 * about, best effort (a reader may not write what it learns).
 */
void job_refresh(struct dsv *d);

struct job_placement {
	int64_t seq;		/* the state */
	const char *dir;
	int64_t parts;		/* only those of the ranks that this node
				   has of so many; 0: all there is */
};

/*
 * Put the files of a state into a directory, which appears whole or not at
 * all, once however many ask for it at the same time.  DSV_EREFUSED: which
 * parts are this node's cannot be said.
 */
int job_place_files(struct dsv *d, const struct job_placement *p,
		    struct dsv_err *err);

/* Where a fork's files of state id go in the repository; the caller frees. */
char *job_files_dir(struct dsv *d, const char *fork, const char *id);

/*
 * Remove what was placed in the repository for forks whose branch has been
 * pruned, best effort; never that of a waiting or running job.  A fork of
 * which nothing has come is spared if its files were placed after young_ns.
 */
void job_sweep_files(struct dsv *d, int64_t young_ns);

#endif
