/* SPDX-License-Identifier: MIT */
/*
 * Parameters and attributes: typed values and sorted lists of key and value.
 * A struct dsv_kvs made here owns its keys and texts.
 */
#ifndef DSV_BASE_VALUE_H
#define DSV_BASE_VALUE_H

#include <jansson.h>
#include <stdbool.h>

#include "../dsv.h"
#include "str.h"
#include "texts.h"

#define KVS_INIT { 0, NULL }
#define NUMBER_TEXT_SIZE 32

/* The shortest text that reads back as n. */
void number_format(double n, char out[NUMBER_TEXT_SIZE]);

/* A finite decimal as CLI values have it: "1" ".5" "5." "+1" "1e-3". */
bool number_parse(const char *text, double *out);
/* Whether it would be one if doubles went further. */
bool number_overflows(const char *text);

/* [A-Za-z_][A-Za-z0-9_./-]{0,127} */
bool key_is_valid(const char *key);

/*
 * What "K=V" makes of V; the text may be static or borrowed from text.
 */
struct dsv_value value_from_text(const char *text);

/* Add or replace a copy. */
int kvs_set(struct dsv_kvs *kvs, const char *key,
	    const struct dsv_value *value, struct dsv_err *err);
/* False when there was none. */
bool kvs_unset(struct dsv_kvs *kvs, const char *key);
int kvs_copy(const struct dsv_kvs *from, struct dsv_kvs *to,
	     struct dsv_err *err);
bool value_equal(const struct dsv_value *a, const struct dsv_value *b);

/* "K=V" or "K:=JSON"; DSV_EUSAGE. */
int kvs_assign(struct dsv_kvs *kvs, const char *assignment,
	       struct dsv_err *err);
/*
 * json is {"":V}: V as it is, objects and all, becomes the value of key.
 * DSV_EUSAGE.
 */
int kvs_load_value(struct dsv_kvs *kvs, const char *key, const char *json,
		   struct dsv_err *err);
/* Only the key, the caller's to free(). */
int kvs_assignment_key(const char *assignment, char **out,
		       struct dsv_err *err);

/*
 * A JSON object: nested objects become dotted keys; Python's NaN and
 * Infinity are accepted.  DSV_EUSAGE.
 */
int kvs_load(struct dsv_kvs *kvs, const char *json, struct dsv_err *err);

/*
 * The elements of a JSON list, each as its text, which *out then owns.
 * DSV_EUSAGE: no list.
 */
int json_list_texts(const char *json, struct texts *out, struct dsv_err *err);

/*
 * As records and journal have them: an object in which a number is
 * {"number":"1e-3"} and a list {"json":"[1,2]"}, so that texts survive.
 */
json_t *kvs_to_json(const struct dsv_kvs *kvs);
json_t *value_to_json(const struct dsv_value *value);
/* The text is borrowed from json.  DSV_ECORRUPT. */
int value_from_json(const json_t *json, struct dsv_value *out,
		    struct dsv_err *err);
int kvs_from_json(const json_t *json, struct dsv_kvs *out,
		  struct dsv_err *err);

#endif
