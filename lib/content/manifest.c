/* SPDX-License-Identifier: MIT */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

void manifest_entry_release(struct manifest_entry *e)
{
	free(e->path);
	free(e->target);
}

void manifest_release(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->count; i++)
		manifest_entry_release(&m->entries[i]);
	free(m->entries);
	free(m->parts);
	*m = (struct manifest)MANIFEST_INIT;
}

int manifest_add(struct manifest *m, const struct manifest_entry *entry,
		 struct dsv_err *err)
{
	struct manifest_entry copy = *entry;
	int ret;

	if (!copy.path || (copy.type == DSV_LINK && !copy.target))
		ret = dsv_fail_nomem(err);
	else
		ret = list_grow((void **)&m->entries, m->count, sizeof(copy),
				err);
	if (ret < 0) {
		manifest_entry_release(&copy);
		return ret;
	}
	m->entries[m->count++] = copy;
	return 0;
}

int manifest_add_part(struct manifest *m, int64_t rank,
		      const unsigned char manifest[HASH_BYTES],
		      struct dsv_err *err)
{
	struct manifest_part *part;
	int ret;

	ret = list_grow((void **)&m->parts, m->part_count, sizeof(*part), err);
	if (ret < 0)
		return ret;
	part = &m->parts[m->part_count++];
	part->rank = rank;
	memcpy(part->manifest, manifest, HASH_BYTES);
	return 0;
}

/* ---- Checks ----------------------------------------------------------- */

/* The limits keep what a manifest claims within what open(2) accepts. */
static bool path_is_valid(const char *path)
{
	const char *p = path;
	size_t len;

	if (strlen(path) >= MANIFEST_PATH_LIMIT_BYTES)
		return false;
	for (;; p += len + 1) {
		len = strcspn(p, "/");
		if (len == 0 || len > MANIFEST_NAME_LIMIT_BYTES ||
		    (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.') ||
		    (len == 4 && !memcmp(p, ".dsv", 4)))
			return false;
		if (p[len] == '\0')
			return true;
	}
}

static bool entry_is_valid(const struct manifest_entry *e)
{
	if (!path_is_valid(e->path) || e->size_bytes < 0)
		return false;
	return e->type != DSV_LINK ||
	       (e->target[0] &&
		strlen(e->target) < MANIFEST_PATH_LIMIT_BYTES);
}

static int compare_prefix(const char *path, const char *key, size_t key_len)
{
	size_t len = strlen(path);
	int order = memcmp(path, key, len < key_len ? len : key_len);

	if (order)
		return order;
	return len < key_len ? -1 : len > key_len;
}

static bool has_path(const struct manifest *m, const char *key, size_t len)
{
	size_t low = 0;
	size_t high = m->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare_prefix(m->entries[mid].path, key, len);

		if (order == 0)
			return true;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/*
 * Returns whether a directory above entry i is itself an entry.  Directories
 * that it shares with the entry before it have already been checked.
 */
static bool goes_through_entry(const struct manifest *m, size_t i)
{
	const char *path = m->entries[i].path;
	const char *before = i ? m->entries[i - 1].path : "";
	size_t len = 0;

	while (path[len] && path[len] == before[len])
		len++;
	for (; path[len]; len++) {
		if (path[len] == '/' && has_path(m, path, len))
			return true;
	}
	return false;
}

int manifest_check(const struct manifest *m, enum dsv_code code,
		   struct dsv_err *err)
{
	size_t i;

	for (i = 0; i < m->count; i++) {
		const char *path = m->entries[i].path;

		if (!entry_is_valid(&m->entries[i]))
			return dsv_fail(err, code,
					"manifest: impossible path '%.200s'",
					path);
		if (i > 0 && !strcmp(m->entries[i - 1].path, path))
			return dsv_fail(err, code,
					"manifest: '%.200s' appears twice",
					path);
		if (i > 0 && strcmp(m->entries[i - 1].path, path) > 0)
			return dsv_fail(err, code, "manifest: not sorted");
		if (goes_through_entry(m, i))
			return dsv_fail(err, code,
					"manifest: '%.200s' is below "
					"something that is not a "
					"directory", path);
	}
	for (i = 0; i < m->part_count; i++) {
		if (m->parts[i].rank < 0 ||
		    (i > 0 && m->parts[i - 1].rank >= m->parts[i].rank))
			return dsv_fail(err, code, "manifest: invalid parts");
	}
	return 0;
}

/* strcmp() compares as unsigned char, which is bytewise. */
static int by_path(const void *a, const void *b)
{
	const struct manifest_entry *left = a;
	const struct manifest_entry *right = b;
	int order = strcmp(left->path, right->path);

	if (order)
		return order;
	return (left->part > right->part) - (left->part < right->part);
}

static int by_rank(const void *a, const void *b)
{
	const struct manifest_part *left = a;
	const struct manifest_part *right = b;

	return (left->rank > right->rank) - (left->rank < right->rank);
}

void manifest_totals(const struct manifest *m, int64_t *files,
		     int64_t *size_bytes)
{
	size_t i;

	*files = *size_bytes = 0;
	for (i = 0; i < m->count; i++) {
		if (m->entries[i].type != DSV_FILE)
			continue;
		(*files)++;
		if (__builtin_add_overflow(*size_bytes,
					   m->entries[i].size_bytes,
					   size_bytes))
			*size_bytes = INT64_MAX;
	}
}

void manifest_sort(struct manifest *m)
{
	if (m->count > 0)
		qsort(m->entries, m->count, sizeof(*m->entries), by_path);
	if (m->part_count > 0)
		qsort(m->parts, m->part_count, sizeof(*m->parts), by_rank);
}

/* ---- Parts ------------------------------------------------------------- */

int manifest_merge(struct manifest *m, struct manifest *part, int64_t rank,
		   struct dsv_err *err)
{
	int ret;

	while (part->count > 0) {
		ret = list_grow((void **)&m->entries, m->count,
				sizeof(*m->entries), err);
		if (ret < 0)
			return ret;
		m->entries[m->count] = part->entries[--part->count];
		m->entries[m->count++].part = rank;
	}
	return 0;
}

static bool same_but_part(const struct manifest_entry *a,
			  const struct manifest_entry *b)
{
	if (strcmp(a->path, b->path) || a->type != b->type)
		return false;
	if (a->type == DSV_LINK)
		return !strcmp(a->target, b->target);
	if (a->type == DSV_DIR)
		return true;
	return a->executable == b->executable &&
	       a->size_bytes == b->size_bytes &&
	       !memcmp(a->recipe, b->recipe, HASH_BYTES);
}

/* Returns whether a sorted manifest has an entry below the directory. */
static bool has_below(const struct manifest *m, const char *dir)
{
	size_t len = strlen(dir);
	size_t low = 0;
	size_t high = m->count;

	/* We look for the first entry that is not before "<dir>/". */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *path = m->entries[mid].path;
		int order = strncmp(path, dir, len);

		if (order < 0 || (order == 0 &&
				  (unsigned char)path[len] < '/'))
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->count && !strncmp(m->entries[low].path, dir, len) &&
	       m->entries[low].path[len] == '/';
}

/* Drops directories that are empty in one part and have files in another. */
static void drop_filled_dirs(struct manifest *m)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < m->count; i++)
		if (m->entries[i].type == DSV_DIR)
			m->entries[i].executable =
				has_below(m, m->entries[i].path);
	for (i = 0; i < m->count; i++) {
		if (m->entries[i].type == DSV_DIR && m->entries[i].executable)
			manifest_entry_release(&m->entries[i]);
		else
			m->entries[kept++] = m->entries[i];
	}
	m->count = kept;
}

