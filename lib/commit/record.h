/* SPDX-License-Identifier: MIT */
/*
 * The record of a state is the bytes whose SHA-256 is its id.  It is JSON with
 * sorted keys and no white space; it is hashed and kept as bytes, and never
 * written again from what was read (dsv-format(5)).
 */
#ifndef DSV_COMMIT_RECORD_H
#define DSV_COMMIT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/hash.h"
#include "../base/str.h"
#include "../base/texts.h"
#include "../dsv.h"

struct record {
	const char *kind;
	/* The manifest's id, or a random number while that is unknown. */
	unsigned char content[HASH_BYTES];
	bool is_capture;
	size_t parent_count;
	unsigned char (*parents)[HASH_BYTES];
	struct dsv_kvs params;		/* effective */
	struct dsv_kvs set;		/* of them, set by this state */
	struct texts unset;
	struct dsv_kvs attrs;
	const char *message, *author, *host;
	const char *job_id, *cluster;	/* NULL: no job */
	int64_t created_ns;
	unsigned char nonce[16];
};

/* Appends the bytes; the id is their hash. */
int record_encode(const struct record *r, struct str *out,
		  unsigned char id[HASH_BYTES], struct dsv_err *err);

/* Returns the record's {"set":{},"unset":[]}; NULL (no error) if empty. */
int record_changes(const struct record *r, char **out, struct dsv_err *err);

/* Returns whether the state with that id (hexadecimal) is a parent. */
bool record_has_parent(const struct record *r, const char *id);

#endif
