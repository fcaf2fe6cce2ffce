/* SPDX-License-Identifier: MIT */
#include "../dsv.h"

#include <string.h>

enum { MAX_WORD = 63 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Returns how many characters have to be inserted, deleted, changed or swapped
 * with their neighbour to turn a into b.
 */
static size_t distance(const char *a, size_t a_len, const char *b,
		       size_t b_len)
{
	size_t rows[3][MAX_WORD + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t i, j;

	for (j = 0; j <= b_len; j++)
		last[j] = j;
	for (i = 1; i <= a_len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *dsv_suggest(const char *word, const char *const *candidates,
			size_t count)
{
	size_t len = strlen(word);
	size_t best = len / 3 + 2;	/* must be nearer than this */
	const char *found = NULL;
	size_t i;

	if (len == 0 || len > MAX_WORD)
		return NULL;
	for (i = 0; i < count; i++) {
		size_t other = strlen(candidates[i]);
		size_t d;

		if (other > MAX_WORD || other == 0)
			continue;
		d = distance(word, len, candidates[i], other);
		/* A word that has nothing in common is not suggested. */
		if (d < best && d < len && d < other) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}
