/* SPDX-License-Identifier: MIT */
#include "ingest.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

int ingest_new(struct store *s, struct ingest **out, struct dsv_err *err)
{
	struct ingest *in = calloc(1, sizeof(*in));

	if (!in)
		return dsv_fail_nomem(err);
	in->s = s;
	store_remember_open(s);
	store_lookup_anew(s);
	pthread_mutex_init(&in->lock, NULL);
	*out = in;
	return 0;
}

void ingest_close(struct ingest *in, bool keep)
{
	size_t i;

	if (!in)
		return;
	pool_close(in->pool);
	if (keep && in->finished)
		store_remember_save(in->s);
	for (i = 0; i < in->writer_count; i++)
		writer_free(in->writers[i], keep && in->finished);
	free(in->writers);
	for (i = 0; i < in->result.recipe_count; i++)
		free(in->result.recipes[i].chunks);
	free(in->result.recipes);
	free(in->result.segments);
	hash_set_release(&in->placed);
	hash_set_release(&in->met);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

int ingest_pool(struct ingest *in, struct pool **out, struct dsv_err *err)
{
	int ret = 0;

	if (!in->pool)
		ret = pool_new(in->s->threads, &in->pool, err);
	if (ret == 0)
		*out = in->pool;
	return ret;
}

int ingest_lookup(struct ingest *in, const unsigned char hash[HASH_BYTES],
		  struct dsv_err *err)
{
	struct chunk row;
	int ret;

	ret = store_lookup(in->s, hash, &row, err);
	if (ret <= 0)
		return ret;
	/* We do not rely on a file that somebody has removed or truncated. */
	if (strcmp(row.segment, in->seen) != 0) {
		in->seen_bytes = segment_size(in->s, row.segment);
		memcpy(in->seen, row.segment, sizeof(in->seen));
	}
	return chunk_is_sane(&row, in->seen_bytes);
}

int ingest_claim(struct ingest *in, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err)
{
	int ret;

	if (hash_set_has(&in->placed, hash))
		return 0;
	ret = ingest_lookup(in, hash, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	return hash_set_add(&in->placed, hash, err);
}

int ingest_bytes(struct ingest *in, const void *data, size_t len,
		 unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	unsigned char h[HASH_BYTES];
	int ret;

	if (len == 0 || len > UINT32_MAX)
		return dsv_fail(err, DSV_EUSAGE, "a chunk of %zu bytes", len);
	if (!hash_bytes(data, len, h))
		return dsv_fail_nomem(err);
	pthread_mutex_lock(&in->lock);
	ret = ingest_claim(in, h, err);
	if (ret > 0)
		ret = writer_append(in, h, data, len, err);
	if (ret < 0)
		in->broken = true;
	pthread_mutex_unlock(&in->lock);
	if (ret < 0)
		return ret;
	memcpy(hash, h, HASH_BYTES);
	return 0;
}

int ingest_move(struct ingest *in, const struct chunk *chunk,
		struct dsv_err *err)
{
	struct chunk row = *chunk;
	char *data = malloc(row.length);
	int ret;

	if (!data)
		return dsv_fail_nomem(err);
	ret = chunk_read(in->s, &row, data, err);
	if (ret == 0) {
		pthread_mutex_lock(&in->lock);
		ret = writer_append(in, row.hash, data, row.length, err);
		pthread_mutex_unlock(&in->lock);
	}
	if (ret < 0)
		in->broken = true;
	free(data);
	return ret < 0 ? ret : store_poll(in->s, err);
}

static int list_chunks(const struct recipe *r, struct ingest_recipe *out,
		       struct dsv_err *err)
{
	struct hash_set seen = HASH_SET_INIT;
	unsigned char (*chunks)[HASH_BYTES] = NULL;
	struct recipe_chunk chunk;
	size_t count = 0, at = 0;
	int ret = 0;

	while (ret >= 0 && recipe_next_chunk(r, &at, &chunk)) {
		ret = hash_set_add(&seen, chunk.hash, err);
		if (ret <= 0)
			continue;
		ret = list_grow((void **)&chunks, count, sizeof(*chunks), err);
		if (ret == 0)
			memcpy(chunks[count++], chunk.hash, HASH_BYTES);
	}
	hash_set_release(&seen);
	if (ret < 0) {
		free(chunks);
		return ret;
	}
	out->count = count;
	out->chunks = chunks;
	return 0;
}

int store_list_chunks(struct store *s, struct ingest_recipe *out,
		      struct dsv_err *err)
{
	struct recipe r = RECIPE_INIT;
	int ret = store_read_recipe(s, out->hash, &r, err);

	if (ret == 0)
		ret = list_chunks(&r, out, err);
	recipe_release(&r);
	return ret;
}

int ingest_note_recipe(struct ingest *in, const struct recipe *r,
		       const unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct ingest_result *result = &in->result;
	struct ingest_recipe item = { .count = 0 };
	int ret;

	if (hash_set_has(&in->met, hash))
		return 0;
	ret = list_grow((void **)&result->recipes, result->recipe_count,
			sizeof(item), err);
	if (ret < 0)
		return ret;
	memcpy(item.hash, hash, HASH_BYTES);
	ret = list_chunks(r, &item, err);
	if (ret < 0)
		return ret;
	ret = hash_set_add(&in->met, hash, err);
	if (ret < 0) {
		free(item.chunks);
		return ret;
	}
	result->recipes[result->recipe_count++] = item;
	return 0;
}

void store_recipes_release(struct ingest_result *recipes)
{
	size_t i;

	for (i = 0; i < recipes->recipe_count; i++)
		free(recipes->recipes[i].chunks);
	free(recipes->recipes);
	recipes->recipes = NULL;
	recipes->recipe_count = 0;
}

int store_read_recipes(struct store *s, const struct manifest *files,
		       struct ingest_result *out, struct dsv_err *err)
{
	unsigned char (*recipes)[HASH_BYTES];
	size_t count, i;
	int ret;

	ret = manifest_recipes(files, &recipes, &count, err);
	if (ret < 0)
		return ret;
	out->recipe_count = 0;
	out->recipes = calloc(count + 1, sizeof(*out->recipes));
	if (!out->recipes)
		ret = dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < count; i++) {
		struct ingest_recipe *recipe = &out->recipes[i];

		memcpy(recipe->hash, recipes[i], HASH_BYTES);
		out->recipe_count++;
		ret = store_list_chunks(s, recipe, err);
	}
	free(recipes);
	return ret;
}
