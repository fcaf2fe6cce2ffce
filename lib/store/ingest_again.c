/* SPDX-License-Identifier: MIT */
/*
 * This reads a file a second time.  If somebody may write to it while it is
 * read, what was read is one version of it only if it is the same twice.
 */
#include "ingest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../os/fs.h"

/*
 * Computes the digest of a piece as it is now; *zero says whether all its bytes
 * are zero.
 */
static int look_again(struct taking *t, int fd, const struct piece *piece,
		      char *buf, unsigned char digest[HASH_BYTES], bool *zero,
		      struct dsv_err *err)
{
	struct hash *h = hash_new();
	int64_t done, n;
	int ret = h ? 0 : dsv_fail_nomem(err);

	*zero = true;
	for (done = 0; ret == 0 && done < piece->length; done += n) {
		n = piece->length - done;
		if (n > BLOCK_BYTES)
			n = BLOCK_BYTES;
		if (pread_full(fd, buf, (size_t)n, piece->offset + done) != n)
			ret = taking_changed(t, err);
		else if (!hash_add(h, buf, (size_t)n))
			ret = dsv_fail_nomem(err);
		*zero = *zero && ret == 0 && is_zero(buf, (size_t)n);
	}
	if (ret == 0 && !hash_finish(h, digest))
		ret = dsv_fail_nomem(err);
	hash_free(h);
	return ret;
}

/* Returns whether the piece is still a hole, which need not be read. */
static bool is_hole(int fd, const struct piece *piece)
{
	off_t next = lseek(fd, piece->offset, SEEK_DATA);

	return next < 0 ? errno == ENXIO :
		next >= piece->offset + (int64_t)piece->length;
}

int taking_again(struct taking *t, int fd, struct dsv_err *err)
{
	struct store *s = t->in->s;
	unsigned char digest[HASH_BYTES];
	char *buf = store_buffer_get(s);
	bool zero;
	size_t i;
	int ret = buf ? 0 : dsv_fail_nomem(err);

	for (i = 0; ret == 0 && i < t->count; i++) {
		const struct piece *piece = &t->pieces[i];

		ret = store_poll(s, err);
		if (ret < 0 || (piece->is_zero && is_hole(fd, piece)))
			continue;
		ret = look_again(t, fd, piece, buf, digest, &zero, err);
		if (ret == 0 && (piece->is_zero ? !zero :
				 memcmp(digest, piece->hash, HASH_BYTES) != 0))
			ret = taking_changed(t, err);
	}
	store_buffer_put(s, buf);
	return ret;
}
