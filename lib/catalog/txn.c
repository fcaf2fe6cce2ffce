/* SPDX-License-Identifier: MIT */
/*
 * This has the transactions.  The commit of the SQLite transaction is the
 * commit point.  After it, and before success is reported, the record goes to
 * states/ and the line to the journal; the outbox holds both until a later
 * transaction has seen that they exist.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/clock.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "journal.h"

struct db *catalog_db(struct catalog *c)
{
	return database_db(c->database);
}

int catalog_read_begin(struct catalog *c, struct dsv_err *err)
{
	return database_read_begin(c->database, err);
}

void catalog_read_end(struct catalog *c)
{
	database_read_end(c->database);
}

/* Makes states/ab, which a crash must not remove with what is in it. */
static int make_record_dir(struct catalog *c, const char *dir,
			   struct dsv_err *err)
{
	int ret = fs_make_own_dirs(dir, c->dir_mode, err);

	return ret < 0 ? ret : fs_sync_parent(dir, err);
}

/*
 * Returns whether the record exists; it may not be durable.  What is not a file
 * stays in its place, for fsck to report.
 */
static bool is_record(const char *path, const void *record, size_t len)
{
	struct str text = STR_INIT;
	struct stat st;
	bool same;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return true;
	same = fs_read(path, len, &text, NULL) == 0 && text.len == len &&
		!memcmp(str_text(&text), record, len);

	str_release(&text);
	return same;
}

static int sync_record(const char *dir, struct dsv_err *err)
{
	int ret = fs_sync_dir(dir, err);

	return ret < 0 ? ret : fs_sync_parent(dir, err);
}

/*
 * Writes states/ab/<id>.  One that already exists may exist only in memory, if
 * the process that wrote it was killed before it could sync the directory.
 */
static int publish_record(struct catalog *c, const unsigned char *id,
			  const void *record, size_t len, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	char *dir, *path, *tmp;
	int ret = 0;

	hash_to_hex(id, hex);
	dir = record_dir_path(c->dir, hex);
	path = record_path(c->dir, hex);
	tmp = str_format("%s/" DIR_TMP, c->dir);
	if (!dir || !path || !tmp)
		ret = dsv_fail_nomem(err);
	else if (!fs_is_dir(dir))
		ret = make_record_dir(c, dir, err);
	if (ret == 0 && is_record(path, record, len))
		ret = sync_record(dir, err);
	else if (ret == 0)
		ret = fs_replace_from(tmp, path, record, len,
				      c->file_mode, err);
	free(dir);
	free(path);
	free(tmp);
	return ret;
}

static int publish(struct catalog *c, int64_t seq, const unsigned char *id,
		   const void *record, size_t record_len, const void *line,
		   size_t line_len, struct dsv_err *err)
{
	char *path;
	int ret = 0;

	if (id)
		ret = publish_record(c, id, record, record_len, err);
	if (ret < 0)
		return ret;
	path = str_format("%s/" FILE_JOURNAL, c->dir);
	if (!path)
		return dsv_fail_nomem(err);
	ret = journal_append(path, c->file_mode, seq, line, line_len,
			     err);
	free(path);
	return ret;
}

/*
 * Publishes what was committed, up to *done; *why says why not all of it was.
 */
static int publish_rows(struct catalog *c, int64_t *done, struct dsv_err *why,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT seq, state, record, journal FROM outbox ORDER BY seq");
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		unsigned char id[HASH_BYTES];
		bool has_record = query_get_hash(&q, 1, id);
		size_t record_len, line_len;
		const void *record = query_get_blob(&q, 2, &record_len);
		const void *line = query_get_blob(&q, 3, &line_len);

		if (publish(c, query_get_int(&q, 0), has_record ? id : NULL,
			    record, record_len, line, line_len, why) < 0) {
			query_end(&q);
			break;
		}
		*done = query_get_int(&q, 0);
	}
	return ret < 0 ? ret : 0;
}

/*
 * Finishes what earlier writers committed.  A failure (a full disk) leaves the
 * rows for the next writer: it must not keep a prune from freeing space.
 */
static int publish_outbox(struct catalog *c, struct dsv_err *err)
{
	int64_t done = 0;
	struct query q;
	int ret;

	c->unpublished.code = DSV_OK;
	ret = publish_rows(c, &done, &c->unpublished, err);
	if (ret < 0 || done == 0)
		return ret;
	q = db_query(catalog_db(c), "DELETE FROM outbox WHERE seq <= :seq");
	query_int(&q, ":seq", done);
	return query_run(&q, err);
}

/* Reads the number of the next transaction.  Returns 1, or < 0. */
static int read_seq(struct catalog *c, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT value + 1 FROM meta"
		" WHERE key = 'seq' AND typeof(value) = 'integer'"
		" AND value BETWEEN 0 AND 1 << 62");
	int ret = query_one_int(&q, &c->seq, err);

	return ret ? ret : dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD,
					 NULL, "'%s' has no sequence number",
					 catalog_db(c)->path);
}

static void unlock(struct catalog *c)
{
	db_exec(catalog_db(c), "ROLLBACK", NULL);
	database_unlock(c->database);
}

/*
 * A rebuild puts another file in the place of the catalog: what we committed to
 * the old one, after waiting for it, would be lost.
 */
