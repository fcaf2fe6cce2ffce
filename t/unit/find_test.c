/* SPDX-License-Identifier: MIT */
/*
 * Tests find expressions and walks on catalogs that are filled by hand.
 */
#include "tap.h"

#include <unistd.h>

#include "../../lib/catalog/internal.h"
#include "../../lib/os/fs.h"

static struct catalog *c;
static char dir[] = "/tmp/dsv-find-XXXXXX";
static char path[64];

static void exec_sql(const char *sql)
{
	struct dsv_err err;

	if (db_exec(catalog_db(c), sql, &err) < 0) {
		printf("Bail out! %s: %s\n", err.msg, sql);
		exit(1);
	}
}

/* This catalog is only a database, and it may be written to. */
static void start(void)
{
	struct catalog_options options = { .dir = dir, .lock_wait_ms = 1000 };
	struct dsv_err err;

	must(catalog_open_new(&options, path, &c, &err) == 0);
}

static void finish(void)
{
	catalog_close(c);
	unlink(path);
}

static const char states[] =
	"INSERT INTO branch (id, name, head) VALUES (1, 'main', 4),"
	" (2, 'wide', 6), (3, 'old one', NULL);"
	"INSERT INTO key (id, name) VALUES (1, 'acc'), (2, 'lr'),"
	" (3, 'note'), (4, 'ok'), (5, 'list'), (6, 'both'), (7, 'size'),"
	" (8, 'loss');"
	"INSERT INTO params (id, hash) VALUES (1, x'01'), (2, x'02');"
	/* lr: 0.1 in 1, '0.1' (a string) in 2; both: only 1. */
	"INSERT INTO param (params, key, type, number, text) VALUES"
	" (1, 2, 1, 0.1, '1e-1'), (2, 2, 0, NULL, '0.1'),"
	" (1, 6, 1, 5, '5'), (2, 6, 1, 7, '7');"
	"INSERT INTO manifest (id, hash, refs) VALUES (1, zeroblob(32), 1);"
	"INSERT INTO state (seq, id, kind, branch, manifest, params, message,"
	" author, host, created, files, size, stored, generation, pinned,"
	" status, pruned, job) VALUES"
	" (1, x'01' || zeroblob(31), 'tag', 1, 1, 1, 'first', 'ann', 'n1',"
	"  1000000000, 1, 100, 10, 1, 0, 0, NULL, NULL),"
	" (2, x'02' || zeroblob(31), 'tag', 1, 1, 1, 'it''s \"two\"', 'ann',"
	"  'n1', 2000000000, 2, 2048, 10, 2, 1, 0, NULL, 1),"
	" (3, x'03' || zeroblob(31), 'tag', 1, 1, 1, NULL, 'bob', 'n2',"
	"  3000000500, 3, 3000, 10, 3, 0, 1, NULL, NULL),"
	" (4, x'04' || zeroblob(31), 'tag', 1, 1, 1, NULL, 'bob', 'n2',"
	"  4000000000, 4, 4000, 10, 4, 0, 0, 99, NULL),"
	" (5, x'05' || zeroblob(31), 'fork', 2, 1, 2, 'f', 'ann', 'n1',"
	"  5000000000, 5, 10737418241, 10, 3, 0, 0, NULL, NULL),"
	" (6, x'06' || zeroblob(31), 'tag', 2, 1, 2, 'g', 'ann', 'n1',"
	"  6000000000, 6, 6000, 10, 4, 0, 0, NULL, NULL);"
	"INSERT INTO edge (child, ordinal, parent) VALUES (2, 0, 1),"
	" (3, 0, 2), (4, 0, 3), (5, 0, 2), (6, 0, 5);"
	"INSERT INTO attr (state, key, type, number, text) VALUES"
	" (1, 1, 1, 0.5, '0.5'), (2, 1, 1, 0.9, '0.90'),"
	" (3, 1, 0, NULL, 'nan'), (5, 1, 1, 0.9, '.9'),"
	" (6, 1, 0, NULL, '0.9'),"
	" (1, 3, 0, NULL, 'alpha'), (2, 3, 0, NULL, 'beta (x)'),"
	" (3, 3, 0, NULL, ''), (5, 3, 1, 3, '3'),"
	" (1, 4, 2, 1, 'true'), (2, 4, 2, 0, 'false'),"
	" (1, 5, 3, NULL, '[1,2]'), (2, 5, 3, NULL, 'null'),"
	" (1, 6, 1, 1, '1'), (1, 7, 1, 77, '77'),"
	" (4, 1, 1, 1.5, '1.5');"
	"INSERT INTO name (name, state) VALUES ('best', 2), ('also', 2),"
	" ('v1', 5);"
	"INSERT INTO scope (id, name, created) VALUES (1, 'warmup', 1),"
	" (2, 'paper', 2);"
	"INSERT INTO scope_state (scope, state) VALUES (1, 1), (1, 2),"
	" (2, 2);"
	"INSERT INTO job (id, job_id, state, active, exit_code, author)"
	" VALUES (1, '123', 'FAILED', 0, 9, 'ann');"
	"UPDATE state SET id = CAST(id AS BLOB);";

