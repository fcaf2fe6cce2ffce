/* SPDX-License-Identifier: MIT */
/*
 * This commits a state.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/value.h"
#include "chunk.h"
#include "uses.h"

/* The steps of one commit hand this on. */
struct addition {
	const struct catalog_state *s;
	int64_t branch;
	int64_t manifest;
	int64_t params;
	int64_t job;	/* 0: none */
	bool job_made;
	int64_t generation;
};

/*
 * Gets the branch's row; returns CATALOG_STALE if its head is not the expected
 * one.
 */
static int add_branch(struct catalog *c, struct addition *a,
		      struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	unsigned char head[HASH_BYTES];
	bool has_head, dangles;
	struct query q = db_query(catalog_db(c),
		"SELECT b.id, s.id, b.head FROM branch b"
		" LEFT JOIN state s ON s.seq = b.head"
		" WHERE b.name = :name AND NOT b.deleted");
	int ret;

	query_text(&q, ":name", s->branch);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return s->expected_head ? (int)CATALOG_STALE :
			catalog_branch_id(c, s->branch, true, &a->branch, err);
	a->branch = query_get_int(&q, 0);
	has_head = query_get_hash(&q, 1, head);
	dangles = !has_head && !query_is_null(&q, 2);
	query_end(&q);
	if (dangles)
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_FSCK, NULL,
				     "the head of branch '%s' is not a state",
				     s->branch);
	if (s->new_branch)
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_BRANCH_OTHER,
				     NULL, "branch '%s' already exists",
				     s->branch);
	if (has_head != !!s->expected_head ||
	    (has_head && memcmp(head, s->expected_head, HASH_BYTES) != 0))
		return CATALOG_STALE;
	return 0;
}

static int param_row(struct catalog *c, int64_t params,
		     const struct dsv_kv *kv, struct dsv_err *err)
{
	struct query q;
	int64_t key;
	int ret;

	ret = catalog_key(c, kv->key, true, &key, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c),
		     "INSERT INTO param (params, key, type, number, text)"
		     " VALUES (:params, :key, :type, :number, :text)");
	query_int(&q, ":params", params);
	query_int(&q, ":key", key);
	query_int(&q, ":type", kv->value.type);
	if (kv->value.type == DSV_NUMBER || kv->value.type == DSV_BOOL)
		query_real(&q, ":number", kv->value.number);
	query_text(&q, ":text", kv->value.text);
	return query_run(&q, err);
}

int catalog_params_hash(const struct dsv_kvs *params,
			unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	json_t *json = kvs_to_json(params);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) :
		NULL;
	bool hashed = text && hash_bytes(text, strlen(text), hash);

	json_decref(json);
	free(text);
	return hashed ? 0 : dsv_fail_nomem(err);
}

/* States with the same effective parameters share them. */
static int add_params(struct catalog *c, struct addition *a,
		      struct dsv_err *err)
{
	const struct dsv_kvs *params = a->s->params;
	unsigned char hash[HASH_BYTES];
	struct query q;
	size_t i;
	int ret;

