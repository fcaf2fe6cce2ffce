/* SPDX-License-Identifier: MIT */
/*
 * Parameters and attributes are typed values in sorted lists of keys and
 * values. A struct dsv_kvs made here owns its keys and texts.
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

/* Writes the shortest text that reads back as n. */
void number_format(double n, char out[NUMBER_TEXT_SIZE]);

/*
 * Parses a finite decimal as the command line takes it: "1" ".5" "5." "+1"
 * "1e-3".
 */
bool number_parse(const char *text, double *out);
/* Returns whether text would be a number if doubles had a larger range. */
bool number_overflows(const char *text);

/* Returns whether key matches [A-Za-z_][A-Za-z0-9_./-]{0,127}. */
bool key_is_valid(const char *key);

/*
 * Returns the value that "K=V" makes of V; its text may be static or borrowed
 * from text.
 */
struct dsv_value value_from_text(const char *text);

/* Adds a copy of value, or replaces the value that key has. */
int kvs_set(struct dsv_kvs *kvs, const char *key,
	    const struct dsv_value *value, struct dsv_err *err);
/* Returns false if kvs had no such key. */
bool kvs_unset(struct dsv_kvs *kvs, const char *key);
int kvs_copy(const struct dsv_kvs *from, struct dsv_kvs *to,
	     struct dsv_err *err);
bool value_equal(const struct dsv_value *a, const struct dsv_value *b);

/* Parses "K=V" or "K:=JSON"; returns DSV_EUSAGE if it is neither. */
int kvs_assign(struct dsv_kvs *kvs, const char *assignment,
	       struct dsv_err *err);
/*
 * Makes V, from json which is {"":V}, the value of key, unchanged even if it is
 * an object.  Returns DSV_EUSAGE if json is malformed.
 */
int kvs_load_value(struct dsv_kvs *kvs, const char *key, const char *json,
		   struct dsv_err *err);
/* Returns only the key; the caller frees it. */
int kvs_assignment_key(const char *assignment, char **out,
		       struct dsv_err *err);

/*
 * Loads a JSON object: nested objects become dotted keys; Python's NaN and
 * Infinity are accepted.  Returns DSV_EUSAGE if json is not an object.
 */
int kvs_load(struct dsv_kvs *kvs, const char *json, struct dsv_err *err);

/*
 * Returns the elements of a JSON list, each as its text, which *out then owns.
 * Returns DSV_EUSAGE if json is not a list.
 */
int json_list_texts(const char *json, struct texts *out, struct dsv_err *err);

/*
 * Returns JSON as records and the journal hold it: an object in which a number
 * is {"number":"1e-3"} and a list {"json":"[1,2]"}, so that their texts
 * survive.
 */
json_t *kvs_to_json(const struct dsv_kvs *kvs);
json_t *value_to_json(const struct dsv_value *value);
/*
 * The text is borrowed from json.  Returns DSV_ECORRUPT if json is malformed.
 */
int value_from_json(const json_t *json, struct dsv_value *out,
		    struct dsv_err *err);
int kvs_from_json(const json_t *json, struct dsv_kvs *out,
		  struct dsv_err *err);

#endif
