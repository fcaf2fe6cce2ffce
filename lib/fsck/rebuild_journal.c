/* SPDX-License-Identifier: MIT */
/*
 * Doing again what the journal says, in the order of its numbers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/list.h"
#include "../base/value.h"
#include "../catalog/internal.h"
#include "../catalog/journal.h"
#include "../os/paths.h"
#include "../space/heads.h"
#include "../space/prune.h"
#include "rebuild.h"

/*
 * So many lines in a row are not lost: a number beyond is forged, and what
 * is committed after it would soon have numbers that cannot be.
 */
#define GAP_LIMIT (INT64_C(1) << 30)

struct line {
	int64_t seq;
	off_t offset;
};

struct journal {
	FILE *file;
	size_t count;
	struct line *lines;
	json_t *forgotten;	/* id to what a prune says of it */
};

static int64_t int_of(const json_t *op, const char *key)
{
	return json_integer_value(json_object_get(op, key));
}

/* The parents of what is forgotten are needed before the line comes. */
static void note_forgotten(struct journal *j, const char *json)
{
	json_t *entry, *op, *state;
	size_t i, k;

	if (!strstr(json, "\"forget\":true"))
		return;
	entry = json_loads(json, 0, NULL);
	json_array_foreach(json_object_get(entry, "ops"), i, op) {
		json_array_foreach(json_object_get(op, "states"), k, state)
			if (*op_text(state, "id"))
				json_object_set(j->forgotten,
						op_text(state, "id"), state);
	}
	json_decref(entry);
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int read_lines(struct check *k, struct journal *j, struct dsv_err *err)
{
	char *line = NULL;
	size_t size = 0;
	off_t offset = 0;
	ssize_t len;
	int ret = 0;

	while (ret == 0 && (len = getline(&line, &size, j->file)) > 0) {
		size_t text = (size_t)len - (line[len - 1] == '\n');
		const char *json;
		int64_t seq;

		line[text] = '\0';
		if (text > 0 && journal_parse(line, text, &seq, &json) &&
		    seq > 0) {
			note_forgotten(j, json);
			ret = list_grow((void **)&j->lines, j->count,
					sizeof(*j->lines), err);
			if (ret == 0)
				j->lines[j->count++] = (struct line){ seq,
								      offset };
		}
		offset += len;
		if (ret == 0)
			ret = store_poll(k->s, err);
	}
	free(line);
	if (ret == 0 && j->count > 0)
		qsort(j->lines, j->count, sizeof(*j->lines), compare_lines);
	return ret;
}

/* -1 in *seq: unknown. */
static int seq_of(struct check *k, const char *hex, int64_t *seq,
		  struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];

	*seq = -1;
	return hash_from_hex(hex, id) ? catalog_seq(k->c, id, seq, err) : 0;
}

static int run_sql(struct check *k, const char *sql, int64_t seq,
		   const char *name, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c), sql);

	if (strstr(sql, ":seq"))
		query_int(&q, ":seq", seq);
	if (strstr(sql, ":name"))
		query_text(&q, ":name", name);
	return query_run(&q, err);
}

static int do_state(struct check *k, struct journal *j, const json_t *op,
		    struct dsv_err *err)
{
	struct rebuild_state s = {
		.branch = op_text(op, "branch"),
		.name = json_text(op, "name"),
		.files = int_of(op, "files"), .size_bytes = int_of(op, "size"),
		.stored_bytes = int_of(op, "stored"),
		.pin = json_is_true(json_object_get(op, "pin")),
	};
	int ret;

	ret = strings_from_json(op, "scopes", &s.scopes, err);
	if (ret == 0)
		ret = rebuild_add(k, op_text(op, "id"), &s, err);
	if (ret == 0)
		ret = rebuild_stub(k, op, json_object_get(j->forgotten,
							  op_text(op, "id")),
				   err);
	free((void *)s.scopes.items);
	return ret < 0 ? ret : 0;
}

