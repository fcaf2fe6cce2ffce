/* SPDX-License-Identifier: MIT */
/* Tests ingest and copy, end to end, with a table in memory for a catalog. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/os/fs.h"
#include "../../lib/store/store.h"
#include "tap.h"

#define MIB (1 << 20)

static char root[64];
static struct chunk *table;
static size_t table_count;
static int lookup_count;
static volatile int interrupted;
static struct statcache *cache;
static void (*on_lookup)(void);
static char source[128];

static struct chunk *find(const unsigned char hash[HASH_BYTES])
{
	size_t i;

	for (i = 0; i < table_count; i++) {
		if (!memcmp(table[i].hash, hash, HASH_BYTES))
			return &table[i];
	}
	return NULL;
}

static int lookup(void *arg, const unsigned char hash[HASH_BYTES],
		  struct chunk *rows, size_t max, struct dsv_err *err)
{
	const struct chunk *c;

	(void)arg;
	(void)max;
	(void)err;
	lookup_count++;
	if (on_lookup)
		on_lookup();
	c = find(hash);
	if (!c)
		return 0;
	*rows = *c;
	return 1;
}

static void learn(const struct ingest_result *r)
{
	size_t i;

	for (i = 0; i < r->segment_count; i++) {
		const struct ingest_segment *seg = &r->segments[i];

		table = realloc(table, (table_count + seg->count + 1) *
				sizeof(*table));
		must(table);
		memcpy(table + table_count, seg->chunks,
		       seg->count * sizeof(*table));
		table_count += seg->count;
	}
}

static struct store *open_store(const char *name, int threads)
{
	static char dir[128];
	struct store_options o = {
		.dir = dir, .file_mode = 0600, .dir_mode = 0700,
		.fsync = true, .threads = threads, .lookup = lookup,
		.interrupted = &interrupted, .statcache = cache,
	};
	struct store *s;

	snprintf(dir, sizeof(dir), "%s/%s", root, name);
	mkdir(dir, 0700);
	must(store_open(&o, &s, NULL) == 0);
	free(table);
	table = NULL;
	table_count = 0;
	return s;
}

/* Makes bytes that do not repeat. */
static void fill(void *data, size_t len, uint64_t seed)
{
	unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(seed >> 56);
	}
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write_all(fd, data, len) == 0 && close(fd) == 0);
}

static int take(struct ingest *in, const char *path,
		unsigned char recipe[HASH_BYTES], struct dsv_err *err)
{
	int64_t size = 0;
	int fd = open(path, O_RDONLY);
	int ret;

	must(fd >= 0);
	ret = ingest_file(in, fd, path, recipe, &size, err);
	close(fd);
	return ret;
}

/* Takes in one file.  The result is a copy without lists. */
static struct ingest_result take_one(struct store *s, const char *path,
				     unsigned char recipe[HASH_BYTES])
{
	const struct ingest_result *r;
	struct ingest_result copy;
	struct ingest *in;

	must(ingest_new(s, &in, NULL) == 0);
	must(take(in, path, recipe, NULL) == 0);
	must(ingest_finish(in, &r, NULL) == 0);
	learn(r);
	copy = *r;
	ingest_close(in, true);
	return copy;
}

static int copy_out(struct store *s, const unsigned char recipe[HASH_BYTES],
		    enum dsv_link link, bool verify, struct str *out,
		    struct dsv_err *err)
{
	struct store_copy did;
	struct recipe r = RECIPE_INIT;
	const char *path = path_of("out");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int ret;

	must(fd >= 0);
	store_read_recipe(s, recipe, &r, NULL);
	ret = store_copy_file(s, recipe, r.size_bytes, fd, link, verify, &did,
			      err);
	recipe_release(&r);
	close(fd);
	str_clear(out);
	must(fs_read(path, 1u << 30, out, NULL) == 0);
	unlink(path);
	return ret;
}

static bool comes_back(struct store *s, const unsigned char recipe[HASH_BYTES],
		       const void *data, size_t len)
{
	struct str out = STR_INIT;
	bool good;

	good = copy_out(s, recipe, DSV_LINK_COPY, false, &out, NULL) == 0 &&
	       out.len == len && (!len || !memcmp(out.data, data, len)) &&
	       copy_out(s, recipe, DSV_LINK_AUTO, true, &out, NULL) == 0 &&
	       out.len == len && (!len || !memcmp(out.data, data, len));
	str_release(&out);
	return good;
}

static int count_segment(void *arg, const char *name, struct dsv_err *err)
{
	(void)name;
	(void)err;
	++*(int *)arg;
	return 0;
}