	ret = catalog_params_hash(params, hash, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "SELECT id FROM params WHERE hash = :hash");
	query_hash(&q, ":hash", hash);
	ret = query_one_int(&q, &a->params, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	q = db_query(catalog_db(c), "INSERT INTO params (hash) VALUES (:hash)");
	query_hash(&q, ":hash", hash);
	ret = query_run(&q, err);
	a->params = db_inserted(catalog_db(c));
	for (i = 0; ret == 0 && i < params->count; i++)
		ret = param_row(c, a->params, &params->items[i], err);
	return ret;
}

/* Adds the job that makes the state, whether or not a plugin recorded it. */
static int add_job(struct catalog *c, struct addition *a, struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	struct query q;
	int ret;

	if (!s->job_id)
		return 0;
	q = db_query(catalog_db(c), "SELECT id FROM job WHERE job_id = :job_id"
		     " AND cluster IS :cluster ORDER BY id DESC LIMIT 1");
	query_text(&q, ":job_id", s->job_id);
	query_text(&q, ":cluster", s->cluster);
	ret = query_one_int(&q, &a->job, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	q = db_query(catalog_db(c),
		     "INSERT INTO job (job_id, cluster, state, active, branch,"
		     " nodes, author, attempt) VALUES (:job_id, :cluster,"
		     " 'RUNNING', 1, :branch, :nodes, :author, 1)");
	query_text(&q, ":job_id", s->job_id);
	query_text(&q, ":cluster", s->cluster);
	query_text(&q, ":branch", s->branch);
	query_text(&q, ":nodes", s->nodes);
	query_text(&q, ":author", s->author);
	ret = query_run(&q, err);
	a->job = db_inserted(catalog_db(c));
	a->job_made = true;
	return ret;
}

static int add_edges(struct catalog *c, struct addition *a,
		     struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	size_t i;

	for (i = 0; i < s->parent_count; i++) {
		int64_t parent, generation;
		struct query q = db_query(catalog_db(c),
			"SELECT seq, generation FROM state WHERE id = :id");
		int ret;

		query_hash(&q, ":id", s->parents[i]);
		ret = query_step(&q, err);
		if (ret == 0)
			ret = dsv_fail(err, DSV_ENOTFOUND,
				       "a parent is no longer in the catalog");
		if (ret < 0)
			return ret;
		parent = query_get_int(&q, 0);
		generation = query_get_int(&q, 1);
		query_end(&q);
		if (generation < 0 || generation == INT64_MAX)
			return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_FSCK,
					     NULL, "a parent's generation is"
					     " impossible");
		if (generation >= a->generation)
			a->generation = generation + 1;
		q = db_query(catalog_db(c),
			     "INSERT INTO edge (child, ordinal, parent)"
			     " VALUES (:child, :ordinal, :parent)");
		query_int(&q, ":child", c->seq);
		query_int(&q, ":ordinal", (int64_t)i);
		query_int(&q, ":parent", parent);
		ret = query_run(&q, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int add_row(struct catalog *c, struct addition *a, struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	struct query q = db_query(catalog_db(c),
		"INSERT INTO state (seq, id, kind, branch, manifest, params,"
		" changed, message, author, host, created, files, size,"
		" stored, job, generation, pinned, capture, status) VALUES"
		" (:seq, :id, :kind, :branch, :manifest, :params, :changed,"
		" :message, :author, :host, :created, :files, :size, :stored,"
		" :job, :generation, :pinned, :capture, :status)");
	int ret;

	query_int(&q, ":seq", c->seq);
	query_hash(&q, ":id", s->id);
	query_text(&q, ":kind", s->kind);
	query_int(&q, ":branch", a->branch);
	if (s->capture)
		query_hash(&q, ":capture", s->capture);
	else
		query_int(&q, ":manifest", a->manifest);
	query_int(&q, ":status", s->capture ? STATE_PENDING : STATE_DURABLE);
	query_int(&q, ":params", a->params);
	query_text(&q, ":changed", s->changed);
	query_text(&q, ":message", s->message);
	query_text(&q, ":author", s->author);
	query_text(&q, ":host", s->host);
	query_int(&q, ":created", s->created_ns);
	query_int(&q, ":files", s->files);
	query_int(&q, ":size", s->size_bytes);
	query_int(&q, ":stored", s->stored_bytes);
	if (a->job)
		query_int(&q, ":job", a->job);
	query_int(&q, ":generation", a->generation);
	query_int(&q, ":pinned", s->pin);
	ret = query_run(&q, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "UPDATE branch SET head = :seq"
		     " WHERE id = :branch");
	query_int(&q, ":seq", c->seq);
	query_int(&q, ":branch", a->branch);
	return query_run(&q, err);
}

/*
 * A requeued job may repeat an epoch: the name moves from a state of the same
 * job.  If any other state has the name, it is refused.
 */
static int check_name(struct catalog *c, struct addition *a,
		      struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	int64_t job = 0;
	struct query q;
	int ret;

	if (!s->name)
		return 0;
	q = db_query(catalog_db(c),
		     "SELECT coalesce(s.job, 0) FROM name n"
		     " JOIN state s ON s.seq = n.state WHERE n.name = :name");
	query_text(&q, ":name", s->name);
	ret = query_one_int(&q, &job, err);
	if (ret < 0)
		return ret;
	if (ret > 0 && (job == 0 || job != a->job))
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_NAME_MOVE,
				     NULL, "'%s' already names another state%s",
				     s->name, a->job ? ", not of this job" :
				     "");
	q = db_query(catalog_db(c),
		     "SELECT 1 FROM branch WHERE name = :name"
		     " AND NOT deleted");
	query_text(&q, ":name", s->name);
	ret = query_one_int(&q, &job, err);
	if (ret < 0)
		return ret;
	if (ret > 0)
		return dsv_fail(err, DSV_EREFUSED, "'%s' is the name of a"
				" branch", s->name);
	return 0;
}

static int add_name(struct catalog *c, struct addition *a, struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	struct query q;

	if (!s->name)
		return 0;
	q = db_query(catalog_db(c),
		     "INSERT OR REPLACE INTO name (name, state)"
		     " VALUES (:name, :seq)");
	query_text(&q, ":name", s->name);
	query_int(&q, ":seq", c->seq);
	return query_run(&q, err);
}

static int add_scopes(struct catalog *c, struct addition *a,
		      struct dsv_err *err)
{
	const struct dsv_strings *scopes = &a->s->scopes;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < scopes->count; i++) {
		struct query q;
		int64_t id;

		ret = catalog_scope_id(c, scopes->items[i], true, &id, err);
		if (ret < 0)
			break;
		q = db_query(catalog_db(c),
			     "INSERT OR IGNORE INTO scope_state (scope, state)"
			     " VALUES (:scope, :state)");
		query_int(&q, ":scope", id);
		query_int(&q, ":state", c->seq);
		ret = query_run(&q, err);
	}
	return ret;
}

/* The segments that hold what is committed now are no leftovers. */
static int settle_segments(struct catalog *c, struct addition *a,
			   struct dsv_err *err)
{
	const struct ingest_result *ingest = a->s->ingest;
	size_t i;
	int ret = 0;

	for (i = 0; ingest && ret == 0 && i < ingest->segment_count; i++)
		ret = content_settle(c, &ingest->segments[i], err);
	return ret;
}

/* Adds what is not in the record. */
static int add_journal(struct catalog *c, struct addition *a,
		       struct dsv_err *err)
{
	const struct catalog_state *s = a->s;
	char hex[HASH_HEX_SIZE];
	json_t *op;

	hash_to_hex(s->id, hex);
	op = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s*, s:o, s:b}",
		       "op", "state", "id", hex, "branch", s->branch,
		       "files", (json_int_t)s->files,
		       "size", (json_int_t)s->size_bytes,
		       "stored", (json_int_t)s->stored_bytes,
		       "name", s->name, "scopes",
		       strings_to_json(&s->scopes), "pin", s->pin);
	return journal_op(c, op, err);
}

