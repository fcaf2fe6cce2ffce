/* SPDX-License-Identifier: MIT */
/*
 * These are the paths in .dsv.  dsv-format(5) says what they hold, and the
 * rooms that write them know it; a name is spelled only here.
 */
#ifndef DSV_OS_PATHS_H
#define DSV_OS_PATHS_H

/* These directories are made with the repository. */
#define DIR_STATES	"states"	/* ab/<id>: records */
#define DIR_SEGMENTS	"segments"	/* ab/<name>, ab/<name>.idx */
#define DIR_HEADS	"heads"		/* <uid>, <uid>.bisect, <uid>.dirs/ */
#define DIR_INTAKE	"intake"	/* what ranks leave for each other */
#define DIR_QUEUE	"queue"		/* <host>/: captured, not yet stored */
#define DIR_JOBS	"jobs"		/* <fork>/: input of its jobs */
#define DIR_TMP		"tmp"		/* not yet renamed; swept */
#define DIR_TURNS	"turns"		/* see turn.h */

/* These files belong to the catalog. */
#define FILE_DATABASE	"catalog.db"
#define FILE_JOURNAL	"journal"
#define FILE_RESERVE	"reserve"
#define FILE_GUARD	"guard"

/*
 * These return paths below dir, a .dsv, which the caller frees, or NULL when
 * out of memory.
 */

/* Returns a segment's file or, with the suffix ".idx", its index. */
char *segment_path(const char *dir, const char *name, const char *suffix);
/* Returns the directory of all segments whose names begin with these digits. */
char *segment_dir_path(const char *dir, const char *digits);
/* Returns the record of the state whose id is hex. */
char *record_path(const char *dir, const char *hex);
/* Returns the directory of the records whose ids begin like hex. */
char *record_dir_path(const char *dir, const char *hex);

#endif
