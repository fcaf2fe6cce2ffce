/* SPDX-License-Identifier: MIT */
#include "texts.h"

#include <string.h>

#include "list.h"

int texts_add(struct texts *t, const char *text, struct dsv_err *err)
{
	return texts_take(t, strdup(text), err);
}

int texts_take(struct texts *t, char *text, struct dsv_err *err)
{
	int ret;

	ret = text ? list_grow((void **)&t->items, t->count, sizeof(text),
			       err) : dsv_fail_nomem(err);
	if (ret < 0)
		free(text);
	else
		t->items[t->count++] = text;
	return ret;
}

void texts_release(struct texts *t)
{
	while (t->count > 0)
		free(t->items[--t->count]);
	free(t->items);
	t->items = NULL;
}

void texts_free_view(const struct dsv_strings *view)
{
	struct texts owned = { view->count, (char **)view->items };

	texts_release(&owned);
}
