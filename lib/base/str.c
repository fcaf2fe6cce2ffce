/* SPDX-License-Identifier: MIT */
#include "str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for len more bytes and a NUL. */
static bool grow(struct str *s, size_t len)
{
	size_t capacity = s->capacity ? s->capacity : 64;
	char *data;

	if (s->failed || len > SIZE_MAX / 2 - s->len - 1) {
		s->failed = true;
		return false;
	}
	if (s->len + len + 1 <= s->capacity)
		return true;
	while (capacity < s->len + len + 1)
		capacity *= 2;
	data = realloc(s->data, capacity);
	if (!data) {
		s->failed = true;
		return false;
	}
	s->data = data;
	s->capacity = capacity;
	return true;
}

void str_release(struct str *s)
{
	free(s->data);
	*s = (struct str)STR_INIT;
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->failed = false;
	if (s->data)
		s->data[0] = '\0';
}

void str_add(struct str *s, const void *data, size_t len)
{
	if (!grow(s, len))
		return;
	if (len > 0)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void str_puts(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void str_putc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !grow(s, (size_t)len)) {
		s->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(s->data + s->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)len;
}

void str_u8(struct str *s, uint8_t v)
{
	str_add(s, &v, 1);
}

void str_u16(struct str *s, uint16_t v)
{
	str_u8(s, (uint8_t)v);
	str_u8(s, (uint8_t)(v >> 8));
}

void str_u32(struct str *s, uint32_t v)
{
	str_u16(s, (uint16_t)v);
	str_u16(s, (uint16_t)(v >> 16));
}

void str_u64(struct str *s, uint64_t v)
{
	str_u32(s, (uint32_t)v);
	str_u32(s, (uint32_t)(v >> 32));
}

const char *str_text(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_take(struct str *s)
{
	char *data;

	str_add(s, "", 0);
	if (s->failed) {
		str_release(s);
		return NULL;
	}
	data = s->data;
	*s = (struct str)STR_INIT;
	return data;
}

char *str_format(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	return len < 0 ? NULL : text;
}
