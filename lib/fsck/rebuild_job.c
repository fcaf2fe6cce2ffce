/* SPDX-License-Identifier: MIT */
/* Doing again what the journal says of jobs. */
#include <stdlib.h>

#include "../base/json_text.h"
#include "../catalog/internal.h"
#include "rebuild.h"

/* The number of the state that op names under key; -1: none. */
static int named_state(struct check *k, const json_t *op, const char *key,
		       int64_t *seq, struct dsv_err *err)
{
	const char *hex = json_text(op, key);
	unsigned char id[HASH_BYTES];

	*seq = -1;
	if (!hex || !hash_from_hex(hex, id))
		return 0;
	return catalog_seq(k->c, id, seq, err);
}

int rebuild_job(struct check *k, const json_t *op, struct dsv_err *err)
{
	char *text = json_dumps(op, JSON_COMPACT);
	struct query q = db_query(catalog_db(k->c),
		"INSERT OR REPLACE INTO job (id, ticket, task, job_id, cluster,"
		" state, active, branch, fork, fork_state, request, nodes,"
		" exit_code, signal, attempt, submitted, started, ended,"
		" author, submitter) SELECT o->>'row', o->>'ticket',"
		" o->>'task', o->>'id', o->>'cluster',"
		" coalesce(o->>'state', ''), coalesce(o->>'active', 0),"
		" o->>'branch', :fork, :made, o->>'request', o->>'nodes',"
		" o->>'exit', o->>'signal', coalesce(o->>'attempt', 0),"
		" o->>'submitted', o->>'started', o->>'ended',"
		" coalesce(o->>'author', ''), o->>'submitter'"
		" FROM (SELECT :op AS o)");
	int64_t fork = -1, made = -1;
	int ret;

	if (!text)
		return dsv_fail_nomem(err);
	ret = named_state(k, op, "fork", &fork, err);
	if (ret == 0)
		ret = named_state(k, op, "fork_state", &made, err);
	if (fork >= 0)
		query_int(&q, ":fork", fork);
	if (made >= 0)
		query_int(&q, ":made", made);
	query_text(&q, ":op", text);
	if (ret == 0)
		ret = query_run(&q, err);
	free(text);
	return ret;
}
