/* SPDX-License-Identifier: MIT */
/* This is the JSON writer of dsv.h.  Jansson escapes the strings. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "../dsv.h"
#include "json_text.h"
#include "str.h"
#include "value.h"

enum { MAX_DEPTH = 64 };

struct dsv_json {
	struct str out;
	int depth;
	bool first[MAX_DEPTH];	/* nothing written yet at this depth */
	char close[MAX_DEPTH];
	bool lines;
};

struct dsv_json *dsv_json_new(void)
{
	struct dsv_json *j = calloc(1, sizeof(*j));

	if (j)
		j->first[0] = true;
	return j;
}

void dsv_json_lines(struct dsv_json *j)
{
	j->lines = true;
}

/*
 * Returns whether this is the array that is the whole document and is written
 * one element per line.
 */
static bool is_line_list(const struct dsv_json *j, int depth)
{
	return j->lines && depth == 1 && j->close[depth] == ']';
}

void dsv_json_free(struct dsv_json *j)
{
	if (!j)
		return;
	str_release(&j->out);
	free(j);
}

static void put_string(struct dsv_json *j, const char *text)
{
	json_t *string = text_to_json(text);
	char *quoted = json_dumps(string, JSON_ENCODE_ANY);

	if (quoted)
		str_puts(&j->out, quoted);
	else
		j->out.failed = true;
	free(quoted);
	json_decref(string);
}

/* Writes the comma and the key that come before a value. */
static void begin(struct dsv_json *j, const char *key)
{
	if (!j->first[j->depth])
		str_putc(&j->out, is_line_list(j, j->depth) ? '\n' : ',');
	j->first[j->depth] = false;
	if (key) {
		put_string(j, key);
		str_putc(&j->out, ':');
	}
}

static void open_level(struct dsv_json *j, const char *key, char open,
		       char close)
{
	begin(j, key);
	if (j->depth + 1 == MAX_DEPTH) {
		j->out.failed = true;
		return;
	}
	j->depth++;
	j->first[j->depth] = true;
	j->close[j->depth] = close;
	if (!is_line_list(j, j->depth))
		str_putc(&j->out, open);
}

void dsv_json_object(struct dsv_json *j, const char *key)
{
	open_level(j, key, '{', '}');
}

void dsv_json_array(struct dsv_json *j, const char *key)
{
	open_level(j, key, '[', ']');
}

void dsv_json_end(struct dsv_json *j)
{
	bool lines, empty;

	if (j->depth == 0)
		return;
	lines = is_line_list(j, j->depth);
	empty = j->first[j->depth];
	if (!lines)
		str_putc(&j->out, j->close[j->depth]);
	j->depth--;
	if (j->depth > 0)
		return;
	if (!lines || !empty)
		str_putc(&j->out, '\n');
	j->first[0] = true;
}

void dsv_json_string(struct dsv_json *j, const char *key, const char *text)
{
	if (!text) {
		dsv_json_null(j, key);
		return;
	}
	begin(j, key);
	put_string(j, text);
}

void dsv_json_int(struct dsv_json *j, const char *key, int64_t n)
{
	begin(j, key);
	str_printf(&j->out, "%" PRId64, n);
}

void dsv_json_real(struct dsv_json *j, const char *key, double n)
{
	char text[NUMBER_TEXT_SIZE];

	if (!isfinite(n)) {
		dsv_json_null(j, key);
		return;
	}
	number_format(n, text);
	begin(j, key);
	str_puts(&j->out, text);
}

void dsv_json_bool(struct dsv_json *j, const char *key, bool b)
{
	begin(j, key);
	str_puts(&j->out, b ? "true" : "false");
}

void dsv_json_null(struct dsv_json *j, const char *key)
{
	begin(j, key);
	str_puts(&j->out, "null");
}

void dsv_json_time(struct dsv_json *j, const char *key, int64_t time_ns)
{
	char text[DSV_TIME_SIZE];

	dsv_format_time(time_ns, text);
	dsv_json_string(j, key, text);
}

/*
 * Writes a number that we accept and JSON does not, such as "+.5", in the form
 * that JSON wants: "0.5".
 */
static void put_number(struct str *out, const char *text)
{
	const char *p = text;

	if (*p == '+')
		p++;
	if (*p == '-') {
		str_putc(out, '-');
		p++;
	}
	if (*p == '.')
		str_putc(out, '0');
	for (; *p; p++) {
		if (*p == '.' && (p[1] < '0' || p[1] > '9'))
			continue;
		str_putc(out, *p);
	}
}

void dsv_json_value(struct dsv_json *j, const char *key,
		    const struct dsv_value *value)
{
	if (value->type == DSV_STRING) {
		dsv_json_string(j, key, value->text);
		return;
	}
	begin(j, key);
	if (value->type == DSV_NUMBER)
		put_number(&j->out, value->text);
	else
		str_puts(&j->out, value->text);
}

const char *dsv_json_take(struct dsv_json *j, size_t *len)
{
	const char *text;

	if (str_failed(&j->out))
		return NULL;
	text = str_text(&j->out);
	*len = j->out.len;
	j->out.len = 0;		/* the text stays until the next call */
	return text;
}
