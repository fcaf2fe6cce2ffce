/* SPDX-License-Identifier: MIT */
/*
 * The handle, and what the verbs share.
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

/* Where this process runs: what it was told by its environment. */
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
	/* Of a group of processes: -1, NULL when that is unknown. */
	int64_t rank, ranks;
	char *step;		/* what no other group of processes has */
	/* Of the step, or of the job as it will start its steps. */
	int64_t tasks;		/* -1: as tasks_per_node says */
	char *node_tasks;	/* "0,2": those here; NULL: no step */
	char *tasks_per_node;	/* "2(x3),1"; NULL: unknown */
	char *distribution;	/* "cyclic"; NULL: block */
	int64_t plane;		/* its size; -1: none */
	bool many_nodes;
};

/* What all of a shared repository has. */
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

/* Warn through options.warn. */
void repo_warn(struct dsv *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* fs_replace_from() of a file in the repository, with its modes. */
int repo_replace(const struct dsv *d, const char *path, const char *text,
		 struct dsv_err *err);
/* "<.dsv>/<format...>", the caller's to free(); NULL: out of memory. */
char *repo_path(const struct dsv *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Fails with code when path, or what exists above it, is a repository or lies
 * in one, by whatever links it is named.  Files of jobs may be used.
 */
int repo_check_outside(const struct dsv *d, const char *path,
		       enum dsv_code code, struct dsv_err *err);

/*
 * The current branch: options.branch, $DSV_BRANCH, job-<id>, HEAD.  *out is
 * the caller's to free().
 */
int repo_branch(struct dsv *d, char **out, struct dsv_err *err);

/* Progress is of so many bytes from now on; 0: not known. */
void repo_begin(struct dsv *d, int64_t total_bytes);

/* DSV_EINTERRUPTED when the user wants to stop; from any thread. */
int repo_poll(const struct dsv *d, struct dsv_err *err);

/* May this process write here at all?  DSV_ESYS, says why not. */
int repo_writable(struct dsv *d, struct dsv_err *err);

/* dsv_open() without catalog and store. */
int repo_open_dir(const struct dsv_options *options, struct dsv **out,
		  struct dsv_err *err);
/* What catalog and store are opened with, as far as it needs no config. */
void repo_part_options(struct dsv *d, struct catalog_options *catalog,
		       struct store_options *store);
/* The rest of dsv_open(). */
int repo_open_parts(struct dsv *d, struct dsv_err *err);

/* Fill from the environment. */
int process_init(struct process *p, struct dsv *d, struct dsv_err *err);
void process_release(struct process *p);

#endif