static const struct {
	const char *expr;
	const char *want;	/* seqs */
} expressions[] = {
	{ "attr.acc > 0.8", "5 2" },
	{ "acc > 0.8", "5 2" },
	{ "acc>0.8 AND acc<2", "5 2" },
	{ "acc >= .9", "5 2" },
	{ "acc = 9e-1", "5 2" },
	{ "acc == 0.9", "5 2" },
	{ "acc = '0.9'", "6" },
	{ "acc != 0.9", "6 3 1" },
	{ "acc <> 0.9", "6 3 1" },
	{ "not (acc = 0.9)", "6 3 1" },
	{ "note != 'alpha'", "5 3 2" },
	{ "not note = 'alpha'", "6 5 3 2" },
	{ "acc = nan", "3" },
	{ "acc = NaN", "3" },
	{ "acc < nan", "" },
	{ "acc > 'a'", "" },
	{ "acc >= '0.9'", "6" },
	{ "acc is set", "6 5 3 2 1" },
	{ "acc is not set", "" },
	{ "note is not set", "6" },
	{ "NOT note IS SET", "6" },
	{ "nosuch is set", "" },
	{ "nosuch is not set", "6 5 3 2 1" },
	{ "nosuch = 1 or nosuch != 1 or nosuch ~ x or nosuch in (1)", "" },
	{ "not nosuch = 1", "6 5 3 2 1" },
	{ "attr.lr is set", "" },
	{ "lr = 0.1", "3 2 1" },
	{ "param.lr = 0.1", "3 2 1" },
	{ "param:lr = 0.1", "3 2 1" },
	{ "lr = \"0.1\"", "6 5" },
	{ "lr != 0.1", "6 5" },
	{ "both = 1", "1" },
	{ "both = 5", "3 2" },
	{ "both != 5", "6 5 1" },
	{ "param.both = 5", "3 2 1" },
	{ "both in (1, 7)", "6 5 1" },
	{ "size = 77", "" },
	{ "attr.size = 77", "1" },
	{ "note ~ '^be'", "2" },
	{ "note ~ '\\('", "2" },
	{ "note !~ '^be'", "5 3 1" },
	{ "note ~ 3", "" },
	{ "note in ('alpha', 3, \"nosuch\")", "5 1" },
	{ "note not in ('alpha', 3)", "3 2" },
	{ "note > 'alpha'", "2" },
	{ "note = ''", "3" },
	{ "ok = true", "1" },
	{ "ok = True", "1" },
	{ "ok != true", "2" },
	{ "ok = 'true'", "" },
	{ "ok = 1", "" },
	{ "list = '[1,2]'", "1" },
	{ "list = null", "2" },
	{ "list < 'z'", "" },
	{ "list is set", "2 1" },
	{ "branch = \"wide\"", "6 5" },
	{ "branch = wide", "6 5" },
	{ "branch != main", "6 5" },
	{ "branch in (main, wide) and acc = 0.9", "5 2" },
	{ "branch ~ '^w' and kind = tag", "6" },
	{ "kind = fork", "5" },
	{ "kind != fork", "6 3 2 1" },
	{ "not scope = \"warmup\"", "6 5 3" },
	{ "scope = warmup", "2 1" },
	{ "scope = paper and scopes = warmup", "2" },
	{ "scope != warmup", "" },
	{ "scope != paper", "1" },
	{ "scope is not set", "6 5 3" },
	{ "name = best", "2" },
	{ "name in (also, v1)", "5 2" },
	{ "name is set", "5 2" },
	{ "message = \"it's \\\"two\\\"\"", "2" },
	{ "message = 'it\\'s \"two\"'", "2" },
	{ "message is not set", "3" },
	{ "message != first", "6 5 2" },
	{ "author = bob or host = n1", "6 5 3 2 1" },
	{ "size > 10GiB", "5" },
	{ "size >= 2KiB and size < 3001", "3 2" },
	{ "size = 2048", "2" },
	{ "files in (1, 6)", "6 1" },
	{ "stored = 10", "6 5 3 2 1" },
	{ "created > 1970-01-01T00:00:04Z", "6 5" },
	{ "created > \"1970-01-01T00:00:04Z\"", "6 5" },
	{ "created = \"1970-01-01T00:00:03Z\"", "3" },
	{ "created != \"1970-01-01T00:00:03Z\"", "6 5 2 1" },
	{ "created > -7d", "" },
	{ "created < -7d", "6 5 3 2 1" },
	{ "created:unix >= 5", "6 5" },
	{ "pinned = true", "2" },
	{ "pinned = false", "6 5 3 1" },
	{ "pinned != true", "6 5 3 1" },
	{ "pending = true", "3" },
	{ "pruned = true", "" },
	{ "job.id = 123", "2" },
	{ "job.exit > 8", "2" },
	{ "job.state != COMPLETED", "2" },
	{ "job.id is not set and acc > 0.8", "5" },
	{ "id = 0500000000000000000000000000000000000000000000000000000000000"
	  "000", "5" },
	{ "id ~ '^05'", "5" },
	{ "id:short = 050000000000", "5" },
	{ "parents ~ '^02'", "5 3" },
	{ "parents is not set", "1" },
	{ "content ~ '^0{64}$'", "6 5 3 2 1" },
	{ "attr.acc > 0.7 and (param.lr <= 1e-3 or branch = \"wide\") and"
	  " not scope = \"warmup\"", "5" },
	{ "acc = 0.5 or acc = 0.9 and branch = wide", "5 1" },
	{ "(acc = 0.5 or acc = 0.9) and branch = wide", "5" },
	{ "not not acc = 0.5", "1" },
	/* Text stays text. */
	{ "note = \"' OR 1=1 --\"", "" },
	{ "note = \"'); DROP TABLE state; --\"", "" },
	{ "branch = \"main' OR '1'='1\"", "" },
	{ "note ~ \"' OR 1\" or note in (\"x') OR (1\")", "" },
	{ "note = \"?1\" or note = \":name\"", "" },
	{ "acc > 0.8", "5 2" },
};

