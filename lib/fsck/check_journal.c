/* SPDX-License-Identifier: MIT */
/*
 * The journal against the catalog.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/list.h"
#include "../catalog/internal.h"
#include "../catalog/journal.h"
#include "../os/paths.h"
#include "check.h"

struct seen_line {
	int64_t seq;
	char sum[16];		/* of its hash: enough to compare */
};

/* The lines that were read. */
struct seen {
	size_t count;
	struct seen_line *lines;
	int64_t torn;	/* number of the first line that is, 0: none */
};

static int check_line(struct seen *seen, const char *line, size_t len,
		      int64_t number, struct dsv_err *err)
{
	const char *json;
	int64_t seq;
	int ret;

	if (len == 0)
		return 0;
	/* A crash tears a line, and it is written again: no defect. */
	if (!journal_parse(line, len, &seq, &json)) {
		if (seen->torn == 0)
			seen->torn = number;
		return 0;
	}
	ret = list_grow((void **)&seen->lines, seen->count,
			sizeof(*seen->lines), err);
	if (ret == 0) {
		struct seen_line *l = &seen->lines[seen->count++];

		l->seq = seq;
		memcpy(l->sum, json - HASH_HEX_SIZE, sizeof(l->sum));
	}
	return ret;
}

static int compare_seen(const void *a, const void *b)
{
	const struct seen_line *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Transactions from first to last have no line. */
static int note_gap(struct check *k, const struct seen *seen, int64_t first,
		    int64_t last, struct dsv_err *err)
{
	char object[64], torn[64] = "";

	if (first == last)
		snprintf(object, sizeof(object), "transaction %" PRId64, first);
	else
		snprintf(object, sizeof(object), "transactions %" PRId64 " to"
			 " %" PRId64, first, last);
	if (seen->torn)
		snprintf(torn, sizeof(torn), "; line %" PRId64 " is torn or"
			 " changed", seen->torn);
	return check_problem(k, "journal", object, false, err,
			     "%s missing in the journal%s", first == last ?
			     "its line is" : "their lines are", torn);
}

/*
 * Every transaction has its line; the outbox holds what is not written yet.
 */
static int check_gaps(struct check *k, struct seen *seen, int64_t last,
		      struct dsv_err *err)
{
	int64_t next = 1;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i <= seen->count; i++) {
		int64_t seq = i < seen->count ? seen->lines[i].seq : last + 1;

		if (seq > last + 1)
			seq = last + 1;
		if (seq > next)
			ret = note_gap(k, seen, next, seq - 1, err);
		if (seq >= next)
			next = seq + 1;
	}
	return ret;
}

static int note_line(struct check *k, int64_t seq, const char *what,
		     struct dsv_err *err)
{
	char object[48];

	snprintf(object, sizeof(object), "transaction %" PRId64, seq);
	return check_problem(k, "journal", object, false, err, "%s", what);
}

/*
 * Lines that are none of ours: a line is written after its commit, and when it
 * is written again it is the same.
 */
static int check_forged(struct check *k, const struct seen *seen,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT value FROM meta WHERE key = 'seq'"
		" AND typeof(value) = 'integer'");
	int64_t last = INT64_MAX;	/* impossible: told elsewhere */
	size_t i;
	int ret = query_one_int(&q, &last, err);

	ret = ret < 0 ? ret : 0;
	for (i = 0; ret == 0 && i < seen->count; i++) {
		const struct seen_line *l = &seen->lines[i];

		/* It is enough to name one of many. */
		if (l->seq < 1 || l->seq > last)
			return note_line(k, l->seq, "no transaction has had"
					 " that number", err);
		if (i > 0 && l->seq == l[-1].seq &&
		    memcmp(l->sum, l[-1].sum, sizeof(l->sum)) != 0)
			ret = note_line(k, l->seq, "it has two lines that"
					" differ", err);
	}
	return ret;
}

/* Transactions before those of the outbox are published at least. */
static int published(struct check *k, int64_t *last, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT coalesce((SELECT min(seq) - 1 FROM outbox),"
		" (SELECT value FROM meta WHERE key = 'seq'))");
	int ret = query_one_int(&q, last, err);

	return ret < 0 ? ret : 0;
}

/*
 * A line that is torn is written again while the outbox has it, or somebody
 * is writing it just now.
 */
static int check_tail(struct check *k, FILE *file, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM outbox LIMIT 1");
	struct stat before, after;
	int64_t n;
	int ret;

	ret = query_one_int(&q, &n, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (fstat(fileno(file), &before) < 0)
		return dsv_fail_errno(err, "stat the journal");
	usleep(100000);
	if (fstat(fileno(file), &after) < 0)
		return dsv_fail_errno(err, "stat the journal");
	if (before.st_size != after.st_size)
		return 0;
	return check_problem(k, "journal", "last line", false, err,
			     "the line is torn");
}

int check_journal(struct check *k, struct dsv_err *err)
{
	char *path = str_format("%s/" FILE_JOURNAL, k->c->dir);
	struct seen seen = { 0, NULL, 0 };
	int64_t last = 0, number = 0;
	size_t size = 0;
	char *line = NULL;
	FILE *file = NULL;
	ssize_t len;
	int ret;

	ret = path ? published(k, &last, err) : dsv_fail_nomem(err);
	if (ret == 0)
		ret = journal_open(path, &file, err);
	if (ret == DSV_ECORRUPT)
		ret = check_problem(k, "journal", "journal", false, err,
				    "it is not a file");
	while (ret == 0 && file && (len = getline(&line, &size, file)) > 0) {
		if (line[len - 1] == '\n')
			ret = check_line(&seen, line, (size_t)len - 1,
					 ++number, err);
		else
			ret = check_tail(k, file, err);
	}
	if (ret == 0 && seen.count > 0)
		qsort(seen.lines, seen.count, sizeof(*seen.lines),
		      compare_seen);
	if (ret == 0)
		ret = check_gaps(k, &seen, last, err);
	if (ret == 0)
		ret = check_forged(k, &seen, err);
	if (file)
		fclose(file);
	free(seen.lines);
	free(line);
	free(path);
	return ret;
}
