/* SPDX-License-Identifier: MIT */
/*
 * Records and journal against the catalog.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "check.h"
#include "journal.h"
#include "liveness.h"
#include "schema.h"

#define RECORD_LIMIT_BYTES (64u << 20)

struct state {
	int64_t seq;
	unsigned char id[HASH_BYTES];
	unsigned char manifest[HASH_BYTES];
	bool has_manifest;
	char kind[16];
};

static int next_state(struct check *k, int64_t after, struct state *out,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT s.seq, s.id, m.hash, s.kind FROM state s"
		" LEFT JOIN manifest m ON m.id = s.manifest"
		" AND s.capture IS NULL WHERE s.seq > :after"
		" AND s.status <> 3 ORDER BY s.seq LIMIT 1");
	int ret;

	query_int(&q, ":after", after);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	out->seq = query_get_int(&q, 0);
	query_get_hash(&q, 1, out->id);
	out->has_manifest = query_get_hash(&q, 2, out->manifest);
	snprintf(out->kind, sizeof(out->kind), "%s", query_get_text(&q, 3));
	query_end(&q);
	return 1;
}

/* 1: its record is in the outbox: *record (may be NULL) gets it. */
static int in_outbox(struct check *k, const struct state *s,
		     struct str *record, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT record FROM outbox WHERE state = :id");
	const void *data;
	size_t len;
	int ret;

	query_hash(&q, ":id", s->id);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	data = query_get_blob(&q, 0, &len);
	if (record)
		str_add(record, data, len);
	query_end(&q);
	return 1;
}

static int check_parents(struct check *k, const struct state *s,
			 const json_t *parents, bool *agree,
			 struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	size_t n = 0;
	struct query q = db_query(catalog_db(k->c),
		"SELECT p.id FROM edge e JOIN state p ON p.seq = e.parent"
		" WHERE e.child = :seq ORDER BY e.ordinal");
	int ret;

	query_int(&q, ":seq", s->seq);
	while ((ret = query_step(&q, err)) > 0) {
		const char *parent =
			json_string_value(json_array_get(parents, n++));

		query_get_hash(&q, 0, id);
		hash_to_hex(id, hex);
		if (!parent || strcmp(parent, hex) != 0)
			*agree = false;
	}
	if (n != json_array_size(parents))
		*agree = false;
	return ret;
}

/* Does the record say what the catalog says? */
static int agrees(struct check *k, const struct state *s,
		  const struct str *text, bool *agree, struct dsv_err *err)
{
	json_t *record = json_loadb(text->data, text->len,
				    JSON_REJECT_DUPLICATES, NULL);
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *content = json_string_value(json_object_get(record,
								"content"));
	char hex[HASH_HEX_SIZE];
	int ret;

	*agree = kind && !strcmp(kind, s->kind);
	hash_to_hex(s->manifest, hex);
	if (s->has_manifest && (!content || strcmp(content, hex) != 0))
		*agree = false;
	ret = check_parents(k, s, json_object_get(record, "parents"), agree,
			    err);
	json_decref(record);
	return ret;
}

static int rewrite(struct check *k, const char *path, const struct state *s,
		   bool *done, struct dsv_err *err)
{
	struct str record = STR_INIT;
	char *tmp = str_format("%s/tmp", k->c->dir);
	int ret;

	*done = false;
	ret = !tmp ? dsv_fail_nomem(err) : in_outbox(k, s, &record, err);
	if (ret > 0) {
		ret = access(path, F_OK) == 0 ? check_quarantine(k, path, err)
			: 0;
		if (ret == 0)
			ret = fs_replace_from(tmp, path, record.data,
					      record.len,
					      k->c->options.file_mode, err);
		*done = ret == 0;
	}
	str_release(&record);
	free(tmp);
	return ret;
}

static int note(struct check *k, const struct state *s, const char *path,
		const char *what, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	bool done = false;
	int ret = 0;

	hash_to_hex(s->id, hex);
	if (k->repair)
		ret = rewrite(k, path, s, &done, err);
	if (ret == 0)
		ret = check_problem(k, "record", hex, done, err, "%s", what);
	if (ret == 0)
		ret = check_concerns(k, k->count - 1, s->seq, err);
	return ret;
}