static int segments_on_disk(struct store *s)
{
	int n = 0;

	must(segment_each(s, count_segment, &n, NULL) == 0);
	return n;
}

static void test_sizes(int threads)
{
	static const size_t sizes[] = {
		0, 1, 4096, MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1,
		9 * MIB + 17,
	};
	struct store *s = open_store(threads == 1 ? "one" : "many", threads);
	unsigned char *data = malloc(10 * MIB);
	unsigned char recipe[HASH_BYTES];
	struct ingest_result r;
	char path[128];
	size_t i;

	must(data);
	snprintf(path, sizeof(path), "%s", path_of("file"));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(data, sizes[i], i);
		write_file(path, data, sizes[i]);
		take_one(s, path, recipe);
		ok(comes_back(s, recipe, data, sizes[i]),
		   "%zu random bytes come back (%d threads)", sizes[i],
		   threads);
		r = take_one(s, path, recipe);
		is_int((int64_t)r.segment_count, 0,
		       "taken in again, they add no segment");
		is_int((int64_t)r.recipe_count, 1, "but return the recipe");
		memset(data, 0, sizes[i]);
		write_file(path, data, sizes[i]);
		take_one(s, path, recipe);
		ok(comes_back(s, recipe, data, sizes[i]),
		   "%zu zero bytes come back", sizes[i]);
	}
	free(data);
	store_close(s);
}

/* Makes sixteen blocks, of which four differ, as safetensors of one tensor. */
static size_t make_tensors(unsigned char *data)
{
	static const char header[] =
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[16777216],"
		"\"data_offsets\":[0,16777216]}}";
	size_t len = sizeof(header) - 1;
	size_t i;

	memset(data, 0, 8);
	data[0] = (unsigned char)len;
	memcpy(data + 8, header, len);
	for (i = 0; i < 4; i++)
		fill(data + 8 + len + i * 4 * MIB, 4 * MIB, i % 3 + 100);
	return 8 + len + 16 * MIB;
}

static void test_dedup(void)
{
	struct store *s = open_store("dedup", 4);
	unsigned char *data = malloc(17 * MIB);
	const struct ingest_result *r;
	unsigned char a[HASH_BYTES], b[HASH_BYTES];
	struct ingest *in;
	int64_t allocated, mtime;
	size_t len, i, mirrors = 0;
	char one[128], two[128];

	must(data);
	snprintf(one, sizeof(one), "%s", path_of("one.safetensors"));
	snprintf(two, sizeof(two), "%s", path_of("two.safetensors"));
	len = make_tensors(data);
	write_file(one, data, len);
	data[len - 1] ^= 1;
	write_file(two, data, len);
	must(ingest_new(s, &in, NULL) == 0);
	must(take(in, one, a, NULL) == 0 && take(in, two, b, NULL) == 0);
	must(ingest_finish(in, &r, NULL) == 0);
	ok(r->stored_bytes > 16 * MIB - 100 && r->stored_bytes < 17 * MIB,
	   "a block that occurs twice, in one file or two, is stored once");
	for (i = 0; i < r->segment_count; i++) {
		if (r->segments[i].kind != SEGMENT_MIRROR)
			continue;
		mirrors++;
		must(segment_stat(s, r->segments[i].name, &allocated, &mtime,
				  NULL) == 0);
		ok(allocated < 13 * MIB, "what is already stored is a hole");
	}
	is_int((int64_t)mirrors, 2, "each file has a mirror segment");
	is_int((int64_t)r->recipe_count, 2, "and a recipe");
	learn(r);
	ingest_close(in, true);
	ok(comes_back(s, b, data, len), "the second comes back");
	data[len - 1] ^= 1;
	ok(comes_back(s, a, data, len), "the first comes back");
	free(data);
	store_close(s);
}

static void test_small_pack(void)
{
	struct store *s = open_store("small", 2);
	const struct ingest_result *r;
	unsigned char recipe[40][HASH_BYTES], manifest[HASH_BYTES];
	unsigned char data[3000];
	struct segment_index index;
	struct ingest *in;
	int i, good = 0;

	must(ingest_new(s, &in, NULL) == 0);
	for (i = 0; i < 40; i++) {
		fill(data, sizeof(data), 500 + (uint64_t)i);
		write_file(path_of("tiny"), data, sizeof(data));
		must(take(in, path_of("tiny"), recipe[i], NULL) == 0);
	}
	must(ingest_bytes(in, "manifest", 8, manifest, NULL) == 0);
	must(ingest_finish(in, &r, NULL) == 0);
	is_int((int64_t)r->segment_count, 1, "small files share a segment");
	is_int(r->segments[0].kind, SEGMENT_PACKED, "a packed one");
	is_int((int64_t)r->segments[0].count, 81,
	       "with chunks, recipes and manifest");
	must(segment_index_read(s, r->segments[0].name, &index, NULL) == 0);
	ok(index.count == 81 && !memcmp(index.chunks, r->segments[0].chunks,
					81 * sizeof(struct chunk)),
	   "its index says the same");
	segment_index_release(&index);
	learn(r);
	ingest_close(in, true);
	for (i = 0; i < 40; i++) {
		fill(data, sizeof(data), 500 + (uint64_t)i);
		good += comes_back(s, recipe[i], data, sizeof(data));
	}
	is_int(good, 40, "all come back");
	store_close(s);
}

