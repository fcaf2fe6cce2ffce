/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/list.h"
#include "../catalog/internal.h"
#include "../catalog/totals.h"
#include "../os/fs.h"
#include "../space/space.h"

static void forget_problems(struct check *k, size_t from)
{
	while (k->count > from) {
		struct check_problem *p = &k->problems[--k->count];

		free(p->kind);
		free(p->object);
		free(p->message);
		free(p->states);
		free(p->files);
	}
}

void check_release(struct check *k)
{
	forget_problems(k, 0);
	free(k->problems);
	free(k->bad);
	free(k->suspects);
	free(k->doubts);
	k->problems = NULL;
	k->bad = NULL;
	k->suspects = NULL;
	k->doubts = NULL;
	k->bad_count = k->suspect_count = k->doubt_count = 0;
}

int check_problem(struct check *k, const char *kind, const char *object,
		  bool repaired, struct dsv_err *err, const char *fmt, ...)
{
	struct check_problem p = { .repaired = repaired };
	va_list ap;
	int ret, len;

	ret = list_grow((void **)&k->problems, k->count, sizeof(p), err);
	if (ret < 0)
		return ret;
	va_start(ap, fmt);
	len = vasprintf(&p.message, fmt, ap);
	va_end(ap);
	if (len < 0)
		p.message = NULL;
	p.kind = strdup(kind);
	p.object = strdup(object);
	k->problems[k->count++] = p;
	return p.kind && p.object && p.message ? 0 : dsv_fail_nomem(err);
}

void check_hint(struct check *k, enum dsv_hint hint)
{
	k->problems[k->count - 1].hint = hint;
}

int check_concerns(struct check *k, size_t problem, int64_t seq,
		   struct dsv_err *err)
{
	struct check_problem *p = &k->problems[problem];
	int ret;

	ret = list_grow((void **)&p->states, p->state_count, sizeof(seq), err);
	if (ret == 0)
		p->states[p->state_count++] = seq;
	return ret;
}

