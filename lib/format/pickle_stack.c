/* SPDX-License-Identifier: MIT */
#include "pickle_stack.h"

#include <stdlib.h>
#include <string.h>

/* A value takes 24 bytes and a place or two in the items of others. */
#define VALUES_MAX (2 << 20)
#define ITEMS_MAX (4 << 20)	/* places in all values together */
#define BLOCK_VALUES 1024

struct pickle_block {
	struct pickle_block *next;
	struct pickle_value values[BLOCK_VALUES];
};

bool pickle_no_memory(struct pickle *p)
{
	p->no_memory = true;
	return false;
}

struct pickle_value *pickle_new(struct pickle *p, enum pickle_type type)
{
	size_t used = p->values_count % BLOCK_VALUES;
	struct pickle_value *v;
	struct pickle_block *b;

	if (p->values_count == VALUES_MAX)
		return NULL;
	if (used == 0) {
		b = malloc(sizeof(*b));
		if (!b) {
			pickle_no_memory(p);
			return NULL;
		}
		b->next = p->blocks;
		p->blocks = b;
	}
	p->values_count++;
	v = &p->blocks->values[used];
	memset(v, 0, sizeof(*v));
	v->type = type;
	return v;
}

bool pickle_reserve(struct pickle *p, struct pickle_vector *v, size_t index)
{
	size_t capacity = v->capacity ? v->capacity : 256;
	struct pickle_value **grown;

	if (index >= VALUES_MAX)
		return false;
	while (capacity <= index)
		capacity *= 2;
	if (capacity == v->capacity)
		return true;
	grown = realloc(v->items, capacity * sizeof(*grown));
	if (!grown)
		return pickle_no_memory(p);
	v->items = grown;
	v->capacity = capacity;
	return true;
}

bool pickle_push(struct pickle *p, struct pickle_value *v)
{
	if (!v || !pickle_reserve(p, &p->stack, p->stack.count))
		return false;
	p->stack.items[p->stack.count++] = v;
	return true;
}

size_t pickle_height(const struct pickle *p)
{
	return p->stack.count -
		(p->marks_count ? p->marks[p->marks_count - 1] : 0);
}

struct pickle_value *pickle_pop(struct pickle *p)
{
	return pickle_height(p) ? p->stack.items[--p->stack.count] : NULL;
}

struct pickle_value *pickle_top(const struct pickle *p)
{
	return pickle_height(p) ? p->stack.items[p->stack.count - 1] : NULL;
}

bool pickle_extend(struct pickle *p, struct pickle_value *v,
		   struct pickle_value **items, size_t count)
{
	size_t capacity = v->capacity, want = v->len + count;
	struct pickle_value **grown;

	if (count == 0)
		return true;
	if (want > capacity) {
		if (capacity && capacity * 2 > want)
			want = capacity * 2;
		if (want - capacity > ITEMS_MAX - p->items_count)
			return false;
		grown = realloc(v->u.items, want * sizeof(*grown));
		if (!grown)
			return pickle_no_memory(p);
		p->items_count += want - capacity;
		v->u.items = grown;
		v->capacity = (uint32_t)want;
	}
	memcpy(v->u.items + v->len, items, count * sizeof(*items));
	v->len += (uint32_t)count;
	return true;
}

bool pickle_collect(struct pickle *p, enum pickle_type type, size_t count)
{
	struct pickle_value *v;

	if (count > pickle_height(p))
		return false;
	v = pickle_new(p, type);
	if (!v)
		return false;
	if (count && !pickle_extend(p, v, p->stack.items + p->stack.count -
				    count, count))
		return false;
	p->stack.count -= count;
	return pickle_push(p, v);
}

void pickle_free(struct pickle *p)
{
	size_t i, used;
	struct pickle_block *b;

	if (!p)
		return;
	used = p->values_count % BLOCK_VALUES;
	while ((b = p->blocks)) {
		if (used == 0)
			used = BLOCK_VALUES;
		for (i = 0; i < used; i++)
			if (b->values[i].type >= PICKLE_TUPLE)
				free(b->values[i].u.items);
		used = 0;
		p->blocks = b->next;
		free(b);
	}
	free(p->stack.items);
	free(p->memo.items);
	free(p->marks);
	free(p);
}
