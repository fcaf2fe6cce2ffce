/* SPDX-License-Identifier: MIT */
/*
 * From records to rows.  The bytes of a record have its id as their hash, or
 * it is not believed; so parents cannot make a cycle.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/list.h"
#include "../base/value.h"
#include "../catalog/internal.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "rebuild.h"

#define RECORD_LIMIT_BYTES (64u << 20)

/* The record as JSON; NULL: missing, or not what its name says. */
static int read_record(struct check *k, const char *hex, json_t **out,
		       struct dsv_err *err)
{
	char *path = record_path(k->c->dir, hex);
	unsigned char hash[HASH_BYTES];
	struct str text = STR_INIT;
	char is[HASH_HEX_SIZE] = "";
	int ret;

	*out = NULL;
	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, RECORD_LIMIT_BYTES, &text, err);
	if (ret == 0 && text.len > 0 && hash_bytes(text.data, text.len, hash))
		hash_to_hex(hash, is);
	if (ret == 0 && !strcmp(is, hex))
		*out = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES,
				  NULL);
	if (json_integer_value(json_object_get(*out, "dsv")) != 1) {
		json_decref(*out);
		*out = NULL;
	}
	str_release(&text);
	free(path);
	return ret == DSV_ENOTFOUND || ret == DSV_ECORRUPT ? 0 : ret;
}

int rebuild_manifest_row(struct catalog *c,
			 const unsigned char hash[HASH_BYTES], int64_t *id,
			 struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT INTO manifest (hash, refs) VALUES (:hash, 0)"
		" ON CONFLICT (hash) DO UPDATE SET refs = refs RETURNING id");
	int ret;

	query_hash(&q, ":hash", hash);
	ret = query_one_int(&q, id, err);
	return ret < 0 ? ret : 0;
}

static bool is_kind(const char *kind)
{
	static const char *const kinds[] = {
		"tag", "fork", "reshape", "import",
	};
	size_t i;

	for (i = 0; kind && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i]))
			return true;
	return false;
}

static char *changes_of(const json_t *record)
{
	json_t *set = json_object_get(record, "set");
	json_t *unset = json_object_get(record, "unset");
	json_t *json;
	char *text;

	if (json_object_size(set) == 0 && json_array_size(unset) == 0)
		return NULL;
	json = json_pack("{s:O, s:O}", "set", set, "unset", unset);
	text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(json);
	return text;
}

/* Adds those that exist; a check reports the missing ones afterwards. */
static int parents_of(struct check *k, const json_t *record,
		      struct catalog_state *s,
		      unsigned char (*parents)[HASH_BYTES],
		      struct dsv_err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(record, "parents"), i, item) {
		const char *hex = json_string_value(item);
		int64_t seq = -1;
		int ret;

		if (!hex || !hash_from_hex(hex, parents[s->parent_count]))
			continue;
		ret = catalog_seq(k->c, parents[s->parent_count], &seq, err);
		if (ret < 0)
			return ret;
		if (seq >= 0 && seq < k->c->seq)
			s->parent_count++;
	}
	return 0;
}

static int add_rows(struct check *k, const json_t *record,
		    struct catalog_state *s, struct dsv_err *err)
{
	const char *content = json_text(record, "content");
	const char *capture = json_text(record, "capture");
	json_t *parents = json_object_get(record, "parents");
	struct dsv_kvs params = KVS_INIT, attrs = KVS_INIT;
	unsigned char hash[HASH_BYTES];
	int64_t manifest = 0;
	int ret;

