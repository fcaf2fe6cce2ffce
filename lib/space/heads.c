/* SPDX-License-Identifier: MIT */
#include "heads.h"

#include <stdlib.h>
#include <string.h>

/*
 * The nearest live ancestor along first parents: 0 in *head when there is
 * none.
 */
static int live_ancestor(struct catalog *c, int64_t seq, int64_t *head,
			 unsigned char id[HASH_BYTES], struct dsv_err *err)
{
	int ret;

	*head = 0;
	for (;;) {
		bool live;
		struct query q = db_query(catalog_db(c),
			"SELECT p.seq, p.pruned IS NULL, p.id FROM edge e"
			" JOIN state p ON p.seq = e.parent"
			" WHERE e.child = :seq AND e.ordinal = 0");

		query_int(&q, ":seq", seq);
		ret = query_step(&q, err);
		if (ret <= 0)
			return ret;
		seq = query_get_int(&q, 0);
		live = query_get_int(&q, 1);
		query_get_hash(&q, 2, id);
		query_end(&q);
		if (live) {
			*head = seq;
			return 0;
		}
	}
}

static int move_head(struct catalog *c, json_t *heads, int64_t branch,
		     const char *name, int64_t seq, struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	struct query q;
	int64_t head;
	int ret;

	ret = live_ancestor(c, seq, &head, id, err);
	if (ret < 0)
		return ret;
	hash_to_hex(id, hex);
	if (json_array_append_new(heads,
				  json_pack("{s:s, s:s?}", "branch", name,
					    "head", head ? hex : NULL)) < 0)
		return dsv_fail_nomem(err);
	q = db_query(catalog_db(c), "UPDATE branch SET head = :head"
		     " WHERE id = :branch");
	if (head)
		query_int(&q, ":head", head);
	query_int(&q, ":branch", branch);
	ret = query_run(&q, err);
	if (ret < 0)
		return ret;
	q = db_query(catalog_db(c), "INSERT OR IGNORE INTO pruned_head"
		     " (state, branch) VALUES (:state, :branch)");
	query_int(&q, ":state", seq);
	query_int(&q, ":branch", branch);
	return query_run(&q, err);
}

int prune_move_heads(struct catalog *c, json_t *heads, int64_t seq,
		     struct dsv_err *err)
{
	int ret;

	for (;;) {
		int64_t branch;
		char *name;
		struct query q = db_query(catalog_db(c),
			"SELECT id, name FROM branch WHERE head = :seq"
			" AND NOT deleted LIMIT 1");

		query_int(&q, ":seq", seq);
		ret = query_step(&q, err);
		if (ret <= 0)
			return ret;
		branch = query_get_int(&q, 0);
		name = strdup(query_get_text(&q, 1));
		query_end(&q);
		if (!name)
			return dsv_fail_nomem(err);
		ret = move_head(c, heads, branch, name, seq, err);
		free(name);
		if (ret < 0)
			return ret;
	}
}