static void test_nothing(void)
{
	struct store *s = open_store("nothing", 2);
	const struct ingest_result *r;
	struct ingest *in;

	must(ingest_new(s, &in, NULL) == 0);
	must(ingest_finish(in, &r, NULL) == 0);
	ok(r->segment_count == 0 && r->recipe_count == 0 && !r->stored_bytes,
	   "if nothing is taken in, nothing is made");
	ingest_close(in, true);
	is_int(segments_on_disk(s), 0, "no segment");
	store_close(s);
}

/* It is open for writing: to open it under our lease would wait for us. */
static int source_fd = -1;

static void grow_source(void)
{
	on_lookup = NULL;
	must(lseek(source_fd, 0, SEEK_END) > 0 &&
	     write(source_fd, "x", 1) == 1);
}

static void overwrite_source(void)
{
	on_lookup = NULL;
	must(pwrite(source_fd, "another", 7, 0) == 7);
}

static void shrink_source(void)
{
	on_lookup = NULL;
	must(truncate(source, 5) == 0);
}

static void touch_source(void)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	on_lookup = NULL;
	must(utimensat(AT_FDCWD, source, times, 0) == 0);
}

static void interrupt(void)
{
	on_lookup = NULL;
	__atomic_store_n(&interrupted, 1, __ATOMIC_RELAXED);
}

/* wanted: DSV_ESYS is that it changed. */
static void test_change(void (*change)(void), size_t len, const char *what,
			int wanted)
{
	struct store *s = open_store("change", 2);
	unsigned char *data = malloc(len);
	unsigned char recipe[HASH_BYTES];
	struct dsv_err err = { .msg = "" };
	struct ingest *in;
	char want[256];

	must(data);
	fill(data, len, 7);
	snprintf(source, sizeof(source), "%s", path_of("changing"));
	write_file(source, data, len);
	source_fd = open(source, O_WRONLY | O_CLOEXEC);
	must(source_fd >= 0 && ingest_new(s, &in, NULL) == 0);
	on_lookup = change;
	is_int(take(in, source, recipe, &err), wanted,
	       "a file of %zu bytes that %s ends with %d", len, what, wanted);
	snprintf(want, sizeof(want), "'%s' changed while it was read", source);
	is_str(err.msg, wanted == DSV_ESYS ? want :
	       wanted == DSV_EINTERRUPTED ? "interrupted" : "", "and says so");
	on_lookup = NULL;
	interrupted = 0;
	ingest_close(in, false);
	is_int(segments_on_disk(s), 0, "and leaves no segment");
	close(source_fd);
	free(data);
	store_close(s);
}

/* Returns the path of the segment that holds chunk. */
static const char *segment_file(const char *store, const struct chunk *c)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s/segments/%.2s/%s", root, store,
		 c->segment, c->segment);
	chmod(path, 0600);
	return path;
}

static const struct chunk *largest(void)
{
	const struct chunk *best = &table[0];
	size_t i;

	for (i = 0; i < table_count; i++) {
		if (table[i].length > best->length)
			best = &table[i];
	}
	return best;
}