	s->parents = calloc(json_array_size(parents) + 1, HASH_BYTES);
	s->changed = changes_of(record);
	ret = s->parents ? parents_of(k, record, s, (unsigned char (*)
		[HASH_BYTES])s->parents, err) : dsv_fail_nomem(err);
	if (ret == 0)
		ret = kvs_from_json(json_object_get(record, "params"), &params,
				    err);
	if (ret == 0)
		ret = kvs_from_json(json_object_get(record, "attrs"), &attrs,
				    err);
	if (ret == 0 && content && hash_from_hex(content, hash))
		ret = rebuild_manifest_row(k->c, hash, &manifest, err);
	else if (ret == 0 && capture && hash_from_hex(capture, hash))
		s->capture = hash;
	else if (ret == 0)
		ret = dsv_fail(err, DSV_ECORRUPT, "no content");
	s->params = &params;
	s->attrs = &attrs;
	if (ret == 0)
		ret = catalog_state_rows(k->c, s, manifest, err);
	dsv_kvs_free(&params);
	dsv_kvs_free(&attrs);
	free((void *)s->parents);
	free((void *)s->changed);
	return ret;
}

int rebuild_add(struct check *k, const char *hex,
		const struct rebuild_state *from, struct dsv_err *err)
{
	struct catalog_state s = {
		.branch = from->branch, .name = from->name,
		.scopes = from->scopes, .pin = from->pin,
		.files = from->files, .size_bytes = from->size_bytes,
		.stored_bytes = from->stored_bytes,
	};
	json_t *record = NULL, *job;
	int64_t seq = -1;
	int ret;

	if (!hash_from_hex(hex, s.id))
		return 0;
	ret = catalog_seq(k->c, s.id, &seq, err);
	if (ret < 0 || seq >= 0)
		return ret < 0 ? ret : 1;
	ret = read_record(k, hex, &record, err);
	if (ret < 0 || !record)
		return ret;
	s.kind = json_text(record, "kind");
	s.message = json_text(record, "message");
	s.author = json_text(record, "author");
	s.host = json_text(record, "host");
	s.created_ns = json_integer_value(json_object_get(record, "time"));
	job = json_object_get(record, "job");
	s.job_id = json_text(job, "id");
	s.cluster = json_text(job, "cluster");
	if (is_kind(s.kind) && s.author && s.host)
		ret = add_rows(k, record, &s, err);
	else
		ret = DSV_ECORRUPT;
	json_decref(record);
	return ret == DSV_ECORRUPT ? 0 : ret < 0 ? ret : 1;
}

/* ---- Orphans --------------------------------------------------------- */

struct orphan {
	char hex[HASH_HEX_SIZE];
	int64_t time_ns;
};

struct orphans {
	size_t count;
	struct orphan *items;
};

static int compare_orphans(const void *a, const void *b)
{
	const struct orphan *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return strcmp(x->hex, y->hex);
}

static int find_orphan(struct check *k, const char *hex, struct orphans *list,
		       struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	json_t *record = NULL;
	int64_t seq = -1;
	int ret;

	if (!hash_from_hex(hex, id))
		return 0;
	ret = catalog_seq(k->c, id, &seq, err);
	if (ret == 0 && seq < 0)
		ret = read_record(k, hex, &record, err);
	if (ret == 0 && record)
		ret = list_grow((void **)&list->items, list->count,
				sizeof(*list->items), err);
	if (ret == 0 && record) {
		struct orphan *o = &list->items[list->count++];

		memcpy(o->hex, hex, HASH_HEX_SIZE);
		o->time_ns = json_integer_value(json_object_get(record,
								"time"));
	}
	json_decref(record);
	return ret;
}

static int scan_states(struct check *k, struct orphans *list,
		       struct dsv_err *err)
{
	int i, ret = 0;

	for (i = 0; ret == 0 && i < 256; i++) {
		char *dir = str_format("%s/" DIR_STATES "/%02x", k->c->dir, i);
		DIR *d = dir ? opendir(dir) : NULL;
		struct dirent *e;

		while (ret == 0 && d && (e = readdir(d)) != NULL)
			ret = find_orphan(k, e->d_name, list, err);
		if (d)
			closedir(d);
		free(dir);
	}
	return ret;
}

/* 1: *seq is the first parent (0: it has none), all parents are there. */
static int is_ready(struct check *k, const json_t *record, int64_t *seq,
		    struct dsv_err *err)
{
	json_t *item;
	size_t i;

