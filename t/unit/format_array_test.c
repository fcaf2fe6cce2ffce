/* SPDX-License-Identifier: MIT */
/* Tests .npy and GGUF files that lie. */
#include "format_source.h"

#define MIB (1 << 20)

/* ---- .npy ---- */

static void npy(struct file *f, int version, const char *header)
{
	str_puts(&f->bytes, "\223NUMPY");
	str_u8(&f->bytes, (uint8_t)version);
	str_u8(&f->bytes, 0);
	if (version == 1)
		str_u16(&f->bytes, (uint16_t)strlen(header));
	else
		str_u32(&f->bytes, (uint32_t)strlen(header));
	str_puts(&f->bytes, header);
}

#define HEAD(descr, shape) "{'descr': " descr ", 'fortran_order': False, " \
	"'shape': " shape ", }   \n"

static const struct {
	const char *what, *header;
	int64_t data_bytes;
	int version;
	bool good;
} headers[] = {
	{ "numbers", HEAD("'<f4'", "(2, 3)"), 24, 1, true },
	{ "a scalar", HEAD("'|u1'", "()"), 1, 1, true },
	{ "nothing in it", HEAD("'<f8'", "(0,)"), 0, 1, true },
	{ "version 2", HEAD("'<f4'", "(2,)"), 8, 2, true },
	{ "version 3", HEAD("'<f4'", "(2,)"), 8, 3, true },
	{ "version 4", HEAD("'<f4'", "(2,)"), 8, 4, false },
	{ "numbers of Python 2", HEAD("'<f4'", "(2L, 3L)"), 24, 1, true },
	{ "dates", HEAD("'<M8[ns]'", "(2,)"), 16, 1, true },
	{ "objects", HEAD("'|O'", "(2,)"), 16, 1, false },
	{ "fields", HEAD("[('a', '<f4')]", "(2,)"), 8, 1, false },
	{ "a byte too few", HEAD("'<f4'", "(2,)"), 7, 1, false },
	{ "a byte too many", HEAD("'<f4'", "(2,)"), 9, 1, false },
	{ "a size that overflows",
	  HEAD("'<f8'", "(4294967296, 4294967296)"), 0, 1, false },
	{ "bytes that overflow",
	  HEAD("'<f8'", "(2305843009213693952,)"), 0, 1, false },
	{ "a number that overflows",
	  HEAD("'<f4'", "(18446744073709551618,)"), 8, 1, false },
	{ "elements that overflow",
	  HEAD("'<U9223372036854775807'", "(1,)"), 4, 1, false },
	{ "elements of no bytes", HEAD("'|S0'", "(9,)"), 0, 1, false },
	{ "a negative size", HEAD("'<f4'", "(-2,)"), 8, 1, false },
	{ "no shape", "{'descr': '<f4', 'fortran_order': False}", 4, 1,
	  false },
	{ "an unknown key", "{'descr': '<f4', 'fortran_order': False, "
	  "'shape': (1,), 'x': 1}", 4, 1, false },
	{ "no end", "{'descr': '<f4', 'shape': (1,", 4, 1, false },
	{ "text without an end", "{'descr", 4, 1, false },
	{ "an empty header", "", 4, 1, false },
};

static void test_npy(void)
{
	struct file f = { 0 };
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		str_clear(&f.bytes);
		npy(&f, headers[i].version, headers[i].header);
		is_int(kind_of(&f, (int64_t)f.bytes.len +
			       headers[i].data_bytes),
		       headers[i].good ? FORMAT_NPY : FORMAT_OPAQUE,
		       ".npy with %s: %s", headers[i].what,
		       headers[i].good ? "taken" : "opaque");
	}
	str_clear(&f.bytes);
	str_add(&f.bytes, "\223NUMPY\2\0\xff\xff\xff\x7f", 12);
	is_int(kind_of(&f, 4LL << 30), FORMAT_OPAQUE,
	       ".npy with a header of 2 GiB: opaque");
	ok(f.read_bytes < 64, "and it is not read");
	file_release(&f);
}

/* ---- GGUF ---- */

static void text(struct str *s, const char *t)
{
	str_u64(s, strlen(t));
	str_puts(s, t);
}

static void head(struct file *f, uint64_t tensors, uint64_t pairs)
{
	str_clear(&f->bytes);
	str_puts(&f->bytes, "GGUF");
	str_u32(&f->bytes, 3);
	str_u64(&f->bytes, tensors);
	str_u64(&f->bytes, pairs);
}

