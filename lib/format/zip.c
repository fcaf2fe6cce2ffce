/* SPDX-License-Identifier: MIT */
#include "zip.h"

#include <stdlib.h>
#include <string.h>

#include "../base/str.h"

#define LOCAL_MAGIC 0x04034b50
#define CENTRAL_MAGIC 0x02014b50
#define END_MAGIC 0x06054b50
#define END64_MAGIC 0x06064b50
#define LOCATOR_MAGIC 0x07064b50

#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define END_BYTES 22
#define END64_BYTES 56
#define LOCATOR_BYTES 20
#define COMMENT_MAX 65535

#define EXTRA_ZIP64 1

/* This is what the end of an archive says about its central directory. */
struct zip_end {
	int64_t position;	/* where the directory ends */
	uint64_t count, size, offset;
};

/* Returns where the end record is in the last len bytes, or -1. */
static int find_end(const unsigned char *tail, int len)
{
	int i;

	for (i = len - END_BYTES; i >= 0; i--)
		if (get_u32(tail + i) == END_MAGIC &&
		    i + END_BYTES + get_u16(tail + i + 20) == len)
			return i;
	return -1;
}

/*
 * Reads the zip64 end record, of 56 bytes if we are to understand it.  It is
 * just before its locator, wherever the locator says it is: that offset counts
 * from the start of the archive, which is not known yet.
 */
static int read_end64(const struct format_source *src, struct zip_end *e,
		      struct dsv_err *err)
{
	unsigned char b[END64_BYTES + LOCATOR_BYTES];
	bool needed = e->count == 0xffff || e->size == 0xffffffff ||
		e->offset == 0xffffffff;
	int ret;

	ret = source_read(src, b, sizeof(b),
			  e->position - (int64_t)sizeof(b), err);
	if (ret < 0)
		return ret;
	if (ret != FORMAT_YES || get_u32(b) != END64_MAGIC ||
	    get_u32(b + END64_BYTES) != LOCATOR_MAGIC ||
	    get_u64(b + 4) != END64_BYTES - 12)
		return needed ? FORMAT_NO : FORMAT_YES;
	if (get_u64(b + 24) != get_u64(b + 32))
		return FORMAT_NO;
	e->count = get_u64(b + 32);
	e->size = get_u64(b + 40);
	e->offset = get_u64(b + 48);
	e->position -= (int64_t)sizeof(b);
	return FORMAT_YES;
}

static int read_end(const struct format_source *src, int64_t end,
		    struct zip_end *e, struct dsv_err *err)
{
	int len = END_BYTES + COMMENT_MAX, at, ret;
	unsigned char *tail = NULL;

	/* Without a comment, as usual, 22 bytes are enough. */
	ret = source_load(src, end - END_BYTES, END_BYTES, &tail, err);
	if (ret != FORMAT_YES)
		return ret;
	at = find_end(tail, END_BYTES);
	if (at < 0) {
		free(tail);
		if (end < len)
			len = (int)end;
		ret = source_load(src, end - len, (size_t)len, &tail, err);
		if (ret != FORMAT_YES)
			return ret;
		at = find_end(tail, len);
	} else {
		len = END_BYTES;
	}
	ret = FORMAT_NO;
	if (at >= 0 && get_u16(tail + at + 8) == get_u16(tail + at + 10)) {
		e->position = end - len + at;
		e->count = get_u16(tail + at + 10);
		e->size = get_u32(tail + at + 12);
		e->offset = get_u32(tail + at + 16);
		ret = read_end64(src, e, err);
	}
	free(tail);
	return ret;
}

/* Reads the 64-bit values that replace saturated ones, in this order. */
static bool read_extra64(const unsigned char *extra, size_t len,
			 uint64_t *plain, uint64_t *size, uint64_t *offset)
{
	uint64_t *const fields[] = { plain, size, offset };
	size_t i, at = 0, field_len;

	while (at + 4 <= len && get_u16(extra + at) != EXTRA_ZIP64)
		at += 4 + (size_t)get_u16(extra + at + 2);
	field_len = at + 4 <= len ? get_u16(extra + at + 2) : 0;
	at += 4;
	if (field_len && at + field_len > len)
		return false;
	for (i = 0; i < 3; i++) {
		if (*fields[i] != 0xffffffff)
			continue;
		if (field_len < 8)
			return false;
		*fields[i] = get_u64(extra + at);
		at += 8;
		field_len -= 8;
	}
	return true;
}

/*
 * Returns the length of the record in the directory, or 0 if it is malformed.
 */
static size_t read_central(const unsigned char *p, size_t len,
			   const struct zip *zip, int64_t directory_offset,
			   struct zip_entry *entry)
{
	uint64_t plain, size, offset, room;
	size_t name_len, extra_len, used;

	if (len < CENTRAL_BYTES || get_u32(p) != CENTRAL_MAGIC)
		return 0;
	name_len = get_u16(p + 28);
	extra_len = get_u16(p + 30);
	used = CENTRAL_BYTES + name_len + extra_len + get_u16(p + 32);
	if (used > len)
		return 0;
	size = get_u32(p + 20);
	plain = get_u32(p + 24);
	offset = get_u32(p + 42);
	if (!read_extra64(p + CENTRAL_BYTES + name_len, extra_len, &plain,
			  &size, &offset))
		return 0;
	room = (uint64_t)(directory_offset - zip->start);
	if (offset > room || size > room - offset)
		return 0;
	entry->method = get_u16(p + 10);
	if (entry->method == ZIP_STORED && size != plain)
		return 0;
	entry->name = (const char *)p + CENTRAL_BYTES;
	entry->name_len = name_len;
	entry->header_offset = zip->start + (int64_t)offset;
	entry->size_bytes = (int64_t)size;
	return used;
}