int manifest_settle(struct manifest *m, struct dsv_err *err)
{
	size_t kept = 0;
	size_t i;

	manifest_sort(m);
	drop_filled_dirs(m);
	for (i = 0; i < m->count; i++) {
		if (kept > 0 && same_but_part(&m->entries[kept - 1],
					      &m->entries[i]))
			manifest_entry_release(&m->entries[i]);
		else
			m->entries[kept++] = m->entries[i];
	}
	m->count = kept;
	return manifest_check(m, DSV_ECORRUPT, err);
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, HASH_BYTES);
}

int manifest_recipes(const struct manifest *m,
		     unsigned char (**out)[HASH_BYTES], size_t *count,
		     struct dsv_err *err)
{
	unsigned char (*list)[HASH_BYTES];
	size_t n = 0, unique = 0;
	size_t i;

	list = malloc((m->count + 1) * sizeof(*list));
	if (!list)
		return dsv_fail_nomem(err);
	for (i = 0; i < m->count; i++) {
		if (m->entries[i].type == DSV_FILE)
			memcpy(list[n++], m->entries[i].recipe, HASH_BYTES);
	}
	qsort(list, n, sizeof(*list), compare_hashes);
	for (i = 0; i < n; i++) {
		if (unique > 0 &&
		    !memcmp(list[unique - 1], list[i], HASH_BYTES))
			continue;
		memmove(list[unique++], list[i], HASH_BYTES);
	}
	*out = list;
	*count = unique;
	return 0;
}
