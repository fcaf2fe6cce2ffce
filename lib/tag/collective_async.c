/* SPDX-License-Identifier: MIT */
/* Collective tags of what is captured only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../os/fs.h"
#include "../pending/parts.h"
#include "tagging.h"

/* Up to this size the ranks compare the bytes of files at once. */
#define COMPARED_BYTES (1 << 20)

/* In place of a recipe the hash of a small file; of others it is 0. */
static int describe_file(const struct capture *c, struct manifest_entry *e,
			 struct dsv_err *err)
{
	char *path = str_format("%s/files/%s", c->dir, e->path);
	struct str text = STR_INIT;
	struct stat st;
	int ret = 0;

	if (!path)
		return dsv_fail_nomem(err);
	if (stat(path, &st) < 0)
		ret = dsv_fail_errno(err, "'%s'", path);
	else if (st.st_size <= COMPARED_BYTES)
		ret = fs_read(path, COMPARED_BYTES, &text, err);
	if (ret == 0)
		e->size_bytes = st.st_size;
	if (ret == 0 && st.st_size <= COMPARED_BYTES &&
	    !hash_bytes(str_text(&text), text.len, e->recipe))
		ret = dsv_fail_nomem(err);
	str_release(&text);
	free(path);
	return ret;
}

static int describe(const struct tree *tree, const struct capture *c,
		    struct manifest *m, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < tree->count; i++) {
		const struct tree_file *file = &tree->files[i];
		struct manifest_entry e = {
			.type = file->type,
			.executable = file->executable,
			.part = -1,
			.path = strdup(file->path),
			.target = file->target ? strdup(file->target) : NULL,
		};

		if (!e.path || (file->target && !e.target))
			ret = dsv_fail_nomem(err);
		else if (e.type == DSV_FILE)
			ret = describe_file(c, &e, err);
		if (ret == 0) {
			ret = manifest_add(m, &e, err);
		} else {
			free(e.path);
			free(e.target);
		}
	}
	return ret;
}

int collective_capture(struct group *g, const struct tree *tree, bool move,
		       struct capture *c, json_t *part, struct dsv_err *err)
{
	struct manifest m = MANIFEST_INIT;
	char hex[HASH_HEX_SIZE];
	char *list = NULL;
	json_t *json = NULL;
	int ret;

	ret = capture_make(g->d, tree, move, c, err);
	if (ret < 0)
		return ret;
	ret = describe(tree, c, &m, err);
	if (ret == 0) {
		hash_to_hex(c->id, hex);
		list = part_list_text(&m);
		json = json_pack("{s:s, s:s, s:s*}", "host", c->host,
				 "capture", hex, "list", list);
		if (!list || !json || json_object_update(part, json) < 0)
			ret = dsv_fail_nomem(err);
	}
	json_decref(json);
	free(list);
	manifest_release(&m);
	if (ret < 0) {
		capture_undo(g->d, tree, c);
		capture_release(c);
	}
	return ret;
}

/* Lists what all have captured, as far as it is known. */
static int merge_lists(struct gathering *x, struct dsv_err *err)
{
	struct manifest part = MANIFEST_INIT;
	int64_t rank;
	int ret = 0;

	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++) {
		ret = part_list(x->parts[rank], &part, err);
		if (ret == 0)
			ret = manifest_merge(&x->top, &part, rank, err);
		manifest_release(&part);
	}
	return ret == 0 ? gathering_settle(x, err) : ret;
}

int collective_captured(struct gathering *x, unsigned char capture[HASH_BYTES],
			struct dsv_err *err)
{
	json_t *parts = json_array();
	json_t *group;
	int64_t rank;
	int ret = merge_lists(x, err);

	for (rank = 0; ret == 0 && rank < x->g->ranks; rank++) {
		const json_t *part = x->parts[rank];

		if (json_array_append_new(parts, json_pack("[O, O]",
			json_object_get(part, "host"),
			json_object_get(part, "capture"))) < 0)
			ret = dsv_fail(err, DSV_ESYS, "the part of rank"
				       " %" PRId64 " is damaged", rank);
	}
	group = json_pack("{s:b, s:o}", "replicated", x->replicated, "parts",
			  parts);
	if (ret == 0)
		ret = group ? parts_note(x->g->d, group, capture, err) :
			dsv_fail_nomem(err);
	json_decref(group);
	return ret;
}