static void test_corruption(void)
{
	struct store *s = open_store("corrupt", 2);
	unsigned char *data = malloc(6 * MIB);
	unsigned char recipe[HASH_BYTES];
	struct str out = STR_INIT;
	struct chunk c, stale;
	char byte;
	int fd;

	must(data);
	fill(data, 6 * MIB, 99);
	write_file(path_of("file"), data, 6 * MIB);
	take_one(s, path_of("file"), recipe);
	c = *largest();
	is_int(segment_verify(s, &c, NULL), 0, "a chunk is verified");
	fd = open(segment_file("corrupt", &c), O_RDWR);
	must(pread(fd, &byte, 1, c.offset + 77) == 1);
	byte ^= 4;
	must(pwrite(fd, &byte, 1, c.offset + 77) == 1);
	is_int(segment_verify(s, &c, NULL), DSV_ECORRUPT, "a bit is seen");
	is_int(copy_out(s, recipe, DSV_LINK_COPY, false, &out, NULL),
	       DSV_ECORRUPT, "by a copy too");
	byte ^= 4;
	must(pwrite(fd, &byte, 1, c.offset + 77) == 1);
	close(fd);
	ok(comes_back(s, recipe, data, 6 * MIB), "once repaired it is fine");

	stale = c;
	find(c.hash)->offset = INT64_MAX - 5;
	is_int(copy_out(s, recipe, DSV_LINK_COPY, false, &out, NULL),
	       DSV_ECORRUPT, "an impossible offset is corruption");
	find(c.hash)->offset = stale.offset;
	memset(find(c.hash)->segment, '/', SEGMENT_NAME_SIZE - 1);
	is_int(copy_out(s, recipe, DSV_LINK_AUTO, false, &out, NULL),
	       DSV_ECORRUPT, "an impossible segment too");
	memset(find(c.hash)->segment, 'a', SEGMENT_NAME_SIZE - 1);
	is_int(copy_out(s, recipe, DSV_LINK_COPY, false, &out, NULL),
	       DSV_ECORRUPT, "and one that is missing");
	*find(c.hash) = stale;
	find(c.hash)->length = find(c.hash)->stored_length = UINT32_MAX;
	is_int(copy_out(s, recipe, DSV_LINK_COPY, false, &out, NULL),
	       DSV_ECORRUPT, "and a length of 4 GiB");
	*find(c.hash) = stale;
	find(c.hash)->encoding = 1;
	is_int(copy_out(s, recipe, DSV_LINK_AUTO, false, &out, NULL),
	       DSV_ECORRUPT, "and an encoding of the future");
	*find(c.hash) = stale;
	stale.encoding = 1;
	is_int(segment_verify(s, &stale, NULL), DSV_ECORRUPT,
	       "which cannot be verified either");
	store_close(s);
	str_release(&out);
	free(data);
}

static void test_pieces(void)
{
	struct store *s = open_store("pieces", 2);
	unsigned char *data = malloc(9 * MIB), *got = malloc(9 * MIB);
	static const int64_t at[][2] = {
		{ 0, 10 }, { 3 * MIB - 5, 10 }, { 0, 9 * MIB },
		{ 9 * MIB, 0 }, { 5 * MIB - 100, MIB + 200 },
	};
	unsigned char hash[HASH_BYTES];
	struct reader rd = READER_INIT;
	struct str text = STR_INIT;
	size_t i;
	int fd;

	must(data && got);
	fill(data, 9 * MIB, 3);
	memset(data + 2 * MIB, 0, 5 * MIB);
	write_file(path_of("file"), data, 9 * MIB);
	take_one(s, path_of("file"), hash);
	is_int(reader_open(s, hash, 9 * MIB - 1, &rd, NULL), DSV_ECORRUPT,
	       "a recipe knows the size");
	must(reader_open(s, hash, 9 * MIB, &rd, NULL) == 0);
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		size_t len = (size_t)at[i][1];

		ok(reader_read(&rd, got, len, at[i][0], NULL) == 0 &&
		   !memcmp(got, data + at[i][0], len), "read, piece %zu", i);
		fd = open(path_of("cat"), O_RDWR | O_CREAT | O_TRUNC, 0600);
		must(store_cat(s, hash, 9 * MIB, at[i][0], at[i][1], fd,
			       NULL) == 0);
		close(fd);
		str_clear(&text);
		must(fs_read(path_of("cat"), 1u << 30, &text, NULL) == 0);
		ok(text.len == len &&
		   (!len || !memcmp(text.data, data + at[i][0], len)),
		   "cat, piece %zu", i);
	}
	is_int(reader_read(&rd, got, 2, 9 * MIB - 1, NULL), DSV_EUSAGE,
	       "not past the end");
	ok(comes_back(s, hash, data, 9 * MIB), "zeros in the middle");
	str_release(&text);
	reader_close(&rd);
	store_close(s);
	free(data);
	free(got);
}