static const struct {
	const char *expr;
	const char *msg;	/* the message begins like this */
} mistakes[] = {
	{ "", "expression, column 1: the expression ends where a key" },
	{ "acc", "expression, column 4: the expression ends where an op" },
	{ "acc >", "expression, column 6: the expression ends where a val" },
	{ "acc > > 1", "expression, column 7: expected a value, found '>'" },
	{ "acc = 1 lr = 2",
	  "expression, column 9: expected 'and', 'or' or the end, found 'lr'" },
	{ "acc = 1 and", "expression, column 12: the expression ends" },
	{ "(acc = 1", "expression, column 1: the '(' is not closed" },
	{ "acc = 1)",
	  "expression, column 8: expected 'and', 'or' or the end, found ')'" },
	{ "acc = 'x", "expression, column 7: the string has no closing '" },
	{ "acc in 1", "expression, column 8: expected '(', found '1'" },
	{ "acc in ()", "expression, column 9: expected a value, found ')'" },
	{ "acc in (1 2)",
	  "expression, column 11: expected ',' or ')', found '2'" },
	{ "acc is 1",
	  "expression, column 8: expected 'set' or 'not set', found '1'" },
	{ "acc is not 1", "expression, column 12: expected 'set', found '1'" },
	{ "acc not 1", "expression, column 9: expected 'in', found '1'" },
	{ "1 = acc", "expression, column 1: expected a key, found '1'" },
	{ "\"acc\" = 1", "expression, column 1: expected a key, found 'acc'" },
	{ "acc = 1 & lr = 2", "expression, column 9: unexpected" },
	{ "note = '\303\244\303\266' ; 1", "expression, column 13: unexp" },
	{ "acc = 1 and note ~ '('",
	  "expression, column 20: '(' is not an ext" },
	{ "size > big", "expression, column 8: 'big' is not a size" },
	{ "created > soon", "expression, column 11: 'soon' is not a time" },
	{ "pinned = maybe", "expression, column 10: 'maybe' is neither" },
	{ "job.exit = x", "expression, column 12: 'x' is not a number" },
	{ "size ~ 1", "expression, column 1: 'size' cannot be compared" },
	{ "pinned < true", "expression, column 1: 'pinned' cannot be" },
	{ "acc = 1; DROP TABLE state", "expression, column 8: unexpected" },
};

