/* SPDX-License-Identifier: MIT */
/*
 * The store keeps chunks, known by their SHA-256, in segments.  It knows about
 * files and bytes; the catalog knows which chunks exist: whoever uses the store
 * passes a function that looks a chunk up.
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
	SEGMENT_PACKED = 2	/* chunks one after another */
};

enum chunk_encoding { CHUNK_RAW = 0 };

/* This says where a chunk is: a row of the catalog, an entry of an .idx. */
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
 * Returns how many of max rows it filled in: first that of the chunk, then
 * those that follow it in its segment (none of status "bad").  Returns 0, and
 * leaves rows untouched, if there is no such chunk; < 0 with err set.  It is
 * never called by two threads at once.
 */
typedef int chunk_lookup(void *arg, const unsigned char hash[HASH_BYTES],
			 struct chunk *rows, size_t max, struct dsv_err *err);

struct store_options {
	const char *dir;	/* the .dsv directory; copied */
	mode_t file_mode;	/* 0: by the umask; segments: & 0444 */
	mode_t dir_mode;
	bool fsync;		/* core.fsync */
	int threads;		/* <= 0: one per processor, at most 8 */
	chunk_lookup *lookup;
	void *lookup_arg;
	/*
	 * Files whose stat is unchanged are not read again.  They are
	 * remembered in <dir>/tmp/statcache-<host>-<uid>, which the first
	 * ingest reads, and which is replaced when one is closed with keep.
	 */
	bool remember;
	struct statcache *statcache;	/* borrowed, used instead; or NULL */
	/*
	 * This is called in the caller's thread: bytes done since store_open().
	 */
	void (*progress)(void *arg, int64_t done_bytes);
	void *progress_arg;
	const volatile int *interrupted;	/* DSV_EINTERRUPTED when set */
};

struct store;

int store_open(const struct store_options *options, struct store **out,
	       struct dsv_err *err);
void store_close(struct store *s);
/*
 * Forgets rows and open segments while nobody reads: later calls see rows and
 * files as they are then.
 */
void store_forget(struct store *s);
/* Returns DSV_EINTERRUPTED if the user wants to stop; any thread may ask. */
int store_poll(const struct store *s, struct dsv_err *err);
/* Starts the count that progress reports from 0 again. */
void store_begin(struct store *s);

/* ---- Writing ----------------------------------------------------------- */

/*
 * An ingest collects what one tag adds.  Each file of FORMAT_SMALL_BYTES and
 * more gets a mirror segment of its own (none if it brings nothing new);
 * everything else goes to one packed segment.
 */
struct ingest;

int ingest_new(struct store *s, struct ingest **out, struct dsv_err *err);

/*
 * Takes a file in.  fd is open for reading; path is for messages.  What may be
 * in memory only is written back, so that its times can be trusted; then stat,
 * read, hash, write what is new, stat again.
 *
 * Returns DSV_ESYS if it changed while it was read.  After a failure (of this
 * or of ingest_bytes()) the ingest can only be closed.
 */
int ingest_file(struct ingest *in, int fd, const char *path,
		unsigned char recipe[HASH_BYTES], int64_t *size_bytes,
		struct dsv_err *err);

/* Takes in bytes as one chunk (a manifest, a recipe). */
int ingest_bytes(struct ingest *in, const void *data, size_t len,
		 unsigned char hash[HASH_BYTES], struct dsv_err *err);

/* This is a stretch of a file: one chunk, or zero bytes. */
struct ingest_piece {
	int64_t offset;
	uint32_t length;
	bool is_zero;
	unsigned char hash[HASH_BYTES];
};

/* This is what one of several ranks does with a file that all of them hold. */
struct ingest_share {
	int64_t rank, ranks;
	int64_t number;		/* of the file; the same on all ranks */
	int64_t size_bytes;		/* from here on it is the result */
	unsigned char digest[16];	/* XXH3-128 of the whole file */
	size_t count;
	struct ingest_piece *pieces;	/* by offset; the caller frees them */
};

/*
 * Works like ingest_file(), but takes in only about 1/ranks of the file's
 * chunks. The shares of all ranks together are its recipe.
 */
int ingest_share(struct ingest *in, int fd, const char *path,
		 struct ingest_share *share, struct dsv_err *err);
/* Takes in a recipe of chunks that are stored. */
int ingest_recipe(struct ingest *in, const struct recipe *r,
		  unsigned char hash[HASH_BYTES], struct dsv_err *err);

/*
 * Copies a stored chunk, verified, into the packed segment, whether or not it
 * can be found elsewhere.
 */
int ingest_move(struct ingest *in, const struct chunk *chunk,
		struct dsv_err *err);

struct ingest_segment {
	char name[SEGMENT_NAME_SIZE];
	enum segment_kind kind;
	size_t count;
	struct chunk *chunks;	/* by offset */
};

/* This is a recipe that the ingest met, and the chunks it names (each once). */
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
 * Makes all that was written durable: segments, their .idx, directories.  *out
 * is borrowed from in.  The segments are leftovers until the catalog knows
 * them.
 */
int ingest_finish(struct ingest *in, const struct ingest_result **out,
		  struct dsv_err *err);
/* Frees the ingest, and removes its segments unless keep. */
void ingest_close(struct ingest *in, bool keep);

/* ---- Reading ----------------------------------------------------------- */