static int compare_entries(const void *a, const void *b)
{
	const struct zip_entry *x = a, *y = b;

	return x->header_offset < y->header_offset ? -1 :
		x->header_offset > y->header_offset;
}

static int compare_names(const char *x, size_t x_len, const char *y,
			 size_t y_len)
{
	int ret = memcmp(x, y, x_len < y_len ? x_len : y_len);

	return ret ? ret : x_len < y_len ? -1 : x_len > y_len;
}

static int compare_by_name(const void *a, const void *b)
{
	const struct zip_entry *x = *(struct zip_entry *const *)a;
	const struct zip_entry *y = *(struct zip_entry *const *)b;

	return compare_names(x->name, x->name_len, y->name, y->name_len);
}

static int index_names(struct zip *zip, struct dsv_err *err)
{
	size_t i;

	zip->by_name = calloc(zip->count, sizeof(*zip->by_name));
	if (!zip->by_name)
		return dsv_fail_nomem(err);
	for (i = 0; i < zip->count; i++)
		zip->by_name[i] = &zip->entries[i];
	qsort(zip->by_name, zip->count, sizeof(*zip->by_name),
	      compare_by_name);
	for (i = 1; i < zip->count; i++)
		if (!compare_by_name(&zip->by_name[i - 1], &zip->by_name[i]))
			return FORMAT_NO;
	return FORMAT_YES;
}

/*
 * Finds the data; name and extra field may be longer or shorter here than in
 * the directory.
 */
static int locate_data(const struct format_source *src, struct zip *zip,
		       int64_t directory_offset, struct dsv_err *err)
{
	unsigned char b[LOCAL_BYTES];
	struct zip_entry *e;
	int64_t next;
	size_t i;
	int ret;

	for (i = 0; i < zip->count; i++) {
		e = &zip->entries[i];
		next = i + 1 < zip->count ?
			zip->entries[i + 1].header_offset : directory_offset;
		ret = source_read(src, b, sizeof(b), e->header_offset, err);
		if (ret != FORMAT_YES)
			return ret;
		e->data_offset = e->header_offset + LOCAL_BYTES +
			get_u16(b + 26) + get_u16(b + 28);
		if (get_u32(b) != LOCAL_MAGIC ||
		    get_u16(b + 26) != e->name_len || e->data_offset > next ||
		    e->size_bytes > next - e->data_offset)
			return FORMAT_NO;
	}
	return FORMAT_YES;
}

static int read_directory(const struct format_source *src,
			  const struct zip_end *e, struct zip *zip,
			  struct dsv_err *err)
{
	size_t at = 0, used, i;
	int ret;

	ret = source_load(src, e->position - (int64_t)e->size, e->size,
			  &zip->directory, err);
	if (ret != FORMAT_YES)
		return ret;
	zip->entries = calloc(e->count, sizeof(*zip->entries));
	if (!zip->entries)
		return dsv_fail_nomem(err);
	zip->count = e->count;
	zip->directory_bytes = e->size;
	for (i = 0; i < zip->count; i++) {
		used = read_central(zip->directory + at, e->size - at, zip,
				    e->position - (int64_t)e->size,
				    &zip->entries[i]);
		if (!used)
			return FORMAT_NO;
		at += used;
	}
	if (at != e->size)
		return FORMAT_NO;
	qsort(zip->entries, zip->count, sizeof(*zip->entries),
	      compare_entries);
	ret = locate_data(src, zip, e->position - (int64_t)e->size, err);
	return ret == FORMAT_YES ? index_names(zip, err) : ret;
}

int zip_read(const struct format_source *src, int64_t end, struct zip *out,
	     struct dsv_err *err)
{
	struct zip zip = { 0 };
	struct zip_end e;
	int ret;

	ret = read_end(src, end, &e, err);
	if (ret != FORMAT_YES)
		return ret;
	/* Each entry takes 46 bytes, so the size bounds the count. */
	if (e.count == 0 || e.size > FORMAT_HEADER_MAX ||
	    e.count > e.size / CENTRAL_BYTES ||
	    e.size > (uint64_t)e.position ||
	    e.offset > (uint64_t)e.position - e.size)
		return FORMAT_NO;
	zip.start = e.position - (int64_t)e.size - (int64_t)e.offset;
	ret = read_directory(src, &e, &zip, err);
	if (ret == FORMAT_YES)
		*out = zip;
	else
		zip_release(&zip);
	return ret;
}

void zip_release(struct zip *zip)
{
	free(zip->by_name);
	free(zip->entries);
	free(zip->directory);
	memset(zip, 0, sizeof(*zip));
}

const struct zip_entry *zip_find(const struct zip *zip, const char *name,
				 size_t name_len)
{
	size_t low = 0, high = zip->count, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = compare_names(name, name_len,
				      zip->by_name[middle]->name,
				      zip->by_name[middle]->name_len);
		if (order == 0)
			return zip->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
