/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Returns the length of the character at p if a terminal may have it, else 0:
 * that is for control bytes, the C1 controls, what is not UTF-8, and the marks
 * that reverse the direction of text.
 */
static size_t printable(const unsigned char *p)
{
	size_t i, len;
	uint32_t c;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	c = p[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < 0xa0 || (len == 3 && c < 0x800) || (len == 4 && c < 0x10000) ||
	    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0x2028 || c == 0x2029)
		return 0;
	return len;
}

/* Returns how many columns it takes where each character takes one. */
static int escape(FILE *out, const char *text, const char *kept, bool line)
{
	const unsigned char *p = (const unsigned char *)text;
	int width = 0;
	size_t len;

	while (*p) {
		if (line && *p == '\n')
			break;
		len = printable(p);
		if (!len && strchr(kept, *p))
			len = 1;
		if (len)
			fwrite(p, 1, len, out);
		else if (*p == '\n')
			fputs("\\n", out);
		else
			fprintf(out, "\\x%02x", *p);
		width += len ? 1 : *p == '\n' ? 2 : 4;
		p += len ? len : 1;
	}
	return width;
}

void out_text(FILE *out, const char *text)
{
	escape(out, text, "", false);
}

void out_block(FILE *out, const char *text)
{
	escape(out, text, "\n\t", false);
}

void out_line(FILE *out, const char *text)
{
	escape(out, text, "", true);
}

void out_column(FILE *out, const char *text, int width)
{
	width -= escape(out, text, "", false);
	fprintf(out, "%*s", width > 0 ? width : 0, "");
}

void out_exact(FILE *out, const char *text)
{
	if (out_is_terminal())
		out_block(out, text);
	else
		fputs(text, out);
}

void out_kv(FILE *out, const struct dsv_kv *kv)
{
	out_text(out, kv->key);
	putc('=', out);
	out_text(out, kv->value.text);
}

void out_kvs(FILE *out, const struct dsv_kvs *kvs)
{
	size_t i;

	for (i = 0; i < kvs->count; i++) {
		putc(' ', out);
		out_kv(out, &kvs->items[i]);
	}
}

bool out_is_terminal(void)
{
	static int known = -1;

	/* The first call comes before the pager takes stdout's place. */
	if (known < 0)
		known = isatty(STDOUT_FILENO);
	return known;
}

void out_id(FILE *out, const char *id)
{
	fprintf(out, "%.*s", out_is_terminal() ? 12 : DSV_ID_SIZE, id);
}

int64_t time_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

const char *program_path(void)
{
	static char path[4096];
	ssize_t len;

	if (!path[0]) {
		len = readlink("/proc/self/exe", path, sizeof(path) - 1);
		if (len <= 0)
			return "dsv";
		path[len] = '\0';
	}
	return path;
}

int read_text(const char *path, char **out, size_t *len, struct dsv_err *err)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	size_t capacity = 4096, used = 0, got;
	char *text, *more;
	int ret = 0;

	if (!f && errno == ENOENT)
		return dsv_fail(err, DSV_ENOTFOUND,
				"'%s': no such file or directory", path);
	if (!f)
		return dsv_fail_errno(err, "open '%s'", path);
	text = malloc(capacity);
	while (text) {
		got = fread(text + used, 1, capacity - used - 1, f);
		used += got;
		if (got == 0)
			break;
		if (capacity - used > 1)
			continue;
		capacity *= 2;
		more = realloc(text, capacity);
		if (!more) {
			free(text);
			text = NULL;
			break;
		}
		text = more;
	}
	if (!text)
		ret = dsv_fail_nomem(err);
	else if (ferror(f))
		ret = dsv_fail_errno(err, "read '%s'", path);
	if (f != stdin)
		fclose(f);
	if (ret < 0) {
		free(text);
		return ret;
	}
	text[used] = '\0';
	*out = text;
	*len = used;
	return 0;
}
