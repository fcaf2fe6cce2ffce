/* SPDX-License-Identifier: MIT */
/* This is shared by the files of an ingest: ingest*.c and writer.c. */
#ifndef DSV_STORE_INGEST_H
#define DSV_STORE_INGEST_H

#include "internal.h"
#include "source.h"

/* A writer writes a new segment. */
struct writer {
	char name[SEGMENT_NAME_SIZE];
	enum segment_kind kind;
	char *path;
	int fd;			/* -1: closed, and synced */
	int64_t end;		/* packed: offset of the next chunk */
	int64_t buffer_start;	/* packed: offset of buffer */
	struct str buffer;	/* packed: not written yet */
	struct chunk *chunks;
	size_t count;
	char *index_path;	/* temporary, or final once renamed */
	int index_fd;
	bool indexed;		/* the .idx has its final name */
	bool cloned;		/* mirror: the bytes are already there */
};

struct ingest {
	struct store *s;
	struct pool *pool;	/* NULL until a large file comes */
	char dir[3];		/* holds all segments: one fsync */
	pthread_mutex_t lock;	/* guards what follows, and writers' lists */
	struct hash_set placed;	/* chunks that this ingest writes */
	struct hash_set met;	/* recipes in result */
	char seen[SEGMENT_NAME_SIZE];	/* the segment checked last */
	int64_t seen_bytes;		/* its size; 0: it is gone */
	struct writer *packed;
	struct writer **writers;
	size_t writer_count;
	size_t open_count;	/* writers whose fd is open */
	bool cannot_clone;	/* cloning was tried and failed */
	bool broken;		/* a claimed chunk may be unwritten */
	bool finished;
	struct ingest_result result;
};

/*
 * Returns 1 if the chunk is new, and the caller must write it; 0 if it exists.
 */
int ingest_claim(struct ingest *in, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err);
/*
 * Returns 1 if the chunk is known, and its segment is there and long enough; 0
 * if it has to be stored.  Call it with the lock held, or as the only thread.
 */
int ingest_lookup(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  struct dsv_err *err);
/* Adds a recipe and its chunks to the result. */
int ingest_note_recipe(struct ingest *in, const struct recipe *r,
		       const unsigned char hash[HASH_BYTES],
		       struct dsv_err *err);
/* Returns the pool, which is started when first needed. */
int ingest_pool(struct ingest *in, struct pool **out, struct dsv_err *err);

/* ---- writer.c: all but writer_put() need the lock held --------------- */

/* Starts a segment; size_bytes is for a mirror. */
int writer_new(struct ingest *in, enum segment_kind kind, int64_t size_bytes,
	       struct writer **out, struct dsv_err *err);
void writer_free(struct writer *w, bool keep);
/* Removes the newest segment again, with its file. */
void writer_drop(struct ingest *in, struct writer *w);
/*
 * Makes the segment a clone of fd (FICLONE); returns false where the file
 * systems cannot do it.
 */
bool writer_clone(struct writer *w, int fd);
/* Punches a hole wherever the clone has no chunk of its own. */
int writer_punch(struct writer *w, int64_t size_bytes, struct dsv_err *err);
/* Puts a claimed chunk at its place in a mirror segment. */
int writer_put(struct ingest *in, struct writer *w,
	       const unsigned char hash[HASH_BYTES], const void *data,
	       size_t len, int64_t offset, struct dsv_err *err);
/* Appends a claimed chunk to the packed segment. */
int writer_append(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  const void *data, size_t len, struct dsv_err *err);
int writer_flush(struct ingest *in, struct writer *w, struct dsv_err *err);
/* Makes the segment durable and read-only, and closes it. */
int writer_sync(const struct store *s, struct writer *w, struct dsv_err *err);

/* ---- ingest_cut.c ---------------------------------------------------- */

/* This is a file that is being taken in. */
struct taking {
	struct ingest *in;
	int fd;
	const char *path;
	int64_t size_bytes;
	bool parallel;		/* by the pool; else in the caller's thread */
	struct writer *mirror;	/* NULL until something is new */
	struct piece *pieces;	/* guarded by in->lock */
	size_t count;
	struct sharing *sharing;	/* NULL: all pieces are ours */
	bool sparse;		/* it may have holes */
	int64_t known_from, known_to;	/* a stretch of it ... */
	bool is_hole;			/* that is a hole, or data */
	struct source *source;	/* checked between reads; or NULL */
};

/* This is what a stretch of the file turned out to be. */
struct piece {
	unsigned char hash[HASH_BYTES];
	int64_t offset;
	int64_t length;		/* a hole's may exceed a chunk's */
	bool is_zero;
};

/* Takes in all pieces of the file. */
int taking_cut(struct taking *t, struct dsv_err *err);

/*
 * Takes in the next piece: reads, hashes, and stores it if it is new.  data, a
 * store buffer that is taken over, holds its bytes; NULL: they have not been
 * read yet.
 */
int taking_piece(struct taking *t, int64_t offset, size_t len, void *data,
		 struct dsv_err *err);
/* Takes in the next piece, which is in a hole and need not be read. */
int taking_zeros(struct taking *t, int64_t offset, int64_t len,
		 struct dsv_err *err);
/*
 * Returns how far a hole extends from offset; 0 if no hole is there, or known.
 */
int64_t taking_hole(struct taking *t, int64_t offset);
/* Reads len bytes; returns DSV_ESYS if the file has become shorter. */
int taking_read(const struct taking *t, void *buf, size_t len, int64_t offset,
		struct dsv_err *err);
int taking_changed(const struct taking *t, struct dsv_err *err);
/* Cuts, and waits for all pieces, whatever went wrong: the jobs use t. */
int taking_run(struct taking *t, struct dsv_err *err);
/*
 * Reads all pieces again, from fd; returns DSV_ESYS unless they are the same.
 * The file may have grown since: then its first size_bytes are what it was.
 */
int taking_again(struct taking *t, int fd, struct dsv_err *err);

/* ---- ingest_share.c -------------------------------------------------- */

/*
 * Takes the next piece of a replica and adds its bytes, which *data holds
 * afterwards, to the digest.  Returns 1 if it is ours to take in, 0 if it is
 * another rank's.
 */
int sharing_piece(struct taking *t, int64_t offset, size_t len, void **data,
		  struct dsv_err *err);

#endif
