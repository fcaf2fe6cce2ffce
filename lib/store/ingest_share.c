/* SPDX-License-Identifier: MIT */
/* This takes in a rank's share of a file that all ranks hold. */
#include "ingest.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../format/format.h"
#include "source.h"

struct sharing {
	const struct ingest_share *share;
	XXH3_state_t *whole;
};

/*
 * Ranks take the stretches of a file in turn, starting with a different rank
 * for each file, so that small files are shared out, too.
 */
static bool is_ours(const struct taking *t, int64_t offset)
{
	const struct ingest_share *share = t->sharing->share;
	int64_t stretch = t->size_bytes / share->ranks + 1;

	return (offset / stretch + share->number) % share->ranks ==
	       share->rank;
}

int sharing_piece(struct taking *t, int64_t offset, size_t len, void **data,
		  struct dsv_err *err)
{
	char *bytes = *data ? *data : store_buffer_get(t->in->s);
	bool read = !*data;
	size_t done, n;
	int ret = 0;

	if (!bytes)
		return dsv_fail_nomem(err);
	*data = bytes;
	for (done = 0; ret == 0 && done < len; done += n) {
		n = len - done < BLOCK_BYTES ? len - done : BLOCK_BYTES;
		if (read)
			ret = taking_read(t, bytes + done, n,
					  offset + (int64_t)done, err);
		if (ret == 0)
			XXH3_128bits_update(t->sharing->whole, bytes + done, n);
	}
	if (ret < 0)
		return ret;
	if (is_ours(t, offset))
		return 1;
	store_count(t->in->s, (int64_t)len);
	store_tell(t->in->s);
	return 0;
}

static int list_pieces(const struct taking *t, struct ingest_share *out,
		       struct dsv_err *err)
{
	size_t i;

	out->pieces = calloc(t->count + 1, sizeof(*out->pieces));
	if (!out->pieces)
		return dsv_fail_nomem(err);
	for (i = 0; i < t->count; i++) {
		struct ingest_piece *piece = &out->pieces[out->count++];

		piece->offset = t->pieces[i].offset;
		/* Holes are not looked for in shared files. */
		piece->length = (uint32_t)t->pieces[i].length;
		piece->is_zero = t->pieces[i].is_zero;
		memcpy(piece->hash, t->pieces[i].hash, HASH_BYTES);
	}
	return 0;
}

/*
 * Others may have written to the file, so checks that it reads the same again.
 */
static int check_again(struct taking *t, struct ingest_share *share,
		       struct dsv_err *err)
{
	XXH128_canonical_t digest;
	char *buf = store_buffer_get(t->in->s);
	int64_t done, n;
	int ret = buf ? 0 : dsv_fail_nomem(err);

	XXH3_128bits_reset(t->sharing->whole);
	for (done = 0; ret == 0 && done < t->size_bytes; done += n) {
		n = t->size_bytes - done;
		if (n > BLOCK_BYTES)
			n = BLOCK_BYTES;
		ret = store_poll(t->in->s, err);
		if (ret == 0)
			ret = taking_read(t, buf, (size_t)n, done, err);
		if (ret == 0)
			XXH3_128bits_update(t->sharing->whole, buf, (size_t)n);
	}
	store_buffer_put(t->in->s, buf);
	if (ret < 0)
		return ret;
	XXH128_canonicalFromHash(&digest,
				 XXH3_128bits_digest(t->sharing->whole));
	return memcmp(digest.digest, share->digest, sizeof(share->digest)) ?
		taking_changed(t, err) : 0;
}

int ingest_share(struct ingest *in, int fd, const char *path,
		 struct ingest_share *share, struct dsv_err *err)
{
	struct sharing sharing = { share, XXH3_createState() };
	struct source src = { .fd = fd, .path = path };
	struct taking t = {
		in, fd, path, .sharing = &sharing, .source = &src
	};
	XXH128_canonical_t digest;
	int ret;

	if (!sharing.whole)
		return dsv_fail_nomem(err);
	XXH3_128bits_reset(sharing.whole);
	ret = source_settle(&src, NULL, err);
	if (ret == 0) {
		t.size_bytes = src.st.st_size;
		t.parallel = t.size_bytes >= FORMAT_SMALL_BYTES;
		ret = taking_run(&t, err);
	}
	if (ret == 0) {
		share->size_bytes = t.size_bytes;
		XXH128_canonicalFromHash(&digest,
					 XXH3_128bits_digest(sharing.whole));
		memcpy(share->digest, digest.digest, sizeof(share->digest));
		ret = source_look(&src, err);
	}
	if (ret == SOURCE_DOUBTFUL)
		ret = check_again(&t, share, err);
	if (ret == 0)
		ret = list_pieces(&t, share, err);
	if (ret < 0)
		in->broken = true;
	source_release(&src);
	XXH3_freeState(sharing.whole);
	free(t.pieces);
	return ret;
}