	*seq = 0;
	json_array_foreach(json_object_get(record, "parents"), i, item) {
		const char *hex = json_string_value(item);
		unsigned char id[HASH_BYTES];
		int64_t parent = -1;
		int ret;

		if (!hex || !hash_from_hex(hex, id))
			continue;
		ret = catalog_seq(k->c, id, &parent, err);
		if (ret < 0)
			return ret;
		if (parent < 0)
			return 0;
		if (i == 0)
			*seq = parent;
	}
	return 1;
}

/* The branch that the state continues, else a new one. */
static int choose_branch(struct check *k, const char *hex, int64_t parent,
			 char **out, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT b.name FROM branch b JOIN state s ON s.branch = b.id"
		" WHERE s.seq = :parent AND b.head = :parent"
		" AND NOT b.deleted UNION ALL SELECT 'main' WHERE :parent = 0"
		" AND NOT EXISTS (SELECT 1 FROM branch WHERE name = 'main'"
		"  AND NOT deleted AND head IS NOT NULL)");
	int ret;

	query_int(&q, ":parent", parent);
	ret = query_step(&q, err);
	if (ret < 0)
		return ret;
	*out = ret > 0 ? strdup(query_get_text(&q, 0)) :
		str_format("recovered-%.12s", hex);
	query_end(&q);
	return *out ? 0 : dsv_fail_nomem(err);
}

/* So that the next rebuild finds it where this one has put it. */
static int write_line(struct check *k, const char *hex, const char *branch,
		      struct dsv_err *err)
{
	struct str line = STR_INIT;
	int ret;

	ret = check_problem(k, "record", hex, true, err, "no line of the"
			    " journal speaks of it; it is on branch '%s' now",
			    branch);
	if (ret == 0)
		ret = journal_op(k->c, json_pack("{s:s, s:s, s:s, s:i, s:i,"
						 " s:i, s:[], s:b}",
						 "op", "state", "id", hex,
						 "branch", branch,
						 "files", -1, "size", -1,
						 "stored", 0, "scopes", "pin",
						 0), err);
	if (ret == 0)
		ret = catalog_write_outbox(k->c, &line, err);
	json_decref(k->c->ops);
	k->c->ops = NULL;
	str_release(&line);
	return ret;
}

/* 1: it was added. */
static int add_orphan(struct check *k, struct orphan *o, bool force,
		      struct dsv_err *err)
{
	struct rebuild_state s = { .files = -1, .size_bytes = -1 };
	json_t *record = NULL;
	char *branch = NULL;
	int64_t parent = 0;
	int ret;

	ret = read_record(k, o->hex, &record, err);
	if (ret < 0 || !record)
		return ret;
	ret = is_ready(k, record, &parent, err);
	json_decref(record);
	if (ret < 0 || (ret == 0 && !force))
		return ret;
	ret = choose_branch(k, o->hex, parent, &branch, err);
	if (ret < 0)
		return ret;
	k->c->seq++;
	k->c->time_ns = o->time_ns;
	s.branch = branch;
	ret = rebuild_add(k, o->hex, &s, err);
	if (ret > 0) {
		ret = write_line(k, o->hex, branch, err);
		ret = ret < 0 ? ret : 1;
	} else if (ret == 0) {
		/* It is not believed: no line has the number. */
		k->c->seq--;
	}
	free(branch);
	return ret;
}

/* By time, which parents first make true but for clocks that jump. */
int rebuild_orphans(struct check *k, struct dsv_err *err)
{
	struct orphans list = { 0, NULL };
	bool added = true, force = false;
	size_t i;
	int ret;

	ret = scan_states(k, &list, err);
	if (ret == 0 && list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items),
		      compare_orphans);
	while (ret == 0 && (added || !force)) {
		force = !added;
		added = false;
		for (i = 0; ret >= 0 && i < list.count; i++) {
			if (!list.items[i].hex[0])
				continue;
			ret = add_orphan(k, &list.items[i], force, err);
			if (ret > 0) {
				list.items[i].hex[0] = '\0';
				added = true;
			}
		}
		ret = ret < 0 ? ret : 0;
	}
	free(list.items);
	return ret;
}
