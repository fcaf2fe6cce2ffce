/* SPDX-License-Identifier: MIT */
/*
 * This loads states, with everything about them.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/texts.h"
#include "../base/value.h"

/*
 * One read transaction loads at most this many states, since it blocks commits.
 */
enum { BATCH = 256 };

static const char sql_state[] =
	"SELECT s.id, m.hash, s.kind, b.name, s.message, s.author, s.host,"
	" s.created, s.files, s.size, s.stored, s.pinned, s.status, s.pruned,"
	" s.pruned_by, s.changed, s.params, s.job,"
	" EXISTS (SELECT 1 FROM job AS j WHERE j.fork = s.seq AND j.active),"
	" (SELECT name FROM name WHERE state = s.seq ORDER BY name LIMIT 1)"
	" FROM state AS s JOIN branch AS b ON b.id = s.branch"
	" LEFT JOIN manifest AS m ON m.id = s.manifest WHERE s.seq = :seq";
static const char sql_parents[] =
	"SELECT s.id, s.seq, s.status FROM edge AS e"
	" JOIN state AS s ON s.seq = e.parent"
	" WHERE e.child = :seq ORDER BY e.ordinal";
/*
 * UNION visits each ancestor once, even in a cycle that another program made.
 */
static const char sql_beyond_forgotten[] =
	"WITH RECURSIVE up (seq, status) AS ("
	"  SELECT e.parent, s.status FROM edge AS e"
	"  JOIN state AS s ON s.seq = e.parent WHERE e.child = :seq"
	"  UNION SELECT e.parent, s.status FROM up"
	"  JOIN edge AS e ON e.child = up.seq"
	"  JOIN state AS s ON s.seq = e.parent"
	" WHERE up.status = " SQL_STATE_FORGOTTEN
	") SELECT s.id, s.seq, up.status FROM up"
	" JOIN state AS s ON s.seq = up.seq"
	" WHERE up.status <> " SQL_STATE_FORGOTTEN;
static const char sql_attrs[] =
	"SELECT k.name, a.type, a.number, a.text FROM attr AS a"
	" CROSS JOIN key AS k ON k.id = a.key WHERE a.state = :of"
	" ORDER BY k.name";
static const char sql_params[] =
	"SELECT k.name, p.type, p.number, p.text FROM param AS p"
	" CROSS JOIN key AS k ON k.id = p.key WHERE p.params = :of"
	" ORDER BY k.name";
static const char sql_scopes[] =
	"SELECT y.name FROM scope_state AS x JOIN scope AS y"
	" ON y.id = x.scope WHERE x.state = :seq ORDER BY y.name";
static const char sql_job[] =
	"SELECT j.job_id, j.cluster, j.state, j.branch, f.id, m.id, j.nodes,"
	" j.ticket, j.params, j.exit_code, j.signal, j.attempt, j.submitted,"
	" j.started, j.ended FROM job AS j"
	" LEFT JOIN state AS f ON f.seq = j.fork"
	" LEFT JOIN state AS m ON m.seq = j.fork_state WHERE j.id = :id";

void job_release(struct dsv_job *job)
{
	text_free(job->id);
	text_free(job->array_task);
	text_free(job->cluster);
	text_free(job->state);
	text_free(job->branch);
	text_free(job->fork);
	text_free(job->fork_state);
	text_free(job->nodes);
	text_free(job->ticket);
	dsv_kvs_free(&job->params);
}

static void job_free(struct dsv_job *job)
{
	if (job)
		job_release(job);
	free(job);
}

void dsv_state_free(struct dsv_state *s)
{
	if (!s)
		return;
	text_free(s->kind);
	text_free(s->branch);
	text_free(s->name);
	text_free(s->message);
	text_free(s->author);
	text_free(s->host);
	free(s->parents);
	dsv_kvs_free(&s->params);
	dsv_kvs_free(&s->changed);
	texts_free_view(&s->unset);
	dsv_kvs_free(&s->attrs);
	texts_free_view(&s->scopes);
	text_free(s->pruned_by);
	job_free((struct dsv_job *)s->job);
	free(s);
}

/*
 * Copies the text to *out.  Returns false if memory has run out.  NULL stays
 * NULL.
 */
static bool copy_text(struct query *q, int column, const char **out)
{
	const char *text = query_get_text(q, column);

	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static bool copy_hex(struct query *q, int column, const char **out)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];

	*out = NULL;
	if (!query_get_hash(q, column, id))
		return true;
	hash_to_hex(id, hex);
	*out = strdup(hex);
	return *out;
}

/* The rows come sorted by key. */
static int load_kvs(struct db *db, const char *sql, int64_t of,
		    struct dsv_kvs *out, struct dsv_err *err)
{
	struct query q = db_query(db, sql);
	int ret;

