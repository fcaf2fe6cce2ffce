/* SPDX-License-Identifier: MIT */
#include "format_source.h"

#define KIB 1024
#define MIB (1 << 20)

/* Makes a tensor of bytes; pad spaces follow the header. */
static void safetensors(struct file *f, const int64_t *sizes, size_t count,
			int pad)
{
	struct str json = STR_INIT;
	int64_t at = 0;
	size_t i;

	str_puts(&json, "{");
	for (i = 0; i < count; at += sizes[i++])
		str_printf(&json, "%s\"t%zu\":{\"dtype\":\"U8\",\"shape\":"
			   "[%" PRId64 "],\"data_offsets\":[%" PRId64 ",%"
			   PRId64 "]}", i ? "," : "", i, sizes[i], at,
			   at + sizes[i]);
	str_puts(&json, "}");
	while (pad-- > 0)
		str_putc(&json, ' ');
	memset(f, 0, sizeof(*f));
	str_u64(&f->bytes, json.len);
	str_add(&f->bytes, json.data, json.len);
	str_release(&json);
}

/* Returns the cuts of tensors of these sizes, from the header's end, in KiB. */
static void check_cuts(const int64_t *sizes_kib, size_t count,
		       const char *want, const char *sentence)
{
	int64_t sizes[2000], total = 0;
	struct format_cuts cuts;
	struct file f;
	size_t i;

	for (i = 0; i < count; i++) {
		sizes[i] = sizes_kib[i] * KIB;
		total += sizes[i];
	}
	safetensors(&f, sizes, count, 0);
	cuts = cut(&f, (int64_t)f.bytes.len + total);
	must(cuts.kind == FORMAT_SAFETENSORS && cuts.count > 0);
	must(cuts.end[0] == (int64_t)f.bytes.len);
	for (i = 0; i < cuts.count; i++)
		cuts.end[i] = (cuts.end[i] - (int64_t)f.bytes.len) / KIB;
	is_str(cut_text(&cuts), want, "%s", sentence);
	format_cuts_release(&cuts);
	file_release(&f);
}

static void test_rule(void)
{
	check_cuts((int64_t[]){ 9216 }, 1, "0 4096 8192 9216",
		   "a large tensor is cut every 4 MiB from its start");
	check_cuts((int64_t[]){ 4096 }, 1, "0 4096",
		   "a tensor of 4 MiB is a chunk");
	check_cuts((int64_t[]){ 100, 200, 300 }, 3, "0 600",
		   "small neighbours share a chunk");
	check_cuts((int64_t[]){ 600, 424, 1, 1023 }, 4, "0 1024 2048",
		   "they share it up to 1 MiB");
	check_cuts((int64_t[]){ 1023, 2, 1023 }, 3, "0 1023 1025 2048",
		   "what does not fit begins the next chunk");
	check_cuts((int64_t[]){ 1, 1024, 1 }, 3, "0 1 1025 1026",
		   "a tensor of 1 MiB shares with nobody");
	check_cuts((int64_t[]){ 1, 2048, 2, 3, 4097, 4 }, 6,
		   "0 1 2049 2054 6150 6151 6155",
		   "large tensors part the small ones");
	check_cuts((int64_t[]){ 0, 5, 0 }, 3, "0 5",
		   "empty tensors change nothing");
	check_cuts(NULL, 0, "0", "no tensors: the header is all there is");
}

static void test_group_count(void)
{
	int64_t sizes[1100];
	int i;

	for (i = 0; i < 1100; i++)
		sizes[i] = 1;
	check_cuts(sizes, 1100, "0 512 1024 1100",
		   "at most 512 tensors share a chunk");
}

static void test_header_growth(void)
{
	static const int64_t sizes[] = { 7 * MIB, 10, 2000, 5 * MIB + 1, 9 };
	struct format_cuts a, b;
	int64_t total = 0, by;
	bool same = true;
	struct file f, g;
	size_t i;

	for (i = 0; i < 5; i++)
		total += sizes[i];
	safetensors(&f, sizes, 5, 0);
	safetensors(&g, sizes, 5, 1);
	a = cut(&f, (int64_t)f.bytes.len + total);
	b = cut(&g, (int64_t)g.bytes.len + total);
	by = (int64_t)(g.bytes.len - f.bytes.len);
	must(by == 1);
	for (i = 0; i < a.count; i++)
		same = same && a.count == b.count &&
			b.end[i] == a.end[i] + by;
	ok(same, "a header longer by a byte moves every cut by a byte");
	ok(a.count == 7 && !b.content_defined[0],
	   "a small header is one chunk of its own");
	format_cuts_release(&a);
	format_cuts_release(&b);
	file_release(&f);
	file_release(&g);
}

