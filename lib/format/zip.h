/* SPDX-License-Identifier: MIT */
/*
 * This reads the directory of a zip archive, zip64 or not.  Only the central
 * one is believed (PyTorch leaves sizes and CRCs out of the local headers), and
 * only when its members lie inside the archive and do not overlap.
 */
#ifndef DSV_FORMAT_ZIP_H
#define DSV_FORMAT_ZIP_H

#include "parse.h"

#define ZIP_STORED 0

struct zip_entry {
	const char *name;	/* in struct zip's directory; no NUL */
	size_t name_len;
	unsigned method;
	int64_t header_offset;
	int64_t data_offset;
	int64_t size_bytes;	/* as stored in the file */
};

struct zip {
	int64_t start;		/* of the archive in the file */
	size_t count;
	struct zip_entry *entries;	/* in the order of their data */
	struct zip_entry **by_name;	/* sorted; names are unique */
	unsigned char *directory;
	size_t directory_bytes;
};

/*
 * Reads the archive that ends at end; before its start there may be another
 * one. Returns FORMAT_YES, FORMAT_NO or < 0.
 */
int zip_read(const struct format_source *src, int64_t end, struct zip *out,
	     struct dsv_err *err);
void zip_release(struct zip *zip);

/* Returns NULL if there is no such member. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name,
				 size_t name_len);

#endif
