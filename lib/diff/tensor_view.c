/* SPDX-License-Identifier: MIT */
#include "tensor_view.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_BYTES = 256 << 10,
	/* This is how much is held of a tensor that is read out of order. */
	WHOLE_MAX_BYTES = 64 << 20,
};

/* ---- Which elements, in which order ---- */

/* elements > 0.  Returns false if an element is not whole bytes. */
static bool init_view(struct view *v, struct side_file *f,
		      const struct format_tensor *t, int64_t elements)
{
	int64_t next;
	size_t i;

	v->file = f;
	v->offset_bytes = t->offset_bytes;
	v->whole = NULL;
	v->width = t->size_bytes / elements;
	if (v->width <= 0 || v->width * elements != t->size_bytes)
		return false;
	for (next = v->width, i = t->rank; i-- > 0; next *= t->shape[i]) {
		/* The stride of a dimension of 1 may be anything. */
		v->stride[i] = 0;
		if (t->shape[i] == 1)
			continue;
		if (t->contiguous)
			v->stride[i] = next;
		else if (t->stride[i] < 0 ||
			 __builtin_mul_overflow(t->stride[i], v->width,
						&v->stride[i]))
			return false;
	}
	return true;
}

static void swap(int64_t *items, size_t i, size_t k)
{
	int64_t kept = items[i];

	items[i] = items[k];
	items[k] = kept;
}

/* Sorts by the strides of a, then of b, the largest first. */
static void sort_dimensions(struct view_pair *p)
{
	int64_t *a = p->a.stride, *b = p->b.stride;
	size_t i, k;

	for (i = 1; i < p->rank; i++) {
		for (k = i; k > 0; k--) {
			if (a[k - 1] > a[k] ||
			    (a[k - 1] == a[k] && b[k - 1] >= b[k]))
				break;
			swap(a, k - 1, k);
			swap(b, k - 1, k);
			swap(p->size, k - 1, k);
		}
	}
}

/*
 * Leaves out dimensions of 1 and those in which both repeat themselves, and
 * joins those that follow one another in both.
 */
static void join_dimensions(struct view_pair *p)
{
	int64_t *a = p->a.stride, *b = p->b.stride;
	size_t i, n = 0;

	for (i = 0; i < p->rank; i++) {
		if (p->size[i] == 1)
			continue;
		if (a[i] == 0 && b[i] == 0) {
			p->repeated *= p->size[i];
			continue;
		}
		if (n > 0 && a[n - 1] == a[i] * p->size[i] &&
		    b[n - 1] == b[i] * p->size[i]) {
			p->size[n - 1] *= p->size[i];
			a[n - 1] = a[i];
			b[n - 1] = b[i];
			continue;
		}
		p->size[n] = p->size[i];
		a[n] = a[i];
		b[n++] = b[i];
	}
	p->rank = n;
}

static int64_t reach(const struct view_pair *p, const struct view *v)
{
	int64_t bytes = v->width;
	size_t i;

	for (i = 0; i < p->rank; i++)
		bytes += (p->size[i] - 1) * v->stride[i];
	return bytes;
}

static bool in_order(const struct view_pair *p, const struct view *v)
{
	size_t i;

	for (i = 1; i < p->rank; i++)
		if (v->stride[i] > v->stride[i - 1])
			return false;
	return true;
}

/* Treats blocks of several elements as consecutive bytes. */
static const char *init_bytes(struct view_pair *p,
			      const struct format_tensor *x,
			      const struct format_tensor *y)
{
	if (!x->contiguous || !y->contiguous || x->size_bytes != y->size_bytes)
		return "no numbers";
	p->rank = 1;
	p->size[0] = x->size_bytes;
	p->a.width = p->a.stride[0] = 1;
	p->b.width = p->b.stride[0] = 1;
	return NULL;
}

