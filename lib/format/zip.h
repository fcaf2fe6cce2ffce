/* SPDX-License-Identifier: MIT */
/*
 * The directory of a zip archive, zip64 or not.  Only the central directory
 * is believed (PyTorch leaves sizes and CRCs out of the local headers), and
 * only when its members lie inside the archive and do not overlap.
 */
#ifndef DSV_FORMAT_ZIP_H
#define DSV_FORMAT_ZIP_H

#include "parse.h"

#define ZIP_STORED 0

struct zip_entry {
	const char *name;	/* in struct zip's directory; no NUL after it */
	size_t name_len;
	unsigned method;
	int64_t header_offset;
	int64_t data_offset;
	int64_t size_bytes;	/* as it is in the file */
};

struct zip {
	int64_t start;		/* of the archive in the file */
	size_t count;
	struct zip_entry *entries;	/* in the order of their bytes */
	struct zip_entry **by_name;	/* sorted; no name is there twice */
	unsigned char *directory;
	size_t directory_bytes;
};

/*
 * The archive that ends at end; what is before its start may be another one.
 * FORMAT_YES, FORMAT_NO, < 0.
 */
int zip_read(const struct format_source *src, int64_t end, struct zip *out,
	     struct dsv_err *err);
void zip_release(struct zip *zip);

/* NULL when there is none. */
const struct zip_entry *zip_find(const struct zip *zip, const char *name,
				 size_t name_len);

#endif