static void seqs_to_text(const int64_t *seqs, size_t count, char *out)
{
	size_t i;

	*out = '\0';
	for (i = 0; i < count; i++)
		sprintf(out + strlen(out), "%s%" PRId64, i ? " " : "",
			seqs[i]);
}

static void is_found(const struct catalog_query *query, const char *want,
		     const char *what)
{
	struct dsv_err err = { .msg = "" };
	int64_t *seqs = NULL;
	int64_t counted = -1;
	size_t count = 0;
	char got[4096];

	if (catalog_find(c, query, &seqs, &count, &err) < 0)
		snprintf(got, sizeof(got), "error: %s", err.msg);
	else
		seqs_to_text(seqs, count, got);
	is_str(got, want, "%s", what);
	if (catalog_find_count(c, query, &counted, &err) < 0 ||
	    counted != (int64_t)count)
		is_int(counted, (int64_t)count, "count of %s", what);
	free(seqs);
}

static void test_expressions(void)
{
	struct catalog_query query = { .limit = -1 };
	size_t i;

	for (i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
		query.expr = expressions[i].expr;
		query.limit = -1;
		is_found(&query, expressions[i].want, expressions[i].expr);
	}
}

static void test_mistakes(void)
{
	struct catalog_query query = { .limit = -1 };
	size_t i;

	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct dsv_err err = { .msg = "" };
		int64_t *seqs = NULL;
		size_t count;
		int ret;

		query.expr = mistakes[i].expr;
		ret = catalog_find(c, &query, &seqs, &count, &err);
		ok(ret == DSV_EUSAGE && !strncmp(err.msg, mistakes[i].msg,
						 strlen(mistakes[i].msg)),
		   "mistake: %s", mistakes[i].expr);
		if (strncmp(err.msg, mistakes[i].msg,
			    strlen(mistakes[i].msg)))
			diag("%d, %s", ret, err.msg);
		free(seqs);
	}
}

/* Returns n times before, the middle, n times after; the caller frees it. */
static char *repeat(const char *before, size_t n, const char *middle,
		    const char *after)
{
	char *text = malloc(n * (strlen(before) + strlen(after)) +
			    strlen(middle) + 1);
	size_t i;
	char *p = text;

	must(text);
	for (i = 0; i < n; i++)
		p = stpcpy(p, before);
	p = stpcpy(p, middle);
	for (i = 0; i < n; i++)
		p = stpcpy(p, after);
	return text;
}

static void test_extremes(void)
{
	static const struct {
		const char *before, *middle, *after, *what;
		size_t n;
		int want;
	} cases[] = {
		{ "(", "acc = 0.5", ")", "90 parentheses", 90, 0 },
		{ "(", "acc = 0.5", ")", "a million parentheses", 400000,
		  DSV_EUSAGE },
		{ "not ", "acc = 0.5", "", "90 times not", 90, 0 },
		{ "not ", "acc = 0.5", "", "many times not", 200000,
		  DSV_EUSAGE },
		{ "", "acc = 0.5", " or acc = 0.5", "500 comparisons", 499,
		  0 },
		{ "", "acc = 0.5", " and acc = 0.5", "500 times and", 499,
		  0 },
		{ "", "acc = 0.5", " or acc = 0.5", "too many comparisons",
		  5000, DSV_EUSAGE },
		{ "(acc = 9 or ", "acc = 0.5", ")", "90 nested or", 90, 0 },
		{ "not not ((", "acc = 0.5", "))", "and 24 of each", 24, 0 },
		{ "(acc = 9 or (acc = 0.5 and ", "not note != 'alpha'", "))",
		  "30 levels", 15, 0 },
		{ "((acc = 0.5 and lr = 0.1) and (acc = 9 or ",
		  "not note != 'alpha'", "))", "levels with two sides", 15,
		  0 },
		{ "(acc = 9 or (acc = 0.5 and ", "acc = 0.5", "))",
		  "40 levels", 20, DSV_EUSAGE },
	};
	struct catalog_query query = { .limit = -1 };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = repeat(cases[i].before, cases[i].n,
				    cases[i].middle, cases[i].after);
		struct dsv_err err = { .msg = "" };
		int64_t *seqs = NULL;
		size_t count = 0;
		int ret;

		query.expr = text;
		ret = catalog_find(c, &query, &seqs, &count, &err);
		is_int(ret, cases[i].want, "%s", cases[i].what);
		if (ret == 0 && (count != 1 || seqs[0] != 1))
			is_int((int64_t)count, 1, "%s find one",
			       cases[i].what);
		if (ret < 0)
			diag("%s", err.msg);
		free(seqs);
		free(text);
	}
}

