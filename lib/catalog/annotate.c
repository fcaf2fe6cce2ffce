/* SPDX-License-Identifier: MIT */
/*
 * This changes what is said about states after the fact: attributes, scopes,
 * pins.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/list.h"
#include "../base/texts.h"
#include "../base/value.h"

int catalog_key(struct catalog *c, const char *name, bool make, int64_t *id,
		struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM key WHERE name = :name");
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, id, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (!make) {
		*id = -1;
		return 0;
	}
	q = db_query(catalog_db(c), "INSERT INTO key (name) VALUES (:name)");
	query_text(&q, ":name", name);
	ret = query_run(&q, err);
	*id = db_inserted(catalog_db(c));
	return ret;
}

int catalog_keys(struct catalog *c, char ***out, size_t *count,
		 struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), "SELECT name FROM key");
	char **list = NULL;
	size_t n = 0;
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)&list, n, sizeof(*list), err);
		if (ret == 0)
			list[n] = strdup(query_get_text(&q, 0));
		if (ret == 0 && !list[n++])
			ret = dsv_fail_nomem(err);
		if (ret < 0)
			break;
	}
	query_end(&q);
	*out = list;
	*count = n;
	return ret;
}

/* If value is NULL, the attribute is unset. */
static int attr_note(struct catalog *c, int64_t seq, int64_t key,
		     const struct dsv_value *value, const char *author,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"INSERT OR REPLACE INTO attr_history"
		" (state, seq, key, type, text, time, author)"
		" VALUES (:state, :seq, :key, :type, :text, :time, :author)");

	query_int(&q, ":state", seq);
	query_int(&q, ":seq", c->seq);
	query_int(&q, ":key", key);
	if (value) {
		query_int(&q, ":type", value->type);
		query_text(&q, ":text", value->text);
	}
	query_int(&q, ":time", c->time_ns);
	query_text(&q, ":author", author);
	return query_run(&q, err);
}

int catalog_attr_put(struct catalog *c, int64_t seq, const char *key,
		     const struct dsv_value *value, const char *author,
		     struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret;

	ret = catalog_key(c, key, true, &id, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c),
		     "INSERT OR REPLACE INTO attr"
		     " (state, key, type, number, text)"
		     " VALUES (:state, :key, :type, :number, :text)");
	query_int(&q, ":state", seq);
	query_int(&q, ":key", id);
	query_int(&q, ":type", value->type);
	if (value->type == DSV_NUMBER || value->type == DSV_BOOL)
		query_real(&q, ":number", value->number);
	query_text(&q, ":text", value->text);
	ret = query_run(&q, err);
	return ret < 0 ? ret : attr_note(c, seq, id, value, author, err);
}

int catalog_attr_remove(struct catalog *c, int64_t seq, const char *key,
			const char *author, struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret;

	ret = catalog_key(c, key, false, &id, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "DELETE FROM attr WHERE state = :state"
		     " AND key = :key");
	query_int(&q, ":state", seq);
	query_int(&q, ":key", id);
	ret = query_run(&q, err);
	if (ret == 0 && db_changes(catalog_db(c)) == 0)
		ret = dsv_fail(err, DSV_ENOTFOUND,
			       "the state has no attribute '%s'", key);
	return ret < 0 ? ret : attr_note(c, seq, id, NULL, author, err);
}

static int attr_op(struct catalog *c, int64_t seq, const struct dsv_kvs *set,
		   const struct dsv_strings *unset, const char *author,
		   struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	int ret;

	ret = catalog_state_hex(c, seq, hex, err);
	if (ret < 0)
		return ret;
	return journal_op(c, json_pack("{s:s, s:s, s:o, s:o, s:s}", "op",
				       "attr", "state", hex, "set",
				       kvs_to_json(set), "unset",
				       strings_to_json(unset),
				       "author", author), err);
}