/*
 * Reads a whole chunk, verified by its hash.  Returns DSV_ECORRUPT if it is
 * missing or wrong.
 */
int store_read_chunk(struct store *s, const unsigned char hash[HASH_BYTES],
		     struct str *out, struct dsv_err *err);
int store_read_recipe(struct store *s, const unsigned char hash[HASH_BYTES],
		      struct recipe *out, struct dsv_err *err);
/* Fills in the chunks of the recipe out->hash; the caller frees them. */
int store_list_chunks(struct store *s, struct ingest_recipe *out,
		      struct dsv_err *err);
/*
 * Reads the recipes of stored files, as an ingest would have reported them;
 * they have to be released even after a failure.
 */
int store_read_recipes(struct store *s, const struct manifest *files,
		       struct ingest_result *out, struct dsv_err *err);
void store_recipes_release(struct ingest_result *recipes);
/* Reads the recipe of a file, whose size must be what its manifest says. */
int store_read_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, struct recipe *out,
		    struct dsv_err *err);
/* Reads a manifest, with those of its parts merged in. */
int store_read_manifest(struct store *s, const unsigned char hash[HASH_BYTES],
			struct manifest *out, struct dsv_err *err);
/*
 * Reads only the part of a rank, with what other parts have too.  Returns
 * DSV_ENOTFOUND if there is no such part.
 */
int store_read_part(struct store *s, const unsigned char hash[HASH_BYTES],
		    int64_t rank, struct manifest *out, struct dsv_err *err);
/* Counts the parts of a manifest; 0 if it is not of several ranks. */
int store_count_parts(struct store *s, const unsigned char hash[HASH_BYTES],
		      int64_t *out, struct dsv_err *err);

/* This is what a copy did. */
struct store_copy {
	bool reflinked;
	int64_t bytes;
};

/*
 * Writes the file of a recipe, of that size, into fd, which is empty and open
 * for reading and writing.  Zero runs become holes.  It is reflinked where link
 * and the file systems allow (verified only if verify is set), else copied in
 * parallel and verified.  Afterwards the chunks are looked up again: if one has
 * moved or gone, the bytes may have been freed during the copy, which is then
 * started again, at most three times.
 *
 * Returns DSV_ECORRUPT if stored bytes are wrong or missing.
 */
int store_copy_file(struct store *s, const unsigned char recipe[HASH_BYTES],
		    int64_t size_bytes, int fd, enum dsv_link link, bool verify,
		    struct store_copy *out, struct dsv_err *err);

/*
 * Writes length bytes at offset of the file of size_bytes to fd by write(2) (it
 * may be a pipe); they are verified by the hashes of the chunks concerned.
 */
int store_cat(struct store *s, const unsigned char recipe[HASH_BYTES],
	      int64_t size_bytes, int64_t offset, int64_t length, int fd,
	      struct dsv_err *err);

/* A reader reads a stored file at any offset. */
struct reader {
	struct store *store;
	struct recipe recipe;
	struct str chunk;			/* the last one read */
	unsigned char hash[HASH_BYTES];		/* of chunk */
};

#define READER_INIT { .recipe = RECIPE_INIT, .chunk = STR_INIT }

/* Opens a reader; the size must be what the file's manifest says. */
int reader_open(struct store *s, const unsigned char recipe[HASH_BYTES],
		int64_t size_bytes, struct reader *out, struct dsv_err *err);
/*
 * Reads len bytes at offset into buf, verified by the hashes of their chunks.
 */
int reader_read(struct reader *rd, void *buf, size_t len, int64_t offset,
		struct dsv_err *err);
void reader_close(struct reader *rd);

/* ---- Segments on disk ------------------------------------------------ */

struct segment_index {
	enum segment_kind kind;
	size_t count;
	struct chunk *chunks;
};

/*
 * Reads an .idx.  Returns DSV_ECORRUPT if it is torn, stale or hostile, and
 * DSV_ENOTFOUND if there is none.
 */
int segment_index_read(struct store *s, const char *name,
		       struct segment_index *out, struct dsv_err *err);
int segment_index_write(struct store *s, const char *name,
			const struct segment_index *index,
			struct dsv_err *err);
void segment_index_release(struct segment_index *index);

/* Checks a chunk's stored bytes (CRC-32C and SHA-256); DSV_ECORRUPT: wrong. */
int segment_verify(struct store *s, const struct chunk *chunk,
		   struct dsv_err *err);

struct segment_range {
	int64_t offset;
	int64_t length;
};

/*
 * Gives the ranges back to the file system; the whole segment and its .idx are
 * unlinked when count is 0.  *freed_bytes is how much the file system reports
 * as freed.  A file system that cannot punch holes frees nothing: 0.
 */
int segment_free(struct store *s, const char *name,
		 const struct segment_range *ranges, size_t count,
		 int64_t *freed_bytes, struct dsv_err *err);

/* Returns the size of its file in bytes, or 0 if there is none. */
int64_t segment_size(const struct store *s, const char *name);
/* Gets the bytes allocated on disk; DSV_ENOTFOUND: there is no such segment. */
int segment_stat(struct store *s, const char *name, int64_t *allocated_bytes,
		 int64_t *mtime_ns, struct dsv_err *err);

/* Calls fn for every segment on disk (with or without .idx), in any order. */
int segment_each(struct store *s,
		 int (*fn)(void *arg, const char *name, struct dsv_err *err),
		 void *arg, struct dsv_err *err);

#endif