static void test_limits(void)
{
	static const char *const acc[] = { "acc" };
	static const char *const acc_down[] = { "-acc" };
	static const char *const size_down[] = { "-size" };
	static const char *const two[] = { "branch", "-acc" };
	static const char *const both[] = { "both" };
	static const char *const lr[] = { "-lr" };
	static const char *const name[] = { "name" };
	struct catalog_query q = { .limit = -1 };

	is_found(&q, "6 5 3 2 1", "everything");
	q.pruned = true;
	is_found(&q, "6 5 4 3 2 1", "everything, pruned too");
	q.pruned = false;
	q.limit = 2;
	is_found(&q, "6 5", "the two newest");
	q.limit = 0;
	is_found(&q, "", "none at all");
	q.limit = -1;
	q.branch = "main";
	is_found(&q, "3 2 1", "--branch");
	q.expr = "acc > 0.8 or lr = 0.1 and note = ''";
	is_found(&q, "3 2", "--branch and an expression with or");
	q.branch = NULL;
	q.expr = NULL;
	q.scope = "warmup";
	is_found(&q, "2 1", "--scope");
	q.scope = NULL;
	q.descendants_of = 2;
	is_found(&q, "6 5 3", "descendants");
	q.ancestors_of = 6;
	is_found(&q, "5", "descendants that are ancestors of another");
	q.descendants_of = 0;
	is_found(&q, "5 2 1", "ancestors");
	q.ancestors_of = 1;
	is_found(&q, "", "no ancestors");
	q.ancestors_of = 0;

	q.sort = (struct dsv_strings){ 1, acc };
	is_found(&q, "1 5 2 6 3", "by an attribute, non-numbers last");
	q.sort.items = acc_down;
	is_found(&q, "5 2 1 3 6", "descending, non-numbers last");
	q.limit = 2;
	is_found(&q, "5 2", "the best two");
	q.expr = "acc < 0.9";
	is_found(&q, "1", "the best below a bound");
	q.expr = "acc > 0.5";
	q.sort.items = acc;
	is_found(&q, "5 2", "the worst above a bound");
	q.expr = NULL;
	q.limit = -1;
	q.sort.items = size_down;
	is_found(&q, "5 6 3 2 1", "by a built-in field");
	q.sort = (struct dsv_strings){ 2, two };
	is_found(&q, "2 1 3 5 6", "by two keys");
	q.sort = (struct dsv_strings){ 1, both };
	is_found(&q, "1 3 2 6 5", "by attribute or parameter");
	q.sort.items = lr;
	is_found(&q, "3 2 1 6 5", "by a parameter");
	q.sort.items = name;
	is_found(&q, "2 5 6 3 1", "by name, unset last");
}

static void test_not_found(void)
{
	struct catalog_query q = { .limit = -1, .branch = "nosuch" };
	struct dsv_err err;
	int64_t *seqs;
	size_t count;

	is_int(catalog_find(c, &q, &seqs, &count, &err), DSV_ENOTFOUND,
	       "an unknown branch");
	is_str(err.msg, "no branch 'nosuch'", "is named");
	q.branch = NULL;
	q.scope = "nosuch";
	is_int(catalog_find(c, &q, &seqs, &count, &err), DSV_ENOTFOUND,
	       "an unknown scope");
}

static void test_extreme_states(void)
{
	struct dsv_err err;
	int64_t seq = 0;

	is_int(catalog_extreme(c, "acc", 1, NULL, &seq, &err), 0, "max");
	is_int(seq, 5, "the newest of equals, pruned ones never");
	catalog_extreme(c, "acc", -1, NULL, &seq, &err);
	is_int(seq, 1, "min");
	catalog_extreme(c, "acc", 1, "main", &seq, &err);
	is_int(seq, 2, "of a branch");
	catalog_extreme(c, "nosuch", 1, NULL, &seq, &err);
	is_int(seq, -1, "no such key");
	catalog_extreme(c, "list", 1, NULL, &seq, &err);
	is_int(seq, -1, "no numbers");
}