static void test_free(void)
{
	struct store *s = open_store("free", 2);
	unsigned char *data = malloc(17 * MIB);
	unsigned char recipe[HASH_BYTES];
	struct segment_range range;
	struct chunk c;
	int64_t freed = -1, allocated, mtime;

	must(data);
	write_file(path_of("t"), data, make_tensors(data));
	take_one(s, path_of("t"), recipe);
	c = *largest();
	range.offset = c.offset;
	range.length = c.stored_length;
	is_int(segment_free(s, c.segment, &range, 1, &freed, NULL), 0,
	       "a chunk is freed");
	if (freed == 0)
		diag("no holes on this file system");
	else
		ok(freed >= 4 * MIB - 8192 && freed <= 4 * MIB + 8192,
		   "of 4 MiB about 4 MiB come back");
	is_int(segment_verify(s, &c, NULL), DSV_ECORRUPT, "it is gone");
	range.offset = INT64_MAX - 1;
	is_int(segment_free(s, c.segment, &range, 1, &freed, NULL),
	       DSV_ECORRUPT, "an impossible range is refused");
	is_int(segment_free(s, c.segment, NULL, 0, &freed, NULL), 0,
	       "a segment is freed");
	ok(freed >= 4 * MIB, "and with it the rest");
	is_int(segment_stat(s, c.segment, &allocated, &mtime, NULL),
	       DSV_ENOTFOUND, "no such segment any more");
	is_int(segment_free(s, "../../etc", NULL, 0, &freed, NULL),
	       DSV_ECORRUPT, "a name is a name");
	store_close(s);
	free(data);
}

static void wait_a_tick(void)
{
	usleep(50000);
}

static void test_statcache(void)
{
	unsigned char a[HASH_BYTES], b[HASH_BYTES];
	struct timespec times[2];
	struct stat st;
	char path[128], file[128];
	struct store *s;
	char *map;
	int fd;

	snprintf(path, sizeof(path), "%s", path_of("statcache"));
	snprintf(file, sizeof(file), "%s", path_of("remembered"));
	write_file(path, "rubbish", 7);
	is_int(statcache_open(path, &cache, NULL), 0,
	       "a damaged cache is an empty one");
	s = open_store("cached", 2);
	write_file(file, "one two three", 13);
	wait_a_tick();
	take_one(s, file, a);
	must(statcache_save(cache, 0600, NULL) == 0);
	statcache_close(cache);
	store_close(s);
	must(statcache_open(path, &cache, NULL) == 0);
	must(stat(file, &st) == 0);
	if (!statcache_get(cache, &st, b)) {
		diag("nothing is remembered of this file system");
		statcache_close(cache);
		cache = NULL;
		return;
	}
	ok(!memcmp(a, b, HASH_BYTES), "a file is remembered");
	write_file(file, "One two three", 13);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	must(utimensat(AT_FDCWD, file, times, 0) == 0);
	must(stat(file, &st) == 0);
	ok(!statcache_get(cache, &st, b), "but not when its bytes change "
	   "and the time is set back");
	must(statcache_put(cache, &st, (int64_t)st.st_ctim.tv_sec *
			   1000000000 + st.st_ctim.tv_nsec + 1000,
			   20000000, a, NULL) == 0);
	must(statcache_save(cache, 0600, NULL) == 0);
	ok(!statcache_get(cache, &st, b), "nor when read too soon");

	s = open_store("mapped", 2);
	fd = open(file, O_RDWR);
	map = mmap(NULL, 13, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED);
	map[0] = 'x';
	wait_a_tick();
	take_one(s, file, a);
	must(statcache_save(cache, 0600, NULL) == 0);
	take_one(s, file, b);
	ok(!memcmp(a, b, HASH_BYTES), "a mapped file is taken, twice");
	wait_a_tick();
	map[0] = 'y';
	take_one(s, file, b);
	ok(memcmp(a, b, HASH_BYTES), "a store through the mapping is seen");
	munmap(map, 13);
	close(fd);
	store_close(s);
	statcache_close(cache);
	cache = NULL;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%.40s/dsv-store-XXXXXX",
		 tmp ? tmp : "/tmp");
	must(mkdtemp(root));
	test_sizes(1);
	test_sizes(4);
	test_dedup();
	test_small_pack();
	test_nothing();
	test_change(grow_source, 100, "grows", 0);
	test_change(touch_source, 100, "is touched", 0);
	test_change(overwrite_source, 100, "is overwritten", DSV_ESYS);
	test_change(grow_source, 6 * MIB, "grows", 0);
	test_change(overwrite_source, 6 * MIB, "is overwritten", DSV_ESYS);
	test_change(shrink_source, 40 * MIB, "shrinks", DSV_ESYS);
	test_change(interrupt, 40 * MIB, "is interrupted", DSV_EINTERRUPTED);
	test_corruption();
	test_pieces();
	test_free();
	test_statcache();
	free(table);
	fs_remove_tree(root, NULL);
	return tap_done();
}
