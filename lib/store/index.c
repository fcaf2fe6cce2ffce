/* SPDX-License-Identifier: MIT */
/* This reads and writes the .idx beside a segment. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../os/fs.h"
#include "../os/paths.h"

static const char magic[4] = { 'D', 'S', 'V', 'I' };

#define VERSION 1
#define HEADER_BYTES 10		/* magic, version, kind, count */
#define ENTRY_BYTES 85
#define LIMIT_BYTES (1u << 30)

void segment_index_release(struct segment_index *index)
{
	free(index->chunks);
	index->chunks = NULL;
	index->count = 0;
}

int segment_index_encode(const struct segment_index *index, struct str *out,
			 struct dsv_err *err)
{
	static const unsigned char no_base[HASH_BYTES];
	unsigned char hash[HASH_BYTES];
	size_t start = out->len;
	size_t i;

	if (index->count > (LIMIT_BYTES - HEADER_BYTES - HASH_BYTES) /
			   ENTRY_BYTES)
		return dsv_fail(err, DSV_ESYS, "too many chunks in a segment");
	str_add(out, magic, sizeof(magic));
	str_u8(out, VERSION);
	str_u8(out, (uint8_t)index->kind);
	str_u32(out, (uint32_t)index->count);
	for (i = 0; i < index->count; i++) {
		const struct chunk *c = &index->chunks[i];

		str_add(out, c->hash, HASH_BYTES);
		str_u64(out, (uint64_t)c->offset);
		str_u32(out, c->length);
		str_u32(out, c->stored_length);
		str_u8(out, c->encoding);
		str_add(out, no_base, HASH_BYTES);
		str_u32(out, c->crc32c);
	}
	if (str_failed(out) ||
	    !hash_bytes(out->data + start, out->len - start, hash))
		return dsv_fail_nomem(err);
	str_add(out, hash, HASH_BYTES);
	return str_failed(out) ? dsv_fail_nomem(err) : 0;
}

static int corrupt(struct dsv_err *err, const char *what)
{
	return dsv_fail(err, DSV_ECORRUPT, "%s", what);
}

static int decode_entry(const unsigned char *p, int64_t end, struct chunk *c,
			struct dsv_err *err)
{
	uint64_t offset = get_u64(p + 32);

	memset(c, 0, sizeof(*c));
	memcpy(c->hash, p, HASH_BYTES);
	c->length = get_u32(p + 40);
	c->stored_length = get_u32(p + 44);
	c->encoding = p[48];
	c->crc32c = get_u32(p + 81);
	if (!codec_is_known(c) || !is_zero(p + 49, HASH_BYTES))
		return corrupt(err, "a chunk's encoding needs a newer dsv");
	if (offset > INT64_MAX || (int64_t)offset < end)
		return corrupt(err, "chunks overlap");
	c->offset = (int64_t)offset;
	if (!chunk_is_sane(c, INT64_MAX))
		return corrupt(err, "a chunk's length is impossible");
	return 0;
}

int segment_index_decode(const void *data, size_t len,
			 struct segment_index *out, struct dsv_err *err)
{
	const unsigned char *p = data;
	unsigned char hash[HASH_BYTES];
	struct segment_index index = { 0 };
	int64_t end = 0;
	size_t i;
	int ret;

	if (len < HEADER_BYTES + HASH_BYTES || memcmp(p, magic, sizeof(magic)))
		return corrupt(err, "not an index");
	if (p[4] != VERSION)
		return corrupt(err, "an index from a newer dsv");
	if (!hash_bytes(p, len - HASH_BYTES, hash))
		return dsv_fail_nomem(err);
	if (memcmp(hash, p + len - HASH_BYTES, HASH_BYTES))
		return corrupt(err, "its hash is wrong");
	index.kind = (enum segment_kind)p[5];
	index.count = get_u32(p + 6);
	if ((p[5] != SEGMENT_MIRROR && p[5] != SEGMENT_PACKED) ||
	    (uint64_t)index.count * ENTRY_BYTES !=
	    len - HEADER_BYTES - HASH_BYTES)
		return corrupt(err, "its length or kind is wrong");
	index.chunks = calloc(index.count ? index.count : 1,
			      sizeof(*index.chunks));
	if (!index.chunks)
		return dsv_fail_nomem(err);
	for (i = 0; i < index.count; i++) {
		ret = decode_entry(p + HEADER_BYTES + i * ENTRY_BYTES, end,
				   &index.chunks[i], err);
		if (ret < 0) {
			segment_index_release(&index);
			return ret;
		}
		end = index.chunks[i].offset + index.chunks[i].stored_length;
	}
	*out = index;
	return 0;
}