static void test_ids(void)
{
	struct dsv_err err;
	int64_t seq = 0;

	is_int(catalog_find_id(c, "0500", &seq, &err), 0, "a prefix");
	is_int(seq, 5, "finds its state");
	is_int(catalog_find_id(c, "050", &seq, &err), DSV_ENOTFOUND,
	       "three digits are too few");
	is_int(catalog_find_id(c, "ffff", &seq, &err), DSV_ENOTFOUND,
	       "nobody's");
	is_int(catalog_find_id(c, "05x0", &seq, &err), DSV_ENOTFOUND,
	       "no digits");
	exec_sql("INSERT INTO state SELECT 7, x'0500' || x'ff' ||"
		 " zeroblob(29), kind, branch, manifest, capture, params,"
		 " changed, message, author, host, created, files, size,"
		 " stored, job, generation, pinned, status, pruned, pruned_by"
		 " FROM state WHERE seq = 6;"
		 "UPDATE state SET id = CAST(id AS BLOB)");
	is_int(catalog_find_id(c, "0500", &seq, &err), DSV_ENOTFOUND,
	       "two have it");
	ok(strstr(err.msg, "0500ff0000000000") &&
	   strstr(err.msg, "0500000000000000"), "both are shown");
	is_int(catalog_find_id(c, "0500F", &seq, &err), 0, "one more digit");
	is_int(seq, 7, "tells them apart");
}

static void test_load(void)
{
	static const int64_t seqs[] = { 2, 5 };
	struct dsv_state *s[2];
	struct dsv_err err;

	if (!ok(catalog_load(c, seqs, 2, s, &err) == 0, "load"))
		return;
	ok(!strncmp(s[0]->id, "0200", 4) && s[0]->parent_count == 1 &&
	   !strncmp(s[0]->parents[0], "0100", 4), "id and parents");
	is_str(s[0]->branch, "main", "branch");
	is_str(s[0]->message, "it's \"two\"", "message");
	is_str(s[0]->name, "also", "name");
	ok(s[0]->pinned && !s[0]->pruned && !s[0]->pending, "flags");
	is_int((int64_t)s[0]->attrs.count, 4, "attributes");
	is_str(dsv_kvs_get(&s[0]->attrs, "acc")->text, "0.90",
	       "keep their text");
	is_int((int64_t)s[0]->scopes.count, 2, "scopes");
	is_str(s[0]->scopes.items[0], "paper", "sorted");
	ok(s[0]->job && s[0]->job->exit_code == 9, "job");
	is_str(s[1]->kind, "fork", "kind");
	is_str(dsv_kvs_get(&s[1]->params, "lr")->text, "0.1", "parameter");
	ok(!s[1]->job, "no job");
	dsv_state_free(s[0]);
	dsv_state_free(s[1]);
}

/* ---- Walks against brute force ------------------------------------------- */

enum { NODES = 60 };

static bool reach[NODES + 1][NODES + 1];	/* [from][ancestor or self] */

static void random_dag(unsigned int seed)
{
	char sql[200];
	int i, j, k;

	srand(seed);
	exec_sql("DELETE FROM edge; DELETE FROM state");
	memset(reach, 0, sizeof(reach));
	for (i = 1; i <= NODES; i++) {
		int parents = i == 1 || rand() % 12 == 0 ? 0 :
			rand() % 4 == 0 ? 2 : 1;

		sprintf(sql, "INSERT INTO state (seq, id, kind, branch,"
			" params, author, host, created, files, size, stored,"
			" generation) VALUES (%d, randomblob(32), 'tag', 1,"
			" 1, 'a', 'h', %d, 0, 0, 0, 0)", i, i);
		exec_sql(sql);
		reach[i][i] = true;
		for (j = 0; j < parents && j < i - 1; j++) {
			int parent = 1 + rand() % (i - 1);

			sprintf(sql, "INSERT INTO edge VALUES (%d, %d, %d)",
				i, j, parent);
			exec_sql(sql);
			for (k = 1; k <= NODES; k++)
				reach[i][k] |= reach[parent][k];
		}
	}
}

