/* SPDX-License-Identifier: MIT */
/* These lists own their texts; struct dsv_strings is a borrowed one. */
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
 * Appends text itself, which is freed on failure.  It may be NULL, if its maker
 * was out of memory.
 */
int texts_take(struct texts *t, char *text, struct dsv_err *err);
void texts_release(struct texts *t);

/* Returns the list as dsv.h declares it, borrowed. */
static inline struct dsv_strings texts_view(const struct texts *t)
{
	return (struct dsv_strings){ t->count, (const char *const *)t->items };
}

/* Frees what a public struct owns and declares const: a view ... */
void texts_free_view(const struct dsv_strings *view);

/* ... or one text. */
static inline void text_free(const char *text)
{
	free((char *)text);
}

#endif
