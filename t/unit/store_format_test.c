/* SPDX-License-Identifier: MIT */
/* Tests which recipes, manifests and indexes are written, and refused. */
#include "../../lib/store/internal.h"
#include "tap.h"

/* ---- Recipes ----------------------------------------------------------- */

enum { RANGE = 1, ZERO = 2 };

static void add(struct recipe *r, int chunk, int64_t offset, int64_t length)
{
	unsigned char hash[HASH_BYTES];

	memset(hash, chunk, HASH_BYTES);
	must(recipe_add_range(r, hash, offset, length, NULL) == 0);
}

static int decode_recipe(const void *data, size_t len)
{
	struct recipe r = RECIPE_INIT;
	char *exact = malloc(len + 1);	/* so that ASan sees every overrun */
	int ret;

	must(exact);
	memcpy(exact, data, len);
	exact = realloc(exact, len ? len : 1);
	ret = recipe_decode(exact, len, &r, NULL);
	free(exact);
	recipe_release(&r);
	return ret;
}

static void put_item(struct str *s, int op, int chunk, uint64_t offset,
		     uint64_t length)
{
	int i;

	str_u8(s, (uint8_t)op);
	for (i = 0; op == RANGE && i < HASH_BYTES; i++)
		str_u8(s, (uint8_t)chunk);
	if (op == RANGE)
		str_u64(s, offset);
	str_u64(s, length);
}

static void put_header(struct str *s, uint64_t size, uint32_t count)
{
	str_clear(s);
	str_puts(s, "dsvr");
	str_u8(s, 1);
	str_u64(s, size);
	str_u32(s, count);
}

static void test_recipe(void)
{
	struct recipe r = RECIPE_INIT, back = RECIPE_INIT;
	struct str s = STR_INIT;
	size_t i;
	int bad = 0;

	add(&r, 1, 0, 10);
	add(&r, 1, 10, 5);
	add(&r, 1, 16, 5);
	must(recipe_add_zeros(&r, 100, NULL) == 0);
	must(recipe_add_zeros(&r, 1, NULL) == 0);
	add(&r, 2, 0, 0);
	is_int((int64_t)r.count, 3, "neighbours are joined, nothing dropped");
	is_int(r.size_bytes, 121, "the size is the sum");
	must(recipe_encode(&r, &s, NULL) == 0);
	is_int((int64_t)s.len, 17 + 2 * 49 + 9, "the encoding is as designed");
	must(recipe_decode(s.data, s.len, &back, NULL) == 0);
	ok(back.count == 3 && back.size_bytes == 121, "and comes back");
	for (i = 0; i < s.len; i++)
		bad += decode_recipe(s.data, i) == DSV_ECORRUPT;
	is_int(bad, (int64_t)s.len, "a recipe cut anywhere is refused");
	str_u8(&s, 0);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "and one byte more");
	recipe_release(&r);
	recipe_release(&back);
	str_release(&s);
}

static void test_read_recipe(void)
{
	struct recipe r = RECIPE_INIT;
	struct recipe_piece piece;
	struct recipe_chunk chunk;
	size_t at = 0;

	add(&r, 1, 5, 10);
	must(recipe_add_zeros(&r, 20, NULL) == 0);
	add(&r, 2, 0, 30);
	ok(recipe_at(&r, 4, &piece) && piece.chunk && piece.chunk[0] == 1 &&
	   piece.start == 4 && piece.chunk_offset == 9 && piece.length == 6,
	   "a piece begins in the middle of a range");
	ok(recipe_at(&r, 10, &piece) && !piece.chunk && piece.length == 20,
	   "zeros belong to no chunk");
	ok(recipe_at(&r, 59, &piece) && piece.chunk && piece.chunk[0] == 2 &&
	   piece.chunk_offset == 29 && piece.length == 1, "the last byte");
	ok(!recipe_at(&r, 60, &piece) && !recipe_at(&r, -1, &piece),
	   "no byte outside the file");
	ok(recipe_next_chunk(&r, &at, &chunk) && chunk.hash[0] == 1 &&
	   chunk.length == 15 && recipe_next_chunk(&r, &at, &chunk) &&
	   chunk.hash[0] == 2 && chunk.length == 30 &&
	   !recipe_next_chunk(&r, &at, &chunk),
	   "each chunk is named, and how much of it is needed");
	recipe_release(&r);
	ok(!recipe_at(&r, 0, &piece), "an empty file has no piece");
}