static bool has_range(const struct format_cuts *cuts, int64_t start,
		      int64_t end)
{
	size_t i;

	for (i = 1; i < cuts->count; i++)
		if (cuts->end[i - 1] == start && cuts->end[i] == end)
			return true;
	return false;
}

static void test_frozen(void)
{
	int64_t sizes[] = { 3 * MIB, 10, 20, 2 * MIB, 30, 40 };
	struct format_cuts cuts;
	struct file f;
	int64_t head;

	safetensors(&f, sizes, 6, 0);
	head = (int64_t)f.bytes.len;
	cuts = cut(&f, head + 5 * MIB + 100);
	ok(has_range(&cuts, head + 3 * MIB + 30, head + 5 * MIB + 30),
	   "a large tensor is a chunk of its own");
	ok(has_range(&cuts, head + 5 * MIB + 30, head + 5 * MIB + 100),
	   "the small ones after it are a chunk");
	format_cuts_release(&cuts);
	file_release(&f);
	sizes[1] = 1000;
	sizes[0] = 9 * MIB;
	safetensors(&f, sizes, 6, 3);
	head = (int64_t)f.bytes.len;
	cuts = cut(&f, head + 11 * MIB + 1090);
	ok(has_range(&cuts, head + 9 * MIB + 1020, head + 11 * MIB + 1020) &&
	   has_range(&cuts, head + 11 * MIB + 1020, head + 11 * MIB + 1090),
	   "both stay the same when others change their sizes");
	format_cuts_release(&cuts);
	file_release(&f);
}

static void test_reads(void)
{
	static int64_t sizes[360];
	struct format_cuts cuts;
	struct file f;
	size_t i;

	for (i = 0; i < 360; i++)
		sizes[i] = 4 * MIB;
	safetensors(&f, sizes, 360, 0);
	cuts = cut(&f, (int64_t)f.bytes.len + 360LL * 4 * MIB);
	is_int(cuts.count, 361, "1.4 GiB of safetensors are cut");
	ok(f.reads <= 4, "that takes at most four reads");
	ok(f.read_bytes < (int64_t)f.bytes.len + 64,
	   "and little more than the header's bytes");
	format_cuts_release(&cuts);
	file_release(&f);
}

/* Returns the kind of a file with this header and data_bytes after it. */
static enum format_kind kind_of_json(const char *json, int64_t data_bytes)
{
	struct file f = { 0 };
	enum format_kind kind;

	str_u64(&f.bytes, strlen(json));
	str_puts(&f.bytes, json);
	kind = kind_of(&f, (int64_t)f.bytes.len + data_bytes);
	file_release(&f);
	return kind;
}

#define ENTRY(dtype, shape, begin, end) "{\"dtype\":\"" dtype "\",\"shape\":" \
	shape ",\"data_offsets\":[" begin "," end "]}"
#define A(entry) "{\"a\":" entry "}"
#define AB(a, b) "{\"a\":" a ",\"b\":" b "}"

