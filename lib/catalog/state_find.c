/* SPDX-License-Identifier: MIT */
/*
 * This finds single states: by id, by prefix, by the largest or smallest
 * attribute.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/str.h"

enum { MIN_PREFIX = 4, MAX_CANDIDATES = 5 };

static const char sql_seq[] = "SELECT seq FROM state WHERE id = :id";
static const char sql_range[] =
	"SELECT seq, id FROM state WHERE id >= :low AND id <= :high"
	" ORDER BY id LIMIT 6";
static const char sql_content[] =
	"SELECT m.hash, s.pruned, s.pruned_by, s.status, s.id FROM state AS s"
	" LEFT JOIN manifest AS m ON m.id = s.manifest WHERE s.seq = :seq";
static const char sql_key[] = "SELECT id FROM key WHERE name = :name";

/* Both statements walk the index and end at the first live state. */
static const char sql_largest[] =
	"SELECT s.seq FROM attr AS a CROSS JOIN state AS s ON s.seq = a.state"
	" WHERE a.key = :key AND a.type = 1 AND s.pruned IS NULL"
	" AND (:branch IS NULL OR s.branch IN"
	"  (SELECT id FROM branch WHERE name = :branch))"
	" ORDER BY a.number DESC, a.state DESC LIMIT 1";
static const char sql_smallest[] =
	"SELECT s.seq FROM attr AS a CROSS JOIN state AS s ON s.seq = a.state"
	" WHERE a.key = :key AND a.type = 1 AND s.pruned IS NULL"
	" AND (:branch IS NULL OR s.branch IN"
	"  (SELECT id FROM branch WHERE name = :branch))"
	" ORDER BY a.number, a.state DESC LIMIT 1";
/* A branch has few of all states, so each of them is looked at. */
static const char sql_largest_of_branch[] =
	"SELECT s.seq FROM state AS s CROSS JOIN attr AS a ON a.state = s.seq"
	" WHERE s.branch IN (SELECT id FROM branch WHERE name = :branch)"
	" AND a.key = :key AND a.type = 1 AND s.pruned IS NULL"
	" ORDER BY a.number DESC, a.state DESC LIMIT 1";
static const char sql_smallest_of_branch[] =
	"SELECT s.seq FROM state AS s CROSS JOIN attr AS a ON a.state = s.seq"
	" WHERE s.branch IN (SELECT id FROM branch WHERE name = :branch)"
	" AND a.key = :key AND a.type = 1 AND s.pruned IS NULL"
	" ORDER BY a.number, a.state DESC LIMIT 1";
static const char sql_branch_size[] =
	"SELECT count(*) FROM (SELECT 1 FROM state WHERE branch IN"
	" (SELECT id FROM branch WHERE name = :branch) LIMIT 20001)";

int catalog_seq(struct catalog *c, const unsigned char id[HASH_BYTES],
		int64_t *seq, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_seq);
	int64_t found = -1;
	int ret;

	query_hash(&q, ":id", id);
	ret = query_one_int(&q, &found, err);
	if (ret < 0)
		return ret;
	*seq = found;
	return 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Computes the smallest and the largest id that start with prefix. */
static bool prefix_range(const char *prefix, unsigned char low[HASH_BYTES],
			 unsigned char high[HASH_BYTES])
{
	size_t i, len = strlen(prefix);

	if (len < MIN_PREFIX || len > 2 * HASH_BYTES)
		return false;
	memset(low, 0, HASH_BYTES);
	memset(high, 0xff, HASH_BYTES);
	for (i = 0; i < len; i++) {
		int n = digit(prefix[i]);
		int shift = i % 2 ? 0 : 4;

		if (n < 0)
			return false;
		low[i / 2] |= (unsigned char)(n << shift);
		high[i / 2] &= (unsigned char)(n << shift |
					       (shift ? 0x0f : 0xf0));
	}
	return true;
}

/* Appends the id of the row; it is enough to show MAX_CANDIDATES. */
static void add_candidate(struct query *q, int count, struct str *list)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];

	if (count > MAX_CANDIDATES) {
		str_puts(list, ", ...");
		return;
	}
	query_get_hash(q, 1, id);
	hash_to_hex(id, hex);
	str_printf(list, "%s%.16s", count > 1 ? ", " : "", hex);
}

int catalog_find_id(struct catalog *c, const char *prefix, int64_t *seq,
		    struct dsv_err *err)
{
	unsigned char low[HASH_BYTES], high[HASH_BYTES];
	struct str list = STR_INIT;
	struct query q;
	int64_t found = -1;
	int count = 0, ret;

