/* SPDX-License-Identifier: MIT */
/*
 * Files that all ranks of a group hold.  Each rank tells of every file
 *
 *	[path, kind, size, digest or link target, [pieces of its share]]
 *
 * where a piece is [offset, length, hash or null].
 */
#include "replica.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/json_text.h"

static json_t *pieces_json(const struct ingest_share *share)
{
	json_t *list = json_array();
	char hex[HASH_HEX_SIZE];
	size_t i;

	for (i = 0; i < share->count; i++) {
		const struct ingest_piece *piece = &share->pieces[i];

		hash_to_hex(piece->hash, hex);
		json_array_append_new(list, json_pack("[I, I, s?]",
			(json_int_t)piece->offset, (json_int_t)piece->length,
			piece->is_zero ? NULL : hex));
	}
	return list;
}

static int share_file(struct ingest *in, const char *source,
		      struct ingest_share *share, struct dsv_err *err)
{
	int fd = open(source, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return dsv_fail_errno(err, "read '%s'", source);
	ret = ingest_share(in, fd, source, share, err);
	close(fd);
	return ret;
}

/* size_bytes: of a file, as it was read. */
static int add_file(struct group *g, const struct tree_file *file,
		    struct ingest *in, json_t *list, int64_t *size_bytes,
		    struct dsv_err *err)
{
	static const char *const kinds[] = { "file", "dir", "link" };
	struct ingest_share share = { .rank = g->rank, .ranks = g->ranks };
	char digest[2 * sizeof(share.digest) + 1] = "";
	json_t *json;
	int ret = 0;

	share.number = (int64_t)json_array_size(list);
	if (file->type == DSV_FILE) {
		ret = share_file(in, file->source, &share, err);
		hex_encode(share.digest, sizeof(share.digest), digest);
	}
	if (ret < 0)
		return ret;
	*size_bytes = share.size_bytes;
	json = json_pack("[o, s, I, o, o]", text_to_json(file->path),
			 file->executable ? "executable" : kinds[file->type],
			 (json_int_t)share.size_bytes,
			 text_to_json(file->target ? file->target : digest),
			 pieces_json(&share));
	free(share.pieces);
	return json_array_append_new(list, json) < 0 ? dsv_fail_nomem(err) : 0;
}

static int add_entry(struct group *g, const struct tree_file *file,
		     struct contents *c, json_t *list, struct dsv_err *err)
{
	struct manifest_entry e = {
		.type = file->type,
		.executable = file->executable,
		.part = -1,
	};
	int ret;

