/* SPDX-License-Identifier: MIT */
/*
 * A struct str is a byte buffer that grows.  It remembers that memory ran out:
 * add everything, and ask str_failed() once, at the end.
 */
#ifndef DSV_BASE_STR_H
#define DSV_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
	char *data;	/* NUL-terminated when not NULL */
	size_t len;
	size_t capacity;
	bool failed;
};

#define STR_INIT { NULL, 0, 0, false }

void str_release(struct str *s);
void str_clear(struct str *s);	/* keeps the memory */
void str_add(struct str *s, const void *data, size_t len);
void str_puts(struct str *s, const char *text);
void str_putc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* These append little-endian integers, as all our binary formats use them. */
void str_u8(struct str *s, uint8_t v);
void str_u16(struct str *s, uint16_t v);
void str_u32(struct str *s, uint32_t v);
void str_u64(struct str *s, uint64_t v);

static inline bool str_failed(const struct str *s)
{
	return s->failed;
}

/* Returns the text, never NULL; it is borrowed. */
const char *str_text(const struct str *s);

/*
 * Hands the text over to the caller, who frees it; returns NULL when out of
 * memory.
 */
char *str_take(struct str *s);

/* Works like asprintf(), but returns the string, or NULL. */
char *str_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* These read little-endian integers. */
static inline uint16_t get_u16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const unsigned char *p)
{
	return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static inline uint64_t get_u64(const unsigned char *p)
{
	return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

#endif