int check_concerns_manifest(struct check *k, size_t problem, int64_t manifest,
			    const char *file, struct dsv_err *err)
{
	struct check_problem *x = &k->problems[problem];
	struct query q;
	int ret = 0;

	if (file && x->file_count++ < CHECK_FILES_NAMED) {
		char *more = str_format("%s%s%s", x->files ? x->files : "",
					x->files ? ", " : "", file);

		if (!more)
			return dsv_fail_nomem(err);
		free(x->files);
		x->files = more;
	}
	if (x->manifest == manifest)
		return 0;
	x->manifest = manifest;
	q = db_query(catalog_db(k->c),
		     "SELECT seq FROM state WHERE manifest = :manifest"
		     " AND pruned IS NULL ORDER BY seq");
	query_int(&q, ":manifest", manifest);
	while ((ret = query_step(&q, err)) > 0) {
		ret = check_concerns(k, problem, query_get_int(&q, 0), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

static int compare_bad(const void *a, const void *b)
{
	return memcmp(a, b, HASH_BYTES);
}

void check_sort_bad(struct check *k)
{
	if (k->bad_count > 0)
		qsort(k->bad, k->bad_count, sizeof(*k->bad), compare_bad);
	k->bad_sorted = k->bad_count;
}

enum { UNSORTED = 1024 };	/* that are looked through one by one */

int check_add_bad(struct check *k, const unsigned char hash[HASH_BYTES],
		  size_t problem, struct dsv_err *err)
{
	int ret = list_grow((void **)&k->bad, k->bad_count, sizeof(*k->bad),
			    err);

	if (ret < 0)
		return ret;
	memcpy(k->bad[k->bad_count].hash, hash, HASH_BYTES);
	k->bad[k->bad_count++].problem = problem;
	if (k->bad_count - k->bad_sorted == UNSORTED)
		check_sort_bad(k);
	return 0;
}

const struct check_bad *check_find_bad(const struct check *k,
				       const unsigned char hash[HASH_BYTES])
{
	const struct check_bad *found = NULL;
	size_t i;

	if (k->bad_sorted > 0)
		found = bsearch(hash, k->bad, k->bad_sorted, sizeof(*k->bad),
				compare_bad);
	for (i = k->bad_sorted; !found && i < k->bad_count; i++)
		if (!memcmp(k->bad[i].hash, hash, HASH_BYTES))
			found = &k->bad[i];
	return found;
}

/* As it was before a part had found those problems. */
static void undo(struct check *k, size_t problems)
{
	size_t i, n = 0;

	forget_problems(k, problems);
	for (i = 0; i < k->bad_count; i++)
		if (k->bad[i].problem < problems)
			k->bad[n++] = k->bad[i];
	k->bad_count = n;
	check_sort_bad(k);
	for (i = 0; i < n; i++) {
		struct check_problem *p = &k->problems[k->bad[i].problem];

		p->state_count = 0;
		p->manifest = 0;
		p->file_count = 0;
		free(p->files);
		p->files = NULL;
	}
}

int check_quarantine(struct check *k, const char *path, struct dsv_err *err)
{
	char *dir = str_format("%s/quarantine", k->c->dir);
	char *prefix = str_format("%s/quarantine/%s", k->c->dir,
				  fs_basename(path));
	char *to = prefix ? fs_unused_name(prefix) : NULL;
	int ret = 0;

	if (!dir || !to)
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = fs_make_own_dirs(dir, k->c->dir_mode, err);
	if (ret == 0 && rename(path, to) < 0)
		ret = dsv_fail_errno(err, "move '%s' aside", path);
	free(dir);
	free(prefix);
	free(to);
	return ret;
}

static int check_database(struct check *k, struct dsv_err *err)
{
	struct query q = db_query_once(catalog_db(k->c),
				       "PRAGMA integrity_check(20)");
	int ret, bad = 0;

	while ((ret = query_step(&q, err)) > 0) {
		const char *text = query_get_text(&q, 0);

		if (text && !strcmp(text, "ok"))
			continue;
		bad++;
		ret = check_problem(k, "database", "catalog.db", false, err,
				    "%s", text ? text : "damaged");
		if (ret < 0) {
			query_end(&q);
			return ret;
		}
	}
	if (ret == DSV_ECORRUPT && bad == 0)
		ret = check_problem(k, "database", "catalog.db", false, err,
				    "it cannot be read");
	return ret == DSV_ECORRUPT ? 0 : ret;
}

/* Rows that refer to nothing, or contradict each other. */
struct row_check {
	const char *kind;
	const char *sql;	/* object, seq of the state or NULL, message */
	const char *repair;	/* removes exactly these, or NULL */
};

static const struct row_check row_checks[] = {
	{ "branch",
	  "SELECT name, NULL, 'its head is not a state' FROM branch"
	  " WHERE NOT deleted AND head IS NOT NULL"
	  " AND head NOT IN (SELECT seq FROM state)",
	  "UPDATE branch SET head = (SELECT max(seq) FROM state s"
	  " WHERE s.branch = branch.id AND s.pruned IS NULL)"
	  " WHERE NOT deleted AND head IS NOT NULL"
	  " AND head NOT IN (SELECT seq FROM state)" },
	{ "branch",
	  "SELECT b.name, s.seq, 'its head is a pruned state' FROM branch b"
	  " JOIN state s ON s.seq = b.head WHERE NOT b.deleted"
	  " AND s.pruned IS NOT NULL",
	  /* As a prune moves it; the nearest ancestor is the newest one. */
	  "UPDATE branch SET head = (WITH RECURSIVE line (seq) AS"
	  " (VALUES (branch.head) UNION SELECT e.parent FROM line"
	  "  JOIN edge e ON e.child = line.seq AND e.ordinal = 0)"
	  " SELECT max(s.seq) FROM line JOIN state s USING (seq)"
	  " WHERE s.pruned IS NULL) WHERE NOT deleted AND head IN"
	  " (SELECT seq FROM state WHERE pruned IS NOT NULL)" },
	{ "branch",
	  "SELECT 'row ' || branch, seq, 'the state''s branch is missing'"
	  " FROM state WHERE branch NOT IN (SELECT id FROM branch)", NULL },
	{ "edge",
	  "SELECT 'row ' || e.child, e.child, 'a parent is missing'"
	  " FROM edge e WHERE e.parent NOT IN (SELECT seq FROM state)", NULL },
	{ "edge",
	  "SELECT 'row ' || e.child, NULL, 'parents of a state that is"
	  " missing' FROM edge e WHERE e.child NOT IN"
	  " (SELECT seq FROM state)",
	  "DELETE FROM edge WHERE child NOT IN (SELECT seq FROM state)" },
	{ "edge",
	  "SELECT 'row ' || e.child, e.child, 'a parent is newer than its"
	  " child' FROM edge e WHERE e.parent >= e.child", NULL },
	{ "edge",
	  "SELECT 'row ' || e.child, e.child, 'its generation is not above"
	  " its parent''s' FROM edge e JOIN state c ON c.seq = e.child"
	  " JOIN state p ON p.seq = e.parent"
	  " WHERE c.generation <= p.generation", NULL },
	{ "state",
	  "SELECT lower(hex(id)), seq, 'its parameters are missing' FROM state"
	  " WHERE status <> " SQL_STATE_FORGOTTEN
	  " AND params NOT IN (SELECT id FROM params)",
	  NULL },
	{ "state",
	  "SELECT lower(hex(id)), seq, 'its manifest is missing' FROM state"
	  " WHERE pruned IS NULL AND status = " SQL_STATE_DURABLE
	  " AND (manifest IS NULL OR"
	  " manifest NOT IN (SELECT id FROM manifest))", NULL },
	{ "name",
	  "SELECT name, NULL, 'it names no state' FROM name"
	  " WHERE state NOT IN (SELECT seq FROM state)",
	  "DELETE FROM name WHERE state NOT IN (SELECT seq FROM state)" },
	{ "scope",
	  "SELECT 'row ' || scope, NULL,"
	  " 'it holds something that is not a state' FROM scope_state"
	  " WHERE state NOT IN (SELECT seq FROM state)"
	  " OR scope NOT IN (SELECT id FROM scope)",
	  "DELETE FROM scope_state WHERE state NOT IN (SELECT seq FROM state)"
	  " OR scope NOT IN (SELECT id FROM scope)" },
	{ "attribute",
	  "SELECT 'row ' || state, NULL, 'of no state or no key' FROM attr"
	  " WHERE state NOT IN (SELECT seq FROM state)"
	  " OR key NOT IN (SELECT id FROM key)",
	  "DELETE FROM attr WHERE state NOT IN (SELECT seq FROM state)"
	  " OR key NOT IN (SELECT id FROM key)" },
	{ "outbox",
	  "SELECT lower(hex(state)), NULL, 'a record that was never committed'"
	  " FROM outbox WHERE state IS NOT NULL"
	  " AND state NOT IN (SELECT id FROM state)", NULL },
	{ "state",
	  "SELECT lower(hex(id)), NULL, 'its number is impossible' FROM state"
	  " WHERE seq <= 0", NULL },
	{ "sequence",
	  "SELECT 'meta', NULL, 'the number of the last transaction is"
	  " impossible' WHERE NOT EXISTS (SELECT 1 FROM meta"
	  " WHERE key = 'seq' AND typeof(value) = 'integer'"
	  " AND value BETWEEN 0 AND 1 << 62)", NULL },
	{ "sequence",
	  "SELECT 'meta', NULL, 'a state is newer than the last transaction'"
	  " FROM state WHERE seq > (SELECT value FROM meta WHERE key = 'seq')"
	  " LIMIT 1",
	  "UPDATE meta SET value = (SELECT max(seq) FROM state)"
	  " WHERE key = 'seq'" },
	{ "chunk",
	  "SELECT lower(hex(hash)), NULL, 'its segment is missing in the"
	  " catalog' FROM chunk"
	  " WHERE segment NOT IN (SELECT id FROM segment)", NULL },
	{ "chunk",
	  "SELECT lower(hex(a.hash)), NULL, 'it overlaps another' FROM chunk a"
	  " JOIN chunk b ON b.segment = a.segment AND b.offset > a.offset"
	  " AND b.offset < a.offset + a.stored"
	  " WHERE b.offset = (SELECT min(offset) FROM chunk n"
	  "  WHERE n.segment = a.segment AND n.offset > a.offset)", NULL },
};

static int check_one(struct check *k, const struct row_check *r,
		     struct dsv_err *err)
{
	struct query q = db_query_once(catalog_db(k->c), r->sql);
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		const char *object = query_get_text(&q, 0);
		const char *message = query_get_text(&q, 2);

		ret = check_problem(k, r->kind, object ? object : "",
				    false, err, "%s", message);
		if (ret == 0 && !query_is_null(&q, 1))
			ret = check_concerns(k, k->count - 1,
					     query_get_int(&q, 1), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

static int repair_one(struct check *k, const struct row_check *r,
		      size_t first, struct dsv_err *err)
{
	size_t i;
	int ret = db_exec(catalog_db(k->c), r->repair, err);

	for (i = first; ret == 0 && i < k->count; i++)
		k->problems[i].repaired = true;
	return ret;
}

static int check_rows(struct check *k, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(row_checks) / sizeof(row_checks[0]);
	     i++) {
		size_t first = k->count;

		ret = check_one(k, &row_checks[i], err);
		if (ret == 0 && k->count > first && k->repair &&
		    row_checks[i].repair)
			ret = repair_one(k, &row_checks[i], first, err);
		if (ret == 0)
			ret = store_poll(k->s, err);
	}
	return ret;
}

/* Finish what crashes interrupted, so that it is not taken for damage. */
static int finish_others(struct check *k, struct dsv_err *err)
{
	struct catalog_swept swept;
	int64_t bytes, left;
	int ret;

	ret = catalog_begin(k->c, err);
	if (ret == 0)
		ret = catalog_end(k->c, 0, err);
	if (ret == 0)
		ret = catalog_condemn(k->c, k->s, &bytes, &left, err);
	if (ret == 0)
		ret = catalog_free_expired(k->c, k->s, 0, &bytes, err);
	if (ret == 0)
		ret = catalog_sweep(k->c, k->s, now_ns() - LEFTOVER_AGE_NS,
				    &swept, err);
	return ret;
}

static int count_all(struct check *k, struct dsv_err *err)
{
	struct catalog_totals totals;
	int ret;

	ret = catalog_totals(k->c, &totals, err);
	if (ret < 0)
		return ret;
	k->states = totals.states;
	k->segments = totals.segments;
	k->chunks = totals.chunks;
	return 0;
}

typedef int check_fn(struct check *k, struct dsv_err *err);

/* Nobody commits until then. */
static int be_alone(struct check *k, struct dsv_err *err)
{
	k->alone = true;
	store_forget(k->s);
	return access(catalog_db(k->c)->path, W_OK) == 0 ?
		catalog_begin_still(k->c, err) : catalog_read_begin(k->c, err);
}

static int be_one_of_many(struct check *k, int ret, struct dsv_err *err)
{
	k->alone = k->repair = false;
	if (database_is_locked(k->c->database))
		return catalog_end(k->c, ret, err);
	catalog_read_end(k->c);
	return ret;
}

static int check_part(struct check *k, check_fn *part, bool repair,
		      struct dsv_err *err)
{
	struct dsv_err why = { .msg = "" };
	size_t problems = k->count;
	int ret = part(k, err);
	int alone;

	if ((ret == 0 && k->count == problems) || ret == DSV_EINTERRUPTED)
		return ret;
	/* The second look is at suspects only, not at what was not read. */
	if (ret < 0 && part == check_data)
		return ret;
	alone = be_alone(k, &why);
	if (alone < 0) {
		k->alone = false;
		/* Too much of it is damaged: as it was seen. */
		return alone == DSV_ECORRUPT ? ret :
			dsv_fail_as(err, why.code, &why);
	}
	undo(k, problems);
	k->repair = repair;
	ret = part(k, err);
	return be_one_of_many(k, ret, err);
}

int catalog_check(struct check *k, struct dsv_err *err)
{
	static check_fn *const parts[] = {
		check_schema, check_rows, check_names, check_params,
		check_records, check_journal,
		check_segments, check_modes, check_data, check_content,
	};
	bool repair = k->repair;
	size_t i;
	int ret;

	k->repair = false;
	check_dir_mode(k);
	ret = check_part(k, check_database, repair, err);
	/* On a broken tree every other answer would be wrong. */
	if (ret < 0 || k->count > 0)
		return ret;
	if (repair)
		ret = finish_others(k, err);
	for (i = 0; ret == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		ret = check_part(k, parts[i], repair, err);
	return ret < 0 ? ret : count_all(k, err);
}
