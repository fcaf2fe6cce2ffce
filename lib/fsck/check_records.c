/* SPDX-License-Identifier: MIT */
/*
 * Records against the catalog.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/json_text.h"
#include "../base/list.h"
#include "../base/value.h"
#include "../catalog/internal.h"
#include "../db/schema.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "check.h"

#define RECORD_LIMIT_BYTES (64u << 20)

struct state {
	int64_t seq;
	unsigned char id[HASH_BYTES];
	unsigned char manifest[HASH_BYTES];
	bool has_manifest;
};

static int next_state(struct check *k, int64_t after, struct state *out,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT s.seq, s.id, m.hash FROM state s"
		" LEFT JOIN manifest m ON m.id = s.manifest"
		" AND s.capture IS NULL WHERE s.seq > :after"
		" AND s.status <> " SQL_STATE_FORGOTTEN
		" ORDER BY s.seq LIMIT 1");
	int ret;

	query_int(&q, ":after", after);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	out->seq = query_get_int(&q, 0);
	query_get_hash(&q, 1, out->id);
	out->has_manifest = query_get_hash(&q, 2, out->manifest);
	query_end(&q);
	return 1;
}

/* 1: the next writer will write it. */
static int in_outbox(struct check *k, const struct state *s,
		     struct dsv_err *err)
{
	int64_t n;
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM outbox WHERE state = :id");

	query_hash(&q, ":id", s->id);
	return query_one_int(&q, &n, err);
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

static int hash_params(const json_t *record, unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct dsv_kvs params = KVS_INIT;
	int ret = kvs_from_json(json_object_get(record, "params"), &params,
				err);

	if (ret == 0)
		ret = catalog_params_hash(&params, hash, err);
	dsv_kvs_free(&params);
	return ret;
}

/* Does the record say what the catalog says? */
static int agrees(struct check *k, const struct state *s,
		  const struct str *text, bool *agree, struct dsv_err *err)
{
	json_t *record = json_loadb(text->data, text->len,
				    JSON_REJECT_DUPLICATES, NULL);
	const char *content = json_text(record, "content");
	char hex[HASH_HEX_SIZE];
	struct query q = db_query(catalog_db(k->c),
		"SELECT 1 FROM state WHERE seq = :seq AND kind IS :kind"
		" AND message IS :message AND author IS :author"
		" AND host IS :host AND created IS :time"
		" AND params = (SELECT id FROM params WHERE hash = :params)");
	unsigned char params[HASH_BYTES];
	int64_t n;
	int ret = hash_params(record, params, NULL);

	/* One that is none has none: they differ. */
	if (ret < 0)
		memset(params, 0, sizeof(params));

	query_int(&q, ":seq", s->seq);
	query_text(&q, ":kind", json_text(record, "kind"));
	query_text(&q, ":message", json_text(record, "message"));
	query_text(&q, ":author", json_text(record, "author"));
	query_text(&q, ":host", json_text(record, "host"));
	query_hash(&q, ":params", params);
	query_int(&q, ":time",
		  json_integer_value(json_object_get(record, "time")));
	ret = query_one_int(&q, &n, err);
	*agree = ret > 0;
	hash_to_hex(s->manifest, hex);
	if (s->has_manifest && (!content || strcmp(content, hex) != 0))
		*agree = false;
	if (ret >= 0)
		ret = check_parents(k, s, json_object_get(record, "parents"),
				    agree, err);
	json_decref(record);
	return ret;
}

static int note(struct check *k, const struct state *s, const char *what,
		struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int ret;

	hash_to_hex(s->id, hex);
	ret = check_problem(k, "record", hex, false, err, "%s", what);
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
	path = record_path(k->c->dir, hex);
	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, RECORD_LIMIT_BYTES, &text, err);
	if (ret == DSV_ENOTFOUND) {
		ret = in_outbox(k, s, err);
		if (ret == 0)
			ret = note(k, s, "the state's record is missing",
				   err);
		else if (ret > 0)
			ret = 0;
	} else if (ret == 0 && !hash_bytes(text.data ? text.data : "",
					   text.len, hash)) {
		ret = dsv_fail_nomem(err);
	} else if (ret == DSV_ECORRUPT ||
		   (ret == 0 && memcmp(hash, s->id, HASH_BYTES) != 0)) {
		ret = note(k, s, "the state's record does not have its"
			   " hash", err);
	} else if (ret == 0) {
		ret = agrees(k, s, &text, &agree, err);
		if (ret == 0 && !agree)
			ret = note(k, s, "record and catalog differ",
				   err);
	}
	if (ret == 0)
		ret = check_mode(k, path, hex, false, err);
	str_release(&text);
	free(path);
	return ret;
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

	if (!hash_from_hex(name, id))
		return 0;
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
	char *dir = str_format("%s/" DIR_STATES "/%02x", k->c->dir, number);
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

static int check_all(struct check *k, struct dsv_err *err)
{
	struct state s = { .seq = -1 };
	size_t problems = k->count;
	int i, ret;

	while ((ret = next_state(k, s.seq, &s, err)) > 0) {
		ret = check_record(k, &s, err);
		if (ret == 0 && k->count > problems)
			ret = list_grow((void **)&k->doubts, k->doubt_count,
					sizeof(s.seq), err);
		if (ret == 0 && k->count > problems)
			k->doubts[k->doubt_count++] = s.seq;
		problems = k->count;
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			return ret;
	}
	for (i = 0; ret == 0 && i < 256; i++) {
		ret = check_dir(k, i, err);
		k->doubted_dirs[i] = k->count > problems;
		problems = k->count;
	}
	return ret;
}

/* Alone one does not stay while a million records are read. */
static int check_doubts(struct check *k, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret >= 0 && i < k->doubt_count; i++) {
		struct state s;

		ret = next_state(k, k->doubts[i] - 1, &s, err);
		if (ret > 0 && s.seq == k->doubts[i])
			ret = check_record(k, &s, err);
		if (ret >= 0)
			ret = store_poll(k->s, err);
	}
	for (i = 0; ret >= 0 && i < 256; i++)
		if (k->doubted_dirs[i])
			ret = check_dir(k, (int)i, err);
	return ret < 0 ? ret : 0;
}

int check_records(struct check *k, struct dsv_err *err)
{
	int ret;

	if (k->alone && k->records_seen)
		return check_doubts(k, err);
	ret = check_all(k, err);
	k->records_seen = ret == 0;
	return ret;
}