/* A vector of F32. */
static void info(struct file *f, const char *name, uint64_t length,
		 uint64_t offset)
{
	text(&f->bytes, name);
	str_u32(&f->bytes, 1);
	str_u64(&f->bytes, length);
	str_u32(&f->bytes, 0);
	str_u64(&f->bytes, offset);
}

static void pad(struct file *f)
{
	while (f->bytes.len % 32)
		str_putc(&f->bytes, '\0');
}

static void check_two(uint64_t length, uint64_t offset, int64_t data_bytes,
		      enum format_kind want, const char *sentence)
{
	struct file f = { 0 };

	head(&f, 2, 0);
	info(&f, "a", 8, 0);
	info(&f, "b", length, offset);
	pad(&f);
	is_int(kind_of(&f, (int64_t)f.bytes.len + data_bytes), want,
	       "GGUF with %s", sentence);
	file_release(&f);
}

static void test_gguf_tensors(void)
{
	check_two(8, 32, 64, FORMAT_GGUF, "two tensors");
	check_two(7, 32, 64, FORMAT_GGUF, "padding at the end");
	check_two(8, 32, 1000, FORMAT_GGUF, "something after the tensors");
	check_two(8, 96, 128, FORMAT_GGUF, "a hole");
	check_two(8, 0, 64, FORMAT_OPAQUE, "overlapping tensors");
	check_two(8, 33, 128, FORMAT_OPAQUE, "an offset not aligned");
	check_two(9, 32, 64, FORMAT_OPAQUE, "a tensor beyond the end");
	check_two(8, 0x7fffffffffffffe0, 64, FORMAT_OPAQUE,
		  "an offset of almost 2^63");
	check_two(8, UINT64_MAX - 31, 64, FORMAT_OPAQUE,
		  "an offset of almost 2^64");
	check_two(INT64_MAX, 32, 64, FORMAT_OPAQUE, "a size that overflows");
	check_two(UINT64_MAX, 32, 64, FORMAT_OPAQUE, "a length of 2^64 - 1");
}

static void test_gguf_padding(void)
{
	struct format_cuts cuts;
	struct file f = { 0 };
	int64_t start;

	head(&f, 2, 0);
	info(&f, "a", MIB / 2 + 1, 0);
	info(&f, "b", MIB / 2, 2 * MIB + 32);
	pad(&f);
	start = (int64_t)f.bytes.len;
	cuts = cut(&f, start + 4 * MIB + 32);
	ok(cuts.count == 3 && cuts.end[0] == start &&
	   cuts.end[1] == start + 2 * MIB + 32,
	   "a GGUF tensor and its padding are one chunk");
	format_cuts_release(&cuts);
	file_release(&f);
}

static void test_gguf_claims(void)
{
	struct file f = { 0 };
	int i;

	head(&f, 10000000, 0);
	is_int(kind_of(&f, 1 << 30), FORMAT_OPAQUE,
	       "GGUF with 10 million tensors");
	head(&f, 0, UINT64_MAX);
	is_int(kind_of(&f, -1), FORMAT_OPAQUE, "GGUF with 2^64 - 1 pairs");
	head(&f, 0, 1);
	text(&f.bytes, "x");
	str_u32(&f.bytes, 9);
	str_u32(&f.bytes, 8);
	str_u64(&f.bytes, UINT64_MAX);
	is_int(kind_of(&f, -1), FORMAT_OPAQUE, "GGUF with 2^64 - 1 strings");
	head(&f, 0, 1);
	text(&f.bytes, "x");
	str_u32(&f.bytes, 9);
	str_u32(&f.bytes, 12);
	str_u64(&f.bytes, 1ULL << 61);
	is_int(kind_of(&f, -1), FORMAT_OPAQUE, "GGUF with 2^61 numbers");
	head(&f, 0, 1);
	text(&f.bytes, "x");
	str_u32(&f.bytes, 9);
	for (i = 0; i < 100000; i++) {
		str_u32(&f.bytes, 9);
		str_u64(&f.bytes, 1);
	}
	is_int(kind_of(&f, -1), FORMAT_OPAQUE,
	       "GGUF with 100000 lists in one another");
	head(&f, 0, 1);
	str_u64(&f.bytes, UINT64_MAX);
	is_int(kind_of(&f, -1), FORMAT_OPAQUE,
	       "GGUF with a key of 2^64 - 1 bytes");
	head(&f, 0, 0);
	is_int(kind_of(&f, 4LL << 30), FORMAT_GGUF, "GGUF with no tensors");
	file_release(&f);
}

int main(void)
{
	test_npy();
	test_gguf_tensors();
	test_gguf_padding();
	test_gguf_claims();
	return tap_done();
}