static void test_hostile_recipe(void)
{
	struct str s = STR_INIT;

	put_header(&s, 0, 0);
	is_int(decode_recipe(s.data, s.len), 0, "an empty file has a recipe");
	put_header(&s, 0, UINT32_MAX);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT,
	       "four billion items in no bytes");
	put_header(&s, 20, 2);
	put_item(&s, ZERO, 0, 0, 10);
	put_item(&s, ZERO, 0, 0, 10);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT,
	       "a recipe that could be joined is not canonical");
	put_header(&s, 20, 2);
	put_item(&s, RANGE, 3, 0, 10);
	put_item(&s, RANGE, 3, 10, 10);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "ranges too");
	put_header(&s, 0, 1);
	put_item(&s, ZERO, 0, 0, 0);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "an empty range");
	put_header(&s, UINT64_MAX, 1);
	put_item(&s, ZERO, 0, 0, UINT64_MAX);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "a negative one");
	put_header(&s, 1, 3);
	put_item(&s, ZERO, 0, 0, INT64_MAX);
	put_item(&s, RANGE, 1, 0, INT64_MAX);
	put_item(&s, ZERO, 0, 0, 3);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "an overflow");
	put_header(&s, 2, 1);
	put_item(&s, RANGE, 1, INT64_MAX, 2);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT, "an offset's too");
	put_header(&s, 1, 1);
	put_item(&s, 3, 1, 0, 1);
	is_int(decode_recipe(s.data, s.len), DSV_ECORRUPT,
	       "an operation of the future");
	str_release(&s);
}

/* ---- Manifests --------------------------------------------------------- */

#define HEX "00112233445566778899aabbccddeeff" \
	    "00112233445566778899aabbccddeeff"
#define FILE_LINE(path) "f\t5\t" HEX "\t" path "\n"

static int decode_manifest(const char *lines)
{
	struct manifest m = MANIFEST_INIT;
	char *text = str_format("dsv-manifest 1\n%s", lines);
	int ret;

	must(text);
	ret = manifest_decode(text, strlen(text), &m, NULL);
	manifest_release(&m);
	free(text);
	return ret;
}

static int add_entry(struct manifest *m, enum dsv_entry_type type,
		     const char *path, const char *target)
{
	struct manifest_entry e = { .type = type, .size_bytes = 5,
				    .part = -1 };

	e.path = strdup(path);
	e.target = target ? strdup(target) : NULL;
	return manifest_add(m, &e, NULL);
}

static void test_manifest(void)
{
	struct manifest m = MANIFEST_INIT, back = MANIFEST_INIT;
	unsigned char hash[HASH_BYTES] = { 7 };
	struct str s = STR_INIT;
	size_t i;
	int bad = 0;

	must(add_entry(&m, DSV_FILE, "z\n\\\x7f\xff", NULL) == 0);
	must(add_entry(&m, DSV_LINK, "a/b", "../\tx") == 0);
	must(add_entry(&m, DSV_DIR, "a-b", NULL) == 0);
	must(manifest_add_part(&m, 3, hash, NULL) == 0);
	must(manifest_add_part(&m, 0, hash, NULL) == 0);
	is_int(manifest_encode(&m, &s, NULL), 0, "a manifest is written");
	ok(strstr(str_text(&s), "\nl\t../\\x09x\ta/b\n") &&
	   strstr(str_text(&s), "\tz\\x0a\\x5c\\x7f\xff\n"),
	   "what would break a line is escaped");
	must(manifest_decode(s.data, s.len, &back, NULL) == 0);
	ok(back.count == 3 && back.part_count == 2 &&
	   back.parts[1].rank == 3, "and comes back, sorted");
	is_str(back.entries[2].path, "z\n\\\x7f\xff", "with the same paths");
	for (i = 0; i < s.len; i++) {
		struct manifest cut = MANIFEST_INIT;

		/* Cut at the end of a line, it is a shorter manifest. */
		bad += s.data[i ? i - 1 : 0] != '\n' &&
		       manifest_decode(s.data, i, &cut, NULL) == 0;
		manifest_release(&cut);
	}
	is_int(bad, 0, "cut within a line it is refused");
	must(add_entry(&m, DSV_DIR, "a-b", NULL) == 0);
	is_int(manifest_encode(&m, &s, NULL), DSV_EUSAGE, "no path twice");
	manifest_release(&m);
	manifest_release(&back);
	str_release(&s);
}

