/* SPDX-License-Identifier: MIT */
/* Tests zip archives and pickles, as torch.save() writes them and worse. */
#include "format_source.h"

/* A member's claims about itself can be made to differ from the facts. */
struct member {
	const char *name;
	const void *data;
	size_t len;
	uint64_t claimed_bytes;		/* 0: len */
	uint64_t claimed_offset;	/* 0: its real place */
	unsigned method;
	bool zip64;			/* sizes in the extra field */
};

static void local_header(struct str *s, const struct member *m)
{
	size_t pad = 64 - (s->len + 30 + strlen(m->name) + 4) % 64;

	str_u32(s, 0x04034b50);
	str_u16(s, 0);
	str_u16(s, 0x0808);
	str_u16(s, m->method);
	str_u32(s, 0);
	str_u32(s, 0);			/* CRC and sizes come later */
	str_u32(s, 0);
	str_u32(s, 0);
	str_u16(s, (uint16_t)strlen(m->name));
	str_u16(s, (uint16_t)(pad + 4));
	str_puts(s, m->name);
	str_puts(s, "FB");
	str_u16(s, (uint16_t)pad);
	while (pad-- > 0)
		str_putc(s, 'Z');
	str_add(s, m->data, m->len);
	str_u32(s, 0x08074b50);
	str_u32(s, 0);
	str_u32(s, (uint32_t)m->len);
	str_u32(s, (uint32_t)m->len);
}

static void central_header(struct str *s, const struct member *m,
			   uint64_t offset)
{
	uint64_t len = m->claimed_bytes ? m->claimed_bytes : m->len;

	if (m->claimed_offset)
		offset = m->claimed_offset;
	str_u32(s, 0x02014b50);
	str_u32(s, 0);
	str_u16(s, 0x0808);
	str_u16(s, m->method);
	str_u32(s, 0);
	str_u32(s, 0xbadbad);		/* a CRC, but the wrong one */
	str_u32(s, m->zip64 ? 0xffffffff : (uint32_t)len);
	str_u32(s, m->zip64 ? 0xffffffff : (uint32_t)len);
	str_u16(s, (uint16_t)strlen(m->name));
	str_u16(s, m->zip64 ? 28 : 0);
	str_u16(s, 0);
	str_u16(s, 0);
	str_u16(s, 0);
	str_u32(s, 0);
	str_u32(s, m->zip64 ? 0xffffffff : (uint32_t)offset);
	str_puts(s, m->name);
	if (!m->zip64)
		return;
	str_u16(s, 1);
	str_u16(s, 24);
	str_u64(s, len);
	str_u64(s, len);
	str_u64(s, offset);
}

/* Appends an archive to f; claimed_count 0 means the truth. */
static void zip_add(struct file *f, const struct member *m, size_t count,
		    uint64_t claimed_count)
{
	struct str directory = STR_INIT, *s = &f->bytes;
	size_t start = s->len, at, i;

	for (i = 0; i < count; i++) {
		at = s->len - start;
		local_header(s, &m[i]);
		central_header(&directory, &m[i], at);
	}
	at = s->len - start;
	if (!claimed_count)
		claimed_count = count;
	str_add(s, directory.data, directory.len);
	str_u32(s, 0x06064b50);
	str_u64(s, 44);
	str_u32(s, 0);
	str_u64(s, 0);
	str_u64(s, claimed_count);
	str_u64(s, claimed_count);
	str_u64(s, directory.len);
	str_u64(s, at);
	str_u32(s, 0x07064b50);
	str_u32(s, 0);
	str_u64(s, at + directory.len);
	str_u32(s, 1);
	str_u32(s, 0x06054b50);
	str_u32(s, 0);
	str_u16(s, (uint16_t)claimed_count);
	str_u16(s, (uint16_t)claimed_count);
	str_u32(s, (uint32_t)directory.len);
	str_u32(s, (uint32_t)at);
	str_u16(s, 0);
	str_release(&directory);
	must(!str_failed(s));
}

/* ---- Pickles, written with the bytes of their operations ---- */

#define STR(len, text) "X" len "\0\0\0" text
#define STORAGE(type, key) "(" STR("\7", "storage") "ctorch\n" type "\n" \
	STR("\1", key) STR("\3", "cpu") "K\4tQ"
