/* SPDX-License-Identifier: MIT */
/* Tests programs and bindings made for another dsv.h than the library's. */
#include "../../lib/base/options.h"
#include "tap.h"

/* These are options as they were, are, and will be. */
struct older {
	size_t size_bytes;
	int64_t limit;
};

struct ours {
	size_t size_bytes;
	int64_t limit;
	const char *branch;
};

struct newer {
	size_t size_bytes;
	int64_t limit;
	const char *branch;
	int64_t depth;
};

static void test_take(void)
{
	struct older older = { sizeof(older), 3 };
	struct newer newer = { sizeof(newer), 4, "main", 0 };
	struct ours o = { 1, 2, "left" };
	struct dsv_err err;

	ok(options_take(&o, sizeof(o), &older, NULL) == 0 && o.limit == 3 &&
	   !o.branch, "an older program does not know the branch");
	ok(options_take(&o, sizeof(o), &newer, NULL) == 0 && o.limit == 4 &&
	   !strcmp(o.branch, "main"), "a newer one asks for nothing new");
	newer.depth = 1;
	newer.limit = 5;
	is_int(options_take(&o, sizeof(o), &newer, &err), DSV_EUSAGE,
	       "what a newer one asks for is not ignored");
	ok(strstr(err.msg, dsv_version()), "and the library says its version");
	older.size_bytes = 0;
	is_int(options_take(&o, sizeof(o), &older, NULL), DSV_EUSAGE,
	       "options of no size cannot be read");
	is_int(o.limit, 4, "then nothing has been taken");
}

static void test_calls(void)
{
	struct dsv_options none = { .repo = "/nowhere" };
	struct {
		size_t size_bytes;
		const char *repo;
		const char *past;	/* ASan sees who reads the branch */
	} first = { offsetof(struct dsv_options, branch), "/nowhere", "/" };
	struct dsv *d = NULL;

	is_int(dsv_open(&none, &d, NULL), DSV_EUSAGE, "a call without size");
	is_int(dsv_open((const struct dsv_options *)(void *)&first, &d, NULL),
	       DSV_ENOREPO, "a call of a program that knows one option");
}

static void test_sizes(void)
{
	is_int((int64_t)dsv_sizeof("dsv_tag_options"),
	       (int64_t)sizeof(struct dsv_tag_options), "a struct's size");
	is_int((int64_t)dsv_sizeof("dsv_nothing"), 0, "no such struct");
}

int main(void)
{
	test_take();
	test_calls();
	test_sizes();
	return tap_done();
}