static int check_record(struct check *k, const struct state *s,
			struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	struct str text = STR_INIT;
	char hex[HASH_HEX_SIZE];
	char *path;
	bool agree = true;
	int ret;

	hash_to_hex(s->id, hex);
	path = str_format("%s/states/%.2s/%s", k->c->dir, hex, hex);
	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, RECORD_LIMIT_BYTES, &text, err);
	if (ret == DSV_ENOTFOUND) {
		/* The next writer will write it. */
		ret = in_outbox(k, s, NULL, err);
		if (ret == 0)
			ret = note(k, s, path, "the state's record is missing",
				   err);
		else if (ret > 0)
			ret = 0;
	} else if (ret == 0 && !hash_bytes(text.data ? text.data : "",
					   text.len, hash)) {
		ret = dsv_fail_nomem(err);
	} else if (ret == DSV_ECORRUPT ||
		   (ret == 0 && memcmp(hash, s->id, HASH_BYTES) != 0)) {
		ret = note(k, s, path, "the state's record does not have its"
			   " hash", err);
	} else if (ret == 0) {
		ret = agrees(k, s, &text, &agree, err);
		if (ret == 0 && !agree)
			ret = note(k, s, path, "record and catalog differ",
				   err);
	}
	if (ret == 0)
		ret = check_mode(k, path, hex, false, err);
	str_release(&text);
	free(path);
	return ret;
}

/* What a crash left of writing a record, when it is old. */
static void sweep_temporary(struct check *k, const char *dir, const char *name)
{
	char *path = str_format("%s/%s", dir, name);
	struct stat st;

	if (path && k->repair && strstr(name, ".tmp-") &&
	    lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (int64_t)st.st_mtim.tv_sec < now_ns() / 1000000000 - 86400)
		unlink(path);
	free(path);
}

/* A file of states/ that the catalog has no state for. */
static int check_name(struct check *k, const char *dir, const char *name,
		      struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int64_t status = 0;
	char *path;
	struct query q;
	int ret;

	if (!hash_from_hex(name, id)) {
		sweep_temporary(k, dir, name);
		return 0;
	}
	q = db_query(catalog_db(k->c), "SELECT status FROM state"
		     " WHERE id = :id");
	query_hash(&q, ":id", id);
	ret = query_one_int(&q, &status, err);
	if (ret < 0 || (ret > 0 && status != STATE_FORGOTTEN))
		return ret < 0 ? ret : 0;
	if (ret == 0)
		return check_problem(k, "record", name, false, err,
				     "a record of a state that the catalog"
				     " does not know");
	/* A forged line of the journal may have said so. */
	path = str_format("%s/%s", dir, name);
	ret = !path ? dsv_fail_nomem(err) :
		k->repair ? check_quarantine(k, path, err) : 0;
	free(path);
	return ret < 0 ? ret : check_problem(k, "record", name, k->repair, err,
					     "the record of a state that was"
					     " forgotten");
}

static int check_dir(struct check *k, int number, struct dsv_err *err)
{
	char *dir = str_format("%s/states/%02x", k->c->dir, number);
	struct dirent *e;
	DIR *d;
	int ret = 0;

	if (!dir)
		return dsv_fail_nomem(err);
	d = opendir(dir);
	if (!d && errno != ENOENT)
		ret = dsv_fail_errno(err, "open directory '%s'", dir);
	while (ret == 0 && d && (e = readdir(d)) != NULL)
		ret = check_name(k, dir, e->d_name, err);
	if (d)
		closedir(d);
	free(dir);
	return ret;
}

int check_records(struct check *k, struct dsv_err *err)
{
	struct state s = { .seq = -1 };
	int i, ret;

	while ((ret = next_state(k, s.seq, &s, err)) > 0) {
		ret = check_record(k, &s, err);
		if (ret == 0)
			ret = check_interrupted(k, err);
		if (ret < 0)
			return ret;
	}
	for (i = 0; ret == 0 && i < 256; i++)
		ret = check_dir(k, i, err);
	return ret;
}

/* ---- Journal --------------------------------------------------------- */

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
		snprintf(object, sizeof(object), "transaction %lld",
			 (long long)first);
	else
		snprintf(object, sizeof(object), "transactions %lld to %lld",
			 (long long)first, (long long)last);
	if (seen->torn)
		snprintf(torn, sizeof(torn), "; line %lld is torn or changed",
			 (long long)seen->torn);
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

	snprintf(object, sizeof(object), "transaction %lld", (long long)seq);
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

/* What is published at least: transactions before those of the outbox. */
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
	char *path = str_format("%s/journal", k->c->dir);
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
