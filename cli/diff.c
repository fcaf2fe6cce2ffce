/* SPDX-License-Identifier: MIT */
/* dsv diff - show what changed between two states, or on disk */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct dsv_diff_options options = {
	.size_bytes = sizeof(options),
	.tolerance = -1,
};
static const char *tolerance;
static bool exit_code;

static const struct opt opts[] = {
	{ .name = "tensors",
	  .help = "show which tensors changed, and how much",
	  .flag = &options.tensors },
	{ .name = "tol", .value = "X",
	  .help = "with --tensors: ignore differences within X",
	  .string = &tolerance },
	{ .name = "dir", .value = "DIR",
	  .help = "compare with the files in DIR", .string = &options.dir },
	{ .name = "path", .value = "GLOB",
	  .help = "only what matches (repeatable)",
	  .strings = &options.paths },
	{ .name = "exit-code", .help = "exit with 1 if something differs",
	  .flag = &exit_code },
	{ 0 },
};

static const char *const changes[] = {
	[DSV_ADDED] = "added", [DSV_REMOVED] = "removed",
	[DSV_CHANGED] = "changed",
};

/* ---- JSON ---- */

static void json_size(struct dsv_json *j, const char *key, int64_t size)
{
	if (size < 0)
		dsv_json_null(j, key);
	else
		dsv_json_int(j, key, size);
}

static void json_entries(struct dsv_json *j, const struct dsv_diff *diff)
{
	size_t i;

	dsv_json_array(j, "entries");
	for (i = 0; i < diff->entry_count; i++) {
		const struct dsv_diff_entry *e = &diff->entries[i];

		dsv_json_object(j, NULL);
		dsv_json_string(j, "path", e->path);
		dsv_json_string(j, "change", changes[e->change]);
		dsv_json_string(j, "what", e->what);
		json_size(j, "old_size", e->old_size_bytes);
		json_size(j, "new_size", e->new_size_bytes);
		dsv_json_end(j);
	}
	dsv_json_end(j);
}

static void json_value(struct dsv_json *j, const char *key,
		       const struct dsv_value *value)
{
	if (value)
		dsv_json_value(j, key, value);
	else
		dsv_json_null(j, key);
}

static void json_values(struct dsv_json *j, const char *key,
			const struct dsv_diff_value *items, size_t count)
{
	size_t i;

	dsv_json_array(j, key);
	for (i = 0; i < count; i++) {
		dsv_json_object(j, NULL);
		dsv_json_string(j, "key", items[i].key);
		json_value(j, "old", items[i].before);
		json_value(j, "new", items[i].after);
		dsv_json_end(j);
	}
	dsv_json_end(j);
}

/* JSON has no infinity: the string "inf" stands for it, as elsewhere. */
static void json_real(struct dsv_json *j, const char *key, double n,
		      bool known)
{
	if (!known)
		dsv_json_null(j, key);
	else if (isinf(n))
		dsv_json_string(j, key, "inf");
	else
		dsv_json_real(j, key, n);
}

static void json_shape(struct dsv_json *j, const char *key,
		       const int64_t *shape, size_t rank)
{
	size_t i;

	if (!shape) {
		dsv_json_null(j, key);
		return;
	}
	dsv_json_array(j, key);
	for (i = 0; i < rank; i++)
		dsv_json_int(j, NULL, shape[i]);
	dsv_json_end(j);
}

static void json_tensor(struct dsv_json *j, const struct dsv_diff_tensor *t)
{
	bool known = !t->not_compared;

	dsv_json_object(j, NULL);
	dsv_json_string(j, "path", t->path);
	dsv_json_string(j, "name", t->name);
	dsv_json_string(j, "change", changes[t->change]);
	dsv_json_string(j, "old_dtype", t->old_dtype);
	dsv_json_string(j, "new_dtype", t->new_dtype);
	json_shape(j, "old_shape", t->old_shape, t->old_rank);
	json_shape(j, "new_shape", t->new_shape, t->new_rank);
	json_real(j, "max", t->max, known);
	json_real(j, "rms", t->rms, known);
	json_real(j, "relative", t->relative, known);
	json_size(j, "elements", known ? t->elements : -1);
	json_size(j, "differing", known ? t->differing : -1);
	json_size(j, "nans", known ? t->nans : -1);
	dsv_json_string(j, "not_compared", t->change == DSV_CHANGED ?
			t->not_compared : NULL);
	dsv_json_end(j);
}

static int print_json(const struct dsv_diff *diff, struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();
	size_t i;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_object(j, NULL);
	dsv_json_string(j, "a", diff->a);
	dsv_json_string(j, "b", diff->b[0] ? diff->b : NULL);
	dsv_json_string(j, "dir", options.dir);
	json_entries(j, diff);
	json_values(j, "params", diff->params, diff->param_count);
	json_values(j, "attrs", diff->attrs, diff->attr_count);
	if (options.tensors) {
		dsv_json_array(j, "tensors");
		for (i = 0; i < diff->tensor_count; i++)
			json_tensor(j, &diff->tensors[i]);
		dsv_json_end(j);
	}
	dsv_json_end(j);
	return json_print(j, err);
}