int catalog_attr_change(struct catalog *c, int64_t seq,
			const struct dsv_kvs *set,
			const struct dsv_strings *unset, const char *author,
			struct dsv_err *err)
{
	size_t i;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret == 0 && i < set->count; i++)
		ret = catalog_attr_put(c, seq, set->items[i].key,
				       &set->items[i].value, author, err);
	for (i = 0; ret == 0 && i < unset->count; i++)
		ret = catalog_attr_remove(c, seq, unset->items[i], author, err);
	if (ret == 0)
		ret = attr_op(c, seq, set, unset, author, err);
	return catalog_end(c, ret, err);
}

void dsv_attr_history_free(struct dsv_attr_history *history)
{
	size_t i;

	for (i = 0; i < history->count; i++) {
		text_free(history->items[i].author);
		text_free(history->items[i].key);
		text_free(history->items[i].value.text);
	}
	free(history->items);
	*history = (struct dsv_attr_history){ 0, NULL };
}

static bool history_row(struct query *q, struct dsv_attr_change *change)
{
	const char *text = query_get_text(q, 4);

	memset(change, 0, sizeof(*change));
	change->time_ns = query_get_int(q, 0);
	change->author = strdup(query_get_text(q, 1));
	change->key = strdup(query_get_text(q, 2));
	change->unset = query_is_null(q, 3);
	change->value.text = strdup(text ? text : "");
	change->value.type = (enum dsv_type)query_get_int(q, 3);
	if (change->value.type == DSV_NUMBER && change->value.text)
		number_parse(change->value.text, &change->value.number);
	if (change->value.type == DSV_BOOL && change->value.text)
		change->value.number = !strcmp(change->value.text, "true");
	return change->author && change->key && change->value.text;
}

int catalog_attr_history(struct catalog *c, int64_t seq,
			 struct dsv_attr_history *out, struct dsv_err *err)
{
	struct dsv_attr_history list = { 0, NULL };
	struct query q = db_query(catalog_db(c),
		"SELECT h.time, h.author, k.name, h.type, h.text"
		" FROM attr_history h JOIN key k ON k.id = h.key"
		" WHERE h.state = :state ORDER BY h.seq, k.name");
	int ret;

	query_int(&q, ":state", seq);
	while ((ret = query_step(&q, err)) > 0) {
		ret = list_grow((void **)&list.items, list.count,
				sizeof(*list.items), err);
		if (ret == 0 && !history_row(&q, &list.items[list.count++]))
			ret = dsv_fail_nomem(err);
		if (ret < 0)
			break;
	}
	query_end(&q);
	if (ret < 0)
		dsv_attr_history_free(&list);
	else
		*out = list;
	return ret;
}

int catalog_scope_id(struct catalog *c, const char *name, bool make,
		     int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM scope WHERE name = :name");
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, id, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (!make)
		return dsv_fail(err, DSV_ENOTFOUND, "there is no scope '%s'",
				name);
	q = db_query(catalog_db(c), "INSERT INTO scope (name, created)"
		     " VALUES (:name, :created)");
	query_text(&q, ":name", name);
	query_int(&q, ":created", c->time_ns);
	ret = query_run(&q, err);
	*id = db_inserted(catalog_db(c));
	return ret;
}

void dsv_scopes_free(struct dsv_scopes *scopes)
{
	catalog_free_named(scopes->items, scopes->count,
			   sizeof(*scopes->items));
	*scopes = (struct dsv_scopes){ 0, NULL };
}

static void fill_scope(struct query *q, void *item)
{
	struct dsv_scope *scope = item;

	scope->created_ns = query_get_int(q, 1);
	scope->closed_ns = query_get_int(q, 2);
	scope->open = query_is_null(q, 2);
	scope->states = query_get_int(q, 3);
}

int catalog_scopes(struct catalog *c, struct dsv_scopes *out,
		   struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT name, created, closed, (SELECT count(*)"
		" FROM scope_state WHERE scope = id) FROM scope ORDER BY name");
	void *items;
	int ret;

	ret = catalog_load_named(&q, sizeof(*out->items), fill_scope, &items,
				 &out->count, err);
	if (ret == 0)
		out->items = items;
	return ret;
}