static int add_attrs(struct catalog *c, struct addition *a,
		     struct dsv_err *err)
{
	const struct dsv_kvs *attrs = a->s->attrs;
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < attrs->count; i++)
		ret = catalog_attr_put(c, c->seq, attrs->items[i].key,
				       &attrs->items[i].value, a->s->author,
				       err);
	return ret;
}

static int tell_job(struct catalog *c, struct addition *a, struct dsv_err *err)
{
	struct query q;
	int ret;

	if (a->job_made) {
		ret = catalog_job_op(c, a->job, err);
		if (ret < 0)
			return ret;
	}
	if (!a->s->fork_row)
		return 0;
	q = db_query(catalog_db(c),
		     "UPDATE job SET fork_state = :seq, branch = :branch"
		     " WHERE id = :row AND coalesce(fork_state, 0) = 0");
	query_int(&q, ":seq", c->seq);
	query_text(&q, ":branch", a->s->branch);
	query_int(&q, ":row", a->s->fork_row);
	ret = query_run(&q, err);
	/* Several tasks of a job may be doing this. */
	if (ret == 0 && db_changes(catalog_db(c)) == 0)
		ret = dsv_fail(err, DSV_EREFUSED, "the job has its fork"
			       " already");
	return ret < 0 ? ret : catalog_job_op(c, a->s->fork_row, err);
}

typedef int add_step(struct catalog *c, struct addition *a,
		     struct dsv_err *err);

int catalog_add_state(struct catalog *c, const struct catalog_state *s,
		      struct dsv_err *err)
{
	static add_step *const steps[] = {
		add_params, add_job, check_name, add_edges, add_row, add_name,
		add_scopes, add_attrs, add_journal, tell_job,
	};
	struct addition a = { .s = s };
	size_t i;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = add_branch(c, &a, err);
	if (ret == 0)
		ret = settle_segments(c, &a, err);
	if (ret == 0 && !s->capture)
		ret = content_use(c, s->manifest, s->files_of, s->ingest,
				  &a.manifest, err);
	for (i = 0; ret == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		ret = steps[i](c, &a, err);
	c->record_id = s->id;
	c->record = s->record;
	c->record_len = s->record_len;
	return catalog_end(c, ret, err);
}

int catalog_state_rows(struct catalog *c, const struct catalog_state *s,
		       int64_t manifest, struct dsv_err *err)
{
	static add_step *const steps[] = {
		add_params, add_job, add_edges, add_row, add_name, add_scopes,
		add_attrs,
	};
	struct addition a = { .s = s, .manifest = manifest };
	size_t i;
	int ret;

	ret = catalog_branch_id(c, s->branch, true, &a.branch, err);
	for (i = 0; ret == 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		ret = steps[i](c, &a, err);
	return ret;
}