static const char *init_types(struct view_pair *p,
			      const struct format_tensor *x,
			      const struct format_tensor *y)
{
	int parts_a, parts_b;

	p->type_a = numeric_type_of(x->dtype, &parts_a);
	p->type_b = numeric_type_of(y->dtype, &parts_b);
	p->parts = parts_a;
	if (p->a.width != (int64_t)numeric_size(p->type_a) * parts_a ||
	    p->b.width != (int64_t)numeric_size(p->type_b) * parts_b)
		p->type_a = p->type_b = NUMERIC_NONE;
	if (strcmp(x->dtype, y->dtype) &&
	    (p->type_a == NUMERIC_NONE || p->type_b == NUMERIC_NONE ||
	     parts_a != parts_b))
		return "another type";
	return NULL;
}

const char *view_pair_init(struct view_pair *p, struct side_file *a,
			   const struct format_tensor *x, struct side_file *b,
			   const struct format_tensor *y)
{
	const char *why = NULL;
	int64_t elements = 1;
	size_t i;

	memset(p, 0, sizeof(*p));
	if (x->rank > VIEW_RANK_MAX)
		return "too many dimensions";
	p->rank = x->rank;
	for (i = 0; i < x->rank; i++) {
		p->size[i] = x->shape[i];
		if (__builtin_mul_overflow(elements, x->shape[i], &elements))
			return "too many elements";
	}
	if (elements <= 0)
		return NULL;
	p->repeated = 1;
	if (!init_view(&p->a, a, x, elements) ||
	    !init_view(&p->b, b, y, elements))
		why = init_bytes(p, x, y);
	p->a.file = a;
	p->b.file = b;
	p->b.offset_bytes = y->offset_bytes;
	if (!why)
		why = init_types(p, x, y);
	if (why)
		return why;
	sort_dimensions(p);
	join_dimensions(p);
	if (!in_order(p, &p->b) && reach(p, &p->b) > WHOLE_MAX_BYTES)
		return "another layout";
	return NULL;
}

void view_pair_release(struct view_pair *p)
{
	free(p->a.whole);
	free(p->b.whole);
	p->a.whole = p->b.whole = NULL;
}

/* ---- Their bytes ---- */

static int view_load(struct view_pair *p, struct view *v, struct dsv_err *err)
{
	int64_t bytes = reach(p, v);

	v->whole = malloc((size_t)bytes);
	if (!v->whole)
		return dsv_fail_nomem(err);
	return side_read(v->file, v->whole, (size_t)bytes, v->offset_bytes,
			 err);
}

static int view_read(struct view *v, int64_t at, void *buf, int64_t len,
		     struct dsv_err *err)
{
	if (!v->whole)
		return side_read(v->file, buf, (size_t)len,
				 v->offset_bytes + at, err);
	memcpy(buf, v->whole + at, (size_t)len);
	return 0;
}

/* Gathers count elements with a stride and packs them. */
static int view_gather(struct view *v, int64_t at, int64_t stride,
		       int64_t count, char *buf, struct dsv_err *err)
{
	int64_t i;
	int ret = 0;

	if (stride == v->width)
		return view_read(v, at, buf, count * v->width, err);
	for (i = 0; ret == 0 && i < count; i++)
		ret = view_read(v, at + i * stride, buf + i * v->width,
				v->width, err);
	return ret;
}

/* ---- Comparing ---- */

struct walk {
	struct view_pair *p;
	struct numeric_diff *out;
	char *x, *y;		/* BLOCK_BYTES each */
	bool differ;
};

/* Compares count elements in x and y. */
static void compare_block(struct walk *w, int64_t count)
{
	struct view_pair *p = w->p;

	if (p->type_a == p->type_b && p->a.width == p->b.width &&
	    !memcmp(w->x, w->y, (size_t)(count * p->a.width))) {
		numeric_equal(count * p->parts, w->out);
		return;
	}
	if (p->type_a != NUMERIC_NONE)
		numeric_compare(p->type_a, w->x, p->type_b, w->y,
				(size_t)(count * p->parts), p->tolerance,
				w->out);
	w->differ = true;
}