static int do_bind(struct check *k, const json_t *op, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t seq, manifest;
	struct query q;
	int ret;

	ret = seq_of(k, op_text(op, "state"), &seq, err);
	if (ret < 0 || seq < 0 || !hash_from_hex(op_text(op, "content"), hash))
		return ret;
	ret = rebuild_manifest_row(k->c, hash, &manifest, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(k->c),
		     "UPDATE state SET manifest = :manifest,"
		     " status = " SQL_STATE_DURABLE ","
		     " files = :files, size = :size, stored = :stored"
		     " WHERE seq = :seq AND status IN"
		     " (" SQL_STATE_PENDING ", " SQL_STATE_LOST ")");
	query_int(&q, ":manifest", manifest);
	query_int(&q, ":files", int_of(op, "files"));
	query_int(&q, ":size", int_of(op, "size"));
	query_int(&q, ":stored", int_of(op, "stored"));
	query_int(&q, ":seq", seq);
	return query_run(&q, err);
}

static int do_attr(struct check *k, int64_t seq, const json_t *op,
		   struct dsv_err *err)
{
	struct dsv_kvs set = KVS_INIT;
	json_t *item;
	size_t i;
	int ret;

	ret = kvs_from_json(json_object_get(op, "set"), &set, err);
	for (i = 0; ret == 0 && i < set.count; i++)
		ret = catalog_attr_put(k->c, seq, set.items[i].key,
				       &set.items[i].value,
				       op_text(op, "author"), err);
	json_array_foreach(json_object_get(op, "unset"), i, item)
		if (ret == 0 && json_is_string(item))
			ret = catalog_attr_remove(k->c, seq,
						  json_string_value(item),
						  op_text(op, "author"), err);
	dsv_kvs_free(&set);
	return ret;
}

static int do_prune(struct check *k, const json_t *op, struct dsv_err *err)
{
	bool forget = json_is_true(json_object_get(op, "forget"));
	json_t *heads = json_array(), *item;
	size_t i;
	int ret = heads ? 0 : dsv_fail_nomem(err);

	json_array_foreach(json_object_get(op, "states"), i, item) {
		const char *hex = json_string_value(item);
		int64_t seq = -1;

		if (ret == 0)
			ret = seq_of(k, hex ? hex : op_text(item, "id"), &seq,
				     err);
		if (ret < 0 || seq < 0)
			continue;
		ret = prune_mark(k->c, seq, op_text(op, "rule"), err);
		if (ret == 0)
			ret = prune_move_heads(k->c, heads, seq, err);
		if (ret == 0 && forget)
			ret = prune_forget(k->c, seq, err);
	}
	json_decref(heads);
	return ret;
}

static int do_restore(struct check *k, int64_t seq, const json_t *op,
		      struct dsv_err *err)
{
	json_t *item;
	size_t i;
	int ret;

	ret = run_sql(k, "UPDATE state SET pruned = NULL, pruned_by = NULL"
		      " WHERE seq = :seq", seq, NULL, err);
	if (ret == 0)
		ret = run_sql(k, "DELETE FROM pruned_head WHERE state = :seq",
			      seq, NULL, err);
	json_array_foreach(json_object_get(op, "heads"), i, item)
		if (ret == 0 && json_is_string(item))
			ret = run_sql(k, "UPDATE branch SET head = :seq WHERE"
				      " name = :name AND NOT deleted", seq,
				      json_string_value(item), err);
	return ret;
}

/* A head that is pruned steps back as the prune would have moved it. */
static int leave_pruned(struct check *k, int64_t seq, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c), "SELECT 1 FROM state"
				  " WHERE seq = :seq AND pruned IS NOT NULL");
	json_t *heads;
	int64_t one;
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_one_int(&q, &one, err);
	if (ret <= 0)
		return ret;
	heads = json_array();
	ret = heads ? prune_move_heads(k->c, heads, seq, err) :
		dsv_fail_nomem(err);
	json_decref(heads);
	return ret;
}

