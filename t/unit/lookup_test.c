/* SPDX-License-Identifier: MIT */
/* Tests how often the catalog is asked when rows are read ahead. */
#include "../../lib/store/internal.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define COUNT 1000

static int calls;
static size_t rows_read;

/* Finds chunk i of one segment; those from COUNT on do not exist. */
static const unsigned char *hash_of(int i)
{
	static unsigned char hash[HASH_BYTES];

	memcpy(hash, &i, sizeof(i));
	return hash;
}

static int lookup(void *arg, const unsigned char hash[HASH_BYTES],
		  struct chunk *rows, size_t max, struct dsv_err *err)
{
	size_t n;
	int i;

	(void)arg;
	(void)err;
	calls++;
	memcpy(&i, hash, sizeof(i));
	for (n = 0; n < max && i < COUNT; n++, i++) {
		rows[n] = (struct chunk){ .segment = "s", .offset = i * 100 };
		memcpy(rows[n].hash, hash_of(i), HASH_BYTES);
	}
	rows_read += n;
	return (int)n;
}

static bool finds(struct store *s, int i)
{
	struct chunk row;

	return store_lookup(s, hash_of(i), &row, NULL) == 1 &&
	       row.offset == i * 100;
}

int main(void)
{
	struct store_options o = { .dir = "/", .lookup = lookup };
	struct chunk row;
	struct store *s;
	bool good = true;
	int i;

	must(store_open(&o, &s, NULL) == 0);
	for (i = 0; i < COUNT; i++)
		good = finds(s, i) && good;
	ok(good && calls < 20, "one after the other: %d calls", calls);

	calls = 0;
	for (i = 0; i < COUNT; i += 2)
		good = finds(s, i + 1) && finds(s, i) && good;
	ok(good && calls < 40, "a recipe before its chunk: %d calls", calls);

	calls = 0;
	rows_read = 0;
	for (i = 0; i < COUNT; i++)
		good = finds(s, (i * 617) % COUNT) && good;
	ok(good && rows_read < 20 * COUNT, "here and there: %zu rows for %d",
	   rows_read, COUNT);

	finds(s, 1);
	finds(s, 2);
	ok(store_lookup(s, hash_of(COUNT), &row, NULL) == 0, "one is missing");
	calls = 0;
	ok(finds(s, 2) && calls == 0, "what was read stays known");
	s->ahead.since_ns -= INT64_C(2000000000);
	ok(finds(s, 2) && calls == 1, "for a second");
	ok(store_lookup_now(s, hash_of(2), &row, NULL) == 1 && calls == 2,
	   "the current row is asked for");
	ok(finds(s, 2) && calls == 3, "and nothing older is believed then");
	store_lookup_anew(s);
	ok(finds(s, 2) && calls == 4, "nor at the start of an ingest");
	store_close(s);
	return tap_done();
}
