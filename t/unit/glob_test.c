/* SPDX-License-Identifier: MIT */
/* Which paths a glob matches. */
#include "../../lib/base/glob.h"

#include "tap.h"

/* pattern against a file, or a directory when the path ends in a slash. */
static bool matches(const char *pattern, const char *path)
{
	struct globs g = GLOBS_INIT;
	size_t len = strlen(path);
	bool is_dir = path[len - 1] == '/';
	char text[64];
	bool found;

	must(len < sizeof(text));
	memcpy(text, path, len + 1);
	text[len - is_dir] = '\0';
	must(globs_add(&g, pattern, pattern, NULL) == 0);
	found = globs_match(&g, text, is_dir);
	ok(globs_used(&g, pattern) == found, "'%s' knows whether it was of use",
	   pattern);
	globs_release(&g);
	return found;
}

static void yes(const char *pattern, const char *path)
{
	ok(matches(pattern, path), "'%s' matches '%s'", pattern, path);
}

static void no(const char *pattern, const char *path)
{
	ok(!matches(pattern, path), "'%s' does not match '%s'", pattern, path);
}

static void test_components(void)
{
	yes("b", "b");
	yes("b", "a/b");
	yes("b", "a/b/c");
	yes("b", "a/b/");
	no("b", "ab");
	no("b", "a/bc/d");
	yes("*.pt", "a/m.pt");
	yes("*.pt", "a.pt/m");
	yes("m[0-9]?", "a/m12");
	yes("*", ".hidden");
	yes("\\*", "a/*");
	no("\\*", "a/b");
	no("a*c", "ab/c");
	yes("a*", "ab/c");
}

static void test_paths(void)
{
	yes("a/b", "a/b");
	yes("a/b", "a/b/c");
	no("a/b", "x/a/b");
	no("a/b", "a/bc");
	yes("a/*", "a/b/c");
	no("a/*", "a/");
	yes("a*/c", "a1/b/c");
	yes("*/c", "a/b/c");
	no("*/c", "c");
	yes("**/c", "c");
	yes("**/b/c", "a/b/c");
	yes("**/b/c", "b/c/d");
	no("**/b/c", "ab/c");
	yes("a/**", "a/b/c");
}

static void test_tied_to_the_top(void)
{
	yes("/b", "b");
	yes("/b", "b/c");
	no("/b", "a/b");
	yes("/a/b", "a/b");
	no("/a*c", "ab/c");
	yes("/**/c", "a/b/c");
}

static void test_directories(void)
{
	yes("b/", "b/");
	yes("b/", "a/b/");
	yes("b/", "a/b/c");
	no("b/", "b");
	no("b/", "a/b");
	yes("a/b/", "a/b/c");
	no("a/b/", "a/b");
	yes("*/", "a/b");
	no("*/", "b");
	yes("a*/", "a/b");
	yes("/a/", "a/b");
	no("/b/", "a/b/c");
	no("/", "a");
	no("//", "a/");
	yes("b/.", "a/b/c");
	no("b.", "b/");
}

static void test_what_says_nothing(void)
{
	yes("./a", "a");
	yes("./a/b", "a/b");
	yes(".//a/./b", "a/b");
	yes("a//b", "a/b");
	no("../a", "a");
	yes(".", "a");
	yes("./", "a/b");
	no("/.", "a");
	no("", "a");
	no("", "a/b");
}

static void test_lists(void)
{
	const char *const items[] = { "a", "nothing", "a/b" };
	const struct dsv_strings patterns = { 3, items };
	struct globs g = GLOBS_INIT;

	must(globs_add_all(&g, &patterns, NULL) == 0);
	must(globs_add(&g, "nothing", "c", NULL) == 0);
	ok(globs_match(&g, "a/b", false), "one of several matches");
	ok(!globs_match(&g, "b", false), "none of several matches");
	ok(globs_used(&g, "a") && globs_used(&g, "a/b"),
	   "all that match are of use");
	ok(!globs_used(&g, "nothing"), "what has not matched is of none");
	ok(globs_match(&g, "c", false) && globs_used(&g, "nothing"),
	   "a pattern is known by what was given");
	globs_release(&g);
	ok(!globs_match(&g, "a", false), "no globs match nothing");
}

int main(void)
{
	test_components();
	test_paths();
	test_tied_to_the_top();
	test_directories();
	test_what_says_nothing();
	test_lists();
	return tap_done();
}