static const struct {
	const char *what, *json;
	int64_t data_bytes;
	bool good;
} headers[] = {
	{ "nothing but braces", "{}", 0, true },
	{ "a scalar", A(ENTRY("F32", "[]", "0", "4")), 4, true },
	{ "an empty tensor", A(ENTRY("F32", "[0,7]", "0", "0")), 0, true },
	{ "metadata", "{\"__metadata__\":{\"a\":\"b\"}}", 0, true },
	{ "spaces at the end", "{}      ", 0, true },
	{ "tensors listed in another order", AB(ENTRY("U8", "[2]", "3", "5"),
	  ENTRY("U8", "[3]", "0", "3")), 5, true },
	{ "half-byte types", A(ENTRY("F4", "[2,3]", "0", "3")), 3, true },
	{ "three bits short of a byte", A(ENTRY("F4", "[3]", "0", "2")), 2,
	  false },
	{ "metadata that is not text", "{\"__metadata__\":{\"a\":1}}", 0,
	  false },
	{ "a hole", AB(ENTRY("U8", "[2]", "0", "2"),
	  ENTRY("U8", "[2]", "3", "5")), 5, false },
	{ "a hole at the start", A(ENTRY("U8", "[2]", "1", "3")), 3, false },
	{ "overlapping tensors", AB(ENTRY("U8", "[4]", "0", "4"),
	  ENTRY("U8", "[4]", "2", "6")), 6, false },
	{ "one tensor twice", AB(ENTRY("U8", "[4]", "0", "4"),
	  ENTRY("U8", "[4]", "0", "4")), 4, false },
	{ "bytes after the last tensor", A(ENTRY("U8", "[2]", "0", "2")), 3,
	  false },
	{ "a tensor beyond the end", A(ENTRY("U8", "[9]", "0", "9")), 3,
	  false },
	{ "an end before the begin", A(ENTRY("U8", "[2]", "2", "0")), 2,
	  false },
	{ "a size that is not the shape's", A(ENTRY("F32", "[2]", "0", "9")),
	  9, false },
	{ "a shape that overflows", A(ENTRY("F32",
	  "[4611686018427387904,4]", "0", "0")), 0, false },
	{ "bits that overflow", A(ENTRY("F64",
	  "[1152921504606846976]", "0", "0")), 0, false },
	{ "a negative dimension", A(ENTRY("U8", "[-2,-1]", "0", "2")), 2,
	  false },
	{ "a number beyond 64 bits", A(ENTRY("U8",
	  "[18446744073709551618]", "0", "2")), 2, false },
	{ "an unknown type", A(ENTRY("Q7", "[2]", "0", "2")), 2, false },
	{ "a fractional shape", A(ENTRY("U8", "[2.0]", "0", "2")), 2, false },
	{ "a key twice", "{\"a\":" ENTRY("U8", "[2]", "0", "2") ",\"a\":"
	  ENTRY("U8", "[2]", "0", "2") "}", 2, false },
	{ "an entry without a shape",
	  "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, false },
	{ "an entry that is a number", "{\"a\":1}", 0, false },
	{ "JSON cut short", "{\"a\":{", 0, false },
	{ "deep nesting", "{\"a\":[[[[[[[[]]]]]]]]}", 0, false },
};

static void test_headers(void)
{
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		is_int(kind_of_json(headers[i].json, headers[i].data_bytes),
		       headers[i].good ? FORMAT_SAFETENSORS : FORMAT_OPAQUE,
		       "safetensors with %s: %s", headers[i].what,
		       headers[i].good ? "taken" : "opaque");
}

static void test_claims(void)
{
	struct file f = { 0 };
	int i;

	str_u64(&f.bytes, 4LL << 30);
	str_puts(&f.bytes, "{\"a\":1}");
	is_int(kind_of(&f, 5LL << 30), FORMAT_OPAQUE,
	       "a header of 4 GiB is opaque");
	ok(f.read_bytes < 64, "and is not read");
	str_clear(&f.bytes);
	str_u64(&f.bytes, 1 << 20);
	str_puts(&f.bytes, "{}");
	is_int(kind_of(&f, -1), FORMAT_OPAQUE, "a truncated header is opaque");
	ok(f.read_bytes < 64, "and nothing is read");
	str_clear(&f.bytes);
	str_u64(&f.bytes, 15000000);
	str_puts(&f.bytes, "{\"a\":[");
	for (i = 0; i < 7000000; i++)
		str_puts(&f.bytes, "0,");
	is_int(kind_of(&f, 1 << 25), FORMAT_OPAQUE,
	       "millions of numbers are opaque before they are parsed");
	file_release(&f);
}

static void test_million_tensors(void)
{
	struct str json = STR_INIT;
	int i;

	for (i = 0; i < 200000; i++)
		str_printf(&json, "%c\"%d\":" ENTRY("U8", "[0]", "0", "0"),
			   i ? ',' : '{', i);
	str_putc(&json, '}');
	must(!str_failed(&json));
	is_int(kind_of_json(json.data, 0), FORMAT_OPAQUE,
	       "more tensors than are looked at are opaque");
	str_release(&json);
}

static void test_small_files(void)
{
	struct file f = { 0 };
	struct format_cuts cuts = cut(&f, 0);
	int64_t size;

	is_int(cuts.count, 0, "an empty file has no ranges");
	format_cuts_release(&cuts);
	str_puts(&f.bytes, "just some text");
	cuts = cut(&f, -1);
	is_str(cut_text(&cuts), "14*", "text is one content-defined range");
	format_cuts_release(&cuts);
	str_clear(&f.bytes);
	str_puts(&f.bytes, "\223NUMPYGGUFPK\3\4");
	for (size = 0; size <= (int64_t)f.bytes.len; size++)
		must(kind_of(&f, size) == FORMAT_OPAQUE);
	ok(true, "a magic alone is opaque, whatever its length");
	file_release(&f);
}

static int fail_read(void *arg, void *buf, size_t len, int64_t offset,
		     struct dsv_err *err)
{
	(void)arg, (void)buf, (void)len, (void)offset;
	return dsv_fail(err, DSV_ESYS, "read 'x': no luck");
}

static void test_read_error(void)
{
	struct format_source src = { 100, fail_read, NULL };
	struct format_cuts cuts = { .count = 7 };
	struct dsv_err err;

	is_int(format_cut(&src, &cuts, &err), DSV_ESYS,
	       "an error of read() is passed on");
	is_str(err.msg, "read 'x': no luck", "with its message");
	is_int(cuts.count, 7, "and the output is untouched");
}

int main(void)
{
	test_rule();
	test_group_count();
	test_header_growth();
	test_frozen();
	test_reads();
	test_headers();
	test_claims();
	test_million_tensors();
	test_small_files();
	test_read_error();
	return tap_done();
}
