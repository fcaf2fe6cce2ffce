/* SPDX-License-Identifier: MIT */
/*
 * Checking that catalog, records, journal and segments are whole and agree.
 * Each part looks without a lock first.  What seems wrong may be somebody's
 * change that was seen half (over a network a whole old page), so the part
 * looks again in a write transaction, at records and data only where they
 * seemed wrong: that alone is told, and repaired.
 */
#ifndef DSV_FSCK_CHECK_H
#define DSV_FSCK_CHECK_H

#include "../catalog/catalog.h"

enum { CHECK_FILES_NAMED = 5 };

struct check_problem {
	char *kind;
	char *object;
	char *message;
	enum dsv_hint hint;
	bool repaired;
	size_t state_count;
	int64_t *states;	/* seqs; may be there twice */
	int64_t manifest;	/* whose states were noted last */
	size_t file_count;
	char *files;		/* the first CHECK_FILES_NAMED, or NULL */
};

/* A chunk that cannot be had, and the problem that says why. */
struct check_bad {
	unsigned char hash[HASH_BYTES];
	size_t problem;
};

struct check {
	struct catalog *c;
	struct store *s;
	bool repair;		/* in the second look of a part */
	bool alone;		/* that is: nobody changes anything */
	bool shared;
	mode_t dir_mode;	/* of the catalog's directory */
	double data_percent;
	void (*progress)(void *arg, int64_t done_bytes, int64_t total_bytes);
	void *progress_arg;

	size_t count;
	struct check_problem *problems;
	size_t bad_count, bad_sorted;
	struct check_bad *bad;
	size_t suspect_count;
	struct chunk *suspects;	/* whose bytes seemed wrong */
	/* check_records() notes whether it saw all, and what was wrong. */
	bool records_seen;
	size_t doubt_count;
	int64_t *doubts;	/* states */
	bool doubted_dirs[256];	/* of states/ */
	int64_t states, segments, chunks, data_bytes;
};

/* Everything; the problems are in k. */
int catalog_check(struct check *k, struct dsv_err *err);
void check_release(struct check *k);

/* ---- The parts ------------------------------------------------------- */

/* Note a problem; its index is count - 1. */
int check_problem(struct check *k, const char *kind, const char *object,
		  bool repaired, struct dsv_err *err, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Says what can be done about the problem that was noted last. */
void check_hint(struct check *k, enum dsv_hint hint);
/* A state is concerned. */
int check_concerns(struct check *k, size_t problem, int64_t seq,
		   struct dsv_err *err);
/* The states of a manifest are, once for each problem, and a file of it. */
int check_concerns_manifest(struct check *k, size_t problem, int64_t manifest,
			    const char *file, struct dsv_err *err);
/* problem makes a chunk unreadable. */
int check_add_bad(struct check *k, const unsigned char hash[HASH_BYTES],
		  size_t problem, struct dsv_err *err);
/* Sorts those that are left to be looked through one by one. */
void check_sort_bad(struct check *k);
/* NULL: it can be read, as far as is known. */
const struct check_bad *check_find_bad(const struct check *k,
				       const unsigned char hash[HASH_BYTES]);

int check_schema(struct check *k, struct dsv_err *err);
int check_segments(struct check *k, struct dsv_err *err);
int check_data(struct check *k, struct dsv_err *err);
int check_content(struct check *k, struct dsv_err *err);
int check_names(struct check *k, struct dsv_err *err);
int check_params(struct check *k, struct dsv_err *err);
int check_records(struct check *k, struct dsv_err *err);
int check_journal(struct check *k, struct dsv_err *err);
int check_modes(struct check *k, struct dsv_err *err);
/* Before the first check_mode(), and when it may have changed. */
void check_dir_mode(struct check *k);
/* Checks one file or directory; sealed: nobody writes to it again. */
int check_mode(struct check *k, const char *path, const char *object,
	       bool sealed, struct dsv_err *err);

/* ---- Segments -------------------------------------------------------- */

struct check_segment {
	int64_t id;
	char name[SEGMENT_NAME_SIZE];
	bool staged;
	size_t count;
	struct chunk *chunks;	/* by offset, not the bad ones */
};

/* Fills count and chunks. */
int check_load_chunks(struct check *k, struct check_segment *g,
		      struct dsv_err *err);
/* 1: a chunk that was marked as bad has the right bytes; it is no more. */
int check_marked(struct check *k, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err);
/* Its .idx against its rows. */
int check_index(struct check *k, struct check_segment *g,
		struct dsv_err *err);

/* Move a file aside, to quarantine/: nothing is deleted. */
int check_quarantine(struct check *k, const char *path, struct dsv_err *err);

#endif