int catalog_scope_row(struct catalog *c, const char *name, bool open,
		      struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret;

	ret = catalog_scope_id(c, name, open, &id, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "UPDATE scope SET closed = :closed"
		     " WHERE id = :id AND closed IS NOT :closed");
	query_int(&q, ":id", id);
	if (!open)
		query_int(&q, ":closed", c->time_ns);
	return query_run(&q, err);
}

static int scope_set_open(struct catalog *c, const char *name, bool open,
			  struct dsv_err *err)
{
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = catalog_scope_row(c, name, open, err);
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s}", "op", open ?
					      "scope-open" : "scope-close",
					      "name", name), err);
	return catalog_end(c, ret, err);
}

int catalog_scope_open(struct catalog *c, const char *name,
		       struct dsv_err *err)
{
	return scope_set_open(c, name, true, err);
}

int catalog_scope_close(struct catalog *c, const char *name,
			struct dsv_err *err)
{
	return scope_set_open(c, name, false, err);
}

/* An operation that keeps states has to find them alive. */
static int check_live(struct catalog *c, const int64_t *seqs, size_t count,
		      struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++)
		ret = catalog_check_live(c, seqs[i], err);
	return ret;
}

/* Returns the ids of the states, for the journal, or NULL with err set. */
static json_t *state_ids(struct catalog *c, const int64_t *seqs, size_t count,
			 struct dsv_err *err)
{
	json_t *ids = json_array();
	char hex[HASH_HEX_SIZE];
	size_t i;

	for (i = 0; i < count; i++) {
		if (catalog_state_hex(c, seqs[i], hex, err) < 0) {
			json_decref(ids);
			return NULL;
		}
		json_array_append_new(ids, json_string(hex));
	}
	if (!ids)
		dsv_fail_nomem(err);
	return ids;
}

int catalog_scope_rows(struct catalog *c, const char *name,
		       const int64_t *seqs, size_t count, bool add,
		       struct dsv_err *err)
{
	int64_t id;
	size_t i;
	int ret;

	ret = catalog_scope_id(c, name, false, &id, err);
	for (i = 0; ret == 0 && i < count; i++) {
		struct query q = db_query(catalog_db(c), add ?
			"INSERT OR IGNORE INTO scope_state (scope, state)"
			" VALUES (:scope, :state)" :
			"DELETE FROM scope_state"
			" WHERE scope = :scope AND state = :state");

		query_int(&q, ":scope", id);
		query_int(&q, ":state", seqs[i]);
		ret = query_run(&q, err);
	}
	return ret;
}

int catalog_scope_change(struct catalog *c, const char *name,
			 const int64_t *seqs, size_t count, bool add,
			 struct dsv_err *err)
{
	json_t *ids = NULL;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	if (add)
		ret = check_live(c, seqs, count, err);
	if (ret == 0)
		ret = catalog_scope_rows(c, name, seqs, count, add, err);
	if (ret == 0) {
		ids = state_ids(c, seqs, count, err);
		ret = ids ? journal_op(c, json_pack("{s:s, s:s, s:o}", "op",
			add ? "scope-add" : "scope-rm", "name", name, "states",
			ids), err) : DSV_ESYS;
	}
	return catalog_end(c, ret, err);
}

int catalog_pin_rows(struct catalog *c, const int64_t *seqs, size_t count,
		     bool pinned, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < count; i++) {
		struct query q = db_query(catalog_db(c),
			"UPDATE state SET pinned = :pinned WHERE seq = :seq");

		query_int(&q, ":pinned", pinned);
		query_int(&q, ":seq", seqs[i]);
		ret = query_run(&q, err);
	}
	return ret;
}

int catalog_pin(struct catalog *c, const int64_t *seqs, size_t count,
		bool pinned, struct dsv_err *err)
{
	json_t *ids = NULL;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	if (pinned)
		ret = check_live(c, seqs, count, err);
	if (ret == 0)
		ret = catalog_pin_rows(c, seqs, count, pinned, err);
	if (ret == 0) {
		ids = state_ids(c, seqs, count, err);
		ret = ids ? journal_op(c, json_pack("{s:s, s:o}", "op",
			pinned ? "pin" : "unpin", "states", ids), err) :
			DSV_ESYS;
	}
	return catalog_end(c, ret, err);
}
