/* SPDX-License-Identifier: MIT */
/*
 * This converts values from and to JSON.  Jansson turns numbers into doubles,
 * so before it reads a text each number is replaced by a string that starts
 * with MARK.
 */
#include "value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "texts.h"

#define MARK '\001'	/* a string that starts so gets a second one */

/*
 * Returns the end of the token at p that starts like a number or a bare word.
 */
static const char *token_end(const char *p)
{
	while (isalnum((unsigned char)*p) || strchr("+-.", *p ? *p : ' '))
		p++;
	return p;
}

/* Returns whether text fits JSON's own, narrower grammar of numbers. */
static bool is_json_number(const char *text, size_t len)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	const char *dot = memchr(text, '.', len);

	return isdigit((unsigned char)digits[0]) &&
	       isalnum((unsigned char)text[len - 1]) &&
	       (!dot || isdigit((unsigned char)dot[1]));
}

static void mark_token(struct str *out, const char *text, size_t len)
{
	static const struct {
		const char *python;
		const char *ours;
	} specials[] = {
		{ "NaN", "\"nan\"" }, { "Infinity", "\"inf\"" },
		{ "-Infinity", "\"-inf\"" },
	};
	char *token = strndup(text, len);
	double n;
	size_t i;

	if (!token) {
		out->failed = true;
		return;
	}
	for (i = 0; i < 3 && strcmp(token, specials[i].python); i++)
		;
	if (i < 3)
		str_puts(out, specials[i].ours);
	else if (is_json_number(text, len) && number_parse(token, &n))
		str_printf(out, "\"\\u0001%s\"", token);
	else if (is_json_number(text, len) && number_overflows(token))
		str_printf(out, "\"%s\"", token);
	else
		str_add(out, text, len);	/* true, null, an error */
	free(token);
}

static void mark_numbers(struct str *out, const char *text)
{
	const char *p = text;
	const char *end;

	while (*p) {
		if (*p == '"') {
			for (end = p + 1; *end && *end != '"'; end++) {
				if (*end == '\\' && end[1])
					end++;
			}
			if (*end)
				end++;
			if (!strncmp(p, "\"\\u0001", 7))
				str_puts(out, "\"\\u0001");
			else
				str_putc(out, '"');
			p++;
			str_add(out, p, (size_t)(end - p));
		} else if (isalnum((unsigned char)*p) || *p == '-') {
			end = token_end(p);
			mark_token(out, p, (size_t)(end - p));
		} else {
			end = p + 1;
			str_putc(out, *p);
		}
		p = end;
	}
}

static bool is_number(const json_t *json)
{
	const char *text = json_string_value(json);

	return text && text[0] == MARK && text[1] != MARK;
}

/* Returns the text of a string or number. */
static const char *unmarked(const json_t *json)
{
	const char *text = json_string_value(json);

	return text[0] == MARK ? text + 1 : text;
}

/* Writes a marked tree as compact text. */
static void unmark(struct str *out, const json_t *json)
{
	const char *key;
	json_t *item;
	size_t i;
	char *text;

	if (json_is_object(json)) {
		str_putc(out, '{');
		json_object_foreach((json_t *)json, key, item) {
			json_t *name = json_string(key);

			if (out->data[out->len - 1] != '{')
				str_putc(out, ',');
			unmark(out, name);
			json_decref(name);
			str_putc(out, ':');
			unmark(out, item);
		}
		str_putc(out, '}');
	} else if (json_is_array(json)) {
		str_putc(out, '[');
		json_array_foreach(json, i, item) {
			if (i > 0)
				str_putc(out, ',');
			unmark(out, item);
		}
		str_putc(out, ']');
	} else if (is_number(json)) {
		str_puts(out, json_string_value(json) + 1);
	} else {
		json_t *string = json_is_string(json) ?
			json_string(unmarked(json)) : NULL;

		text = json_dumps(string ? string : json, JSON_ENCODE_ANY);
		json_decref(string);
		if (text)
			str_puts(out, text);
		else
			out->failed = true;
		free(text);
	}
}

/* Sets key to a scalar or, verbatim, to anything else. */
static int set_marked(struct dsv_kvs *kvs, const char *key, const json_t *json,
		      struct dsv_err *err)
{
	struct dsv_value value = { DSV_STRING, 0, NULL };
	struct str text = STR_INIT;
	int ret;

	if (json_is_boolean(json)) {
		value = value_from_text(json_is_true(json) ? "true" : "false");
	} else if (json_is_string(json)) {
		value.text = unmarked(json);
		if (is_number(json) && number_parse(value.text, &value.number))
			value.type = DSV_NUMBER;
	} else {
		unmark(&text, json);
		value.type = DSV_JSON;
		value.text = str_text(&text);
	}
	ret = str_failed(&text) ? dsv_fail_nomem(err) :
		kvs_set(kvs, key, &value, err);
	str_release(&text);
	return ret;
}

static int load_object(struct dsv_kvs *kvs, const char *prefix,
		       const json_t *object, struct dsv_err *err)
{
	const char *key;
	json_t *item;
	int ret = 0;

	json_object_foreach((json_t *)object, key, item) {
		char *path = str_format("%s%s%s", prefix, *prefix ? "." : "",
					key);

		if (!path)
			return dsv_fail_nomem(err);
		if (json_is_object(item) && json_object_size(item) > 0)
			ret = load_object(kvs, path, item, err);
		else if (!key_is_valid(path))
			ret = dsv_fail(err, DSV_EUSAGE,
				       "'%s' is not a valid key", path);
		else
			ret = set_marked(kvs, path, item, err);
		free(path);
		if (ret < 0)
			break;
	}
	return ret;
}

