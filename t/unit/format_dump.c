/* SPDX-License-Identifier: MIT */
/*
 * format_dump FILE prints what lib/format finds in it, as one JSON object, for
 * t/150-formats.bats.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "../../lib/format/format.h"
#include "tap.h"

static const char *const kinds[] = {
	[FORMAT_OPAQUE] = "opaque",
	[FORMAT_SAFETENSORS] = "safetensors",
	[FORMAT_TORCH_ZIP] = "torch",
	[FORMAT_NPY] = "npy",
	[FORMAT_NPZ] = "npz",
	[FORMAT_GGUF] = "gguf",
};

static int read_file(void *arg, void *buf, size_t len, int64_t offset,
		     struct dsv_err *err)
{
	ssize_t n = pread(*(int *)arg, buf, len, offset);

	if (n < 0)
		return dsv_fail_errno(err, "read");
	if ((size_t)n != len)
		return dsv_fail(err, DSV_ESYS, "read: short");
	return 0;
}

static json_t *sizes(const int64_t *items, size_t count)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(array, json_integer(items[i]));
	return array;
}

static json_t *dump(const struct format_cuts *cuts,
		    const struct format_tensors *tensors)
{
	json_t *array = json_array(), *item, *content_defined = json_array();
	const struct format_tensor *t;
	size_t i;

	for (i = 0; i < cuts->count; i++)
		json_array_append_new(content_defined,
				      json_boolean(cuts->content_defined[i]));
	for (i = 0; i < tensors->count; i++) {
		t = &tensors->items[i];
		item = json_pack("{s:s, s:s, s:o, s:I, s:I}", "name", t->name,
				 "dtype", t->dtype,
				 "shape", sizes(t->shape, t->rank),
				 "offset", (json_int_t)t->offset_bytes,
				 "bytes", (json_int_t)t->size_bytes);
		if (t->stride)
			json_object_set_new(item, "stride",
					    sizes(t->stride, t->rank));
		json_array_append_new(array, item);
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "kind", kinds[cuts->kind],
			 "end", sizes(cuts->end, cuts->count),
			 "content_defined", content_defined,
			 "tensors", array);
}

int main(int argc, char **argv)
{
	struct format_source src = { .read = read_file };
	struct format_tensors tensors;
	struct format_cuts cuts;
	struct dsv_err err;
	struct stat st;
	json_t *json;
	int fd;

	if (argc != 2)
		return tap_skip_all("a tool: format_dump FILE");
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	must(fd >= 0 && fstat(fd, &st) == 0);
	src.size_bytes = st.st_size;
	src.arg = &fd;
	if (format_cut(&src, &cuts, &err) < 0 ||
	    format_tensors(&src, &tensors, &err) < 0) {
		fprintf(stderr, "format_dump: %s\n", err.msg);
		return 1;
	}
	json = dump(&cuts, &tensors);
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
	format_cuts_release(&cuts);
	format_tensors_release(&tensors);
	close(fd);
	return 0;
}
