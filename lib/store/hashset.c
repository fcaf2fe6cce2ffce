/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

void hash_set_release(struct hash_set *set)
{
	free(set->slots);
	free(set->used);
	*set = (struct hash_set)HASH_SET_INIT;
}

/*
 * Returns where hash is, or would go.  A hash is as good as random: it needs no
 * mixing.
 */
static size_t find_slot(const struct hash_set *set,
			const unsigned char hash[HASH_BYTES])
{
	size_t mask = set->capacity - 1;
	size_t i = (size_t)get_u64(hash) & mask;

	while (set->used[i] && memcmp(set->slots[i], hash, HASH_BYTES))
		i = (i + 1) & mask;
	return i;
}

bool hash_set_has(const struct hash_set *set,
		  const unsigned char hash[HASH_BYTES])
{
	return set->count > 0 && set->used[find_slot(set, hash)];
}

static int grow(struct hash_set *set, struct dsv_err *err)
{
	struct hash_set bigger = HASH_SET_INIT;
	size_t i, slot;

	bigger.count = set->count;
	bigger.capacity = set->capacity ? 2 * set->capacity : 64;
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	bigger.used = calloc(bigger.capacity, sizeof(*bigger.used));
	if (!bigger.slots || !bigger.used) {
		hash_set_release(&bigger);
		return dsv_fail_nomem(err);
	}
	for (i = 0; i < set->capacity; i++) {
		if (!set->used[i])
			continue;
		slot = find_slot(&bigger, set->slots[i]);
		memcpy(bigger.slots[slot], set->slots[i], HASH_BYTES);
		bigger.used[slot] = true;
	}
	hash_set_release(set);
	*set = bigger;
	return 0;
}

int hash_set_add(struct hash_set *set, const unsigned char hash[HASH_BYTES],
		 struct dsv_err *err)
{
	size_t slot;

	if (set->count >= set->capacity / 2) {
		int ret = grow(set, err);

		if (ret < 0)
			return ret;
	}
	slot = find_slot(set, hash);
	if (set->used[slot])
		return 0;
	memcpy(set->slots[slot], hash, HASH_BYTES);
	set->used[slot] = true;
	set->count++;
	return 1;
}
