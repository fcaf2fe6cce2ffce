/* SPDX-License-Identifier: MIT */
/*
 * This counts what is in use.  A manifest counts the live states that have it.
 * A recipe counts the manifests in use that name it, each once however many of
 * its files have the recipe.  Chunks are not counted: when something is freed,
 * the recipes and manifests that touch a segment (recipe_segment,
 * manifest_segment, manifest_part) show which of its chunks are alive.
 *
 * All functions are called inside a write transaction.
 */
#ifndef DSV_CATALOG_USES_H
#define DSV_CATALOG_USES_H

#include "internal.h"

/*
 * Counts one more live state of the manifest.  files is its decoded form,
 * needed if the manifest was not in use; ingest has the recipes that may be new
 * and their chunks.  Both may be NULL if the manifest is in use.  *id is its
 * row.
 *
 * Returns CATALOG_MISSING if something it needs is not in the store.
 */
int content_use(struct catalog *c, const unsigned char hash[HASH_BYTES],
		const struct manifest *files,
		const struct ingest_result *ingest, int64_t *id,
		struct dsv_err *err);

/*
 * Checks that chunks[count] are stored, and brings condemned ones back.
 * Returns CATALOG_MISSING if one is absent, or bad.
 */
int content_claim(struct catalog *c,
		  const unsigned char (*chunks)[HASH_BYTES], size_t count,
		  struct dsv_err *err);

/*
 * Corrects what states with the manifest say about their files and size, which
 * a line of the journal may have given wrongly or not at all: the manifest
 * knows.
 */
int content_correct_totals(struct catalog *c, int64_t id,
			   const struct manifest *files, struct dsv_err *err);

/* Notes that the recipe, or the manifest, touches the segment of the chunk. */
int content_link_recipe(struct catalog *c, int64_t recipe,
			const unsigned char chunk[HASH_BYTES],
			struct dsv_err *err);
int content_link_manifest(struct catalog *c, int64_t manifest,
			  const unsigned char chunk[HASH_BYTES],
			  struct dsv_err *err);

#endif