int catalog_begin_still(struct catalog *c, struct dsv_err *err)
{
	int64_t least = 0;
	bool replaced;
	int ret;

	for (;;) {
		ret = database_lock(c->database, err);
		if (ret < 0)
			return ret;
		replaced = database_is_replaced(c->database);
		ret = database_check_version(c->database, err);
		if (ret == 0)
			ret = read_seq(c, err);
		if (ret > 0 && !replaced)
			break;
		unlock(c);
		if (ret > 0) {
			least = c->seq;
			ret = database_reopen(c->database, err);
		}
		if (ret < 0)
			return ret;
	}
	if (c->seq >= least)
		return 0;
	/* Numbers may be used again, and mean others than the caller's. */
	unlock(c);
	return dsv_fail(err, DSV_ELOCKED, "'%s' was rebuilt meanwhile:"
			" try again", catalog_db(c)->path);
}

int catalog_begin(struct catalog *c, struct dsv_err *err)
{
	int ret = catalog_begin_still(c, err);

	if (ret < 0)
		return ret;
	memset(c->linked, 0, sizeof(c->linked));
	c->time_ns = now_ns();
	ret = publish_outbox(c, err);
	return ret < 0 ? catalog_end(c, ret, err) : 0;
}

const char *catalog_unpublished(const struct catalog *c)
{
	return c->unpublished.code == DSV_OK ? NULL : c->unpublished.msg;
}

int catalog_publish(struct catalog *c, struct dsv_err *err)
{
	struct dsv_err why = { .msg = "" };
	int64_t done = 0;
	int ret = publish_rows(c, &done, &why, NULL);

	if (ret == 0 && why.code != DSV_OK)
		return dsv_fail_as(err, why.code, &why);
	return 0;
}

int journal_op(struct catalog *c, json_t *op, struct dsv_err *err)
{
	if (!c->ops)
		c->ops = json_array();
	if (!op || !c->ops || json_array_append_new(c->ops, op) < 0)
		return dsv_fail_nomem(err);
	return 0;
}

/* Writes the journal's line and the row of the outbox. */
int catalog_write_outbox(struct catalog *c, struct str *line,
			 struct dsv_err *err)
{
	json_t *entry;
	char *text = NULL;
	struct query q;
	int ret;

	entry = json_pack("{s:I, s:O}", "time", (json_int_t)c->time_ns, "ops",
			  c->ops);
	if (entry)
		text = json_dumps(entry, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(entry);
	if (!text)
		return dsv_fail_nomem(err);
	ret = journal_line(line, c->seq, text, err);
	free(text);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c),
		     "INSERT INTO outbox (seq, state, record, journal)"
		     " VALUES (:seq, :state, :record, :journal)");
	query_int(&q, ":seq", c->seq);
	if (c->record_id) {
		query_hash(&q, ":state", c->record_id);
		query_blob(&q, ":record", c->record, c->record_len);
	}
	query_blob(&q, ":journal", line->data, line->len);
	ret = query_run(&q, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "UPDATE meta SET value = :seq"
		     " WHERE key = 'seq'");
	query_int(&q, ":seq", c->seq);
	return query_run(&q, err);
}

/*
 * A commit that failed may still have happened: SQLite overwrites the head of
 * its journal last, and if only the sync of that fails, everybody sees what was
 * written.  Returns 0 if so; writing once more has then made it durable.
 */
static int commit_again(struct catalog *c, const struct str *line)
{
	struct query q;
	int64_t n;
	int ret;

	db_exec(catalog_db(c), "ROLLBACK", NULL);
	if (line->len == 0 ||
	    db_exec(catalog_db(c), "BEGIN IMMEDIATE", NULL) < 0)
		return DSV_ESYS;
	q = db_query(catalog_db(c),
		     "SELECT 1 FROM outbox WHERE seq = :seq"
		     " AND journal = :line UNION ALL"
		     " SELECT 1 FROM state WHERE id = :id LIMIT 1");
	query_int(&q, ":seq", c->seq);
	query_blob(&q, ":line", line->data, line->len);
	if (c->record_id)
		query_hash(&q, ":id", c->record_id);
	ret = query_one_int(&q, &n, NULL) > 0 ? 0 : DSV_ESYS;
	if (ret == 0)
		ret = db_exec(catalog_db(c), "UPDATE meta SET value = value"
			      " WHERE key = 'seq'; COMMIT", NULL);
	return ret;
}

int catalog_end(struct catalog *c, int ret, struct dsv_err *err)
{
	struct str line = STR_INIT;
	bool unsure = false;

	if (ret == 0 && c->ops)
		ret = catalog_write_outbox(c, &line, err);
	if (ret == 0) {
		ret = db_exec(catalog_db(c), "COMMIT", err);
		if (ret < 0 && commit_again(c, &line) == 0)
			ret = 0;
		unsure = ret < 0;
	}
	if (ret != 0)
		db_exec(catalog_db(c), "ROLLBACK", NULL);
	if (unsure)
		database_doubt(c->database);
	/*
	 * It is committed: if this fails, the outbox has it, and the next
	 * writer does it.
	 */
	if (ret == 0 && line.len > 0)
		publish(c, c->seq, c->record_id, c->record, c->record_len,
			line.data, line.len, &c->unpublished);
	json_decref(c->ops);
	c->ops = NULL;
	c->record_id = NULL;
	c->record = NULL;
	database_unlock(c->database);
	str_release(&line);
	return ret;
}
