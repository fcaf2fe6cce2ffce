/* SPDX-License-Identifier: MIT */
/*
 * The journal has a line for each transaction, for what is in no record
 * (dsv-format(5)):
 *
 *	SEQ <space> SHA-256 of "SEQ JSON" <space> JSON <newline>
 *
 * A line may occur twice, but never two different ones with one SEQ; a torn
 * line does not match its hash and is skipped.
 */
#ifndef DSV_CATALOG_JOURNAL_H
#define DSV_CATALOG_JOURNAL_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/* Appends the line of seq to out. */
int journal_line(struct str *out, int64_t seq, const char *json,
		 struct dsv_err *err);

/*
 * Appends line (with its newline) to the journal at path and calls fsync,
 * unless it is already among the last lines.
 */
int journal_append(const char *path, mode_t mode, int64_t seq,
		   const char *line, size_t len, struct dsv_err *err);

/*
 * Checks a line (without its newline).  Returns false if it is torn or wrong;
 * otherwise *json is borrowed from line.
 */
bool journal_parse(const char *line, size_t len, int64_t *seq,
		   const char **json);

/*
 * Opens the journal for reading.  Success with NULL in *out means that there is
 * none.  Fails with DSV_ECORRUPT if it is not a file.
 */
int journal_open(const char *path, FILE **out, struct dsv_err *err);

#endif