static void test_hostile_manifest(void)
{
	static const char *const refused[] = {
		FILE_LINE("/etc/passwd"), FILE_LINE(""), FILE_LINE(".."),
		FILE_LINE("a/../b"), FILE_LINE("a//b"), FILE_LINE("a/"),
		FILE_LINE("./a"), FILE_LINE("a/."), FILE_LINE("a\\x00"),
		FILE_LINE("\\x61"), FILE_LINE("a\\"), FILE_LINE("a\\x0A"),
		FILE_LINE("a\tb"),
		FILE_LINE("b") FILE_LINE("a"), FILE_LINE("a") FILE_LINE("a"),
		"l\t/etc\ta\n" FILE_LINE("a/passwd"),
		"l\t/etc\ta\n" FILE_LINE("a-b") FILE_LINE("a/b/c"),
		FILE_LINE("a") FILE_LINE("a/b"), "d\ta\n" FILE_LINE("a/b"),
		"f\t-5\t" HEX "\ta\n", "f\t05\t" HEX "\ta\n",
		"f\t9223372036854775808\t" HEX "\ta\n", "f\t\t" HEX "\ta\n",
		"f\t5\t" HEX "0\ta\n", "l\t\ta\n", "q\ta\n", "d\n", "\n",
		"p\t1\t" HEX "\np\t1\t" HEX "\n", "p\t1\t" HEX "\nd\ta\n",
		"p\t-1\t" HEX "\n",
	};
	size_t i;
	char *path;

	is_int(decode_manifest(""), 0, "no files is fine");
	is_int(decode_manifest(FILE_LINE("..a/...")), 0, "so are many dots");
	is_int(decode_manifest(FILE_LINE("a-b") FILE_LINE("a/b")), 0,
	       "and what only looks like below");
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		is_int(decode_manifest(refused[i]), DSV_ECORRUPT,
		       "refused, number %zu", i);
	path = malloc(5000 + sizeof("d\t\n"));
	must(path);
	memset(path, 'a', 5000);
	memcpy(path, "d\t", 2);
	memcpy(path + 5000, "\n", 2);
	is_int(decode_manifest(path), DSV_ECORRUPT, "a path of 5000 bytes");
	free(path);
}

static void test_merge(void)
{
	struct manifest all = MANIFEST_INIT, a = MANIFEST_INIT,
			b = MANIFEST_INIT;

	must(add_entry(&a, DSV_FILE, "same", NULL) == 0);
	must(add_entry(&a, DSV_FILE, "x", NULL) == 0);
	must(add_entry(&b, DSV_FILE, "same", NULL) == 0);
	must(manifest_merge(&all, &b, 1, NULL) == 0);
	must(manifest_merge(&all, &a, 0, NULL) == 0);
	is_int(manifest_settle(&all, NULL), 0, "parts are merged");
	ok(all.count == 2 && all.entries[0].part == 0,
	   "what two have appears once, from the lower rank");
	must(add_entry(&b, DSV_DIR, "x", NULL) == 0);
	must(manifest_merge(&all, &b, 1, NULL) == 0);
	is_int(manifest_settle(&all, NULL), DSV_ECORRUPT,
	       "different things of one name are refused");
	manifest_release(&all);
	manifest_release(&a);
	manifest_release(&b);
}

/* ---- Indexes ----------------------------------------------------------- */

static int decode_index(const struct segment_index *index)
{
	struct segment_index back = { 0 };
	struct str s = STR_INIT;
	int ret;

	must(segment_index_encode(index, &s, NULL) == 0);
	ret = segment_index_decode(s.data, s.len, &back, NULL);
	segment_index_release(&back);
	str_release(&s);
	return ret;
}

static void test_index(void)
{
	struct chunk c[2] = { { .offset = 8, .length = 5, .stored_length = 5 },
			      { .offset = 13, .length = 9,
				.stored_length = 9, .crc32c = 77 } };
	struct segment_index index = { SEGMENT_PACKED, 2, c };
	struct segment_index back = { 0 };
	struct str s = STR_INIT;
	size_t i;
	int bad = 0;

	must(segment_index_encode(&index, &s, NULL) == 0);
	is_int((int64_t)s.len, 10 + 2 * 85 + 32, "an index is as designed");
	must(segment_index_decode(s.data, s.len, &back, NULL) == 0);
	ok(back.count == 2 && !memcmp(back.chunks, c, sizeof(c)),
	   "and comes back");
	segment_index_release(&back);
	for (i = 0; i < s.len; i++) {
		s.data[i] ^= 1;
		bad += segment_index_decode(s.data, s.len, &back, NULL) ==
		       DSV_ECORRUPT;
		s.data[i] ^= 1;
		bad += segment_index_decode(s.data, i, &back, NULL) ==
		       DSV_ECORRUPT;
	}
	is_int(bad, 2 * (int64_t)s.len, "any bit or cut is seen");
	c[1].offset = 12;
	is_int(decode_index(&index), DSV_ECORRUPT, "chunks must not overlap");
	c[1].offset = INT64_MAX - 3;
	is_int(decode_index(&index), DSV_ECORRUPT, "nor overflow");
	c[1].offset = -1;
	is_int(decode_index(&index), DSV_ECORRUPT, "nor be negative");
	c[1].offset = 13;
	c[1].stored_length = 8;
	is_int(decode_index(&index), DSV_ECORRUPT, "raw lengths are equal");
	c[1].length = c[1].stored_length = 0;
	is_int(decode_index(&index), DSV_ECORRUPT, "no chunk is empty");
	c[1].length = c[1].stored_length = 1;
	c[1].encoding = 1;
	is_int(decode_index(&index), DSV_ECORRUPT, "unknown encoding");
	str_release(&s);
}

int main(void)
{
	test_recipe();
	test_read_recipe();
	test_hostile_recipe();
	test_manifest();
	test_hostile_manifest();
	test_merge();
	test_index();
	return tap_done();
}
