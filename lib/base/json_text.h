/* SPDX-License-Identifier: MIT */
/*
 * Texts and lists of them as JSON, and back.
 */
#ifndef DSV_BASE_JSON_TEXT_H
#define DSV_BASE_JSON_TEXT_H

#include <jansson.h>

#include "../dsv.h"

/*
 * A text of the user's, whose bytes that are not UTF-8 become \xNN; null when
 * it is NULL.  NULL: out of memory, which json_pack() passes on.
 */
json_t *text_to_json(const char *text);
/* An array of such texts; NULL: out of memory. */
json_t *strings_to_json(const struct dsv_strings *strings);

/* The text of object under key, borrowed; NULL: there is none. */
static inline const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/*
 * The texts of the array under key, borrowed; what is not a text is left out.
 * The caller frees out->items.
 */
int strings_from_json(const json_t *object, const char *key,
		      struct dsv_strings *out, struct dsv_err *err);

#endif