#define TENSOR(storage, offset, shape, stride) \
	"ctorch._utils\n_rebuild_tensor_v2\n(" storage offset shape stride \
	"\x89}tR"
#define GOOD TENSOR(STORAGE("FloatStorage", "0"), "K\1", "K\3\x85", "K\1\x85")

#define PICKLE(text) text, sizeof(text) - 1

/* Makes a torch archive with one storage of 16 bytes and this pickle. */
static void torch_file(struct file *f, const char *pickle, size_t len)
{
	const struct member members[] = {
		{ .name = "m/data.pkl", .data = pickle, .len = len },
		{ .name = "m/data/0", .data = "0123456789abcdef", .len = 16 },
		{ .name = "m/version", .data = "3\n", .len = 2 },
	};

	zip_add(f, members, 3, 0);
}

static void check_pickle(const char *pickle, size_t len, const char *want,
			 const char *sentence)
{
	struct format_tensors tensors;
	struct file f = { 0 };
	char text[256] = "";
	size_t i;

	torch_file(&f, pickle, len);
	tensors = tensors_of(&f, -1);
	must(tensors.kind == FORMAT_TORCH_ZIP);
	for (i = 0; i < tensors.count && i < 4; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%s %s %c", i ? ", " : "", tensors.items[i].name,
			 tensors.items[i].dtype,
			 f.bytes.data[tensors.items[i].offset_bytes]);
	is_str(text, want, "%s", sentence);
	format_tensors_release(&tensors);
	file_release(&f);
}

static void test_pickles(void)
{
	check_pickle(PICKLE("\x80\2" GOOD "."), "data F32 4",
		     "a tensor alone is called data");
	check_pickle(PICKLE("\x80\2}" STR("\1", "w") GOOD "s."), "w F32 4",
		     "a dictionary's key is the name");
	check_pickle(PICKLE("\x80\2}(K\7]" GOOD "a" STR("\1", "b")
			    TENSOR(STORAGE("HalfStorage", "0"), "K\5",
				   "K\1\x85", "K\1\x85") "u."),
		     "7.0 F32 4, b F16 a", "numbers and lists make paths");
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("QInt8Storage", "0"),
			    "K\1", "K\3\x85", "K\1\x85") "."), "",
		     "a tensor of unknown type is left out");
	check_pickle(PICKLE("\x80\2cos\nsystem\n" STR("\2", "ls") "\x85R."),
		     "", "a call of something else is just a value");
}

/* Releases newer than the one at hand write these. */
static void test_new_pickles(void)
{
	check_pickle(PICKLE("\x80\2ctorch._utils\n_rebuild_tensor_v3\n("
			    STORAGE("UntypedStorage", "0") "K\3K\2\x85K\1\x85"
			    "\x89}ctorch\nfloat8_e4m3fn\ntR."),
		     "data F8_E4M3 3", "a type of 8 bits, by the third call");
	check_pickle(PICKLE("\x80\2ctorch._utils\n_rebuild_tensor_v2\n("
			    STORAGE("FloatStorage", "0") "K\1K\2\x85K\1\x85"
			    "\x89}}tR."), "data F32 4",
		     "metadata after the arguments");
	check_pickle(PICKLE("\x80\2ctorch._tensor\n_rebuild_from_type_v2\n("
			    "ctorch._utils\n_rebuild_tensor_v2\nctorch\nX\n("
			    STORAGE("FloatStorage", "0") "K\1K\2\x85K\1\x85"
			    "\x89}t}tR."), "data F32 4",
		     "a subclass of Tensor");
}

static void test_byteorder(const char *order, int64_t want)
{
	const struct member members[] = {
		{ .name = "m/data.pkl", .data = PICKLE("\x80\2" GOOD ".") },
		{ .name = "m/byteorder", .data = order, .len = strlen(order) },
		{ .name = "m/data/0", .data = "0123456789abcdef", .len = 16 },
		{ .name = "m/version", .data = "3\n", .len = 2 },
	};
	struct format_tensors tensors;
	struct file f = { 0 };

	zip_add(&f, members, 4, 0);
	tensors = tensors_of(&f, -1);
	must(tensors.kind == FORMAT_TORCH_ZIP);
	is_int(tensors.count, want, "tensors of a %s-endian archive", order);
	format_tensors_release(&tensors);
	file_release(&f);
}

