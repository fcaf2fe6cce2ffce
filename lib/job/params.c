/* SPDX-License-Identifier: MIT */
/*
 * Parameters as programs want them: JSON, environment, argument lists.
 */
#include "params.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/str.h"

char *params_variable(const char *key)
{
	char *name = str_format("DSV_PARAM_%s", key);
	char *p;

	for (p = name ? name + strlen("DSV_PARAM_") : NULL; p && *p; p++)
		*p = isalnum((unsigned char)*p) ?
			(char)toupper((unsigned char)*p) : '_';
	return name;
}

/* Quotes text for a POSIX shell. */
static void put_quoted(struct str *out, const char *text)
{
	str_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			str_puts(out, "'\\''");
		else
			str_putc(out, *text);
	}
	str_putc(out, '\'');
}

static void put_env(struct str *out, const struct dsv_kv *kv)
{
	char *name = params_variable(kv->key);

	if (!name) {
		out->failed = true;
		return;
	}
	str_printf(out, "export %s=", name);
	put_quoted(out, kv->value.text);
	str_putc(out, '\n');
	free(name);
}

/* Returns whether Hydra takes a bare word as nothing but a string. */
static bool is_plain(const char *text)
{
	static const char *const words[] = { "null", "true", "false" };
	size_t i;

	if (!isalpha((unsigned char)*text) && *text != '_' && *text != '/')
		return false;
	for (i = 0; i < 3; i++) {
		if (!strcasecmp(text, words[i]))
			return false;
	}
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")] == '\0';
}

/* Within quotes, backslashes are special only before a quote. */
static void put_hydra_quoted(struct str *out, const char *p)
{
	size_t run, i;

	str_putc(out, '\'');
	for (; *p; p++) {
		run = strspn(p, "\\");
		for (i = 0; i < run; i++)
			str_puts(out, p[run] == '\'' || !p[run] ? "\\\\" :
				 "\\");
		p += run;
		if (!*p)
			break;
		if (*p == '\'')
			str_putc(out, '\\');
		str_putc(out, *p);
	}
	str_putc(out, '\'');
}

/*
 * Writes a value in Hydra's override grammar: what is not plain is quoted
 * (https://hydra.cc/docs/advanced/override_grammar/basic/).
 */
static void put_hydra(struct str *out, const struct dsv_kv *kv)
{
	const char *text = kv->value.text;

	str_printf(out, "%s=", kv->key);
	/* "-inf" is a number to Hydra, and is meant to be. */
	if (kv->value.type != DSV_STRING || is_plain(text) ||
	    !strcmp(text, "-inf"))
		str_puts(out, text);
	else
		put_hydra_quoted(out, text);
	str_putc(out, '\n');
}

/* Writes for people: one parameter a line whatever its value. */
static void put_plain(struct str *out, const struct dsv_kv *kv)
{
	const char *p;

	str_printf(out, "%s=", kv->key);
	for (p = kv->value.text; *p; p++) {
		if (iscntrl((unsigned char)*p))
			str_printf(out, "\\x%02X", (unsigned char)*p);
		else
			str_putc(out, *p);
	}
	str_putc(out, '\n');
}

static int put_line(struct str *out, const struct dsv_kv *kv,
		    const char *format, struct dsv_err *err)
{
	if (!strcmp(format, "env")) {
		put_env(out, kv);
		return 0;
	}
	if (!strcmp(format, "lines")) {
		put_plain(out, kv);
		return 0;
	}
	/* There is one word a line: another line would be another option. */
	if (strchr(kv->value.text, '\n'))
		return dsv_fail(err, DSV_EUSAGE, "the value of '%s' has a line"
				" break, which the format %s cannot carry",
				kv->key, format);
	if (!strcmp(format, "hydra"))
		put_hydra(out, kv);
	else
		str_printf(out, "--%s=%s\n", kv->key, kv->value.text);
	return 0;
}

/*
 * Returns the length of the prefix that two dotted keys share, dots included.
 */
static size_t shared_prefix(const char *a, const char *b)
{
	size_t shared = 0;
	size_t i;

	for (i = 0; a[i] && a[i] == b[i]; i++) {
		if (a[i] == '.')
			shared = i + 1;
	}
	return shared;
}

