/* SPDX-License-Identifier: MIT */
/*
 * This finds chunks.  Small files that one tag has stored lie in one segment in
 * the order in which the next tag, or a checkout, looks for them: with a row we
 * read those that follow it, like read-ahead in a file.  Each look-up is a read
 * of its own, so that nobody waits while bytes are moved between two of them.
 */
#include "internal.h"

#include <string.h>

#include "../base/clock.h"
#include "../os/fs.h"

/* What was read ahead is a hint, and must not be an old one. */
#define FRESH_NS NS_PER_S
#define AHEAD_AT_LEAST 4

static const struct chunk *find_ahead(struct rows_ahead *a,
				      const unsigned char hash[HASH_BYTES])
{
	int64_t age_ns = now_ns() - a->since_ns;
	size_t i, at;

	/* The clock may jump back. */
	if (age_ns < 0 || age_ns > FRESH_NS)
		a->count = 0;
	for (i = 0; i < a->count; i++) {
		at = (a->next + i) % a->count;
		if (memcmp(a->rows[at].hash, hash, HASH_BYTES) != 0)
			continue;
		a->next = at + 1;
		a->hits++;
		return &a->rows[at];
	}
	return NULL;
}

/*
 * Returns twice as many as the last time, or half as many, depending on whether
 * the last two times were worth it: a file's recipe, which lies behind its
 * chunks, is looked up first, so that every other read is followed by a step
 * back.
 */
static size_t rows_wanted(struct rows_ahead *a)
{
	bool worth_it = 4 * (a->hits + a->hits_before) >= a->want;

	a->hits_before = a->hits;
	a->hits = 0;
	a->want = worth_it ? 2 * a->want : a->want / 2;
	if (a->want < AHEAD_AT_LEAST)
		a->want = AHEAD_AT_LEAST;
	if (a->want > ROWS_AHEAD)
		a->want = ROWS_AHEAD;
	return a->want;
}

static int read_ahead(struct store *s, const unsigned char hash[HASH_BYTES],
		      struct dsv_err *err)
{
	struct rows_ahead *a = &s->ahead;
	int ret;

	ret = s->lookup(s->lookup_arg, hash, a->rows, rows_wanted(a), err);
	if (ret == 0)
		return 0;
	a->count = ret > 0 ? (size_t)ret : 0;
	a->next = 1;
	a->since_ns = now_ns();
	return ret;
}

int store_lookup(struct store *s, const unsigned char hash[HASH_BYTES],
		 struct chunk *out, struct dsv_err *err)
{
	const struct chunk *row;
	int ret = 1;

	pthread_mutex_lock(&s->lookup_lock);
	row = find_ahead(&s->ahead, hash);
	if (!row) {
		ret = read_ahead(s, hash, err);
		row = s->ahead.rows;
	}
	if (ret > 0)
		*out = *row;
	pthread_mutex_unlock(&s->lookup_lock);
	return ret > 0 ? 1 : ret;
}

int store_lookup_now(struct store *s, const unsigned char hash[HASH_BYTES],
		     struct chunk *out, struct dsv_err *err)
{
	int ret;

	pthread_mutex_lock(&s->lookup_lock);
	s->ahead.count = 0;
	ret = s->lookup(s->lookup_arg, hash, out, 1, err);
	pthread_mutex_unlock(&s->lookup_lock);
	return ret;
}

void store_lookup_anew(struct store *s)
{
	pthread_mutex_lock(&s->lookup_lock);
	s->ahead.count = 0;
	pthread_mutex_unlock(&s->lookup_lock);
}