	if (!prefix_range(prefix, low, high))
		return dsv_fail(err, DSV_ENOTFOUND, "no state '%s'", prefix);
	q = db_query(catalog_db(c), sql_range);
	query_hash(&q, ":low", low);
	query_hash(&q, ":high", high);
	while ((ret = query_step(&q, err)) > 0) {
		found = query_get_int(&q, 0);
		add_candidate(&q, ++count, &list);
	}
	if (ret == 0 && count == 0)
		ret = dsv_fail(err, DSV_ENOTFOUND, "no state '%s'", prefix);
	if (ret == 0 && count > 1)
		ret = dsv_fail(err, DSV_ENOTFOUND, "'%s' is ambiguous: it may"
			       " be %s", prefix, str_text(&list));
	str_release(&list);
	if (ret == 0)
		*seq = found;
	return ret;
}

static int branch_is_small(struct catalog *c, const char *branch,
			   struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_branch_size);
	int64_t count;
	int ret;

	query_text(&q, ":branch", branch);
	ret = query_one_int(&q, &count, err);
	return ret < 0 ? ret : count <= 20000;
}

int catalog_extreme(struct catalog *c, const char *key, int sign,
		    const char *branch, int64_t *seq, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_key);
	int64_t key_id, found = -1;
	int ret, small = 0;

	query_text(&q, ":name", key);
	ret = query_one_int(&q, &key_id, err);
	if (ret > 0 && branch) {
		small = branch_is_small(c, branch, err);
		if (small < 0)
			return small;
	}
	if (ret > 0) {
		q = db_query(catalog_db(c), small ?
			     (sign > 0 ? sql_largest_of_branch :
			      sql_smallest_of_branch) :
			     (sign > 0 ? sql_largest : sql_smallest));
		query_int(&q, ":key", key_id);
		query_text(&q, ":branch", branch);
		ret = query_one_int(&q, &found, err);
	}
	if (ret < 0)
		return ret;
	*seq = found;
	return 0;
}

/* q has s.pruned, s.pruned_by, s.status and s.id as of column 1. */
static int fail_pruned(struct query *q, const char *id, const char *more,
		       enum dsv_hint hint, struct dsv_err *err)
{
	const char *rule = query_get_text(q, 2);
	char when[DSV_TIME_SIZE];

	dsv_format_time(query_get_int(q, 1), when);
	return dsv_fail_hint(err, DSV_ENOTFOUND, hint, NULL, "state %.12s was"
			     " pruned at %s (%s)%s", id, when,
			     rule ? rule : "rule unknown", more);
}

static int no_content(struct query *q, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	unsigned char id[HASH_BYTES];

	query_get_hash(q, 4, id);
	hash_to_hex(id, hex);
	if (!query_is_null(q, 1))
		return fail_pruned(q, hex, "", DSV_HINT_NONE, err);
	return dsv_fail(err, DSV_ENOTFOUND, "the content of state %.12s is %s",
			hex, query_get_int(q, 3) == STATE_LOST ?
			"lost: its node died first" : "pending: not yet in the"
			" store");
}

int catalog_check_live(struct catalog *c, int64_t seq, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_content);
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	bool forgotten;
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret == 0)
		return dsv_fail(err, DSV_ENOTFOUND, "no such state");
	if (ret < 0)
		return ret;
	query_get_hash(&q, 4, id);
	hash_to_hex(id, hex);
	forgotten = query_get_int(&q, 3) == STATE_FORGOTTEN;
	ret = query_is_null(&q, 1) ? 0 :
		fail_pruned(&q, hex, forgotten ? ", and its record dropped" :
			    "", forgotten ? DSV_HINT_NONE : DSV_HINT_RESTORE,
			    err);
	query_end(&q);
	return ret;
}

int catalog_content(struct catalog *c, int64_t seq,
		    unsigned char manifest[HASH_BYTES], struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_content);
	unsigned char hash[HASH_BYTES];
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret == 0)
		return dsv_fail(err, DSV_ENOTFOUND, "no such state");
	if (ret < 0)
		return ret;
	if (!query_is_null(&q, 1) || !query_get_hash(&q, 0, hash)) {
		ret = no_content(&q, err);
	} else {
		memcpy(manifest, hash, HASH_BYTES);
		ret = 0;
	}
	query_end(&q);
	return ret;
}

int catalog_id(struct catalog *c, int64_t seq, unsigned char id[HASH_BYTES],
	       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM state WHERE seq = :seq");
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret == 0)
		return dsv_fail(err, DSV_ENOTFOUND,
				"a state is no longer in the catalog");
	if (ret < 0)
		return ret;
	query_get_hash(&q, 0, id);
	query_end(&q);
	return 0;
}

int catalog_state_hex(struct catalog *c, int64_t seq, char hex[HASH_HEX_SIZE],
		      struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int ret = catalog_id(c, seq, id, err);

	if (ret == 0)
		hash_to_hex(id, hex);
	return ret;
}
