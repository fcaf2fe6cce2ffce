/* SPDX-License-Identifier: MIT */
/*
 * The chunks that a segment's rows name, and its .idx against them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/list.h"
#include "../base/str.h"
#include "../catalog/chunk.h"
#include "../os/paths.h"
#include "../space/space.h"
#include "check.h"

int check_load_chunks(struct check *k, struct check_segment *g,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT " CHUNK_COLUMNS("chunk") " FROM chunk"
		" WHERE segment = :segment AND status <> " SQL_CHUNK_BAD
		" ORDER BY offset");
	int ret;

	g->count = 0;
	query_int(&q, ":segment", g->id);
	while ((ret = query_step(&q, err)) > 0) {
		struct chunk *chunk;

		ret = list_grow((void **)&g->chunks, g->count,
				sizeof(*g->chunks), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
		chunk = &g->chunks[g->count++];
		catalog_get_chunk(&q, g->name, chunk);
		/* An enemy's: still beyond any file, and can be added to. */
		if (chunk->offset > INT64_MAX - UINT32_MAX)
			chunk->offset = INT64_MAX - UINT32_MAX;
	}
	return ret;
}

/* The index's entry where the row is; NULL: there is none. */
static const struct chunk *entry_of(const struct segment_index *index,
				    const struct chunk *row)
{
	size_t low = 0, high = index->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (index->chunks[middle].offset < row->offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < index->count &&
	       index->chunks[low].offset == row->offset ?
	       &index->chunks[low] : NULL;
}

static bool is_same(const struct chunk *entry, const struct chunk *row)
{
	return entry && !memcmp(entry->hash, row->hash, HASH_BYTES) &&
	       entry->stored_length == row->stored_length &&
	       entry->crc32c == row->crc32c;
}

/*
 * 1: what the entry says is there was freed, so that a rebuild must not find
 * it.  The bytes are there when another has stored them first.
 */
static int is_gone(struct check *k, const struct check_segment *g,
		   const struct chunk *entry, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM chunk WHERE hash = :hash UNION ALL"
		" SELECT 1 FROM freeing WHERE segment = :segment");
	int64_t n;
	int ret;

	query_hash(&q, ":hash", entry->hash);
	query_text(&q, ":segment", g->name);
	ret = query_one_int(&q, &n, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	return segment_verify(k->s, entry, NULL) == DSV_ECORRUPT;
}

/* *defect stays NULL: the index says what the rows say. */
static int compare_index(struct check *k, const struct check_segment *g,
			 const struct segment_index *index,
			 const char **defect, struct dsv_err *err)
{
	size_t i, row = 0;
	int ret = 0;

	for (i = 0; i < g->count; i++) {
		const struct chunk *entry = entry_of(index, &g->chunks[i]);

		if (!is_same(entry, &g->chunks[i])) {
			*defect = entry ? "it does not say what the catalog"
				" says" : "it lacks chunks";
			return 0;
		}
	}
	/* Both are by offset, and each row has its entry. */
	for (i = 0; ret == 0 && i < index->count; i++) {
		if (row < g->count &&
		    g->chunks[row].offset == index->chunks[i].offset)
			row++;
		else
			ret = is_gone(k, g, &index->chunks[i], err);
	}
	if (ret > 0)
		*defect = "it names bytes that were freed";
	return ret < 0 ? ret : 0;
}

/* Says what is wrong with the index, or NULL. */
static int index_defect(struct check *k, const struct check_segment *g,
			const char **defect, struct dsv_err *err)
{
	struct segment_index index = { .count = 0 };
	int ret;

	*defect = NULL;
	if (g->count == 0)
		return 0;
	ret = segment_index_read(k->s, g->name, &index, NULL);
	if (ret == 0)
		ret = compare_index(k, g, &index, defect, err);
	else if (ret == DSV_ENOTFOUND || ret == DSV_ECORRUPT)
		*defect = ret == DSV_ENOTFOUND ? "it is missing" :
			"it is damaged";
	else
		return dsv_fail(err, (enum dsv_code)ret, "read the index of"
				" segment '%s'", g->name);
	segment_index_release(&index);
	return *defect ? 0 : ret;
}

/*
 * An index that is whole is not replaced by rows that are wrong, else a
 * rebuild would find the bytes no more.
 */
static bool rows_are_right(struct check *k, const struct check_segment *g)
{
	struct segment_index index = { .count = 0 };
	bool right = true;
	size_t i;

	if (segment_index_read(k->s, g->name, &index, NULL) < 0)
		return true;
	for (i = 0; right && i < g->count; i++)
		right = is_same(entry_of(&index, &g->chunks[i]),
				&g->chunks[i]) ||
			segment_verify(k->s, &g->chunks[i], NULL) == 0;
	segment_index_release(&index);
	return right;
}

static int repair_index(struct check *k, struct check_segment *g,
			struct dsv_err *err)
{
	char *path = segment_path(k->c->dir, g->name, ".idx");
	int ret = path ? 0 : dsv_fail_nomem(err);

	if (ret == 0 && access(path, F_OK) == 0)
		ret = check_quarantine(k, path, err);
	if (ret == 0)
		ret = catalog_write_index(k->c, k->s, g->name, err);
	free(path);
	return ret;
}

int check_index(struct check *k, struct check_segment *g,
		struct dsv_err *err)
{
	const char *defect;
	bool repair;
	int ret;

	ret = index_defect(k, g, &defect, err);
	if (ret < 0 || !defect)
		return ret;
	repair = k->repair && rows_are_right(k, g);
	if (repair)
		ret = repair_index(k, g, err);
	if (ret < 0)
		return ret;
	ret = check_problem(k, "index", g->name, repair, err,
			    "the index of the segment: %s%s", defect,
			    k->repair && !repair ? ", and the bytes are not"
			    " what the catalog says" : "");
	if (ret == 0 && k->repair && !repair)
		check_hint(k, DSV_HINT_REBUILD);
	return ret;
}
