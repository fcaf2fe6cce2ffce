/* SPDX-License-Identifier: MIT */
/* What the files of an ingest share: ingest*.c and writer.c. */
#ifndef DSV_STORE_INGEST_H
#define DSV_STORE_INGEST_H

#include "internal.h"
#include "source.h"

/* A new segment. */
struct writer {
	char name[SEGMENT_NAME_SIZE];
	enum segment_kind kind;
	char *path;
	int fd;			/* -1: closed, and synced */
	int64_t end;		/* packed: where the next chunk goes */
	int64_t buffer_start;	/* packed: where buffer belongs */
	struct str buffer;	/* packed: not written yet */
	struct chunk *chunks;
	size_t count;
	char *index_path;	/* temporary, or final once renamed */
	int index_fd;
	bool indexed;		/* the .idx bears its name */
	bool cloned;		/* mirror: the bytes are there already */
};

struct ingest {
	struct store *s;
	struct pool *pool;	/* NULL until there is a large file */
	char dir[3];		/* of all segments: one fsync */
	pthread_mutex_t lock;	/* of what follows, and of the writers' lists */
	struct hash_set placed;	/* chunks that this ingest writes */
	struct hash_set met;	/* recipes in result */
	char seen[SEGMENT_NAME_SIZE];	/* the segment looked at last */
	int64_t seen_bytes;		/* its size, 0: it is gone */
	struct writer *packed;
	struct writer **writers;
	size_t writer_count;
	size_t open_count;	/* writers whose fd is open */
	bool cannot_clone;	/* it was tried */
	bool broken;		/* a claimed chunk may not be written */
	bool finished;
	struct ingest_result result;
};

/* 1: the chunk is new, and the caller must write it; 0: there already. */
int ingest_claim(struct ingest *in, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err);
/*
 * 1: the chunk is known, and its segment is there and long enough; 0: store
 * it.  With the lock held, or by the only thread.
 */
int ingest_lookup(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  struct dsv_err *err);
/* Note a recipe and its chunks in the result. */
int ingest_note_recipe(struct ingest *in, const struct recipe *r,
		       const unsigned char hash[HASH_BYTES],
		       struct dsv_err *err);
/* The pool, started when it is first asked for. */
int ingest_pool(struct ingest *in, struct pool **out, struct dsv_err *err);

/* ---- writer.c: all but writer_put() with the lock held --------------- */

/* size_bytes: of a mirror. */
int writer_new(struct ingest *in, enum segment_kind kind, int64_t size_bytes,
	       struct writer **out, struct dsv_err *err);
void writer_free(struct writer *w, bool keep);
/* Take the newest segment back, file and all. */
void writer_drop(struct ingest *in, struct writer *w);
/*
 * Make the segment a clone of fd (FICLONE); false where the file systems
 * cannot.
 */
bool writer_clone(struct writer *w, int fd);
/* Leave a hole wherever the clone has no chunk of its own. */
int writer_punch(struct writer *w, int64_t size_bytes, struct dsv_err *err);
/* Put a claimed chunk at its place in a mirror segment. */
int writer_put(struct ingest *in, struct writer *w,
	       const unsigned char hash[HASH_BYTES], const void *data,
	       size_t len, int64_t offset, struct dsv_err *err);
/* Append a claimed chunk to the packed segment. */
int writer_append(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  const void *data, size_t len, struct dsv_err *err);
int writer_flush(struct ingest *in, struct writer *w, struct dsv_err *err);
/* Make it durable and read-only, and close it. */
int writer_sync(const struct store *s, struct writer *w, struct dsv_err *err);

/* ---- ingest_cut.c ---------------------------------------------------- */

/* A file that is being taken in. */
struct taking {
	struct ingest *in;
	int fd;
	const char *path;
	int64_t size_bytes;
	bool parallel;		/* by the pool; else by the caller's thread */
	struct writer *mirror;	/* NULL until something is new */
	struct piece *pieces;	/* in->lock */
	size_t count;
	struct sharing *sharing;	/* NULL: all pieces are ours */
	bool sparse;		/* it may have holes */
	int64_t known_from, known_to;	/* a stretch of it ... */
	bool is_hole;			/* ... that is one, or data */
	struct source *source;	/* asked between reads; or NULL */
};

/* What a stretch of the file turned out to be. */
struct piece {
	unsigned char hash[HASH_BYTES];
	int64_t offset;
	int64_t length;		/* of a hole more than of a chunk */
	bool is_zero;
};

/* All pieces of the file. */
int taking_cut(struct taking *t, struct dsv_err *err);

/*
 * The next piece: read, hash, and store it when it is new.  data, a store
 * buffer that is taken over, holds its bytes; NULL: they are yet to be read.
 */
int taking_piece(struct taking *t, int64_t offset, size_t len, void *data,
		 struct dsv_err *err);
/* The next piece, which is in a hole: it need not be read. */
int taking_zeros(struct taking *t, int64_t offset, int64_t len,
		 struct dsv_err *err);
/* How far a hole goes on from offset; 0: there is none, or none is known. */
int64_t taking_hole(struct taking *t, int64_t offset);
/* len bytes; DSV_ESYS when the file has become shorter. */
int taking_read(const struct taking *t, void *buf, size_t len, int64_t offset,
		struct dsv_err *err);
int taking_changed(const struct taking *t, struct dsv_err *err);
/* Cut, and wait for all pieces: whatever went wrong, the jobs hold t. */
int taking_run(struct taking *t, struct dsv_err *err);
/*
 * Read all pieces again, from fd: they are the same, or DSV_ESYS.  The file
 * may have grown since: then its first size_bytes are what it was.
 */
int taking_again(struct taking *t, int fd, struct dsv_err *err);

/* ---- ingest_share.c -------------------------------------------------- */

/*
 * A piece of a replica, in order: takes note of its bytes, which *data holds
 * afterwards.  1: it is ours to take in; 0: another rank's.
 */
int sharing_piece(struct taking *t, int64_t offset, size_t len, void **data,
		  struct dsv_err *err);

#endif
