/* SPDX-License-Identifier: MIT */
/* This converts texts and lists of them to JSON, and back. */
#ifndef DSV_BASE_JSON_TEXT_H
#define DSV_BASE_JSON_TEXT_H

#include <jansson.h>

#include "../dsv.h"

/*
 * Returns a user's text, with bytes that are not UTF-8 as \xNN, or null if it
 * is NULL.  Returns NULL when out of memory, which json_pack() passes on.
 */
json_t *text_to_json(const char *text);
/* Returns an array of such texts, or NULL when out of memory. */
json_t *strings_to_json(const struct dsv_strings *strings);

/* Returns the text of object under key, borrowed, or NULL if there is none. */
static inline const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/*
 * Returns the texts of the array under key, borrowed, without items that are
 * not texts.  The caller frees out->items.
 */
int strings_from_json(const json_t *object, const char *key,
		      struct dsv_strings *out, struct dsv_err *err);

#endif
