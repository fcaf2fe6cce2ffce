/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <string.h>

static bool is_set(const unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return true;
	return false;
}

int options_take(void *own, size_t size, const void *given,
		 struct dsv_err *err)
{
	size_t theirs;

	memcpy(&theirs, given, sizeof(theirs));
	if (theirs < sizeof(theirs))
		return dsv_fail(err, DSV_EUSAGE, "options of libdsv without"
				" their size_bytes");
	if (theirs > size &&
	    is_set((const unsigned char *)given + size, theirs - size))
		return dsv_fail(err, DSV_EUSAGE, "options that libdsv %s does"
				" not know", dsv_version());
	memset(own, 0, size);
	memcpy(own, given, theirs < size ? theirs : size);
	return 0;
}

#define SIZE_OF(name) { #name, sizeof(struct name) }

static const struct {
	const char *name;
	size_t bytes;
} sizes[] = {
	SIZE_OF(dsv_attr_change),
	SIZE_OF(dsv_attr_history),
	SIZE_OF(dsv_bisect),
	SIZE_OF(dsv_branch),
	SIZE_OF(dsv_branches),
	SIZE_OF(dsv_checkout_options),
	SIZE_OF(dsv_checkout_result),
	SIZE_OF(dsv_config_item),
	SIZE_OF(dsv_config_items),
	SIZE_OF(dsv_diff),
	SIZE_OF(dsv_diff_entry),
	SIZE_OF(dsv_diff_options),
	SIZE_OF(dsv_diff_tensor),
	SIZE_OF(dsv_diff_value),
	SIZE_OF(dsv_entries),
	SIZE_OF(dsv_entry),
	SIZE_OF(dsv_err),
	SIZE_OF(dsv_find_options),
	SIZE_OF(dsv_finding),
	SIZE_OF(dsv_findings),
	SIZE_OF(dsv_fork),
	SIZE_OF(dsv_fork_options),
	SIZE_OF(dsv_forks),
	SIZE_OF(dsv_fsck_options),
	SIZE_OF(dsv_fsck_report),
	SIZE_OF(dsv_ids),
	SIZE_OF(dsv_job),
	SIZE_OF(dsv_job_request),
	SIZE_OF(dsv_jobs),
	SIZE_OF(dsv_kv),
	SIZE_OF(dsv_kvs),
	SIZE_OF(dsv_log_options),
	SIZE_OF(dsv_name),
	SIZE_OF(dsv_names),
	SIZE_OF(dsv_options),
	SIZE_OF(dsv_problem),
	SIZE_OF(dsv_prune_item),
	SIZE_OF(dsv_prune_options),
	SIZE_OF(dsv_prune_report),
	SIZE_OF(dsv_queue),
	SIZE_OF(dsv_queue_item),
	SIZE_OF(dsv_repack_options),
	SIZE_OF(dsv_repack_report),
	SIZE_OF(dsv_scope),
	SIZE_OF(dsv_scopes),
	SIZE_OF(dsv_state),
	SIZE_OF(dsv_status),
	SIZE_OF(dsv_strings),
	SIZE_OF(dsv_submission),
	SIZE_OF(dsv_tag_options),
	SIZE_OF(dsv_tensor),
	SIZE_OF(dsv_tensors),
	SIZE_OF(dsv_usage),
	SIZE_OF(dsv_usages),
	SIZE_OF(dsv_value),
};

size_t dsv_sizeof(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcmp(sizes[i].name, name))
			return sizes[i].bytes;
	return 0;
}