	query_int(&q, ":of", of);
	while ((ret = query_step(&q, err)) > 0) {
		const char *key = query_get_text(&q, 0);
		struct dsv_value value = {
			(enum dsv_type)query_get_int(&q, 1),
			query_get_real(&q, 2), query_get_text(&q, 3)
		};

		ret = key && value.text ? kvs_set(out, key, &value, err) :
			dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD,
				      NULL, "'%s' has a value without key or"
				      " text", db->path);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

int catalog_load_params(struct catalog *c, int64_t id, struct dsv_kvs *params,
			struct dsv_err *err)
{
	return load_kvs(catalog_db(c), sql_params, id, params, err);
}

static int add_parent(struct dsv_state *s, struct query *q,
		      struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	char hex[DSV_ID_SIZE];
	size_t i;
	int ret;

	query_get_hash(q, 0, id);
	hash_to_hex(id, hex);
	for (i = 0; i < s->parent_count; i++)
		if (!strcmp(s->parents[i], hex))
			return 0;
	ret = list_grow((void **)&s->parents, s->parent_count, sizeof(hex),
			err);
	if (ret == 0)
		memcpy(s->parents[s->parent_count++], hex, sizeof(hex));
	return ret;
}

/* Sets *forgotten if one of them was forgotten. */
static int add_parents(struct db *db, const char *sql, int64_t seq,
		       struct dsv_state *s, bool *forgotten,
		       struct dsv_err *err)
{
	struct query q = db_query(db, sql);
	int ret;

	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0) {
		if (query_get_int(&q, 2) == STATE_FORGOTTEN) {
			*forgotten = true;
			continue;
		}
		ret = add_parent(s, &q, err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

/*
 * Loads the nearest remaining ancestors in place of parents that were
 * forgotten.
 */
static int load_parents(struct db *db, int64_t seq, struct dsv_state *s,
			struct dsv_err *err)
{
	bool forgotten = false;
	int ret = add_parents(db, sql_parents, seq, s, &forgotten, err);

	if (ret == 0 && forgotten)
		ret = add_parents(db, sql_beyond_forgotten, seq, s, &forgotten,
				  err);
	return ret;
}

static int load_scopes(struct db *db, int64_t seq, struct dsv_state *s,
		       struct dsv_err *err)
{
	struct query q = db_query(db, sql_scopes);
	struct texts scopes = TEXTS_INIT;
	int ret;

	query_int(&q, ":seq", seq);
	while ((ret = query_step(&q, err)) > 0) {
		ret = texts_add(&scopes, query_get_text(&q, 0), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	s->scopes = texts_view(&scopes);
	return ret;
}

static int load_changes(const char *text, struct dsv_state *s,
			struct dsv_err *err)
{
	json_t *json = json_loads(text, 0, NULL);
	json_t *unset = json_object_get(json, "unset");
	json_t *set = json_object_get(json, "set");
	struct texts keys = TEXTS_INIT;
	json_t *item;
	size_t i;
	int ret = 0;

	if (!json)
		ret = dsv_fail(err, DSV_ECORRUPT, "the changed parameters of"
			       " state %.12s are no JSON", s->id);
	else if (set)
		ret = kvs_from_json(set, &s->changed, err);
	json_array_foreach(unset, i, item) {
		if (ret == 0 && json_is_string(item))
			ret = texts_add(&keys, json_string_value(item), err);
	}
	s->unset = texts_view(&keys);
	json_decref(json);
	return ret;
}

static int job_params(struct query *q, struct dsv_job *job,
		      struct dsv_err *err)
{
	const char *text = query_get_text(q, 8);
	json_t *json;
	int ret;

	if (!text)
		return 0;
	json = json_loads(text, 0, NULL);
	ret = kvs_from_json(json, &job->params, err);
	json_decref(json);
	return ret;
}

static int job_fields(struct query *q, struct dsv_job *job,
		      struct dsv_err *err)
{
	const char *task;

	if (!copy_text(q, 0, &job->id) || !copy_text(q, 1, &job->cluster) ||
	    !copy_text(q, 2, &job->state) || !copy_text(q, 3, &job->branch) ||
	    !copy_hex(q, 4, &job->fork) || !copy_hex(q, 5, &job->fork_state) ||
	    !copy_text(q, 6, &job->nodes) || !copy_text(q, 7, &job->ticket))
		return dsv_fail_nomem(err);
	task = job->id ? strchr(job->id, '_') : NULL;
	if (task) {
		job->array_task = strdup(task + 1);
		if (!job->array_task)
			return dsv_fail_nomem(err);
	}
	job->exit_code = query_is_null(q, 9) ? -1 : (int)query_get_int(q, 9);
	job->signal = (int)query_get_int(q, 10);
	job->attempt = (int)query_get_int(q, 11);
	job->submitted_ns = query_get_int(q, 12);
	job->started_ns = query_get_int(q, 13);
	job->ended_ns = query_get_int(q, 14);
	return job_params(q, job, err);
}

int catalog_load_job(struct catalog *c, int64_t id, struct dsv_job **out,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql_job);
	struct dsv_job *job;
	int ret;

	query_int(&q, ":id", id);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	job = calloc(1, sizeof(*job));
	ret = job ? job_fields(&q, job, err) : dsv_fail_nomem(err);
	query_end(&q);
	if (ret < 0)
		job_free(job);
	else
		*out = job;
	return ret;
}

/* Loads the row itself; what needs a further query goes to params and job. */
static int load_row(struct query *q, struct dsv_state *s, int64_t *params,
		    int64_t *job, struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t status = query_get_int(q, 12);

	query_get_hash(q, 0, hash);
	hash_to_hex(hash, s->id);
	if (query_get_hash(q, 1, hash))
		hash_to_hex(hash, s->content);
	s->created_ns = query_get_int(q, 7);
	s->files = query_get_int(q, 8);
	s->size_bytes = query_get_int(q, 9);
	s->stored_bytes = query_get_int(q, 10);
	s->pinned = query_get_int(q, 11) != 0;
	s->pending = status == STATE_PENDING;
	s->lost = status == STATE_LOST;
	s->pruned = !query_is_null(q, 13);
	s->pruned_ns = query_get_int(q, 13);
	s->held = query_get_int(q, 18) != 0;
	*params = query_get_int(q, 16);
	*job = query_is_null(q, 17) ? 0 : query_get_int(q, 17);
	if (!copy_text(q, 2, &s->kind) || !copy_text(q, 3, &s->branch) ||
	    !copy_text(q, 4, &s->message) || !copy_text(q, 5, &s->author) ||
	    !copy_text(q, 6, &s->host) || !copy_text(q, 14, &s->pruned_by) ||
	    !copy_text(q, 19, &s->name))
		return dsv_fail_nomem(err);
	if (!s->kind || !s->author || !s->host)
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_REBUILD, NULL,
				     "the row of state %.12s is damaged",
				     s->id);
	return query_is_null(q, 15) ? 0 :
		load_changes(query_get_text(q, 15), s, err);
}

/* Leaves *out NULL if there is no such state. */
static int load_one(struct catalog *c, int64_t seq, struct dsv_state **out,
		    struct dsv_err *err)
{
	struct db *db = catalog_db(c);
	struct query q = db_query(db, sql_state);
	struct dsv_job *job = NULL;
	struct dsv_state *s;
	int64_t params = 0, job_id = 0;
	int ret;

	query_int(&q, ":seq", seq);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	s = calloc(1, sizeof(*s));
	ret = s ? load_row(&q, s, &params, &job_id, err) : dsv_fail_nomem(err);
	query_end(&q);
	if (ret == 0)
		ret = load_parents(db, seq, s, err);
	if (ret == 0)
		ret = catalog_load_params(c, params, &s->params, err);
	if (ret == 0)
		ret = load_kvs(db, sql_attrs, seq, &s->attrs, err);
	if (ret == 0)
		ret = load_scopes(db, seq, s, err);
	if (ret == 0 && job_id > 0)
		ret = catalog_load_job(c, job_id, &job, err);
	if (ret < 0) {
		dsv_state_free(s);
		return ret;
	}
	s->job = job;
	*out = s;
	return 0;
}

static int load_batch(struct catalog *c, const int64_t *seqs, size_t count,
		      struct dsv_state **out, struct dsv_err *err)
{
	size_t i;
	int ret;

	ret = catalog_read_begin(c, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < count && ret == 0; i++)
		ret = load_one(c, seqs[i], &out[i], err);
	catalog_read_end(c);
	return ret;
}

int catalog_load(struct catalog *c, const int64_t *seqs, size_t count,
		 struct dsv_state **out, struct dsv_err *err)
{
	size_t i, n;
	int ret = 0;

	for (i = 0; i < count; i++)
		out[i] = NULL;
	for (i = 0; i < count && ret == 0; i += n) {
		n = count - i < BATCH ? count - i : BATCH;
		ret = load_batch(c, seqs + i, n, out + i, err);
	}
	for (i = 0; i < count && ret == 0; i++) {
		if (!out[i])
			ret = dsv_fail(err, DSV_ENOTFOUND, "a state has gone"
				       " from the catalog in the meantime");
	}
	if (ret == 0)
		return 0;
	for (i = 0; i < count; i++) {
		dsv_state_free(out[i]);
		out[i] = NULL;
	}
	return ret;
}