static bool same(const int64_t *seqs, size_t count, const bool *want)
{
	size_t n = 0;
	int i;

	for (i = NODES; i >= 1; i--) {
		if (!want[i])
			continue;
		if (n == count || seqs[n] != i)
			return false;
		n++;
	}
	return n == count;
}

static bool check_log(int a, int b)
{
	int64_t heads[2] = { a, b }, *seqs;
	struct catalog_log_query q = { .heads = heads, .head_count = 1,
				       .hidden = heads + 1,
				       .hidden_count = 1, .limit = -1 };
	bool want[NODES + 1];
	struct dsv_err err;
	size_t count;
	bool good;
	int i;

	for (i = 0; i <= NODES; i++)
		want[i] = reach[a][i] && !reach[b][i];
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	good = same(seqs, count, want);
	free(seqs);
	q.head_count = 2;
	q.hidden_count = 0;
	for (i = 0; i <= NODES; i++)
		want[i] = reach[a][i] || reach[b][i];
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	good = good && same(seqs, count, want);
	free(seqs);
	return good;
}

static bool check_base(int a, int b)
{
	struct dsv_err err;
	int64_t base;
	int i, want = -1;

	for (i = 1; i <= NODES; i++) {
		if (reach[a][i] && reach[b][i])
			want = i;
	}
	must(catalog_merge_base(c, a, b, &base, &err) == 0);
	return base == want;
}

static bool check_relatives(int a)
{
	struct catalog_query q = { .limit = -1, .ancestors_of = a };
	bool want[NODES + 1];
	struct dsv_err err;
	int64_t *seqs;
	size_t count;
	bool good;
	int i;

	for (i = 0; i <= NODES; i++)
		want[i] = reach[a][i] && i != a;
	must(catalog_find(c, &q, &seqs, &count, &err) == 0);
	good = same(seqs, count, want);
	free(seqs);
	q.ancestors_of = 0;
	q.descendants_of = a;
	for (i = 0; i <= NODES; i++)
		want[i] = reach[i][a] && i != a;
	must(catalog_find(c, &q, &seqs, &count, &err) == 0);
	good = good && same(seqs, count, want);
	free(seqs);
	return good;
}

static void test_walks(void)
{
	bool logs = true, bases = true, relatives = true;
	unsigned int seed;
	int i;

	for (seed = 1; seed <= 8; seed++) {
		random_dag(seed);
		for (i = 0; i < 60; i++) {
			int a = 1 + rand() % NODES, b = 1 + rand() % NODES;

			logs = logs && check_log(a, b);
			bases = bases && check_base(a, b);
			relatives = relatives && check_relatives(a);
		}
	}
	ok(logs, "logs of random graphs");
	ok(bases, "common ancestors in random graphs");
	ok(relatives, "ancestors and descendants in random graphs");
}

static void test_log_options(void)
{
	int64_t head = NODES, *seqs;
	struct catalog_log_query q = { .heads = &head, .head_count = 1,
				       .limit = 3 };
	struct dsv_err err;
	size_t count;
	char got[4096];
	int i;

	exec_sql("DELETE FROM edge");
	for (i = 2; i <= NODES; i++) {
		char sql[80];

		sprintf(sql, "INSERT INTO edge VALUES (%d, 0, %d)", i, i - 1);
		exec_sql(sql);
	}
	exec_sql("INSERT INTO edge VALUES (60, 1, 5)");
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	seqs_to_text(seqs, count, got);
	is_str(got, "60 59 58", "a limit");
	free(seqs);
	q.below = 58;
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	seqs_to_text(seqs, count, got);
	is_str(got, "57 56 55", "states older than one of them");
	free(seqs);
	q.below = 0;
	q.limit = -1;
	q.since_ns = 57;
	q.until_ns = 59;
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	seqs_to_text(seqs, count, got);
	is_str(got, "59 58 57", "since and until");
	free(seqs);
	q.since_ns = 1000;
	q.until_ns = 0;
	must(catalog_log(c, &q, &seqs, &count, &err) == 0);
	is_int((int64_t)count, 0, "since the future");
	free(seqs);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	must(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/catalog.db", dir);
	start();
	exec_sql(states);
	test_expressions();
	test_mistakes();
	test_extremes();
	test_limits();
	test_not_found();
	test_extreme_states();
	test_load();
	test_ids();
	test_walks();
	test_log_options();
	finish();
	must(fs_remove_tree(dir, NULL) == 0);
	return tap_done();
}