/*
 * Returns how many of count elements can be skipped or read at once, starting
 * at the given place of each.
 */
static int64_t next_run(struct walk *w, int64_t at_a, int64_t at_b,
			int64_t count, bool dense, bool *equal)
{
	struct view *a = &w->p->a, *b = &w->p->b;
	int64_t width = a->width > b->width ? a->width : b->width;
	int64_t n;

	*equal = false;
	if (dense && w->p->type_a == w->p->type_b && !a->whole && !b->whole) {
		n = side_run(a->file, a->offset_bytes + at_a, b->file,
			     b->offset_bytes + at_b, count * a->width, equal);
		/* An element that lies across an end is read. */
		if (n < a->width)
			*equal = false;
		n = n < a->width ? 1 : n / a->width;
		if (*equal || n < count)
			count = n;
	}
	if (!*equal && count > BLOCK_BYTES / width)
		count = BLOCK_BYTES / width;
	return count;
}

/* Compares the innermost dimension. */
static int compare_row(struct walk *w, int64_t at_a, int64_t at_b,
		       int64_t count, int64_t stride_a, int64_t stride_b,
		       struct dsv_err *err)
{
	struct view *a = &w->p->a, *b = &w->p->b;
	bool dense = stride_a == a->width && stride_b == b->width;
	bool equal;
	int64_t n;
	int ret = 0;

	for (; ret == 0 && count > 0; count -= n) {
		n = next_run(w, at_a, at_b, count, dense, &equal);
		if (equal) {
			numeric_equal(n * w->p->parts, w->out);
		} else {
			ret = view_gather(a, at_a, stride_a, n, w->x, err);
			if (ret == 0)
				ret = view_gather(b, at_b, stride_b, n, w->y,
						  err);
			if (ret == 0)
				compare_block(w, n);
			if (ret == 0)
				ret = repo_poll(a->file->side->d, err);
		}
		at_a += n * stride_a;
		at_b += n * stride_b;
	}
	return ret;
}

static int compare_rows(struct walk *w, struct dsv_err *err)
{
	const struct view_pair *p = w->p;
	int64_t index[VIEW_RANK_MAX] = { 0 };
	int64_t at_a = 0, at_b = 0;
	size_t last = p->rank - 1;
	size_t i;
	int ret;

	if (p->rank == 0)
		return compare_row(w, 0, 0, 1, p->a.width, p->b.width, err);
	for (;;) {
		ret = compare_row(w, at_a, at_b, p->size[last],
				  p->a.stride[last], p->b.stride[last], err);
		if (ret < 0)
			return ret;
		for (i = last; i-- > 0;) {
			at_a += p->a.stride[i];
			at_b += p->b.stride[i];
			if (++index[i] < p->size[i])
				break;
			at_a -= p->a.stride[i] * p->size[i];
			at_b -= p->b.stride[i] * p->size[i];
			index[i] = 0;
		}
		if (i == SIZE_MAX)
			return 0;
	}
}

int view_pair_compare(struct view_pair *p, struct numeric_diff *out,
		      bool *differ, struct dsv_err *err)
{
	struct walk w = { .p = p, .out = out };
	int ret = 0;

	*differ = false;
	if (p->repeated == 0)
		return 0;
	w.x = malloc(BLOCK_BYTES);
	w.y = malloc(BLOCK_BYTES);
	if (!w.x || !w.y)
		ret = dsv_fail_nomem(err);
	if (ret == 0 && !in_order(p, &p->b))
		ret = view_load(p, &p->b, err);
	if (ret == 0)
		ret = compare_rows(&w, err);
	free(w.x);
	free(w.y);
	if (ret < 0)
		return ret;
	/* The squares keep their mean if all elements repeat equally often. */
	out->squares *= (double)p->repeated;
	out->count *= p->repeated;
	out->differing *= p->repeated;
	out->nans *= p->repeated;
	*differ = w.differ;
	return 0;
}
