/* SPDX-License-Identifier: MIT */
/*
 * The journal: a line for each transaction, for what is in no record
 * (dsv-format(5)):
 *
 *	SEQ <space> SHA-256 of "SEQ JSON" <space> JSON <newline>
 *
 * A line may be there twice, never two different ones with one SEQ; a torn
 * one does not match its hash and is passed over.
 */
#ifndef DSV_CATALOG_JOURNAL_H
#define DSV_CATALOG_JOURNAL_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "../base/str.h"
#include "../dsv.h"

/* Append to out the line of seq. */
int journal_line(struct str *out, int64_t seq, const char *json,
		 struct dsv_err *err);

/*
 * Append line (with its newline) to the journal at path and fsync, unless it
 * is among the last lines already.
 */
int journal_append(const char *path, mode_t mode, int64_t seq,
		   const char *line, size_t len, struct dsv_err *err);

/*
 * Check a line (without its newline).  False when it is torn or wrong; else
 * *json is borrowed from line.
 */
bool journal_parse(const char *line, size_t len, int64_t *seq,
		   const char **json);

/*
 * To read it.  NULL in *out, and success: there is none.  DSV_ECORRUPT: it is
 * not a file.
 */
int journal_open(const char *path, FILE **out, struct dsv_err *err);

#endif