/*
 * An index that refers to bytes that the segment lacks belongs to another one.
 */
static int check_size(struct store *s, const char *name,
		      const struct segment_index *index, struct dsv_err *err)
{
	char *path = segment_path(s->dir, name, "");
	const struct chunk *last;
	struct stat st;
	int ret = 0;

	if (!path)
		return dsv_fail_nomem(err);
	if (stat(path, &st) < 0) {
		ret = errno == ENOENT ?
		      corrupt(err, "its segment is missing") :
		      dsv_fail_errno(err, "stat '%s'", path);
	} else if (index->count > 0) {
		last = &index->chunks[index->count - 1];
		if (!chunk_is_sane(last, st.st_size))
			ret = corrupt(err, "its segment is too short");
	}
	free(path);
	return ret;
}

int segment_index_read(struct store *s, const char *name,
		       struct segment_index *out, struct dsv_err *err)
{
	struct segment_index index = { 0 };
	struct str text = STR_INIT;
	char *path = NULL;
	size_t i;
	int ret;

	if (!segment_name_is_valid(name))
		return dsv_fail(err, DSV_ECORRUPT, "not a segment name");
	path = segment_path(s->dir, name, ".idx");
	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, LIMIT_BYTES, &text, err);
	if (ret < 0)
		goto out;
	ret = segment_index_decode(text.data, text.len, &index, err);
	if (ret == 0)
		ret = check_size(s, name, &index, err);
	if (ret < 0) {
		ret = dsv_fail_in(err, ret, "index '%s'", path);
		segment_index_release(&index);
		goto out;
	}
	for (i = 0; i < index.count; i++)
		memcpy(index.chunks[i].segment, name, SEGMENT_NAME_SIZE);
	*out = index;
out:
	str_release(&text);
	free(path);
	return ret;
}

static int open_temporary(struct store *s, const char *name, char **path,
			  int *fd, struct dsv_err *err)
{
	unsigned char nonce[8];
	char suffix[2 * sizeof(nonce) + 1];
	char *dir;

	if (!random_bytes(nonce, sizeof(nonce)))
		return dsv_fail_errno(err, "get random bytes");
	hex_encode(nonce, sizeof(nonce), suffix);
	*path = str_format("%s/" DIR_TMP "/%s.idx-%s", s->dir, name, suffix);
	if (!*path)
		return dsv_fail_nomem(err);
	*fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (*fd < 0 && errno == ENOENT) {
		dir = str_format("%s/" DIR_TMP, s->dir);
		if (dir)
			fs_make_own_dirs(dir, s->dir_mode, NULL);
		free(dir);
		*fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			   0666);
	}
	if (*fd < 0)
		return dsv_fail_errno(err, "create '%s'", *path);
	return 0;
}

int segment_index_stage(struct store *s, const char *name,
			const struct segment_index *index, char **path,
			int *fd, struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *new_path = NULL;
	int new_fd = -1;
	int ret;

	ret = segment_index_encode(index, &text, err);
	if (ret == 0)
		ret = open_temporary(s, name, &new_path, &new_fd, err);
	if (ret < 0)
		goto out;
	if (write_all(new_fd, text.data, text.len) < 0 ||
	    store_seal(s, new_fd) < 0) {
		ret = dsv_fail_errno(err, "write '%s'", new_path);
		goto out;
	}
	*path = new_path;
	*fd = new_fd;
	new_path = NULL;
	new_fd = -1;
out:
	if (new_fd >= 0) {
		close(new_fd);
		unlink(new_path);
	}
	free(new_path);
	str_release(&text);
	return ret;
}

int segment_index_write(struct store *s, const char *name,
			const struct segment_index *index, struct dsv_err *err)
{
	char *path = segment_path(s->dir, name, ".idx");
	char *staged = NULL;
	int fd = -1;
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = segment_index_stage(s, name, index, &staged, &fd, err);
	if (ret < 0)
		goto out;
	if ((s->fsync && fsync(fd) < 0) || rename(staged, path) < 0) {
		ret = dsv_fail_errno(err, "replace '%s'", path);
		unlink(staged);
		goto out;
	}
	if (s->fsync)
		ret = fs_sync_parent(path, err);
out:
	if (fd >= 0)
		close(fd);
	free(staged);
	free(path);
	return ret;
}
