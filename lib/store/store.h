/* SPDX-License-Identifier: MIT */
/*
 * The store: chunks, known by their SHA-256, in segments.  It knows files and
 * bytes; which chunks there are, the catalog knows: whoever uses the store
 * says how to look a chunk up.
 */
#ifndef DSV_STORE_STORE_H
#define DSV_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../content/manifest.h"
#include "../content/recipe.h"
#include "../dsv.h"
#include "statcache.h"

#define SEGMENT_NAME_SIZE 33	/* 32 random hexadecimal digits and a NUL */

enum segment_kind {
	SEGMENT_MIRROR = 1,	/* chunks at the offsets they have in a file */
	SEGMENT_PACKED = 2	/* chunks one after the other */
};

enum chunk_encoding { CHUNK_RAW = 0 };

/* Where a chunk is: a row of the catalog, an entry of an .idx. */
struct chunk {
	unsigned char hash[HASH_BYTES];
	char segment[SEGMENT_NAME_SIZE];
	int64_t offset;
	uint32_t length;	/* plain */
	uint32_t stored_length;
	uint32_t crc32c;	/* of the stored bytes */
	uint8_t encoding;
};

/*
 * How many of max rows there are: first that of the chunk, then those that
 * follow it in its segment (none of status "bad").  0: there is no such
 * chunk, and rows is as it was; < 0 with err set.  Never called by two threads
 * at once.
 */
typedef int chunk_lookup(void *arg, const unsigned char hash[HASH_BYTES],
			 struct chunk *rows, size_t max, struct dsv_err *err);

struct store_options {
	const char *dir;	/* the .dsv directory; copied */
	mode_t file_mode;	/* 0: by the umask; segments get & 0444 */
	mode_t dir_mode;
	bool fsync;		/* core.fsync */
	int threads;		/* <= 0: the processors, at most 8 */
	chunk_lookup *lookup;
	void *lookup_arg;
	/*
	 * Files that look as they did are not read again: remembered in
	 * <dir>/tmp/statcache-<host>-<uid>, read by the first ingest and
	 * replaced when one is closed with keep.
	 */
	bool remember;
	struct statcache *statcache;	/* NULL; or this one, borrowed */
	/* In the caller's thread: bytes done since store_open(). */
	void (*progress)(void *arg, int64_t done_bytes);
	void *progress_arg;
	const volatile int *interrupted;	/* DSV_EINTERRUPTED when set */
};

struct store;

int store_open(const struct store_options *options, struct store **out,
	       struct dsv_err *err);
void store_close(struct store *s);
/* Nobody reads: what comes next sees rows and files as they are now. */
void store_forget(struct store *s);
/* DSV_EINTERRUPTED when the user wants to stop; from any thread. */
int store_poll(const struct store *s, struct dsv_err *err);
/* What progress tells of is counted from 0 again. */
void store_begin(struct store *s);

/* ---- Writing ----------------------------------------------------------- */

/*
 * An ingest collects what one tag adds.  Files of FORMAT_SMALL_BYTES and more
 * get a mirror segment of their own (none when they bring nothing new), all
 * else one packed segment.
 */
struct ingest;

int ingest_new(struct store *s, struct ingest **out, struct dsv_err *err);

/*
 * Take a file in.  fd is open for reading; path is for messages.  What may
 * be in memory only is written back, so that its times can be believed; then
 * stat, read, hash, write what is new, stat again.
 *
 * DSV_ESYS: it changed while it was read.  After a failure (of this or of
 * ingest_bytes()) the ingest can only be closed.
 */
int ingest_file(struct ingest *in, int fd, const char *path,
		unsigned char recipe[HASH_BYTES], int64_t *size_bytes,
		struct dsv_err *err);

/* Take in bytes as one chunk (a manifest, a recipe). */
int ingest_bytes(struct ingest *in, const void *data, size_t len,
		 unsigned char hash[HASH_BYTES], struct dsv_err *err);

/* A stretch of a file: one chunk, or zero bytes. */
struct ingest_piece {
	int64_t offset;
	uint32_t length;
	bool is_zero;
	unsigned char hash[HASH_BYTES];
};

/* What one of several ranks does of a file that all of them hold. */
struct ingest_share {
	int64_t rank, ranks;
	int64_t number;		/* of the file; the same for all ranks */
	int64_t size_bytes;		/* from here on it is the result */
	unsigned char digest[16];	/* XXH3-128 of the whole file */
	size_t count;
	struct ingest_piece *pieces;	/* by offset; the caller's to free() */
};

/*
 * As ingest_file(), but only about 1/ranks of the file's chunks is taken in.
 * The shares of all ranks, put together, are its recipe.
 */
int ingest_share(struct ingest *in, int fd, const char *path,
		 struct ingest_share *share, struct dsv_err *err);
/* Take in a recipe of chunks that are stored. */
int ingest_recipe(struct ingest *in, const struct recipe *r,
		  unsigned char hash[HASH_BYTES], struct dsv_err *err);

/*
 * Copy a chunk that is stored, verified, into the packed segment, whether or
 * not it is looked up elsewhere.
 */
int ingest_move(struct ingest *in, const struct chunk *chunk,
		struct dsv_err *err);

struct ingest_segment {
	char name[SEGMENT_NAME_SIZE];
	enum segment_kind kind;
	size_t count;
	struct chunk *chunks;	/* by offset */
};

/* A recipe that the ingest met, and the chunks it names (each once). */
struct ingest_recipe {
	unsigned char hash[HASH_BYTES];
	size_t count;
	unsigned char (*chunks)[HASH_BYTES];
};

