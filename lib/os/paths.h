/* SPDX-License-Identifier: MIT */
/*
 * Where things are in .dsv.  What they hold is in dsv-format(5), and known to
 * the rooms that write them; a name is spelled here only.
 */
#ifndef DSV_OS_PATHS_H
#define DSV_OS_PATHS_H

/* Directories, made with the repository. */
#define DIR_STATES	"states"	/* ab/<id>: records */
#define DIR_SEGMENTS	"segments"	/* ab/<name>, ab/<name>.idx */
#define DIR_HEADS	"heads"		/* <uid>, <uid>.bisect, <uid>.dirs/ */
#define DIR_INTAKE	"intake"	/* what ranks leave for each other */
#define DIR_QUEUE	"queue"		/* <host>/: captured, not yet stored */
#define DIR_JOBS	"jobs"		/* <fork>/: what its jobs get */
#define DIR_TMP		"tmp"		/* not yet renamed; swept */
#define DIR_TURNS	"turns"		/* see turn.h */

/* Files of the catalog. */
#define FILE_DATABASE	"catalog.db"
#define FILE_JOURNAL	"journal"
#define FILE_RESERVE	"reserve"
#define FILE_GUARD	"guard"

/* Paths below dir, a .dsv; the caller's to free().  NULL: out of memory. */

/* A segment's file, or with the suffix ".idx" its index. */
char *segment_path(const char *dir, const char *name, const char *suffix);
/* The directory of all segments whose names begin with these two digits. */
char *segment_dir_path(const char *dir, const char *digits);
/* The record of a state, whose id is hex. */
char *record_path(const char *dir, const char *hex);
/* The directory of the records whose ids begin as hex does. */
char *record_dir_path(const char *dir, const char *hex);

#endif
