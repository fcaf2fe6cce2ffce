/* SPDX-License-Identifier: MIT */
/*
 * Compares tensor by tensor, in the types that the files hold, without reading
 * what the recipes say is equal.
 */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"
#include "../base/texts.h"
#include "../format/format.h"
#include "tensor_view.h"

void diff_tensor_release(struct dsv_diff_tensor *t)
{
	text_free(t->name);
	text_free(t->old_dtype);
	text_free(t->new_dtype);
	free((int64_t *)t->old_shape);
	free((int64_t *)t->new_shape);
}

/* ---- What is reported ---- */

static bool copy_type(const struct format_tensor *t, const char **dtype,
		      size_t *rank, const int64_t **shape)
{
	int64_t *copy;

	if (!t)
		return true;
	copy = malloc((t->rank + 1) * sizeof(*copy));
	*shape = copy;
	*dtype = strdup(t->dtype);
	*rank = t->rank;
	if (!copy || !*dtype)
		return false;
	if (t->rank > 0)
		memcpy(copy, t->shape, t->rank * sizeof(*copy));
	return true;
}

static int report(struct dsv_diff *diff, const char *path,
		  const struct format_tensor *x, const struct format_tensor *y,
		  const char *not_compared, const struct numeric_diff *numbers,
		  struct dsv_err *err)
{
	struct dsv_diff_tensor *t;
	int ret;

	ret = list_grow((void **)&diff->tensors, diff->tensor_count,
			sizeof(*t), err);
	if (ret < 0)
		return ret;
	t = &diff->tensors[diff->tensor_count++];
	*t = (struct dsv_diff_tensor){
		.path = path,
		.name = strdup(x ? x->name : y->name),
		.change = !x ? DSV_ADDED : !y ? DSV_REMOVED : DSV_CHANGED,
		.not_compared = not_compared,
	};
	if (!t->name ||
	    !copy_type(x, &t->old_dtype, &t->old_rank, &t->old_shape) ||
	    !copy_type(y, &t->new_dtype, &t->new_rank, &t->new_shape))
		return dsv_fail_nomem(err);
	if (not_compared)
		return 0;
	t->elements = numbers->count;
	t->differing = numbers->differing;
	t->nans = numbers->nans;
	t->max = numbers->max;
	t->rms = numeric_rms(numbers);
	t->relative = numbers->relative;
	return 0;
}

/* ---- One tensor ---- */

static bool same_shape(const struct format_tensor *x,
		       const struct format_tensor *y)
{
	return x->rank == y->rank &&
		(x->rank == 0 ||
		 !memcmp(x->shape, y->shape, x->rank * sizeof(*x->shape)));
}

/*
 * *unknown is the reason why nothing is known of the numbers, or NULL.  *differ
 * says whether any byte differs.
 */
static int diff_numbers(struct side_file *a, const struct format_tensor *x,
			struct side_file *b, const struct format_tensor *y,
			double tolerance, struct numeric_diff *numbers,
			bool *differ, const char **unknown,
			struct dsv_err *err)
{
	struct view_pair pair;
	int ret;

	*differ = true;
	*unknown = NULL;
	if (!same_shape(x, y))
		*unknown = "another shape";
	else
		*unknown = view_pair_init(&pair, a, x, b, y);
	if (*unknown)
		return 0;
	pair.tolerance = tolerance > 0 ? tolerance : 0;
	ret = view_pair_compare(&pair, numbers, differ, err);
	view_pair_release(&pair);
	if (ret == 0 && (pair.type_a == NUMERIC_NONE ||
			 pair.type_b == NUMERIC_NONE))
		*unknown = "no numbers";
	return ret;
}

static int diff_one(const char *path, struct side_file *a,
		    const struct format_tensor *x, struct side_file *b,
		    const struct format_tensor *y, double tolerance,
		    struct dsv_diff *diff, struct dsv_err *err)
{
	struct numeric_diff numbers = NUMERIC_DIFF_INIT;
	const char *unknown;
	bool changed;
	int ret;

	ret = diff_numbers(a, x, b, y, tolerance, &numbers, &changed, &unknown,
			   err);
	if (ret < 0)
		return dsv_fail_in(err, ret, "tensor '%s'", x->name);
	if (tolerance >= 0 && !unknown)
		changed = numbers.differing > 0;
	if (strcmp(x->dtype, y->dtype))
		changed = true;
	return changed ? report(diff, path, x, y, unknown, &numbers, err) : 0;
}

/* ---- All of a file ---- */

/* Sorts by a tensor's name, and by its place if two share a name. */
static int by_name(const void *a, const void *b)
{
	const struct format_tensor *x = *(struct format_tensor *const *)a;
	const struct format_tensor *y = *(struct format_tensor *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x > y) - (x < y);
}

/* Lists the tensors of f (NULL: none), and pointers to them by name. */
static int list_tensors(struct side_file *f, struct format_tensors *tensors,
			struct format_tensor ***out, struct dsv_err *err)
{
	struct format_source source = { .read = side_read, .arg = f };
	struct format_tensor **list;
	size_t i;
	int ret;

	if (f) {
		source.size_bytes = f->size_bytes;
		ret = format_tensors(&source, tensors, err);
		if (ret < 0)
			return ret;
	}
	list = malloc((tensors->count + 1) * sizeof(*list));
	if (!list)
		return dsv_fail_nomem(err);
	for (i = 0; i < tensors->count; i++)
		list[i] = &tensors->items[i];
	if (tensors->count > 1)
		qsort(list, tensors->count, sizeof(*list), by_name);
	*out = list;
	return 0;
}

int diff_tensors(const char *path, struct side_file *a, struct side_file *b,
		 double tolerance, struct dsv_diff *diff, bool *held,
		 struct dsv_err *err)
{
	struct format_tensors old = { .count = 0 }, new = { .count = 0 };
	struct format_tensor **x = NULL, **y = NULL;
	size_t i = 0;
	size_t k = 0;
	int ret;

	ret = list_tensors(a, &old, &x, err);
	if (ret == 0)
		ret = list_tensors(b, &new, &y, err);
	while (ret == 0 && (i < old.count || k < new.count)) {
		int order = i == old.count ? 1 : k == new.count ? -1 :
			strcmp(x[i]->name, y[k]->name);

		if (order == 0)
			ret = diff_one(path, a, x[i], b, y[k], tolerance,
				       diff, err);
		else
			ret = report(diff, path, order < 0 ? x[i] : NULL,
				     order < 0 ? NULL : y[k], "only in one",
				     NULL, err);
		i += order <= 0;
		k += order >= 0;
	}
	if (ret == 0)
		*held = old.count > 0 && new.count > 0;
	free(x);
	free(y);
	format_tensors_release(&old);
	format_tensors_release(&new);
	return ret;
}
