/* SPDX-License-Identifier: MIT */
/*
 * A manifest lists the files of a state; see dsv-format(5).  It is text, one
 * line per entry, sorted bytewise by path:
 *
 *	dsv-manifest 1
 *	d<TAB>PATH				empty directory
 *	f<TAB>SIZE<TAB>RECIPE<TAB>PATH		file
 *	x<TAB>SIZE<TAB>RECIPE<TAB>PATH		executable file
 *	l<TAB>TARGET<TAB>PATH			symbolic link
 *	p<TAB>RANK<TAB>MANIFEST			the manifest of a part
 *
 * Bytes below 0x20, 0x7f and the backslash are written \xNN in paths and
 * targets.  Directories that are not empty follow from the paths.
 */
#ifndef DSV_CONTENT_MANIFEST_H
#define DSV_CONTENT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../dsv.h"

#define MANIFEST_LIMIT_BYTES (1u << 30)
#define MANIFEST_PATH_LIMIT_BYTES 4096	/* also of a link's target */
#define MANIFEST_NAME_LIMIT_BYTES 255	/* of a component: NAME_MAX */

struct manifest_entry {
	enum dsv_entry_type type;
	bool executable;
	int64_t size_bytes;
	unsigned char recipe[HASH_BYTES];	/* DSV_FILE */
	char *path;
	char *target;				/* DSV_LINK, else NULL */
	int64_t part;				/* -1: none */
};

struct manifest_part {
	int64_t rank;
	unsigned char manifest[HASH_BYTES];
};

struct manifest {
	size_t count;
	struct manifest_entry *entries;
	size_t part_count;
	struct manifest_part *parts;
};

#define MANIFEST_INIT { 0, NULL, 0, NULL }

void manifest_release(struct manifest *m);
/*
 * Counts regular files, and the bytes of all of them; the sums may overflow if
 * the manifest is hostile.
 */
void manifest_totals(const struct manifest *m, int64_t *files,
		     int64_t *size_bytes);
/* Adds an entry, and takes over path and target, also on failure. */
int manifest_add(struct manifest *m, const struct manifest_entry *entry,
		 struct dsv_err *err);
int manifest_add_part(struct manifest *m, int64_t rank,
		      const unsigned char manifest[HASH_BYTES],
		      struct dsv_err *err);
/*
 * Sorts and encodes the entries.  Returns DSV_EUSAGE if two entries have the
 * same path, or if one has a path that manifest_decode() would refuse.
 */
int manifest_encode(struct manifest *m, struct str *out, struct dsv_err *err);
/*
 * Decodes a manifest.  Returns DSV_ECORRUPT if data is not a manifest, is not
 * sorted, or has a path that is absolute, empty, contains "..", "." or an empty
 * component, or goes through a link or a file of the same manifest.  The
 * entries' part is -1.
 */
int manifest_decode(const void *data, size_t len, struct manifest *out,
		    struct dsv_err *err);

/*
 * Moves the entries of a part into m, which is unsorted afterwards.  When
 * several parts have been merged, manifest_settle() sorts, keeps one (that of
 * the lowest part) of entries that differ in the part only, drops directories
 * that are empty in one part only, and checks like manifest_decode().
 */
int manifest_merge(struct manifest *m, struct manifest *part, int64_t rank,
		   struct dsv_err *err);
int manifest_settle(struct manifest *m, struct dsv_err *err);

/* ---- For manifest_text.c ------------------------------------------------ */

void manifest_entry_release(struct manifest_entry *e);
void manifest_sort(struct manifest *m);
/* Checks a sorted manifest; returns code if it is invalid. */
int manifest_check(const struct manifest *m, enum dsv_code code,
		   struct dsv_err *err);

/* The distinct recipes of its files, sorted; the caller's to free(). */
int manifest_recipes(const struct manifest *m,
		     unsigned char (**out)[HASH_BYTES], size_t *count,
		     struct dsv_err *err);

#endif
