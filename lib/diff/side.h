/* SPDX-License-Identifier: MIT */
/*
 * One side of a comparison: the files of a state or of a directory.  Memory is
 * bounded: a stored file needs its recipe and one chunk.
 */
#ifndef DSV_DIFF_SIDE_H
#define DSV_DIFF_SIDE_H

#include "../base/glob.h"
#include "../base/str.h"
#include "../repo/repo.h"

struct side {
	struct dsv *d;
	const char *dir;	/* NULL: a state */
	struct manifest files;	/* sorted by path; of a directory no recipes */
};

/* Takes the files that a glob matches, or all if there is none. */
int side_load_state(struct side *s, int64_t seq, struct globs *globs,
		    struct dsv_err *err);
int side_load_dir(struct side *s, const char *dir, struct globs *globs,
		  struct dsv_err *err);
void side_release(struct side *s);

struct side_file {
	const struct side *side;
	const char *path;
	int64_t size_bytes;
	int fd;			/* -1: of a state */
	struct reader stored;
};

#define SIDE_FILE_INIT { .fd = -1, .stored = READER_INIT }

int side_open(const struct side *s, const struct manifest_entry *entry,
	      struct side_file *out, struct dsv_err *err);
void side_close(struct side_file *f);

/* Reads as struct format_source defines it; arg is a struct side_file. */
int side_read(void *arg, void *buf, size_t len, int64_t offset,
	      struct dsv_err *err);

/*
 * Returns how many of the len > 0 bytes at offset_a and offset_b belong
 * together: the recipes say that they are equal (then *equal is set), or say
 * nothing.  Reads nothing.
 */
int64_t side_run(const struct side_file *a, int64_t offset_a,
		 const struct side_file *b, int64_t offset_b, int64_t len,
		 bool *equal);

/* Checks whether two files are equal; reads what the recipes leave open. */
int side_same_bytes(struct side_file *a, struct side_file *b, bool *same,
		    struct dsv_err *err);

#endif