static int do_branch(struct check *k, const json_t *op, struct dsv_err *err)
{
	int64_t head, id;
	int ret;

	ret = seq_of(k, op_text(op, "head"), &head, err);
	if (ret == 0 && head < 0 && *op_text(op, "head"))
		ret = dsv_fail(err, DSV_ECORRUPT, "branch '%s' is moved to"
			       " something that is not a state",
			       op_text(op, "name"));
	if (ret == 0)
		ret = catalog_branch_id(k->c, op_text(op, "name"), true, &id,
					err);
	if (ret < 0)
		return ret;
	ret = run_sql(k, head < 0 ? "UPDATE branch SET head = NULL WHERE name"
		      " = :name AND NOT deleted" : "UPDATE branch SET head ="
		      " :seq WHERE name = :name AND NOT deleted", head,
		      op_text(op, "name"), err);
	return ret < 0 || head < 0 ? ret : leave_pruned(k, head, err);
}

static int do_rename(struct check *k, const json_t *op, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"UPDATE branch SET name = :to"
		" WHERE name = :from AND NOT deleted");

	query_text(&q, ":to", op_text(op, "to"));
	query_text(&q, ":from", op_text(op, "from"));
	return query_run(&q, err);
}

/* pin, unpin, scope-add, scope-rm */
static int do_states(struct check *k, const char *what, const json_t *op,
		     struct dsv_err *err)
{
	json_t *item;
	int64_t seq;
	size_t i;
	int ret = 0;

	json_array_foreach(json_object_get(op, "states"), i, item) {
		const char *hex = json_string_value(item);

		if (ret == 0)
			ret = seq_of(k, hex ? hex : "", &seq, err);
		if (ret < 0 || seq < 0)
			continue;
		ret = strstr(what, "pin") ?
			catalog_pin_rows(k->c, &seq, 1, !strcmp(what, "pin"),
					 err) :
			catalog_scope_rows(k->c, op_text(op, "name"), &seq, 1,
					   !strcmp(what, "scope-add"), err);
	}
	return ret;
}

static int do_one_state(struct check *k, const char *what, const json_t *op,
			struct dsv_err *err)
{
	const char *hex = op_text(op, !strcmp(what, "restore") ? "id" :
				  "state");
	int64_t seq;
	int ret = seq_of(k, hex, &seq, err);

	if (ret < 0 || seq < 0)
		return ret;
	if (!strcmp(what, "attr"))
		return do_attr(k, seq, op, err);
	if (!strcmp(what, "restore"))
		return do_restore(k, seq, op, err);
	if (!strcmp(what, "lost"))
		return run_sql(k, "UPDATE state SET status = " SQL_STATE_LOST
			       " WHERE seq = :seq"
			       " AND status = " SQL_STATE_PENDING, seq, NULL,
			       err);
	return run_sql(k, "INSERT OR REPLACE INTO name (name, state)"
		       " VALUES (:name, :seq)", seq, op_text(op, "name"), err);
}

static int do_op(struct check *k, struct journal *j, const json_t *op,
		 struct dsv_err *err)
{
	const char *what = op_text(op, "op");
	const char *name = op_text(op, "name");
	int ret = rebuild_check_names(op, err);

	if (ret < 0)
		return ret;
	if (!strcmp(what, "state"))
		return do_state(k, j, op, err);
	if (!strcmp(what, "bind"))
		return do_bind(k, op, err);
	if (!strcmp(what, "branch"))
		return do_branch(k, op, err);
	if (!strcmp(what, "branch-rename"))
		return do_rename(k, op, err);
	if (!strcmp(what, "branch-delete"))
		return run_sql(k, "UPDATE branch SET deleted = 1 WHERE name ="
			       " :name AND NOT deleted", 0, name, err);
	if (!strcmp(what, "name-delete"))
		return run_sql(k, "DELETE FROM name WHERE name = :name", 0,
			       name, err);
	if (!strcmp(what, "scope-open") || !strcmp(what, "scope-close"))
		return catalog_scope_row(k->c, name,
					 !strcmp(what, "scope-open"), err);
	if (!strcmp(what, "pin") || !strcmp(what, "unpin") ||
	    !strcmp(what, "scope-add") || !strcmp(what, "scope-rm"))
		return do_states(k, what, op, err);
	if (!strcmp(what, "prune"))
		return do_prune(k, op, err);
	if (!strcmp(what, "job"))
		return rebuild_job(k, op, err);
	return do_one_state(k, what, op, err);
}