static void test_bad_pickles(void)
{
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("FloatStorage", "0"),
			    "K\2", "K\3\x85", "K\1\x85") "."), "",
		     "a tensor that ends after its storage spoils all");
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("FloatStorage", "9"),
			    "K\0", "K\3\x85", "K\1\x85") "."), "",
		     "so does a missing storage");
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("FloatStorage", "0"),
			    "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85") "."),
		     "", "a negative size");
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("FloatStorage", "0"),
			    "K\0", "\x8a\10\0\0\0\0\0\0\0\x40K\2\x86",
			    "K\0K\0\x86") "."), "",
		     "a size whose bytes overflow");
	check_pickle(PICKLE("\x80\2" TENSOR(STORAGE("FloatStorage", "0"),
			    "K\0", "K\2\x85", "K\1K\1\x86") "."), "",
		     "shape and stride of different lengths");
	check_pickle(PICKLE("\x80\2]q\0h\0ah\0" GOOD "a."), "",
		     "a list that holds itself");
	check_pickle(PICKLE("\x80\2RRRRbbbbuuuusssse."), "",
		     "operations on an empty stack");
	check_pickle(PICKLE("\x80\2((((((00000000."), "",
		     "marks and nothing between them");
	check_pickle(PICKLE("\x80\2]r\xff\xff\xff\xff" GOOD "a."), "",
		     "a memo of 4 billion");
	check_pickle(PICKLE("\x80\2X\xff\xff\xff\xffmuch too short."), "",
		     "text that ends after the pickle");
	check_pickle(PICKLE("\x80\2]" GOOD), "", "a pickle without an end");
	check_pickle(PICKLE("\x80\4ctorch._tensor\n_rebuild_from_type_v2\n"
			    "(ctorch._tensor\n_rebuild_from_type_v2\nN("
			    "NN)NttR."), "", "a call inside a call");
}

static void test_large_pickles(void)
{
	struct str s = STR_INIT;
	int i;

	str_puts(&s, "\x80\2");
	for (i = 0; i < 1000000; i++)
		str_puts(&s, "]");
	for (i = 1; i < 1000000; i++)
		str_puts(&s, "a");
	str_puts(&s, ".");
	check_pickle(s.data, s.len, "", "a million lists in one another");
	str_clear(&s);
	str_puts(&s, "\x80\2)");
	for (i = 0; i < 60; i++)	/* (x, x) of (x, x) of ... */
		str_puts(&s, "2\x86");
	str_puts(&s, ".");
	check_pickle(s.data, s.len, "", "two to the sixty paths");
	str_clear(&s);
	str_puts(&s, "\x80\2");
	for (i = 0; i < 3000000; i++)
		str_puts(&s, "N");
	str_puts(&s, ".");
	check_pickle(s.data, s.len, "", "more values than are kept");
	str_release(&s);
}

/* ---- Archives ---- */

static void test_cuts(void)
{
	char *big = calloc(1, 5 << 20);
	const struct member members[] = {
		{ .name = "m/data.pkl", .data = "\x80\2N.", .len = 4 },
		{ .name = "m/data/0", .data = big, .len = 5 << 20 },
		{ .name = "m/data/1", .data = big, .len = 100 },
		{ .name = "m/data/2", .data = big, .len = 100 },
		{ .name = "m/data/3", .data = big, .len = 100000 },
		{ .name = "m/data/4", .data = big, .len = 2 << 20 },
		{ .name = "m/version", .data = "3\n", .len = 2 },
	};
	struct format_cuts cuts;
	struct file f = { 0 };

	must(big);
	zip_add(&f, members, 7, 0);
	cuts = cut(&f, -1);
	is_int(cuts.kind, FORMAT_TORCH_ZIP, "a torch zip is known");
	/*
	 * Head; two blocks; the small two with what is around them; 100000
	 * bytes; the gap; 2 MiB; the tail.
	 */
	is_str(cut_text(&cuts), "128 4194432 5243008 5243456 5343456 5343552"
	       " 7440704 7441265",
	       "large storages are alone, tiny ones go with their gaps");
	format_cuts_release(&cuts);
	file_release(&f);
	free(big);
}

