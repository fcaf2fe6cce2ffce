/* SPDX-License-Identifier: MIT */
/* This is shared by the files of lib/store, and seen by nobody else. */
#ifndef DSV_STORE_INTERNAL_H
#define DSV_STORE_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "../os/pool.h"
#include "store.h"

/*
 * No chunk that we cut is larger; larger natural ranges are cut.  Chunks of
 * bytes that are passed whole (manifests) may be larger.
 */
#define CHUNK_LIMIT_BYTES (8 << 20)
#define OPEN_SEGMENTS 64
/* This much is read and hashed at a time: it fits the second-level cache. */
#define BLOCK_BYTES (256 << 10)

struct open_segment {
	char name[SEGMENT_NAME_SIZE];	/* "": slot is free */
	int fd;
	int users;
	int64_t size_bytes;
	uint64_t last_use;
};

#define ROWS_AHEAD 128

/*
 * These are rows of a segment by offset, starting with one that was looked up.
 */
struct rows_ahead {
	struct chunk rows[ROWS_AHEAD];
	size_t count;
	size_t next;		/* after the one looked up last */
	size_t want;		/* how many the last read asked for */
	size_t hits, hits_before;	/* since then, and the time before */
	int64_t since_ns;
};

struct store {
	char *dir;
	mode_t file_mode;
	mode_t dir_mode;
	bool fsync;
	int threads;
	chunk_lookup *lookup;
	void *lookup_arg;
	bool remember;			/* and it has not been opened yet */
	struct statcache *statcache;
	struct statcache *own_statcache;	/* the same if ours, or NULL */
	void (*progress)(void *arg, int64_t done_bytes);
	void *progress_arg;
	const volatile int *interrupted;

	pthread_mutex_t lookup_lock;	/* guards calls of lookup, and ahead */
	struct rows_ahead ahead;

	pthread_mutex_t lock;		/* guards what follows */
	struct open_segment open[OPEN_SEGMENTS];
	uint64_t use_count;
	int64_t done_bytes;
	void **buffers;			/* each of CHUNK_LIMIT_BYTES */
	size_t buffer_count;
};

/* ---- store.c ----------------------------------------------------------- */

/* Adds to the bytes done, from any thread. */
void store_count(struct store *s, int64_t bytes);
/* Reports progress, from the thread that has the store. */
void store_tell(struct store *s);

/* ---- lookup.c ---------------------------------------------------------- */

/*
 * Returns 1 if *out is the row of the chunk, as it was within the last second,
 * which does not promise that the bytes are still there; 0 if there was none.
 */
int store_lookup(struct store *s, const unsigned char hash[HASH_BYTES],
		 struct chunk *out, struct dsv_err *err);
/* Gets the row as it is now. */
int store_lookup_now(struct store *s, const unsigned char hash[HASH_BYTES],
		     struct chunk *out, struct dsv_err *err);
/* Makes the next look-up see the rows as they are then. */
void store_lookup_anew(struct store *s);

/* ---- store.c, again ---------------------------------------------------- */

/* Returns a buffer of CHUNK_LIMIT_BYTES, or NULL when out of memory. */
void *store_buffer_get(struct store *s);
void store_buffer_put(struct store *s, void *buffer);

/* Losing what is remembered is not a failure. */
void store_remember_open(struct store *s);
void store_remember_save(struct store *s);

bool segment_name_is_valid(const char *name);
bool is_zero(const void *data, size_t len);

/* ---- segment.c --------------------------------------------------------- */

/*
 * Opens a segment for reading, and keeps it open for the next caller; give it
 * back with segment_put().  Returns DSV_ECORRUPT if there is none.
 */
int segment_get(struct store *s, const char *name, struct open_segment **out,
		struct dsv_err *err);
void segment_put(struct store *s, struct open_segment *segment);
void segment_close_all(struct store *s);

/* Returns whether a chunk (from an untrusted row) lies within size_bytes. */
bool chunk_is_sane(const struct chunk *chunk, int64_t size_bytes);

