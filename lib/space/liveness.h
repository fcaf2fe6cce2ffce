/* SPDX-License-Identifier: MIT */
/*
 * Which chunks of a segment are dead; what condemning and estimating share.
 */
#ifndef DSV_SPACE_LIVENESS_H
#define DSV_SPACE_LIVENESS_H

#include "../base/list.h"
#include "../catalog/internal.h"

struct segment_chunk {
	unsigned char hash[HASH_BYTES];
	int64_t stored;
	bool live;
};

struct liveness {
	int64_t segment;
	int64_t since_ns;
	size_t count, dead;
	struct segment_chunk *chunks;	/* by hash; status is ok */
	size_t seen_count;
	int64_t *seen;			/* recipes, sorted */
	bool damaged;
};

/* Rows that are to be taken as not in use, sorted; of a prune to be. */
struct dropped {
	size_t recipe_count, manifest_count;
	const int64_t *recipes, *manifests;
};

/*
 * Which chunks the recipes in use name.  dropped NULL: chunks that hold
 * manifests are not marked yet.
 */
int liveness_work_out(struct catalog *c, struct store *s, struct liveness *l,
		      const struct dropped *dropped, struct dsv_err *err);
void liveness_release(struct liveness *l);

#endif