static int key_depth(const char *key, size_t len)
{
	int depth = 0;
	size_t i;

	for (i = 0; i < len; i++)
		depth += key[i] == '.';
	return depth;
}

/* Returns whether key is also an object: "a" beside "a.b". */
static bool is_object_too(const struct dsv_kvs *params, const char *key)
{
	size_t len = strlen(key);
	size_t i;

	for (i = 0; i < params->count; i++) {
		if (!strncmp(params->items[i].key, key, len) &&
		    params->items[i].key[len] == '.')
			return true;
	}
	return false;
}

static int compare_paths(const void *a, const void *b)
{
	const char *p = (*(const struct dsv_kv *const *)a)->key;
	const char *q = (*(const struct dsv_kv *const *)b)->key;

	for (; *p && *p == *q; p++, q++)
		;
	/*
	 * The dot sorts first, so that the members of an object stand together.
	 */
	return (*p == '.' ? 1 : (unsigned char)*p + 1) * !!*p -
	       (*q == '.' ? 1 : (unsigned char)*q + 1) * !!*q;
}

static void put_nested(struct dsv_json *j, const struct dsv_kvs *params,
		       const struct dsv_kv **sorted)
{
	const char *last = "";
	int depth = 0;
	size_t i;

	dsv_json_object(j, NULL);
	/* A value cannot be an object as well: it stays dotted. */
	for (i = 0; i < params->count; i++) {
		if (is_object_too(params, sorted[i]->key))
			dsv_json_value(j, sorted[i]->key, &sorted[i]->value);
	}
	for (i = 0; i < params->count; i++) {
		const char *key = sorted[i]->key;
		size_t shared;
		const char *dot;

		if (is_object_too(params, key))
			continue;
		shared = shared_prefix(last, key);
		for (; depth > key_depth(key, shared); depth--)
			dsv_json_end(j);
		last = key;
		for (key += shared; (dot = strchr(key, '.')); key = dot + 1) {
			char *name = strndup(key, (size_t)(dot - key));

			dsv_json_object(j, name ? name : "");
			free(name);
			depth++;
		}
		dsv_json_value(j, key, &sorted[i]->value);
	}
	for (; depth >= 0; depth--)
		dsv_json_end(j);
}

static int format_json(const struct dsv_kvs *params, bool nested,
		       struct str *out, struct dsv_err *err)
{
	const struct dsv_kv **sorted = calloc(params->count + 1,
					      sizeof(*sorted));
	struct dsv_json *j = dsv_json_new();
	const char *text = NULL;
	size_t i, len;

	if (j && sorted) {
		for (i = 0; i < params->count; i++)
			sorted[i] = &params->items[i];
		if (nested) {
			qsort(sorted, params->count, sizeof(*sorted),
			      compare_paths);
			put_nested(j, params, sorted);
		} else {
			dsv_json_object(j, NULL);
			for (i = 0; i < params->count; i++)
				dsv_json_value(j, sorted[i]->key,
					       &sorted[i]->value);
			dsv_json_end(j);
		}
		text = dsv_json_take(j, &len);
	}
	if (text)
		str_add(out, text, len);
	dsv_json_free(j);
	free(sorted);
	return text ? 0 : dsv_fail_nomem(err);
}

int dsv_params_format(const struct dsv_kvs *params, const char *format,
		      char **out, struct dsv_err *err)
{
	static const char *const formats[] = {
		"json", "nested", "env", "argparse", "hydra", "lines",
	};
	struct str text = STR_INIT;
	size_t i;
	int ret = 0;

	for (i = 0; i < 6 && strcmp(format, formats[i]); i++)
		;
	if (i == 6)
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a format (json,"
				" nested, env, argparse, hydra, lines)",
				format);
	if (i < 2) {
		ret = format_json(params, i == 1, &text, err);
	} else {
		for (i = 0; ret == 0 && i < params->count; i++)
			ret = put_line(&text, &params->items[i], format, err);
	}
	if (ret == 0) {
		*out = str_take(&text);
		if (!*out)
			ret = dsv_fail_nomem(err);
	}
	str_release(&text);
	return ret;
}
