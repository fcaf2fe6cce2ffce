/* SPDX-License-Identifier: MIT */
/*
 * This handles branches and names of states, which share one namespace.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

/* Returns 1 if sql, given :name, has a row. */
static int exists(struct catalog *c, const char *sql, const char *name,
		  struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c), sql);
	int64_t found;

	query_text(&q, ":name", name);
	return query_one_int(&q, &found, err);
}

/* Neither names nor branches take precedence: nothing may be both. */
static int check_free(struct catalog *c, const char *name, bool as_branch,
		      enum dsv_hint hint, struct dsv_err *err)
{
	int ret;

	ret = exists(c, "SELECT 1 FROM name WHERE name = :name", name, err);
	if (ret > 0)
		return dsv_fail(err, DSV_EREFUSED,
				"'%s' is the name of a state", name);
	if (ret < 0 || !as_branch)
		return ret;
	ret = exists(c, "SELECT 1 FROM branch WHERE name = :name"
		     " AND NOT deleted", name, err);
	if (ret > 0)
		return dsv_fail_hint(err, DSV_EREFUSED, hint, NULL,
				     "branch '%s' already exists", name);
	return ret;
}

int catalog_branch_id(struct catalog *c, const char *name, bool make,
		      int64_t *id, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT id FROM branch WHERE name = :name AND NOT deleted");
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, id, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (!make)
		return dsv_fail(err, DSV_ENOTFOUND, "there is no branch '%s'",
				name);
	ret = check_free(c, name, false, DSV_HINT_NONE, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "INSERT INTO branch (name) VALUES (:name)");
	query_text(&q, ":name", name);
	ret = query_run(&q, err);
	*id = db_inserted(catalog_db(c));
	return ret;
}

int catalog_branch_head(struct catalog *c, const char *branch, int64_t *seq,
			struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT coalesce(head, 0) FROM branch"
		" WHERE name = :name AND NOT deleted");
	int ret;

	query_text(&q, ":name", branch);
	ret = query_one_int(&q, seq, err);
	if (ret == 0)
		return dsv_fail(err, DSV_ENOTFOUND, "there is no branch '%s'",
				branch);
	if (ret > 0 && *seq < 0)
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_FSCK, NULL,
				     "the head of branch '%s' is not a state",
				     branch);
	return ret < 0 ? ret : 0;
}

void catalog_free_named(void *items, size_t count, size_t size)
{
	size_t i;

	for (i = 0; i < count; i++)
		free(*(char **)((char *)items + i * size));
	free(items);
}

int catalog_load_named(struct query *q, size_t size,
		       void (*fill)(struct query *q, void *item), void **items,
		       size_t *count, struct dsv_err *err)
{
	void *list = NULL;
	size_t n = 0;
	int ret;

	while ((ret = query_step(q, err)) > 0) {
		const char *text = query_get_text(q, 0);
		char *name = text ? strdup(text) : NULL;
		char *item;

		ret = name ? list_grow(&list, n, size, err) :
			dsv_fail_nomem(err);
		if (ret < 0) {
			free(name);
			break;
		}
		item = (char *)list + n++ * size;
		memset(item, 0, size);
		*(char **)item = name;
		fill(q, item);
	}
	query_end(q);
	if (ret < 0) {
		catalog_free_named(list, n, size);
		return ret;
	}
	*items = list;
	*count = n;
	return 0;
}

void dsv_branches_free(struct dsv_branches *branches)
{
	catalog_free_named(branches->items, branches->count,
			   sizeof(*branches->items));
	*branches = (struct dsv_branches){ 0, NULL };
}

static void fill_branch(struct query *q, void *item)
{
	struct dsv_branch *branch = item;
	unsigned char id[HASH_BYTES];

	if (query_get_hash(q, 1, id))
		hash_to_hex(id, branch->head);
}

int catalog_branches(struct catalog *c, struct dsv_branches *out,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT b.name, s.id FROM branch b"
		" LEFT JOIN state s ON s.seq = b.head"
		" WHERE NOT b.deleted ORDER BY b.name");
	void *items;
	int ret;

	ret = catalog_load_named(&q, sizeof(*out->items), fill_branch, &items,
				 &out->count, err);
	if (ret == 0)
		out->items = items;
	return ret;
}

static int branch_op(struct catalog *c, const char *name, int64_t head,
		     struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE] = "";
	int ret = 0;

	if (head > 0)
		ret = catalog_state_hex(c, head, hex, err);
	if (ret < 0)
		return ret;
	return journal_op(c, json_pack("{s:s, s:s, s:s}", "op", "branch",
				       "name", name, "head", hex), err);
}

/* Is called in a transaction. */
static int set_head(struct catalog *c, const char *name, int64_t head,
		    struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret = 0;

	if (head > 0)
		ret = catalog_check_live(c, head, err);
	if (ret == 0)
		ret = catalog_branch_id(c, name, true, &id, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "UPDATE branch SET head = :head"
		     " WHERE id = :id");
	if (head > 0)
		query_int(&q, ":head", head);
	query_int(&q, ":id", id);
	ret = query_run(&q, err);
	return ret < 0 ? ret : branch_op(c, name, head, err);
}

