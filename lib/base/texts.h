/* SPDX-License-Identifier: MIT */
/*
 * Lists of texts that own them; struct dsv_strings is one that is borrowed.
 */
#ifndef DSV_BASE_TEXTS_H
#define DSV_BASE_TEXTS_H

#include <stdlib.h>

#include "../dsv.h"

struct texts {
	size_t count;
	char **items;
};

#define TEXTS_INIT { 0, NULL }

/* Appends a copy. */
int texts_add(struct texts *t, const char *text, struct dsv_err *err);
/*
 * Appends text itself, which is freed on failure.  NULL: whoever made it was
 * out of memory.
 */
int texts_take(struct texts *t, char *text, struct dsv_err *err);
void texts_release(struct texts *t);

/* The list as dsv.h has it, borrowed. */
static inline struct dsv_strings texts_view(const struct texts *t)
{
	return (struct dsv_strings){ t->count, (const char *const *)t->items };
}

/* Frees what a public struct owns, which shows it as const: a view ... */
void texts_free_view(const struct dsv_strings *view);

/* ... or one text. */
static inline void text_free(const char *text)
{
	free((char *)text);
}

#endif