/* ---- index.c ----------------------------------------------------------- */

int segment_index_encode(const struct segment_index *index, struct str *out,
			 struct dsv_err *err);
int segment_index_decode(const void *data, size_t len,
			 struct segment_index *out, struct dsv_err *err);
/*
 * Begins to write an .idx into a temporary file: the caller frees *path and
 * closes *fd.
 */
int segment_index_stage(struct store *s, const char *name,
			const struct segment_index *index, char **path,
			int *fd, struct dsv_err *err);

/* ---- codec.c ----------------------------------------------------------- */

/*
 * This is called with the bytes at offset of the chunk, before they are
 * verified.
 */
typedef int chunk_block(void *arg, const char *data, size_t len,
			int64_t offset, struct dsv_err *err);

/*
 * A sink is where plain bytes go: all into buf, or through it to fn, block by
 * block.
 */
struct chunk_sink {
	char *buf;	/* of the chunk's length; with fn: of BLOCK_BYTES */
	chunk_block *fn;
	void *arg;
	uint32_t *crc;	/* NULL, or is continued over stored bytes */
};

/*
 * Returns whether the stored bytes are the plain ones: a file can share them.
 */
bool codec_is_raw(const struct chunk *c);
/* Returns whether this dsv can read the chunk. */
bool codec_is_known(const struct chunk *c);
/*
 * Reads the plain bytes of a chunk of the segment o, verified by their hash.
 * Returns DSV_ECORRUPT if they are wrong, or in an unknown encoding.
 */
int codec_read(const struct open_segment *o, const struct chunk *c,
	       const struct chunk_sink *sink, struct dsv_err *err);
/* Fails with DSV_ECORRUPT, "chunk <hash> <what>". */
int chunk_fail(const unsigned char hash[HASH_BYTES], const char *what,
	       struct dsv_err *err);

/*
 * Chooses how data is best stored, and fills in lengths, encoding and CRC of c.
 * The returned bytes to store, c->stored_length of them, are borrowed.
 */
const void *codec_encode(struct chunk *c, const void *data, size_t len);
/* Does the same when data has to be stored unchanged. */
void codec_keep(struct chunk *c, const void *data, size_t len);

/* ---- chunk.c ----------------------------------------------------------- */

/* Gets the row of a chunk.  Returns DSV_ECORRUPT if there is none. */
int chunk_find(struct store *s, const unsigned char hash[HASH_BYTES],
	       struct chunk *out, struct dsv_err *err);
/* Returns whether both are at the same place. */
bool chunk_is_same(const struct chunk *a, const struct chunk *b);
/*
 * Reads row->length bytes into buf, verified by the hash.  If they are wrong
 * and the chunk has moved in the meantime, reads it where it is now and updates
 * row.
 */
int chunk_read(struct store *s, struct chunk *row, void *buf,
	       struct dsv_err *err);

/*
 * Does the same block by block.  When it succeeds, the last calls for each
 * offset were with the right bytes.
 */
int chunk_pass(struct store *s, struct chunk *row, chunk_block *fn, void *arg,
	       struct dsv_err *err);

/* ---- hashset.c --------------------------------------------------------- */

/* This is a set of hashes. */
struct hash_set {
	size_t count;
	size_t capacity;	/* a power of two, or 0 */
	unsigned char (*slots)[HASH_BYTES];
	bool *used;
};

#define HASH_SET_INIT { 0, 0, NULL, NULL }

void hash_set_release(struct hash_set *set);
bool hash_set_has(const struct hash_set *set,
		  const unsigned char hash[HASH_BYTES]);
/* Returns 1 if hash is new, 0 if the set had it. */
int hash_set_add(struct hash_set *set, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err);

/*
 * Removes write permission from a finished file; in a shared repository gives
 * it the group's mode, so that others can free it.  Returns -1 with errno on
 * failure.
 */
int store_seal(const struct store *s, int fd);

#endif
