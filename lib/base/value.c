/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "list.h"
#include "texts.h"
#include "utf8.h"

enum { MAX_KEY = 128 };

void number_format(double n, char out[NUMBER_TEXT_SIZE])
{
	int digits;

	for (digits = 15; digits <= 17; digits++) {
		snprintf(out, NUMBER_TEXT_SIZE, "%.*g", digits, n);
		if (strtod(out, NULL) == n)
			break;
	}
}

/* Parses a decimal number; *out may be infinite. */
static bool parse_decimal(const char *text, double *out)
{
	const char *p = text;
	size_t whole, fraction = 0;

	if (*p == '+' || *p == '-')
		p++;
	whole = strspn(p, "0123456789");
	if (whole > 1 && *p == '0')
		return false;
	p += whole;
	if (*p == '.') {
		fraction = strspn(++p, "0123456789");
		p += fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (!isdigit((unsigned char)*p))
			return false;
		p += strspn(p, "0123456789");
	}
	if (*p)
		return false;
	*out = strtod(text, NULL);
	return true;
}

bool number_parse(const char *text, double *out)
{
	double n;

	if (!parse_decimal(text, &n) || !isfinite(n))
		return false;
	*out = n;
	return true;
}

bool number_overflows(const char *text)
{
	double n;

	return parse_decimal(text, &n) && !isfinite(n);
}

bool key_is_valid(const char *key)
{
	const char *p;

	if (!isalpha((unsigned char)*key) && *key != '_')
		return false;
	for (p = key; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("_./-", *p))
			return false;
	}
	return p - key <= MAX_KEY;
}

struct dsv_value value_from_text(const char *text)
{
	static const char *const specials[] = { "nan", "inf", "-inf" };
	struct dsv_value value = { DSV_STRING, 0, text };
	size_t i;

	if (number_parse(text, &value.number)) {
		value.type = DSV_NUMBER;
		return value;
	}
	if (!strcmp(text, "true") || !strcmp(text, "True"))
		return (struct dsv_value){ DSV_BOOL, 1, "true" };
	if (!strcmp(text, "false") || !strcmp(text, "False"))
		return (struct dsv_value){ DSV_BOOL, 0, "false" };
	for (i = 0; i < 3; i++) {
		if (!strcasecmp(text, specials[i]))
			value.text = specials[i];
	}
	return value;
}

bool value_equal(const struct dsv_value *a, const struct dsv_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == DSV_NUMBER)
		return a->number == b->number;
	return !strcmp(a->text, b->text);
}

/* Returns the place of key, or where it would have to be inserted. */
static size_t kvs_find(const struct dsv_kvs *kvs, const char *key, bool *found)
{
	size_t low = 0, high = kvs->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(kvs->items[middle].key, key);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct dsv_value *dsv_kvs_get(const struct dsv_kvs *kvs, const char *key)
{
	bool found;
	size_t i = kvs_find(kvs, key, &found);

	return found ? &kvs->items[i].value : NULL;
}

static void kv_release(struct dsv_kv *kv)
{
	text_free(kv->key);
	text_free(kv->value.text);
}

void dsv_kvs_free(struct dsv_kvs *kvs)
{
	size_t i;

	for (i = 0; i < kvs->count; i++)
		kv_release(&kvs->items[i]);
	free(kvs->items);
	*kvs = (struct dsv_kvs)KVS_INIT;
}

int kvs_set(struct dsv_kvs *kvs, const char *key,
	    const struct dsv_value *value, struct dsv_err *err)
{
	struct dsv_kv kv = { strdup(key), *value };
	struct dsv_kv *items;
	bool found;
	size_t i;

	kv.value.text = strdup(value->text);
	if (!kv.key || !kv.value.text)
		goto fail;
	i = kvs_find(kvs, key, &found);
	if (found) {
		kv_release(&kvs->items[i]);
		kvs->items[i] = kv;
		return 0;
	}
	if (list_grow((void **)&kvs->items, kvs->count, sizeof(kv), NULL) < 0)
		goto fail;
	items = kvs->items;
	memmove(items + i + 1, items + i, (kvs->count - i) * sizeof(*items));
	items[i] = kv;
	kvs->count++;
	return 0;
fail:
	kv_release(&kv);
	return dsv_fail_nomem(err);
}

bool kvs_unset(struct dsv_kvs *kvs, const char *key)
{
	bool found;
	size_t i = kvs_find(kvs, key, &found);

	if (!found)
		return false;
	kv_release(&kvs->items[i]);
	kvs->count--;
	memmove(kvs->items + i, kvs->items + i + 1,
		(kvs->count - i) * sizeof(*kvs->items));
	return true;
}

int kvs_copy(const struct dsv_kvs *from, struct dsv_kvs *to,
	     struct dsv_err *err)
{
	struct dsv_kvs copy = KVS_INIT;
	size_t i;
	int ret;

	for (i = 0; i < from->count; i++) {
		ret = kvs_set(&copy, from->items[i].key,
			      &from->items[i].value, err);
		if (ret < 0) {
			dsv_kvs_free(&copy);
			return ret;
		}
	}
	*to = copy;
	return 0;
}

int kvs_assignment_key(const char *assignment, char **out,
		       struct dsv_err *err)
{
	const char *equals = strchr(assignment, '=');
	size_t len;
	char *key;

	if (!equals)
		return dsv_fail(err, DSV_EUSAGE,
				"'%s' has no '=' (KEY=VALUE)", assignment);
	len = (size_t)(equals - assignment);
	if (len > 0 && assignment[len - 1] == ':')
		len--;
	key = strndup(assignment, len);
	if (!key)
		return dsv_fail_nomem(err);
	if (!key_is_valid(key)) {
		dsv_fail(err, DSV_EUSAGE, "'%s' is not a valid key"
			 " ([A-Za-z_][A-Za-z0-9_./-]*, at most %d characters)",
			 key, MAX_KEY);
		free(key);
		return DSV_EUSAGE;
	}
	*out = key;
	return 0;
}

int kvs_assign(struct dsv_kvs *kvs, const char *assignment,
	       struct dsv_err *err)
{
	const char *text;
	struct dsv_value value;
	struct str wrapped = STR_INIT;
	char *key;
	int ret;

	ret = kvs_assignment_key(assignment, &key, err);
	if (ret < 0)
		return ret;
	text = strchr(assignment, '=') + 1;
	if (text[-2] == ':' && text - 2 >= assignment) {
		/*
		 * The value is parsed as the only member of an object: one rule
		 * for JSON.
		 */
		str_printf(&wrapped, "{\"\":%s}", text);
		ret = str_failed(&wrapped) ? dsv_fail_nomem(err) :
			kvs_load_value(kvs, key, str_text(&wrapped), err);
		if (ret == DSV_EUSAGE)
			dsv_fail(err, ret, "the value of '%s' is not JSON: %s",
				 key, text);
	} else if (!utf8_is_valid(text)) {
		ret = dsv_fail(err, DSV_EUSAGE, "the value of '%s' is not"
			       " UTF-8", key);
	} else {
		value = value_from_text(text);
		ret = kvs_set(kvs, key, &value, err);
	}
	str_release(&wrapped);
	free(key);
	return ret;
}
