/* SPDX-License-Identifier: MIT */
/* Inside lib/format: one archive of torch.save(). */
#ifndef DSV_FORMAT_TORCH_H
#define DSV_FORMAT_TORCH_H

#include "zip.h"

struct torch_archive {
	struct zip zip;
	const char *root;	/* "archive/"; no NUL after it */
	size_t root_len;
	const struct zip_entry *pickle;
};

/* The member <root><name>, or NULL. */
const struct zip_entry *torch_member(const struct torch_archive *a,
				     const char *name, size_t name_len);

/*
 * Add the tensors that the pickle names, their names after prefix.
 * FORMAT_NO: not understood (what was added is the caller's to take back).
 */
int torch_tensors(const struct format_source *src,
		  const struct torch_archive *a, const char *prefix,
		  struct layout *l, struct dsv_err *err);

#endif