int catalog_branch_set(struct catalog *c, const char *name, int64_t head,
		       bool force, struct dsv_err *err)
{
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	if (!force)
		ret = check_free(c, name, true, DSV_HINT_BRANCH_MOVE, err);
	if (ret == 0)
		ret = set_head(c, name, head, err);
	return catalog_end(c, ret, err);
}

int catalog_branch_back(struct catalog *c, const char *name, int64_t from,
			int64_t to, struct dsv_err *err)
{
	int64_t head;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = catalog_branch_head(c, name, &head, err);
	if (ret == 0 && head == from)
		ret = set_head(c, name, to, err);
	return catalog_end(c, ret, err);
}

int catalog_branch_rename(struct catalog *c, const char *from, const char *to,
			  struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = catalog_branch_id(c, from, false, &id, err);
	if (ret == 0)
		ret = check_free(c, to, true, DSV_HINT_NONE, err);
	if (ret == 0) {
		q = db_query(catalog_db(c), "UPDATE branch SET name = :name"
			     " WHERE id = :id");
		query_text(&q, ":name", to);
		query_int(&q, ":id", id);
		ret = query_run(&q, err);
	}
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s, s:s}", "op",
					      "branch-rename", "from", from,
					      "to", to), err);
	return catalog_end(c, ret, err);
}

int catalog_branch_delete(struct catalog *c, const char *name,
			  struct dsv_err *err)
{
	struct query q;
	int64_t id;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = catalog_branch_id(c, name, false, &id, err);
	if (ret == 0) {
		q = db_query(catalog_db(c), "UPDATE branch SET deleted = 1"
			     " WHERE id = :id");
		query_int(&q, ":id", id);
		ret = query_run(&q, err);
	}
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s}", "op",
					      "branch-delete", "name", name),
				 err);
	return catalog_end(c, ret, err);
}

int catalog_name_get(struct catalog *c, const char *name, int64_t *seq,
		     struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT state FROM name WHERE name = :name");
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, seq, err);
	if (ret == 0)
		*seq = -1;
	return ret < 0 ? ret : 0;
}

void dsv_names_free(struct dsv_names *names)
{
	catalog_free_named(names->items, names->count,
			   sizeof(*names->items));
	*names = (struct dsv_names){ 0, NULL };
}

static void fill_name(struct query *q, void *item)
{
	struct dsv_name *name = item;
	unsigned char id[HASH_BYTES];

	query_get_hash(q, 1, id);
	hash_to_hex(id, name->id);
}

int catalog_names(struct catalog *c, struct dsv_names *out,
		  struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT n.name, s.id FROM name n"
		" JOIN state s ON s.seq = n.state ORDER BY n.name");
	void *items;
	int ret;

	ret = catalog_load_named(&q, sizeof(*out->items), fill_name, &items,
				 &out->count, err);
	if (ret == 0)
		out->items = items;
	return ret;
}

static int check_name(struct catalog *c, const char *name, bool force,
		      struct dsv_err *err)
{
	int ret = exists(c, "SELECT 1 FROM branch WHERE name = :name"
			 " AND NOT deleted", name, err);

	if (ret > 0)
		return dsv_fail(err, DSV_EREFUSED, "'%s' is the name of a"
				" branch", name);
	if (ret < 0 || force)
		return ret;
	ret = exists(c, "SELECT 1 FROM name WHERE name = :name", name, err);
	if (ret > 0)
		return dsv_fail_hint(err, DSV_EREFUSED, DSV_HINT_NAME_MOVE,
				     NULL, "'%s' already names another state",
				     name);
	return ret;
}

int catalog_name_set(struct catalog *c, const char *name, int64_t seq,
		     bool force, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	struct query q;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = check_name(c, name, force, err);
	if (ret == 0)
		ret = catalog_check_live(c, seq, err);
	if (ret == 0)
		ret = catalog_state_hex(c, seq, hex, err);
	if (ret == 0) {
		q = db_query(catalog_db(c),
			     "INSERT OR REPLACE INTO name (name, state)"
			     " VALUES (:name, :seq)");
		query_text(&q, ":name", name);
		query_int(&q, ":seq", seq);
		ret = query_run(&q, err);
	}
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s, s:s}", "op", "name",
					      "name", name, "state", hex), err);
	return catalog_end(c, ret, err);
}

int catalog_name_delete(struct catalog *c, const char *name,
			struct dsv_err *err)
{
	struct query q;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "DELETE FROM name WHERE name = :name");
	query_text(&q, ":name", name);
	ret = query_run(&q, err);
	if (ret == 0 && db_changes(catalog_db(c)) == 0)
		ret = dsv_fail(err, DSV_ENOTFOUND, "no state has the name '%s'",
			       name);
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s}", "op",
					      "name-delete", "name", name),
				 err);
	return catalog_end(c, ret, err);
}
