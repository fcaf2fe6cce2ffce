/* SPDX-License-Identifier: MIT */
/*
 * This describes the repository in numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/texts.h"
#include "internal.h"
#include "totals.h"

int catalog_totals(struct catalog *c, struct catalog_totals *out,
		   struct dsv_err *err)
{
	struct catalog_totals t;
	struct {
		const char *sql;
		int64_t *value;
	} totals[] = {
		{ "SELECT count(*) FROM state WHERE pruned IS NULL"
		  " AND status <> " SQL_STATE_FORGOTTEN, &t.states },
		{ "SELECT count(*) FROM state WHERE pruned IS NOT NULL",
		  &t.pruned },
		{ "SELECT coalesce(sum(size), 0) FROM state"
		  " WHERE pruned IS NULL", &t.size_bytes },
		{ "SELECT count(*) FROM state"
		  " WHERE status <> " SQL_STATE_DURABLE
		  " AND status = " SQL_STATE_PENDING, &t.pending },
		{ "SELECT count(*) FROM state"
		  " WHERE status <> " SQL_STATE_DURABLE
		  " AND status = " SQL_STATE_LOST
		  " AND pruned IS NULL", &t.lost },
		{ "SELECT count(*) FROM scope WHERE closed IS NULL",
		  &t.scopes_open },
		{ "SELECT count(*) FROM job WHERE active", &t.jobs },
		{ "SELECT count(*) FROM segment", &t.segments },
		{ "SELECT count(*) FROM chunk", &t.chunks },
		{ "SELECT coalesce(sum(stored), 0) FROM chunk"
		  " WHERE status <> " SQL_CHUNK_CONDEMNED, &t.chunk_bytes },
		{ "SELECT coalesce(sum(stored), 0) FROM chunk"
		  " WHERE status = " SQL_CHUNK_CONDEMNED, &t.condemned_bytes },
	};
	size_t i;
	int ret;

	memset(&t, 0, sizeof(t));
	ret = catalog_read_begin(c, err);
	if (ret < 0)
		return ret;
	for (i = 0; ret >= 0 && i < sizeof(totals) / sizeof(totals[0]); i++) {
		struct query q = db_query(catalog_db(c), totals[i].sql);

		ret = query_one_int(&q, totals[i].value, err);
	}
	catalog_read_end(c);
	if (ret < 0)
		return ret;
	*out = t;
	return 0;
}

static int add_usage(struct dsv_usages *out, struct query *q,
		     struct dsv_err *err)
{
	struct dsv_usage *item;
	const char *key = query_get_text(q, 0);
	char *copy = strdup(key ? key : "");
	int ret;

	if (!copy)
		return dsv_fail_nomem(err);
	ret = list_grow((void **)&out->items, out->count, sizeof(*out->items),
			err);
	if (ret < 0) {
		free(copy);
		return ret;
	}
	item = &out->items[out->count++];
	item->key = copy;
	item->states = query_get_int(q, 1);
	item->size_bytes = query_get_int(q, 2);
	item->stored_bytes = query_get_int(q, 3);
	return 0;
}

int catalog_usage(struct catalog *c, const char *by, struct dsv_usages *out,
		  struct dsv_err *err)
{
	static const char by_branch[] =
		"SELECT b.name, count(*), sum(s.size), sum(s.stored)"
		" FROM state s JOIN branch b ON b.id = s.branch"
		" WHERE s.pruned IS NULL GROUP BY b.id ORDER BY 4 DESC, 1";
	static const char by_author[] =
		"SELECT author, count(*), sum(size), sum(stored) FROM state"
		" WHERE pruned IS NULL GROUP BY author ORDER BY 4 DESC, 1";
	static const char by_scope[] =
		"SELECT p.name, count(*), sum(s.size), sum(s.stored)"
		" FROM scope p JOIN scope_state m ON m.scope = p.id"
		" JOIN state s ON s.seq = m.state WHERE s.pruned IS NULL"
		" GROUP BY p.id ORDER BY 4 DESC, 1";
	struct dsv_usages list = { 0, NULL };
	struct query q;
	int ret;

	if (!strcmp(by, "branch"))
		q = db_query(catalog_db(c), by_branch);
	else if (!strcmp(by, "author"))
		q = db_query(catalog_db(c), by_author);
	else if (!strcmp(by, "scope"))
		q = db_query(catalog_db(c), by_scope);
	else
		return dsv_fail(err, DSV_EUSAGE, "usage is by branch, author"
				" or scope, not by '%s'", by);
	while ((ret = query_step(&q, err)) > 0) {
		ret = add_usage(&list, &q, err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	if (ret < 0) {
		while (list.count > 0)
			text_free(list.items[--list.count].key);
		free(list.items);
		return ret;
	}
	*out = list;
	return 0;
}