static int parse_marked(const char *json, json_t **out, struct dsv_err *err)
{
	struct str marked = STR_INIT;
	json_error_t error;
	json_t *root = NULL;
	int ret = 0;

	mark_numbers(&marked, json);
	if (str_failed(&marked)) {
		ret = dsv_fail_nomem(err);
		goto out;
	}
	root = json_loads(str_text(&marked), JSON_REJECT_DUPLICATES, &error);
	if (!root)
		ret = dsv_fail(err, DSV_EUSAGE, "not JSON: %s", error.text);
	else if (!json_is_object(root))
		ret = dsv_fail(err, DSV_EUSAGE, "not a JSON object");
out:
	str_release(&marked);
	if (ret < 0)
		json_decref(root);
	else
		*out = root;
	return ret;
}

int kvs_load(struct dsv_kvs *kvs, const char *json, struct dsv_err *err)
{
	json_t *root;
	int ret;

	ret = parse_marked(json, &root, err);
	if (ret < 0)
		return ret;
	ret = load_object(kvs, "", root, err);
	json_decref(root);
	return ret;
}

int kvs_load_value(struct dsv_kvs *kvs, const char *key, const char *json,
		   struct dsv_err *err)
{
	json_t *root;
	int ret;

	ret = parse_marked(json, &root, err);
	if (ret < 0)
		return ret;
	if (json_object_size(root) != 1)
		ret = dsv_fail(err, DSV_EUSAGE, "not a JSON value");
	else
		ret = set_marked(kvs, key, json_object_get(root, ""), err);
	json_decref(root);
	return ret;
}

static int list_texts(const json_t *list, struct texts *out,
		      struct dsv_err *err)
{
	json_t *item;
	size_t i;
	int ret = 0;

	json_array_foreach(list, i, item) {
		struct str text = STR_INIT;

		unmark(&text, item);
		ret = texts_take(out, str_take(&text), err);
		if (ret < 0)
			break;
	}
	return ret;
}

int json_list_texts(const char *json, struct texts *out, struct dsv_err *err)
{
	char *wrapped = str_format("{\"\":%s}", json);
	struct texts texts = TEXTS_INIT;
	json_t *root = NULL, *list;
	int ret;

	ret = wrapped ? parse_marked(wrapped, &root, err) :
		dsv_fail_nomem(err);
	free(wrapped);
	if (ret < 0)
		return ret;
	list = json_object_get(root, "");
	if (!json_is_array(list) || json_object_size(root) != 1)
		ret = dsv_fail(err, DSV_EUSAGE, "not a JSON list");
	else
		ret = list_texts(list, &texts, err);
	json_decref(root);
	if (ret < 0)
		texts_release(&texts);
	else
		*out = texts;
	return ret;
}

json_t *value_to_json(const struct dsv_value *value)
{
	switch (value->type) {
	case DSV_NUMBER:
		return json_pack("{s:s}", "number", value->text);
	case DSV_BOOL:
		return json_boolean(value->number != 0);
	case DSV_JSON:
		return json_pack("{s:s}", "json", value->text);
	case DSV_STRING:
		break;
	}
	return json_string(value->text);
}

json_t *kvs_to_json(const struct dsv_kvs *kvs)
{
	json_t *object = json_object();
	size_t i;

	for (i = 0; object && i < kvs->count; i++) {
		if (json_object_set_new(object, kvs->items[i].key,
					value_to_json(&kvs->items[i].value))) {
			json_decref(object);
			object = NULL;
		}
	}
	return object;
}

int value_from_json(const json_t *json, struct dsv_value *out,
		    struct dsv_err *err)
{
	const char *text;

	if (json_is_boolean(json)) {
		*out = value_from_text(json_is_true(json) ? "true" : "false");
		return 0;
	}
	if (json_is_string(json)) {
		*out = (struct dsv_value){ DSV_STRING, 0,
					   json_string_value(json) };
		return 0;
	}
	text = json_text(json, "number");
	if (text && number_parse(text, &out->number)) {
		out->type = DSV_NUMBER;
		out->text = text;
		return 0;
	}
	text = json_text(json, "json");
	if (!text)
		return dsv_fail(err, DSV_ECORRUPT, "malformed value");
	*out = (struct dsv_value){ DSV_JSON, 0, text };
	return 0;
}

int kvs_from_json(const json_t *json, struct dsv_kvs *out,
		  struct dsv_err *err)
{
	struct dsv_kvs kvs = KVS_INIT;
	struct dsv_value value;
	const char *key;
	json_t *item;
	int ret;

	if (!json_is_object(json))
		return dsv_fail(err, DSV_ECORRUPT, "malformed list of values");
	json_object_foreach((json_t *)json, key, item) {
		ret = value_from_json(item, &value, err);
		if (ret == 0 && !key_is_valid(key))
			ret = dsv_fail(err, DSV_ECORRUPT, "malformed key");
		if (ret == 0)
			ret = kvs_set(&kvs, key, &value, err);
		if (ret < 0) {
			dsv_kvs_free(&kvs);
			return ret;
		}
	}
	*out = kvs;
	return 0;
}