	ret = add_file(g, file, c->ingest, list, &e.size_bytes, err);
	if (ret < 0)
		return ret;
	e.path = strdup(file->path);
	e.target = file->target ? strdup(file->target) : NULL;
	return manifest_add(&c->manifest, &e, err);
}

static int by_path(const void *a, const void *b)
{
	const struct tree_file *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

int replica_store(struct group *g, const struct tree *tree,
		  struct contents *c, json_t **out, struct dsv_err *err)
{
	const struct tree_file **sorted = calloc(tree->count + 1,
						 sizeof(*sorted));
	json_t *list = json_array();
	size_t i;
	int ret = 0;

	if (!sorted || !list)
		ret = dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < tree->count; i++)
		sorted[i] = &tree->files[i];
	/* The order of a directory is not the same everywhere. */
	if (ret == 0 && tree->count > 0)
		qsort(sorted, tree->count, sizeof(*sorted), by_path);
	for (i = 0; ret == 0 && i < tree->count; i++)
		ret = add_entry(g, sorted[i], c, list, err);
	free(sorted);
	if (ret < 0)
		json_decref(list);
	else
		*out = list;
	return ret;
}

/* ---- Comparing --------------------------------------------------------- */

static json_t *file_of(const json_t *part, size_t i)
{
	return json_array_get(json_object_get(part, "files"), i);
}

static size_t file_count(const json_t *part)
{
	return json_array_size(json_object_get(part, "files"));
}

/* But for the pieces. */
static bool same_file(const json_t *a, const json_t *b)
{
	size_t i;

	if (!a || !b)
		return a == b;
	for (i = 0; i < 4; i++) {
		const json_t *x = json_array_get(a, i);

		if (!x || !json_equal(x, json_array_get(b, i)))
			return false;
	}
	return true;
}

static const char *path_of(const json_t *file)
{
	const char *path = json_string_value(json_array_get(file, 0));

	return path ? path : "";
}

/* The replica that deviates is that of which there are fewer. */
static int fail_differs(json_t *const *parts, int64_t ranks, size_t i,
			int64_t other, struct dsv_err *err)
{
	const json_t *first = file_of(parts[0], i);
	const json_t *second = file_of(parts[other], i);
	int64_t same = 0, rank;
	const char *path;

	for (rank = 0; rank < ranks; rank++)
		same += same_file(file_of(parts[rank], i), first);
	rank = 2 * same < ranks ? 0 : other;
	/* If only one has a file, the other has a later one. */
	if (!second || (first && strcmp(path_of(first), path_of(second)) < 0))
		path = path_of(first);
	else
		path = path_of(second);
	return dsv_fail(err, DSV_EREFUSED, "the ranks do not hold the same"
			" files: '%s' of rank %" PRId64 " is not that of rank"
			" %" PRId64, path, rank, rank == 0 ? other : 0);
}

int replica_compare(json_t *const *parts, int64_t ranks, struct dsv_err *err)
{
	int64_t rank;
	size_t i, n;

	for (rank = 1; rank < ranks; rank++) {
		n = file_count(parts[0]);
		if (file_count(parts[rank]) > n)
			n = file_count(parts[rank]);
		for (i = 0; i < n; i++) {
			if (!same_file(file_of(parts[0], i),
				       file_of(parts[rank], i)))
				return fail_differs(parts, ranks, i, rank,
						    err);
		}
	}
	return 0;
}

/* ---- Putting together -------------------------------------------------- */

static int compare_pieces(const void *a, const void *b)
{
	const struct ingest_piece *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static bool read_piece(const json_t *json, struct ingest_piece *out)
{
	const json_t *hash = json_array_get(json, 2);
	const char *hex = json_string_value(hash);

	out->offset = json_integer_value(json_array_get(json, 0));
	out->length = (uint32_t)json_integer_value(json_array_get(json, 1));
	out->is_zero = json_is_null(hash);
	return out->is_zero || (hex && hash_from_hex(hex, out->hash));
}

/* Those of all ranks, by offset. */
static int gather(json_t *const *parts, int64_t ranks, size_t file,
		  struct ingest_piece **out, size_t *count,
		  struct dsv_err *err)
{
	struct ingest_piece *pieces;
	int64_t rank;
	size_t n = 0, i;

	for (rank = 0; rank < ranks; rank++)
		n += json_array_size(json_array_get(file_of(parts[rank], file),
						    4));
	pieces = calloc(n + 1, sizeof(*pieces));
	if (!pieces)
		return dsv_fail_nomem(err);
	for (rank = 0, n = 0; rank < ranks; rank++) {
		json_t *list = json_array_get(file_of(parts[rank], file), 4);

		for (i = 0; i < json_array_size(list); i++) {
			if (read_piece(json_array_get(list, i), &pieces[n++]))
				continue;
			free(pieces);
			return dsv_fail(err, DSV_ESYS, "the part of rank"
					" %" PRId64 " is damaged", rank);
		}
	}
	if (n > 0)
		qsort(pieces, n, sizeof(*pieces), compare_pieces);
	*out = pieces;
	*count = n;
	return 0;
}

static int assemble(const struct ingest_piece *pieces, size_t count,
		    struct ingest *in, struct manifest_entry *e,
		    struct dsv_err *err)
{
	struct recipe recipe = RECIPE_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++) {
		if (pieces[i].offset != recipe.size_bytes)
			break;
		if (pieces[i].is_zero)
			ret = recipe_add_zeros(&recipe, pieces[i].length, err);
		else
			ret = recipe_add_range(&recipe, pieces[i].hash, 0,
					       pieces[i].length, err);
	}
	if (ret == 0 && (i < count || recipe.size_bytes != e->size_bytes))
		ret = dsv_fail(err, DSV_ESYS, "'%s': the shares of the ranks do"
			       " not fit together (do all run the same dsv?)",
			       e->path);
	if (ret == 0)
		ret = ingest_recipe(in, &recipe, e->recipe, err);
	recipe_release(&recipe);
	return ret;
}

int replica_assemble(json_t *const *parts, int64_t ranks, struct ingest *in,
		     const struct manifest *files, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < files->count; i++) {
		struct ingest_piece *pieces = NULL;
		size_t count = 0;

		if (files->entries[i].type != DSV_FILE)
			continue;
		ret = gather(parts, ranks, i, &pieces, &count, err);
		if (ret == 0)
			ret = assemble(pieces, count, in, &files->entries[i],
				       err);
		free(pieces);
	}
	return ret;
}
