/* SPDX-License-Identifier: MIT */
/*
 * The handle, and the functions that the verbs share.
 */
#ifndef DSV_REPO_REPO_H
#define DSV_REPO_REPO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../catalog/catalog.h"
#include "../dsv.h"
#include "../store/store.h"
#include "config.h"

/* Where this process runs, according to its environment. */
struct process {
	char *author;		/* user name */
	char *host;		/* in a job the node's name */
	char *job_id;		/* "123", array: "120_3"; NULL: no job */
	char *job_number;	/* $SLURM_JOB_ID, unique; NULL: no job */
	char *array_job, *array_task;	/* NULL: no array */
	char *cluster;		/* NULL: unknown */
	char *nodes;		/* NULL: unknown */
	char *branch;		/* $DSV_BRANCH */
	char *state;		/* $DSV_STATE */
	int attempt;		/* 1 + $SLURM_RESTART_COUNT */
	/* These describe a group of processes; -1 or NULL means unknown. */
	int64_t rank, ranks;
	char *step;		/* what no other group of processes has */
	/* These describe the step, or the job as it will start its steps. */
	int64_t tasks;		/* -1: as tasks_per_node says */
	char *node_tasks;	/* "0,2": those here; NULL: no step */
	char *tasks_per_node;	/* "2(x3),1"; NULL: unknown */
	char *distribution;	/* "cyclic"; NULL: block */
	int64_t plane;		/* its size; -1: none */
	bool many_nodes;
};

/* All files and directories of a shared repository have these modes. */
enum { SHARED_FILE_MODE = 0660, SHARED_DIR_MODE = 02770 };

struct dsv {
	struct dsv_options options;
	char *branch;		/* options.branch, copied */
	char *path;		/* absolute, of .dsv */
	char uuid[37];
	bool shared;		/* with a group */
	mode_t file_mode, dir_mode;	/* SHARED_*; 0: by the umask */
	struct config config;
	bool queue_auto;
	struct catalog *catalog;
	struct store *store;
	struct process process;
	int64_t total_bytes;	/* of what is done now; 0: not known */
};

/* Warns through options.warn. */
void repo_warn(struct dsv *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls fs_replace_from() for a file in the repository, with its modes. */
int repo_replace(const struct dsv *d, const char *path, const char *text,
		 struct dsv_err *err);
/*
 * Returns "<.dsv>/<format...>", or NULL if out of memory.  The caller frees it.
 */
char *repo_path(const struct dsv *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Fails with code if path, or its nearest existing parent, is a repository or
 * lies in one, through whatever links.  Files of jobs may be used.
 */
int repo_check_outside(const struct dsv *d, const char *path,
		       enum dsv_code code, struct dsv_err *err);

/*
 * Finds the current branch: options.branch, $DSV_BRANCH, job-<id> or HEAD, in
 * this order.  The caller frees *out.
 */
int repo_branch(struct dsv *d, char **out, struct dsv_err *err);

/* Starts progress over total_bytes bytes; 0 means unknown. */
void repo_begin(struct dsv *d, int64_t total_bytes);

/* Fails with DSV_EINTERRUPTED if the user wants to stop; thread-safe. */
int repo_poll(const struct dsv *d, struct dsv_err *err);

/* Fails with DSV_ESYS, and says why, if this process cannot write here. */
int repo_writable(struct dsv *d, struct dsv_err *err);

/* Does what dsv_open() does, without catalog and store. */
int repo_open_dir(const struct dsv_options *options, struct dsv **out,
		  struct dsv_err *err);
/* Sets those options of catalog and store that need no configuration. */
void repo_part_options(struct dsv *d, struct catalog_options *catalog,
		       struct store_options *store);
/* Does the rest of dsv_open(). */
int repo_open_parts(struct dsv *d, struct dsv_err *err);

/* Fills *p from the environment. */
int process_init(struct process *p, struct dsv *d, struct dsv_err *err);
void process_release(struct process *p);

#endif
