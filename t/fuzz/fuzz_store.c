/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what lies in segments and beside them: recipes, manifests, indexes.
 * The first byte says which; what is accepted must be canonical, for its hash
 * is its name.
 */
#include <assert.h>
#include <string.h>

#include "../../lib/store/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_same(struct str *text, const uint8_t *data, size_t len)
{
	assert(text->len == len && !memcmp(text->data, data, len));
	str_release(text);
}

static void try_recipe(const uint8_t *data, size_t len)
{
	struct recipe r = RECIPE_INIT;
	struct str text = STR_INIT;
	struct recipe_chunk chunk;
	struct recipe_piece piece;
	int64_t sum = 0;
	size_t at = 0, chunks = 0;

	if (recipe_decode(data, len, &r, NULL) < 0)
		return;
	for (; recipe_at(&r, sum, &piece); sum += piece.length) {
		assert(piece.start == sum && piece.length > 0);
		assert(piece.length <= r.size_bytes - sum);
		chunks += piece.chunk != NULL;
	}
	assert(sum == r.size_bytes);
	for (; recipe_next_chunk(&r, &at, &chunk); chunks--)
		assert(chunk.length > 0);
	assert(chunks == 0);
	assert(recipe_encode(&r, &text, NULL) == 0);
	check_same(&text, data, len);
	recipe_release(&r);
}

static void try_manifest(const uint8_t *data, size_t len)
{
	struct manifest m = MANIFEST_INIT;
	struct str text = STR_INIT;
	size_t i;

	if (manifest_decode(data, len, &m, NULL) < 0)
		return;
	for (i = 0; i < m.count; i++) {
		const char *path = m.entries[i].path;

		assert(path[0] && path[0] != '/' && m.entries[i].part == -1);
		assert(strcmp(path, "..") && strncmp(path, "../", 3) &&
		       !strstr(path, "/../"));
	}
	assert(manifest_encode(&m, &text, NULL) == 0);
	check_same(&text, data, len);
	manifest_release(&m);
}

static void try_index(const uint8_t *data, size_t len)
{
	struct segment_index index;
	struct str text = STR_INIT;

	memset(&index, 0, sizeof(index));
	if (segment_index_decode(data, len, &index, NULL) < 0)
		return;
	assert(segment_index_encode(&index, &text, NULL) == 0);
	check_same(&text, data, len);
	segment_index_release(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	switch (data[0]) {
	case 'r':
		try_recipe(data + 1, len - 1);
		break;
	case 'm':
		try_manifest(data + 1, len - 1);
		break;
	case 'i':
		try_index(data + 1, len - 1);
		break;
	default:
		break;
	}
	return 0;
}
