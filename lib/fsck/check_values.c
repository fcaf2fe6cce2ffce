/* SPDX-License-Identifier: MIT */
/*
 * Names that can be none, and sets of parameters that are not what they were.
 */
#include <string.h>

#include "../base/name.h"
#include "../base/value.h"
#include "../catalog/internal.h"
#include "check.h"

static int check_names_of(struct check *k, const char *kind, const char *sql,
			  struct dsv_err *err)
{
	struct query q = db_query_once(catalog_db(k->c), sql);
	int ret;

	while ((ret = query_step(&q, err)) > 0) {
		const char *name = query_get_text(&q, 0);

		if (name && name_check(name, kind, NULL) == 0)
			continue;
		ret = check_problem(k, kind, name ? name : "", false, err,
				    "no %s may be called that", kind);
		if (ret == 0)
			check_hint(k, DSV_HINT_REBUILD);
		if (ret == 0 && !query_is_null(&q, 1))
			ret = check_concerns(k, k->count - 1,
					     query_get_int(&q, 1), err);
		if (ret < 0) {
			query_end(&q);
			break;
		}
	}
	return ret;
}

int check_names(struct check *k, struct dsv_err *err)
{
	int ret;

	ret = check_names_of(k, "branch", "SELECT name, head FROM branch"
			     " WHERE NOT deleted", err);
	if (ret == 0)
		ret = check_names_of(k, "name", "SELECT name, state FROM name",
				     err);
	if (ret == 0)
		ret = check_names_of(k, "scope", "SELECT name, NULL FROM scope",
				     err);
	return ret;
}

/* 1: the next set after *id. */
static int next_params(struct check *k, int64_t *id,
		       unsigned char hash[HASH_BYTES], struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT id, hash FROM params WHERE id > :after"
		" ORDER BY id LIMIT 1");
	int ret;

	query_int(&q, ":after", *id);
	ret = query_step(&q, err);
	if (ret <= 0)
		return ret;
	*id = query_get_int(&q, 0);
	query_get_hash(&q, 1, hash);
	query_end(&q);
	return 1;
}

static int note_params(struct check *k, int64_t id,
		       const unsigned char hash[HASH_BYTES],
		       struct dsv_err *err)
{
	struct query q = db_query(catalog_db(k->c),
		"SELECT seq FROM state WHERE params = :id ORDER BY seq");
	char hex[HASH_HEX_SIZE];
	int ret;

	hash_to_hex(hash, hex);
	ret = check_problem(k, "parameters", hex, false, err, "they do not"
			    " have their hash");
	if (ret == 0)
		check_hint(k, DSV_HINT_REBUILD);
	query_int(&q, ":id", id);
	while (ret >= 0 && (ret = query_step(&q, err)) > 0)
		ret = check_concerns(k, k->count - 1, query_get_int(&q, 0),
				     err);
	query_end(&q);
	return ret;
}

int check_params(struct check *k, struct dsv_err *err)
{
	unsigned char is[HASH_BYTES], should[HASH_BYTES];
	int64_t id = 0;
	int ret;

	while ((ret = next_params(k, &id, should, err)) > 0) {
		struct dsv_kvs params = KVS_INIT;

		ret = catalog_load_params(k->c, id, &params, err);
		if (ret == 0)
			ret = catalog_params_hash(&params, is, err);
		if (ret == DSV_ECORRUPT ||
		    (ret == 0 && memcmp(is, should, HASH_BYTES) != 0))
			ret = note_params(k, id, should, err);
		dsv_kvs_free(&params);
		if (ret == 0)
			ret = store_poll(k->s, err);
		if (ret < 0)
			break;
	}
	return ret;
}
