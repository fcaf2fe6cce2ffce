/* SPDX-License-Identifier: MIT */
/*
 * Counting what is in use.  A manifest counts the live states that have it; a
 * recipe counts the manifests in use that name it, each once however many
 * files of it have it.  Chunks are not counted: which of a segment are alive
 * is worked out, when something is freed, from the recipes and manifests that
 * touch the segment (recipe_segment, manifest_segment, manifest_part).
 *
 * All are called inside of a write transaction.
 */
#ifndef DSV_CATALOG_USES_H
#define DSV_CATALOG_USES_H

#include "internal.h"

/*
 * Count one more live state of the manifest.  files: its decoded form, needed
 * when the manifest was not in use; ingest: the recipes that may be new and
 * their chunks.  Both may be NULL when the manifest is in use.  *id is its
 * row.
 *
 * CATALOG_MISSING: something it needs is not in the store.
 */
int content_use(struct catalog *c, const unsigned char hash[HASH_BYTES],
		const struct manifest *files,
		const struct ingest_result *ingest, int64_t *id,
		struct dsv_err *err);

/*
 * Check that chunks[count] are stored, and bring condemned ones back.
 * CATALOG_MISSING: one is not there, or bad.
 */
int content_claim(struct catalog *c,
		  const unsigned char (*chunks)[HASH_BYTES], size_t count,
		  struct dsv_err *err);

/*
 * What states with the manifest say of their files and size, which a line of
 * the journal may have told wrongly, or none: the manifest knows.
 */
int content_correct_totals(struct catalog *c, int64_t id,
			   const struct manifest *files, struct dsv_err *err);

/* Note that the recipe, or the manifest, touches the segment of the chunk. */
int content_link_recipe(struct catalog *c, int64_t recipe,
			const unsigned char chunk[HASH_BYTES],
			struct dsv_err *err);
int content_link_manifest(struct catalog *c, int64_t manifest,
			  const unsigned char chunk[HASH_BYTES],
			  struct dsv_err *err);

#endif
