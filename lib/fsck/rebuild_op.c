/* SPDX-License-Identifier: MIT */
/*
 * What is believed of an operation of the journal, and what is made of a state
 * whose record is gone.
 */
#include <string.h>

#include "../base/json_text.h"
#include "../base/name.h"
#include "../catalog/internal.h"
#include "rebuild.h"

const char *op_text(const json_t *op, const char *key)
{
	const char *text = json_text(op, key);

	return text ? text : "";
}

/* The same rules as for names that users give. */
static int check_name(const json_t *value, const char *what,
		      struct dsv_err *err)
{
	struct dsv_err why;

	if (!json_is_string(value) ||
	    name_check(json_string_value(value), what, &why) == 0)
		return 0;
	return dsv_fail_as(err, DSV_ECORRUPT, &why);
}

int rebuild_check_names(const json_t *op, struct dsv_err *err)
{
	const char *what = op_text(op, "op");
	const json_t *scopes = json_object_get(op, "scopes");
	size_t i;
	int ret = 0;

	if (!strcmp(what, "state")) {
		ret = check_name(json_object_get(op, "branch"), "branch", err);
		for (i = 0; ret == 0 && i < json_array_size(scopes); i++)
			ret = check_name(json_array_get(scopes, i), "scope",
					 err);
		if (ret == 0)
			ret = check_name(json_object_get(op, "name"), "state",
					 err);
	} else if (!strcmp(what, "branch")) {
		ret = check_name(json_object_get(op, "name"), "branch", err);
	} else if (!strcmp(what, "branch-rename")) {
		ret = check_name(json_object_get(op, "to"), "branch", err);
	} else if (!strcmp(what, "name")) {
		ret = check_name(json_object_get(op, "name"), "state", err);
	} else if (!strncmp(what, "scope-", 6)) {
		ret = check_name(json_object_get(op, "name"), "scope", err);
	}
	return ret;
}

static int stub_parents(struct check *k, const json_t *parents,
			struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < json_array_size(parents); i++) {
		const char *hex = json_string_value(json_array_get(parents, i));
		unsigned char id[HASH_BYTES];
		int64_t parent = -1;
		struct query q;

		if (!hex || !hash_from_hex(hex, id))
			continue;
		ret = catalog_seq(k->c, id, &parent, err);
		if (ret < 0 || parent < 0)
			continue;
		q = db_query(catalog_db(k->c), "INSERT OR IGNORE INTO edge"
			     " VALUES (:seq, :ordinal, :parent)");
		query_int(&q, ":seq", k->c->seq);
		query_int(&q, ":ordinal", (int64_t)i);
		query_int(&q, ":parent", parent);
		ret = query_run(&q, err);
	}
	return ret;
}

static int stub_row(struct check *k, const json_t *op, const json_t *forgotten,
		    const unsigned char id[HASH_BYTES], int64_t branch,
		    struct dsv_err *err)
{
	const json_t *time = json_object_get(forgotten, "time");
	const json_t *stored = json_object_get(op, "stored");
	struct query q = db_query(catalog_db(k->c),
		"INSERT INTO state (seq, id, kind, branch, params, author,"
		" host, created, files, size, stored, generation, status,"
		" pruned, pruned_by) VALUES (:seq, :id, :kind, :branch, 0, '',"
		" '', :time, 0, 0, :stored, 1 + coalesce((SELECT"
		" max(p.generation) FROM edge e JOIN state p"
		" ON p.seq = e.parent WHERE e.child = :seq), -1), 3,"
		" :pruned, :rule)");

	query_int(&q, ":seq", k->c->seq);
	query_hash(&q, ":id", id);
	query_text(&q, ":kind", forgotten ? op_text(forgotten, "kind") : "tag");
	query_int(&q, ":branch", branch);
	query_int(&q, ":time", forgotten ? json_integer_value(time) :
		  k->c->time_ns);
	query_int(&q, ":stored", json_integer_value(stored));
	if (!forgotten) {
		query_int(&q, ":pruned", k->c->time_ns);
		query_text(&q, ":rule", "its record is lost");
	}
	return query_run(&q, err);
}

int rebuild_stub(struct check *k, const json_t *op, const json_t *forgotten,
		 struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int64_t branch = 0;
	struct query q;
	int ret;

	if (!hash_from_hex(op_text(op, "id"), id))
		return 0;
	ret = catalog_branch_id(k->c, op_text(op, "branch"), true, &branch,
				err);
	if (ret == 0)
		ret = stub_parents(k, json_object_get(forgotten, "parents"),
				   err);
	if (ret == 0)
		ret = stub_row(k, op, forgotten, id, branch, err);
	if (ret < 0)
		return ret;
	/* The branch stays where there is a state. */
	if (!forgotten)
		return check_problem(k, "record", op_text(op, "id"), false,
				     err, "the state's record is missing or"
				     " changed");
	q = db_query(catalog_db(k->c), "UPDATE branch SET head = :seq"
		     " WHERE id = :branch");
	query_int(&q, ":seq", k->c->seq);
	query_int(&q, ":branch", branch);
	return query_run(&q, err);
}