/* ---- Text ---- */

static void print_entry(const struct dsv_diff_entry *e)
{
	char old[DSV_TIME_SIZE], new[DSV_TIME_SIZE];

	printf("%-7s  ", changes[e->change]);
	out_text(stdout, e->path);
	dsv_format_size(e->old_size_bytes, old);
	dsv_format_size(e->new_size_bytes, new);
	if (e->change != DSV_CHANGED)
		printf("  %s", e->change == DSV_ADDED ? new : old);
	else if (e->old_size_bytes != e->new_size_bytes)
		printf("  %s -> %s", old, new);
	else
		printf("  %s", e->what);
	putchar('\n');
}

static void print_values(const char *what, const struct dsv_diff_value *items,
			 size_t count)
{
	size_t i;

	for (i = 0; i < count && !cli_stopped(); i++) {
		const struct dsv_diff_value *v = &items[i];

		printf("%s  ", what);
		out_text(stdout, v->key);
		putchar(' ');
		out_text(stdout, v->before ? v->before->text : "(unset)");
		fputs(" -> ", stdout);
		out_text(stdout, v->after ? v->after->text : "(unset)");
		putchar('\n');
	}
}

static void print_type(const char *dtype, const int64_t *shape, size_t rank)
{
	size_t i;

	out_text(stdout, dtype);
	putchar('[');
	for (i = 0; i < rank; i++)
		printf("%s%" PRId64, i ? "," : "", shape[i]);
	putchar(']');
}

static bool same_type(const struct dsv_diff_tensor *t)
{
	size_t i;

	if (t->old_rank != t->new_rank || strcmp(t->old_dtype, t->new_dtype))
		return false;
	for (i = 0; i < t->old_rank; i++)
		if (t->old_shape[i] != t->new_shape[i])
			return false;
	return true;
}

static void print_tensor(const struct dsv_diff_tensor *t)
{
	printf("tensor   %-7s  ", changes[t->change]);
	out_text(stdout, t->path);
	putchar(' ');
	out_text(stdout, t->name);
	putchar(' ');
	if (t->old_dtype)
		print_type(t->old_dtype, t->old_shape, t->old_rank);
	if (t->change == DSV_CHANGED && !same_type(t))
		fputs(" -> ", stdout);
	if (t->change == DSV_ADDED ||
	    (t->change == DSV_CHANGED && !same_type(t)))
		print_type(t->new_dtype, t->new_shape, t->new_rank);
	if (t->change == DSV_CHANGED && t->not_compared)
		printf("  (%s)", t->not_compared);
	else if (t->change == DSV_CHANGED)
		printf("  max %.4g rms %.4g relative %.4g, %" PRId64 " of %"
		       PRId64, t->max, t->rms, t->relative, t->differing,
		       t->elements);
	if (t->nans)
		printf(", %" PRId64 " with nan", t->nans);
	putchar('\n');
}

static void print_text(const struct dsv_diff *diff)
{
	size_t i;

	for (i = 0; i < diff->entry_count && !cli_stopped(); i++)
		print_entry(&diff->entries[i]);
	print_values("param  ", diff->params, diff->param_count);
	print_values("attr   ", diff->attrs, diff->attr_count);
	for (i = 0; i < diff->tensor_count && !cli_stopped(); i++)
		print_tensor(&diff->tensors[i]);
}

/* ---- */

static int parse_tolerance(struct dsv_err *err)
{
	char *end;

	if (!tolerance)
		return 0;
	errno = 0;
	options.tolerance = strtod(tolerance, &end);
	if (end == tolerance || *end || !isfinite(options.tolerance) ||
	    options.tolerance < 0)
		return dsv_fail(err, DSV_EUSAGE, "--tol: '%s' is not a number"
				" >= 0", tolerance);
	if (!options.tensors)
		return dsv_fail(err, DSV_EUSAGE, "--tol needs --tensors");
	return 0;
}

static int run(struct dsv *d, int argc, char **argv, struct dsv_err *err)
{
	struct dsv_diff diff;
	bool differs;
	int ret;

	ret = options.dir ? cli_operands(argc, 1, 1, err) :
		cli_operands(argc, 2, 2, err);
	if (ret == 0)
		ret = parse_tolerance(err);
	if (ret < 0)
		return ret;
	options.a = argv[0];
	options.b = argv[1];
	ret = dsv_diff(d, &options, &diff, err);
	if (ret < 0)
		return ret;
	ui_progress_clear();
	differs = diff.entry_count + diff.param_count + diff.attr_count +
		diff.tensor_count > 0;
	if (cli.json) {
		ret = print_json(&diff, err);
	} else if (differs) {
		pager_start();
		print_text(&diff);
	}
	dsv_diff_free(&diff);
	return ret < 0 ? ret : exit_code && differs;
}

const struct cmd cmd_diff = {
	.name = "diff",
	.summary = "show what changed between two states, or on disk",
	.synopsis = "[OPTION...] REV REV\n[OPTION...] --dir DIR REV",
	.opts = opts,
	.flags = CMD_REPO | CMD_JSON | CMD_BRANCH,
	.run = run,
};
