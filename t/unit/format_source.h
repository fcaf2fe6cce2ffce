/* SPDX-License-Identifier: MIT */
/*
 * A file for the tests of lib/format: its first bytes are in memory, the rest
 * are zeros that are stored nowhere.  It counts what is read.
 */
#ifndef T_UNIT_FORMAT_SOURCE_H
#define T_UNIT_FORMAT_SOURCE_H

#include "../../lib/base/str.h"
#include "../../lib/format/format.h"
#include "tap.h"

struct file {
	struct str bytes;
	struct format_source source;
	int64_t read_bytes;
	int reads;
};

static int file_read(void *arg, void *buf, size_t len, int64_t offset,
		     struct dsv_err *err)
{
	struct file *f = arg;
	size_t have;

	(void)err;
	f->reads++;
	f->read_bytes += (int64_t)len;
	must(offset >= 0 && (int64_t)len <= f->source.size_bytes - offset);
	memset(buf, 0, len);
	if (offset < (int64_t)f->bytes.len) {
		have = f->bytes.len - (size_t)offset;
		memcpy(buf, f->bytes.data + offset, len < have ? len : have);
	}
	return 0;
}

/* If size_bytes < 0, the file is just the bytes in memory. */
__attribute__((unused))
static struct format_source *file_source(struct file *f, int64_t size_bytes)
{
	must(!str_failed(&f->bytes));
	f->source.size_bytes = size_bytes < 0 ? (int64_t)f->bytes.len :
		size_bytes;
	f->source.read = file_read;
	f->source.arg = f;
	f->reads = 0;
	f->read_bytes = 0;
	return &f->source;
}

__attribute__((unused))
static void file_release(struct file *f)
{
	str_release(&f->bytes);
}

__attribute__((unused))
static struct format_cuts cut(struct file *f, int64_t size_bytes)
{
	struct format_cuts cuts;
	struct dsv_err err;

	must(format_cut(file_source(f, size_bytes), &cuts, &err) == 0);
	return cuts;
}

__attribute__((unused))
static struct format_tensors tensors_of(struct file *f, int64_t size_bytes)
{
	struct format_tensors tensors;
	struct dsv_err err;

	must(format_tensors(file_source(f, size_bytes), &tensors, &err) == 0);
	return tensors;
}

__attribute__((unused))
static enum format_kind kind_of(struct file *f, int64_t size_bytes)
{
	struct format_cuts cuts = cut(f, size_bytes);
	struct format_tensors tensors = tensors_of(f, size_bytes);
	enum format_kind kind = cuts.kind;

	must(tensors.kind == kind);
	must(kind != FORMAT_OPAQUE || tensors.count == 0);
	must(cuts.count ? cuts.end[cuts.count - 1] == f->source.size_bytes :
	     f->source.size_bytes == 0);
	format_cuts_release(&cuts);
	format_tensors_release(&tensors);
	return kind;
}

/* Returns the cuts as text, "16 48* 64"; a star means content-defined. */
__attribute__((unused))
static const char *cut_text(const struct format_cuts *cuts)
{
	static char text[1024];
	size_t i, at = 0;

	text[0] = '\0';
	for (i = 0; i < cuts->count && at < sizeof(text) - 32; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%s%" PRId64 "%s", i ? " " : "",
				       cuts->end[i],
				       cuts->content_defined[i] ? "*" : "");
	return text;
}

/* Makes pseudo-random bytes, the same on every machine. */
__attribute__((unused))
static void fill(struct str *s, size_t len, uint64_t seed)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		str_putc(s, (char)(seed >> 56));
	}
}

#endif
