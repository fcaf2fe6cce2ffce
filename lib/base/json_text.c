/* SPDX-License-Identifier: MIT */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

json_t *text_to_json(const char *text)
{
	struct str clean = STR_INIT;
	json_t *json = NULL;

	if (!text)
		return json_null();
	utf8_clean(&clean, text, strlen(text));
	if (!str_failed(&clean))
		json = json_stringn(str_text(&clean), clean.len);
	str_release(&clean);
	return json;
}

json_t *strings_to_json(const struct dsv_strings *strings)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < strings->count; i++) {
		if (json_array_append_new(array,
				text_to_json(strings->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int strings_from_json(const json_t *object, const char *key,
		      struct dsv_strings *out, struct dsv_err *err)
{
	const json_t *array = json_object_get(object, key);
	const char **items = calloc(json_array_size(array) + 1,
				    sizeof(*items));
	json_t *item;
	size_t count = 0, i;

	if (!items)
		return dsv_fail_nomem(err);
	json_array_foreach(array, i, item)
		if (json_is_string(item))
			items[count++] = json_string_value(item);
	out->items = items;
	out->count = count;
	return 0;
}
