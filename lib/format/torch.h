/* SPDX-License-Identifier: MIT */
/* Inside lib/format, this is one archive of torch.save(). */
#ifndef DSV_FORMAT_TORCH_H
#define DSV_FORMAT_TORCH_H

#include "zip.h"

struct torch_archive {
	struct zip zip;
	const char *root;	/* "archive/"; not NUL-terminated */
	size_t root_len;
	const struct zip_entry *pickle;
};

/* Returns the member <root><name>, or NULL. */
const struct zip_entry *torch_member(const struct torch_archive *a,
				     const char *name, size_t name_len);

/*
 * Adds the tensors that the pickle names, with prefix before their names.
 * Returns FORMAT_NO if it is not understood (then the caller removes what was
 * added).
 */
int torch_tensors(const struct format_source *src,
		  const struct torch_archive *a, const char *prefix,
		  struct layout *l, struct dsv_err *err);

#endif
