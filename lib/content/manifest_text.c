/* SPDX-License-Identifier: MIT */
/* This writes and reads the text of a manifest. */
#include "manifest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text -------------------------------------------------------------- */

#define FIRST_LINE "dsv-manifest 1\n"

static bool is_escaped(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '\\';
}

static void put_escaped(struct str *out, const char *text)
{
	size_t len;

	while (*text) {
		for (len = 0; text[len] &&
		     !is_escaped((unsigned char)text[len]);)
			len++;
		str_add(out, text, len);
		text += len;
		if (*text)
			str_printf(out, "\\x%02x", (unsigned char)*text++);
	}
}

static void put_entry(struct str *out, const struct manifest_entry *e)
{
	char hex[HASH_HEX_SIZE];

	switch (e->type) {
	case DSV_DIR:
		str_puts(out, "d\t");
		break;
	case DSV_LINK:
		str_puts(out, "l\t");
		put_escaped(out, e->target);
		str_putc(out, '\t');
		break;
	case DSV_FILE:
		hash_to_hex(e->recipe, hex);
		str_printf(out, "%c\t%" PRId64 "\t%s\t",
			   e->executable ? 'x' : 'f', e->size_bytes, hex);
		break;
	}
	put_escaped(out, e->path);
	str_putc(out, '\n');
}

int manifest_encode(struct manifest *m, struct str *out, struct dsv_err *err)
{
	char hex[HASH_HEX_SIZE];
	size_t i;
	int ret;

	manifest_sort(m);
	ret = manifest_check(m, DSV_EUSAGE, err);
	if (ret < 0)
		return ret;
	str_puts(out, FIRST_LINE);
	for (i = 0; i < m->count; i++)
		put_entry(out, &m->entries[i]);
	for (i = 0; i < m->part_count; i++) {
		hash_to_hex(m->parts[i].manifest, hex);
		str_printf(out, "p\t%" PRId64 "\t%s\n", m->parts[i].rank, hex);
	}
	if (str_failed(out))
		return dsv_fail_nomem(err);
	if (out->len > MANIFEST_LIMIT_BYTES)
		return dsv_fail(err, DSV_EUSAGE, "too many files in a state");
	return 0;
}

/* A cursor is what is left of the text. */
struct cursor {
	const char *at;
	const char *end;
};

static int corrupt(struct dsv_err *err, const char *what)
{
	return dsv_fail(err, DSV_ECORRUPT, "manifest: %s", what);
}

/* Gets the bytes up to the delimiter, and moves past it. */
static bool next_field(struct cursor *c, char delimiter, struct cursor *field)
{
	const char *p = memchr(c->at, delimiter, (size_t)(c->end - c->at));

	if (!p)
		return false;
	field->at = c->at;
	field->end = p;
	c->at = p + 1;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Returns NULL if field is not what put_escaped() writes, or when out of
 * memory.
 */
static char *get_escaped(const struct cursor *field)
{
	const char *p = field->at;
	char *out = malloc((size_t)(field->end - p) + 1);
	size_t len = 0;

	while (out && p < field->end) {
		int c = (unsigned char)*p++;

		if (c == '\\' && field->end - p >= 3 && p[0] == 'x' &&
		    hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			c = hex_digit(p[1]) << 4 | hex_digit(p[2]);
			p += 3;
			if (c == 0 || !is_escaped((unsigned char)c))
				goto bad;
		} else if (is_escaped((unsigned char)c)) {
			goto bad;
		}
		out[len++] = (char)c;
	}
	if (out)
		out[len] = '\0';
	return out;
bad:
	free(out);
	return NULL;
}

static bool get_number(const struct cursor *field, int64_t *out)
{
	const char *p = field->at;
	int64_t n = 0;

	if (p == field->end || (*p == '0' && field->end - p > 1))
		return false;
	for (; p < field->end; p++) {
		int digit = *p - '0';

		if (digit < 0 || digit > 9 || n > (INT64_MAX - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	*out = n;
	return true;
}

static bool get_hash(const struct cursor *field,
		     unsigned char out[HASH_BYTES])
{
	char hex[HASH_HEX_SIZE];

	if (field->end - field->at != HASH_HEX_SIZE - 1)
		return false;
	memcpy(hex, field->at, HASH_HEX_SIZE - 1);
	hex[HASH_HEX_SIZE - 1] = '\0';
	return hash_from_hex(hex, out);
}

/* Decodes an entry; line is what follows the type and its tab. */
static int decode_entry(struct manifest *m, char type, struct cursor *line,
			struct dsv_err *err)
{
	struct manifest_entry e = { .part = -1 };
	struct cursor field;
	bool good = true;

	if (type == 'f' || type == 'x') {
		e.type = DSV_FILE;
		e.executable = type == 'x';
		good = next_field(line, '\t', &field) &&
		       get_number(&field, &e.size_bytes) &&
		       next_field(line, '\t', &field) &&
		       get_hash(&field, e.recipe);
	} else if (type == 'l') {
		e.type = DSV_LINK;
		good = next_field(line, '\t', &field);
		e.target = good ? get_escaped(&field) : NULL;
		good = e.target;
	} else {
		e.type = DSV_DIR;
		good = type == 'd';
	}
	e.path = good ? get_escaped(line) : NULL;
	if (!e.path) {
		manifest_entry_release(&e);
		return corrupt(err, "impossible line");
	}
	return manifest_add(m, &e, err);
}

static int decode_line(struct manifest *m, struct cursor *line,
		       struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	struct cursor field;
	int64_t rank;
	char type;

	if (!next_field(line, '\t', &field) || field.end - field.at != 1)
		return corrupt(err, "impossible line");
	type = *field.at;
	if (type != 'p') {
		if (m->part_count > 0)
			return corrupt(err, "not sorted");
		return decode_entry(m, type, line, err);
	}
	if (!next_field(line, '\t', &field) || !get_number(&field, &rank) ||
	    !get_hash(line, hash))
		return corrupt(err, "impossible line");
	return manifest_add_part(m, rank, hash, err);
}

int manifest_decode(const void *data, size_t len, struct manifest *out,
		    struct dsv_err *err)
{
	const size_t first = sizeof(FIRST_LINE) - 1;
	struct manifest m = MANIFEST_INIT;
	struct cursor text, line;
	int ret = 0;

	if (len > MANIFEST_LIMIT_BYTES || len < first ||
	    memcmp(data, FIRST_LINE, first))
		return corrupt(err, "not a manifest, or from a newer dsv");
	text.at = (const char *)data + first;
	text.end = (const char *)data + len;
	while (ret == 0 && text.at < text.end) {
		if (next_field(&text, '\n', &line))
			ret = decode_line(&m, &line, err);
		else
			ret = corrupt(err, "truncated");
	}
	if (ret == 0)
		ret = manifest_check(&m, DSV_ECORRUPT, err);
	if (ret < 0) {
		manifest_release(&m);
		return ret;
	}
	*out = m;
	return 0;
}