/* Operations that cannot be done are reported and undone. */
static int do_ops(struct check *k, struct journal *j, const json_t *ops,
		  struct dsv_err *err)
{
	char object[48];
	json_t *op;
	size_t i;
	int ret = 0;

	json_array_foreach(ops, i, op) {
		struct dsv_err why = { .msg = "" };
		bool failed;

		ret = db_exec(catalog_db(k->c), "SAVEPOINT op", err);
		if (ret < 0)
			return ret;
		ret = do_op(k, j, op, &why);
		if (ret < 0 && ret != DSV_ENOTFOUND && ret != DSV_EREFUSED &&
		    ret != DSV_ECORRUPT)
			return dsv_fail_as(err, ret, &why);
		snprintf(object, sizeof(object), "transaction %" PRId64,
			 k->c->seq);
		failed = ret < 0;
		if (failed)
			ret = db_exec(catalog_db(k->c), "ROLLBACK TO op", err);
		if (ret == 0 && failed)
			ret = check_problem(k, "journal", object, false, err,
					    "%s", why.msg);
		if (ret == 0)
			ret = db_exec(catalog_db(k->c), "RELEASE op", err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int do_line(struct check *k, struct journal *j, const char *json,
		   struct dsv_err *err)
{
	json_t *entry = json_loads(json, 0, NULL);
	char object[48];
	int ret;

	snprintf(object, sizeof(object), "transaction %" PRId64, k->c->seq);
	k->c->time_ns = int_of(entry, "time");
	ret = entry ? do_ops(k, j, json_object_get(entry, "ops"), err) :
		check_problem(k, "journal", object, false, err,
			      "its line is not JSON");
	json_decref(entry);
	return ret;
}

static int do_lines(struct check *k, struct journal *j, struct dsv_err *err)
{
	char *line = NULL;
	size_t size = 0, i;
	int ret = 0;

	for (i = 0; ret == 0 && i < j->count; i++) {
		int64_t before = i > 0 ? j->lines[i - 1].seq : 0;
		const char *json;
		ssize_t len;

		/* The check afterwards tells of those that are left. */
		if (j->lines[i].seq - before > GAP_LIMIT)
			break;
		if (j->lines[i].seq == before)
			continue;
		if (fseeko(j->file, j->lines[i].offset, SEEK_SET) < 0 ||
		    (len = getline(&line, &size, j->file)) <= 0)
			continue;
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (!journal_parse(line, (size_t)len, &k->c->seq, &json))
			continue;
		ret = do_line(k, j, json, err);
		if (ret == 0)
			ret = store_poll(k->s, err);
	}
	free(line);
	return ret;
}

int rebuild_journal(struct check *k, struct dsv_err *err)
{
	struct journal j = { .forgotten = json_object() };
	char *path = str_format("%s/" FILE_JOURNAL, k->c->dir);
	int ret = path && j.forgotten ? 0 : dsv_fail_nomem(err);

	if (ret == 0)
		ret = journal_open(path, &j.file, err);
	if (ret == DSV_ECORRUPT)
		ret = check_problem(k, "journal", "journal", false, err,
				    "it is not a file");
	if (ret == 0 && j.file)
		ret = read_lines(k, &j, err);
	if (ret == 0 && j.file)
		ret = do_lines(k, &j, err);
	if (j.file)
		fclose(j.file);
	json_decref(j.forgotten);
	free(j.lines);
	free(path);
	return ret;
}