static void test_concatenation(void)
{
	struct format_tensors tensors;
	struct file f = { 0 };

	torch_file(&f, PICKLE("\x80\2" GOOD "."));
	torch_file(&f, PICKLE("\x80\2bad"));
	torch_file(&f, PICKLE("\x80\2]" GOOD "a."));
	tensors = tensors_of(&f, -1);
	is_int(tensors.kind, FORMAT_TORCH_ZIP, "several archives are known");
	is_int(tensors.count, 2, "each has its tensors");
	if (tensors.count == 2) {
		is_str(tensors.items[0].name, "0", "the first's name");
		is_str(tensors.items[1].name, "2.0", "the third's name");
		is_int(f.bytes.data[tensors.items[1].offset_bytes], '4',
		       "offsets are those of the file");
	}
	format_tensors_release(&tensors);
	str_clear(&f.bytes);
	str_puts(&f.bytes, "PK\3\4 something else");
	torch_file(&f, PICKLE("\x80\2N."));
	is_int(kind_of(&f, -1), FORMAT_OPAQUE,
	       "other bytes before an archive make the file opaque");
	file_release(&f);
}

static void test_truncation(void)
{
	struct file f = { 0 };
	bool good = true;
	size_t len;

	torch_file(&f, PICKLE("\x80\2" GOOD "."));
	len = f.bytes.len;
	while (f.bytes.len-- > 0)
		good = good && kind_of(&f, -1) == FORMAT_OPAQUE;
	ok(good, "a torch zip cut short anywhere is opaque");
	f.bytes.len = len;
	str_putc(&f.bytes, '\0');
	is_int(kind_of(&f, -1), FORMAT_OPAQUE, "so is one with a byte more");
	file_release(&f);
}

static void check_member(const struct member *m, uint64_t claimed_count,
			 enum format_kind want, const char *sentence)
{
	const struct member members[] = {
		{ .name = "m/data.pkl", .data = "\x80\2N.", .len = 4 },
		*m,
		{ .name = "m/version", .data = "3\n", .len = 2 },
	};
	struct file f = { 0 };

	zip_add(&f, members, 3, claimed_count);
	is_int(kind_of(&f, -1), want, "%s", sentence);
	file_release(&f);
}

static void test_members(void)
{
	struct member m = { .name = "m/data/0", .data = "1234", .len = 4 };

	check_member(&m, 0, FORMAT_TORCH_ZIP, "a member");
	m.zip64 = true;
	check_member(&m, 0, FORMAT_TORCH_ZIP, "its sizes in zip64 fields");
	m.claimed_bytes = UINT64_MAX;
	check_member(&m, 0, FORMAT_OPAQUE, "a size of 2^64 - 1");
	m.claimed_bytes = 1ULL << 40;
	check_member(&m, 0, FORMAT_OPAQUE, "a size of 1 TiB");
	m.claimed_bytes = 100;
	check_member(&m, 0, FORMAT_OPAQUE, "a size that reaches the next");
	m.claimed_bytes = 0;
	m.claimed_offset = UINT64_MAX - 10;
	check_member(&m, 0, FORMAT_OPAQUE, "an offset of almost 2^64");
	m.claimed_offset = 3;
	check_member(&m, 0, FORMAT_OPAQUE, "an offset of no header");
	m.claimed_offset = 0;
	check_member(&m, 2, FORMAT_OPAQUE, "fewer members than there are");
	check_member(&m, 4, FORMAT_OPAQUE, "more members than there are");
	check_member(&m, 10000000, FORMAT_OPAQUE, "10 million members");
	check_member(&m, UINT64_MAX, FORMAT_OPAQUE, "2^64 - 1 members");
	m.name = "m/version";
	check_member(&m, 0, FORMAT_OPAQUE, "a name twice");
	m.name = "m/data/0";
	m.method = 8;
	check_member(&m, 0, FORMAT_TORCH_ZIP, "a compressed storage is a gap");
}

int main(void)
{
	test_pickles();
	test_new_pickles();
	test_byteorder("little", 1);
	test_byteorder("big", 0);
	test_bad_pickles();
	test_large_pickles();
	test_cuts();
	test_concatenation();
	test_truncation();
	test_members();
	return tap_done();
}