struct ingest_result {
	size_t segment_count;
	struct ingest_segment *segments;	/* new */
	size_t recipe_count;
	struct ingest_recipe *recipes;		/* each once */
	int64_t stored_bytes;			/* in new segments */
};

/*
 * Make all that was written durable: segments, their .idx, directories.
 * *out is borrowed from in.  The segments are leftovers until the catalog
 * knows them.
 */
int ingest_finish(struct ingest *in, const struct ingest_result **out,
		  struct dsv_err *err);
/* Frees it, and removes its segments unless keep. */
void ingest_close(struct ingest *in, bool keep);

/* ---- Reading ----------------------------------------------------------- */

/* A whole chunk, verified by its hash.  DSV_ECORRUPT: missing or wrong. */
int store_read_chunk(struct store *s, const unsigned char hash[HASH_BYTES],
		     struct str *out, struct dsv_err *err);
int store_read_recipe(struct store *s, const unsigned char hash[HASH_BYTES],
		      struct recipe *out, struct dsv_err *err);
/* Fill in the chunks of the recipe out->hash; they are the caller's. */
int store_list_chunks(struct store *s, struct ingest_recipe *out,
		      struct dsv_err *err);
/*
 * The recipes of files that are stored, as an ingest would have told of them;
 * also after a failure to be released.
 */
int store_read_recipes(struct store *s, const struct manifest *files,
		       struct ingest_result *out, struct dsv_err *err);
void store_recipes_release(struct ingest_result *recipes);
/* That of a file, whose size must be what its manifest says. */
int store_read_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, struct recipe *out,
		    struct dsv_err *err);
/* The manifest with those of its parts merged in. */
int store_read_manifest(struct store *s, const unsigned char hash[HASH_BYTES],
			struct manifest *out, struct dsv_err *err);
/*
 * Only the part of a rank, with what other parts have too.  DSV_ENOTFOUND:
 * there is no such part.
 */
int store_read_part(struct store *s, const unsigned char hash[HASH_BYTES],
		    int64_t rank, struct manifest *out, struct dsv_err *err);
/* How many parts it has; 0: it is not of several ranks. */
int store_count_parts(struct store *s, const unsigned char hash[HASH_BYTES],
		      int64_t *out, struct dsv_err *err);

/* What a copy did. */
struct store_copy {
	bool reflinked;
	int64_t bytes;
};

/*
 * Write the file of a recipe, of that size, into fd, which is empty, open for
 * reading and writing.  Zero runs become holes.  Reflinked where link and the
 * file systems allow (verified only when verify), else copied in parallel and
 * verified.  Afterwards the chunks are looked up again: when one has moved or
 * gone, the bytes may have been freed under the copy, and it starts again,
 * at most thrice.
 *
 * DSV_ECORRUPT: stored bytes are wrong or missing.
 */
int store_copy_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, int fd, enum dsv_link link, bool verify,
		    struct store_copy *out, struct dsv_err *err);

/*
 * length bytes at offset of the file of size_bytes, to fd by write(2) (it may
 * be a pipe); verified by the hashes of the chunks concerned.
 */
int store_cat(struct store *s, const unsigned char recipe[HASH_BYTES],
	      int64_t size_bytes, int64_t offset, int64_t length, int fd,
	      struct dsv_err *err);

/* A stored file that is read here and there. */
struct reader {
	struct store *store;
	struct recipe recipe;
	struct str chunk;			/* the last one that was read */
	unsigned char hash[HASH_BYTES];		/* of chunk */
};

#define READER_INIT { .recipe = RECIPE_INIT, .chunk = STR_INIT }

/* The size must be what its manifest says. */
int reader_open(struct store *s, const unsigned char recipe[HASH_BYTES],
		int64_t size_bytes, struct reader *out, struct dsv_err *err);
/* len bytes at offset into buf; verified by the hashes of their chunks. */
int reader_read(struct reader *rd, void *buf, size_t len, int64_t offset,
		struct dsv_err *err);
void reader_close(struct reader *rd);

/* ---- Segments on disk ------------------------------------------------ */

struct segment_index {
	enum segment_kind kind;
	size_t count;
	struct chunk *chunks;
};

/* DSV_ECORRUPT: torn, stale or hostile; DSV_ENOTFOUND: there is none. */
int segment_index_read(struct store *s, const char *name,
		       struct segment_index *out, struct dsv_err *err);
int segment_index_write(struct store *s, const char *name,
			const struct segment_index *index,
			struct dsv_err *err);
void segment_index_release(struct segment_index *index);

/* Check a chunk's stored bytes (CRC-32C and SHA-256).  DSV_ECORRUPT. */
int segment_verify(struct store *s, const struct chunk *chunk,
		   struct dsv_err *err);

struct segment_range {
	int64_t offset;
	int64_t length;
};

/*
 * Give the ranges back to the file system; the whole segment and its .idx
 * are unlinked when count is 0.  *freed_bytes is what the file system says
 * it got.  A file system that cannot punch holes frees nothing: 0.
 */
int segment_free(struct store *s, const char *name,
		 const struct segment_range *ranges, size_t count,
		 int64_t *freed_bytes, struct dsv_err *err);

/* The size of its file in bytes; 0: there is none. */
int64_t segment_size(const struct store *s, const char *name);
/* Bytes allocated on disk; DSV_ENOTFOUND. */
int segment_stat(struct store *s, const char *name, int64_t *allocated_bytes,
		 int64_t *mtime_ns, struct dsv_err *err);

/* Every segment on disk (with or without .idx), in any order. */
int segment_each(struct store *s,
		 int (*fn)(void *arg, const char *name, struct dsv_err *err),
		 void *arg, struct dsv_err *err);

#endif
