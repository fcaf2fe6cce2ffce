/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_text.h"
#include "../base/texts.h"
#include "../base/value.h"

static json_t *parents_json(const struct record *r)
{
	json_t *array = json_array();
	char hex[HASH_HEX_SIZE];
	size_t i;

	for (i = 0; i < r->parent_count; i++) {
		hash_to_hex(r->parents[i], hex);
		json_array_append_new(array, json_string(hex));
	}
	return array;
}

static json_t *job_json(const struct record *r)
{
	if (!r->job_id)
		return json_null();
	return json_pack("{s:o, s:o}", "id", text_to_json(r->job_id), "cluster",
			 text_to_json(r->cluster));
}

int record_encode(const struct record *r, struct str *out,
		  unsigned char id[HASH_BYTES], struct dsv_err *err)
{
	const struct dsv_strings unset = texts_view(&r->unset);
	char content[HASH_HEX_SIZE], nonce[2 * sizeof(r->nonce) + 1];
	char *text = NULL;
	json_t *json;

	hash_to_hex(r->content, content);
	hex_encode(r->nonce, sizeof(r->nonce), nonce);
	json = json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:I, s:s}",
			 "dsv", 1, "kind", r->kind,
			 r->is_capture ? "capture" : "content", content,
			 "parents", parents_json(r),
			 "params", kvs_to_json(&r->params),
			 "set", kvs_to_json(&r->set),
			 "unset", strings_to_json(&unset),
			 "attrs", kvs_to_json(&r->attrs),
			 "message", text_to_json(r->message),
			 "author", text_to_json(r->author),
			 "host", text_to_json(r->host),
			 "job", job_json(r),
			 "time", (json_int_t)r->created_ns, "nonce", nonce);
	if (json)
		text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	if (!text)
		return dsv_fail_nomem(err);
	str_puts(out, text);
	free(text);
	if (str_failed(out) || !hash_bytes(out->data, out->len, id))
		return dsv_fail_nomem(err);
	return 0;
}

int record_changes(const struct record *r, char **out, struct dsv_err *err)
{
	const struct dsv_strings unset = texts_view(&r->unset);
	json_t *json;

	*out = NULL;
	if (r->set.count == 0 && r->unset.count == 0)
		return 0;
	json = json_pack("{s:o, s:o}", "set", kvs_to_json(&r->set), "unset",
			 strings_to_json(&unset));
	if (json)
		*out = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	return *out ? 0 : dsv_fail_nomem(err);
}

bool record_has_parent(const struct record *r, const char *id)
{
	unsigned char hash[HASH_BYTES];
	size_t i;

	hash_from_hex(id, hash);
	for (i = 0; i < r->parent_count; i++) {
		if (!memcmp(r->parents[i], hash, HASH_BYTES))
			return true;
	}
	return false;
}
