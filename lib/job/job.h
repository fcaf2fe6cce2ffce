/* SPDX-License-Identifier: MIT */
#ifndef DSV_JOB_JOB_H
#define DSV_JOB_JOB_H

#include "../catalog/job.h"
#include "../os/fs.h"
#include "../repo/repo.h"

/*
 * Closes the row with the given state; the branch of its fork is deleted if
 * nothing came of it.
 */
int job_withdraw(struct dsv *d, const struct catalog_job *job,
		 const char *state, struct dsv_err *err);

/*
 * Returns the cluster where it runs or, before it has started, where it was
 * sent, which may be one of "a,b".  Returns NULL if that is not known.  The
 * caller frees the result.
 */
char *job_clusters(const struct catalog_job *job);

/*
 * To be called before holds are looked at: calls dsv_job_sync() if there is
 * anything to ask about, best effort (a reader may not write what it learns).
 */
void job_refresh(struct dsv *d);

struct job_placement {
	int64_t seq;		/* the state */
	const char *dir;
	int64_t parts;		/* only those of the ranks that this node
				   has of so many; 0: all there is */
};

/*
 * Puts the files of a state into a directory, which appears whole or not at
 * all, and only once however many ask for it at the same time.  Fails with
 * DSV_EREFUSED if it cannot be determined which parts belong to this node.
 */
int job_place_files(struct dsv *d, const struct job_placement *p,
		    struct dsv_err *err);

/*
 * Returns where a fork's files of state id go in the repository; the caller
 * frees it.
 */
char *job_files_dir(struct dsv *d, const char *fork, const char *id);

/*
 * Removes the files placed in the repository for forks whose branch has been
 * pruned, best effort, but never those of a waiting or running job.  A fork
 * that nothing has come of is spared if its files were placed after young_ns.
 */
void job_sweep_files(struct dsv *d, int64_t young_ns);

#endif
