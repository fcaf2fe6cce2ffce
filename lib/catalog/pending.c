/* SPDX-License-Identifier: MIT */
/*
 * This handles states whose bytes are captured on one node only.
 */
#include "internal.h"

#include <stdlib.h>

#include "../base/list.h"
#include "chunk.h"
#include "uses.h"

/*
 * Returns 1 if the state waits for its bytes; with lost, also if it was given
 * up.
 */
static int is_waiting(struct catalog *c, int64_t seq, bool lost,
		      struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT 1 FROM state WHERE seq = :seq AND pruned IS NULL"
		" AND (status = " SQL_STATE_PENDING
		" OR (:lost AND status = " SQL_STATE_LOST "))");
	int64_t found;

	query_int(&q, ":seq", seq);
	query_int(&q, ":lost", lost);
	return query_one_int(&q, &found, err);
}

static int settle(struct catalog *c, const struct ingest_result *ingest,
		  struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < ingest->segment_count; i++)
		ret = content_settle(c, &ingest->segments[i], err);
	return ret;
}

static int bind_row(struct catalog *c, int64_t seq, int64_t manifest,
		    const struct catalog_content *content, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"UPDATE state SET manifest = :manifest,"
		" status = " SQL_STATE_DURABLE ","
		" files = :files, size = :size, stored = :stored"
		" WHERE seq = :seq");

	query_int(&q, ":manifest", manifest);
	query_int(&q, ":files", content->files);
	query_int(&q, ":size", content->size_bytes);
	query_int(&q, ":stored", content->stored_bytes);
	query_int(&q, ":seq", seq);
	return query_run(&q, err);
}

int catalog_bind(struct catalog *c, int64_t seq,
		 const struct catalog_content *content, struct dsv_err *err)
{
	char state[HASH_HEX_SIZE], hex[HASH_HEX_SIZE];
	int64_t manifest;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = is_waiting(c, seq, true, err);
	if (ret <= 0)
		return catalog_end(c, ret, err);
	ret = settle(c, content->ingest, err);
	if (ret == 0)
		ret = content_use(c, content->manifest, content->files_of,
				  content->ingest, &manifest, err);
	if (ret == 0)
		ret = bind_row(c, seq, manifest, content, err);
	if (ret == 0)
		ret = catalog_state_hex(c, seq, state, err);
	if (ret == 0) {
		hash_to_hex(content->manifest, hex);
		ret = journal_op(c, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}",
			"op", "bind", "state", state, "content", hex, "files",
			(json_int_t)content->files, "size",
			(json_int_t)content->size_bytes, "stored",
			(json_int_t)content->stored_bytes), err);
	}
	return catalog_end(c, ret, err);
}

int catalog_lose(struct catalog *c, int64_t seq, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	struct query q;
	int ret;

	ret = catalog_begin(c, err);
	if (ret < 0)
		return ret;
	ret = is_waiting(c, seq, false, err);
	if (ret <= 0)
		return catalog_end(c, ret, err);
	q = db_query(catalog_db(c), "UPDATE state SET status = " SQL_STATE_LOST
		     " WHERE seq = :seq");
	query_int(&q, ":seq", seq);
	ret = query_run(&q, err);
	if (ret == 0)
		ret = catalog_state_hex(c, seq, hex, err);
	if (ret == 0)
		ret = journal_op(c, json_pack("{s:s, s:s}", "op", "lost",
					      "state", hex), err);
	return catalog_end(c, ret, err);
}

int catalog_pending(struct catalog *c, bool lost, struct catalog_pending **out,
		    size_t *count, struct dsv_err *err)
{
	struct catalog_pending *list = NULL;
	size_t n = 0;
	struct query q = db_query(catalog_db(c),
		"SELECT seq, id, capture, size, created, status FROM state"
		" WHERE status <> " SQL_STATE_DURABLE
		" AND (status = " SQL_STATE_PENDING
		" OR (:lost AND status = " SQL_STATE_LOST "))"
		" AND pruned IS NULL ORDER BY seq");
	int ret;

	query_int(&q, ":lost", lost);
	while ((ret = query_step(&q, err)) > 0) {
		struct catalog_pending *item;

		ret = list_grow((void **)&list, n, sizeof(*list), err);
		if (ret < 0)
			break;
		item = &list[n++];
		item->seq = query_get_int(&q, 0);
		query_get_hash(&q, 1, item->id);
		query_get_hash(&q, 2, item->capture);
		item->size_bytes = query_get_int(&q, 3);
		item->created_ns = query_get_int(&q, 4);
		item->lost = query_get_int(&q, 5) == STATE_LOST;
	}
	query_end(&q);
	if (ret < 0) {
		free(list);
		return ret;
	}
	*out = list;
	*count = n;
	return 0;
}

int catalog_has_capture(struct catalog *c, const unsigned char id[HASH_BYTES],
			bool waiting, struct dsv_err *err)
{
	struct query q = db_query(catalog_db(c),
		"SELECT 1 FROM state WHERE capture = :capture AND"
		" (NOT :waiting OR (status IN"
		" (" SQL_STATE_PENDING ", " SQL_STATE_LOST ")"
		" AND pruned IS NULL))"
		" LIMIT 1");
	int64_t n;

	query_hash(&q, ":capture", id);
	query_int(&q, ":waiting", waiting);
	return query_one_int(&q, &n, err);
}
