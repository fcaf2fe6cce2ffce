/* SPDX-License-Identifier: MIT */
/*
 * libdsv: git for the states of a training run.
 *
 * These rules hold for every function here:
 *
 * - 0 (or a count) is success, a negative enum dsv_code is failure with the
 *   reason in *err; err may be NULL.  -code is the exit status of dsv(1).
 * - On failure outputs are untouched and the repository is unchanged.
 * - Options begin with their size, which the caller sets, so that programs
 *   that were compiled against an older dsv.h continue to work when options are
 *   added: struct dsv_x_options o = { .size_bytes = sizeof(o) };
 * - Strings are NUL-terminated and, unless a comment says otherwise,
 *   borrowed: valid as long as the object they come from.
 * - An id is 64 lower-case hexadecimal digits.  Sizes are in bytes, times in
 *   nanoseconds since 1970 UTC.
 * - The words (state, branch, scope, ...) are defined in dsv(7).
 * - The library never prints, exits, or changes the process (working
 *   directory, umask, signals, environment) and keeps no globals.  A handle
 *   may be used by one thread at a time; different handles by different
 *   threads.
 * - Where dsv(1) reads its environment (DSV_BRANCH, SLURM_JOB_ID, ...) the
 *   library reads the same variables, so that both agree on the branch.
 */
#ifndef DSV_H
#define DSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define DSV_ID_SIZE 65	/* 64 hexadecimal digits and a NUL */

/* ---- Errors ------------------------------------------------------------ */

enum dsv_code {
	DSV_OK = 0,
	DSV_NO = -1,		/* the answer is no */
	DSV_EUSAGE = -2,	/* syntax of a value, name or expression */
	DSV_EPARTIAL = -3,	/* partly done; the message says what is not */
	DSV_ENOTFOUND = -4,	/* or ambiguous: revision, branch, ... */
	DSV_ESYS = -5,		/* system or I/O error */
	DSV_ENOREPO = -10,	/* no repository, or one of a newer format */
	DSV_ELOCKED = -11,	/* lock not obtained in time */
	DSV_EREMOTE = -12,	/* remote or authentication */
	DSV_ECORRUPT = -13,	/* stored bytes are wrong or missing */
	DSV_EREFUSED = -14,	/* by a safety rule; the hint says a way */
	DSV_ENOSPC = -15,	/* no space, or quota */
	DSV_EINTERRUPTED = -130
};

/*
 * A hint is what can be done about a failure, for a program to say in its own
 * words: a message mentions neither options nor commands.  The words in
 * brackets are the subject.  Ranks send each other these numbers, so new ones
 * go to the end.
 */
enum dsv_hint {
	DSV_HINT_NONE = 0,
	DSV_HINT_INIT,		/* make a repository */
	DSV_HINT_TRUST,		/* set safe.repository [path] */
	DSV_HINT_CONFIG_LEVEL,	/* set it for the user or the system */
	DSV_HINT_FSCK,		/* dsv_fsck() reports more */
	DSV_HINT_REBUILD,	/* dsv_rebuild() rebuilds the catalog */
	DSV_HINT_REMOVE_ORPHAN,	/* a prune, or fsck with repair, removes it */
	DSV_HINT_LOCK_WAIT,	/* a longer lock_wait_ms, or end the owner */
	DSV_HINT_LOCK_REMOTE,	/* ... or look at the host of the owner */
	DSV_HINT_BRANCH_MOVE,	/* move the branch by force */
	DSV_HINT_BRANCH_OTHER,	/* choose the branch's name */
	DSV_HINT_BRANCH_SWITCH,	/* switch to another branch first */
	DSV_HINT_NAME_MOVE,	/* move the name by force */
	DSV_HINT_FORK_OR_PARENT,	/* fork [id], or say the parents */
	DSV_HINT_PARENT_HEAD,	/* add the head, or make a new branch */
	DSV_HINT_OVERWRITE,	/* overwrite by force */
	DSV_HINT_TENSORS,	/* list the tensors of the state */
	DSV_HINT_EXCLUDE,	/* exclude what cannot be tagged */
	DSV_HINT_COLLECTIVE,	/* ask for a collective tag */
	DSV_HINT_RANKS,		/* say rank and ranks */
	DSV_HINT_GROUP,		/* name the group */
	DSV_HINT_GROUP_OTHER,	/* name another group */
	DSV_HINT_RANK_OTHER,	/* take the part of another rank */
	DSV_HINT_WAIT,		/* wait until [revision] is durable */
	DSV_HINT_ARRAY,		/* submit it as an array [tasks] */
	DSV_HINT_PARTS_ALL,	/* place all parts on each node */
	DSV_HINT_TASKS,		/* ask for [number] tasks, or all parts */
	DSV_HINT_BISECT_START,	/* begin a search */
	DSV_HINT_BISECT_LOG,	/* look at the marks */
	DSV_HINT_BISECT_RESET,	/* forget the search */
	DSV_HINT_BISECT_ALONG,	/* search along another branch */
	DSV_HINT_JOB_SYNC,	/* end the holds of jobs that are gone */
	DSV_HINT_UNPIN,		/* unpin [revision] first */
	DSV_HINT_RESTORE,	/* dsv_restore(), within the grace period */
	DSV_HINT_KEEP,		/* give a rule, or allow to remove all */
	DSV_HINT_REMOVE_ALL	/* allow to remove all */
};

struct dsv_err {
	enum dsv_code code;
	enum dsv_hint hint;
	char msg[1024];		/* one line, no newline, no program name */
	char subject[1024];	/* of the hint; "" if it needs none */
};

/* Returns "not-found" for DSV_ENOTFOUND, ...; static. */
const char *dsv_code_name(enum dsv_code code);

#ifdef __GNUC__
#define DSV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define DSV_PRINTF(fmt, args)
#endif

/*
 * The library, and programs written on it, report errors with these.  A message
 * has no capital and no full stop; it says first what failed, and puts subjects
 * in 'quotes'.  Reporting keeps errno.  dsv_fail() sets err and returns code.
 */
int dsv_fail(struct dsv_err *err, enum dsv_code code, const char *fmt, ...)
	DSV_PRINTF(3, 4);
/* Adds a hint; subject may be NULL.  The message is complete without it. */
int dsv_fail_hint(struct dsv_err *err, enum dsv_code code, enum dsv_hint hint,
		  const char *subject, const char *fmt, ...)
	DSV_PRINTF(5, 6);
/* Reports what another call reported, with its hint, and with this code. */
int dsv_fail_as(struct dsv_err *err, int code, const struct dsv_err *why);
/*
 * Appends strerror(errno); returns DSV_ENOSPC for ENOSPC and EDQUOT,
 * DSV_EINTERRUPTED for EINTR, else DSV_ESYS.
 */
int dsv_fail_errno(struct dsv_err *err, const char *fmt, ...)
	DSV_PRINTF(2, 3);
/*
 * Puts "<context>: " before the message of a call that returned ret < 0, and
 * keeps its hint.
 */
int dsv_fail_in(struct dsv_err *err, int ret, const char *fmt, ...)
	DSV_PRINTF(3, 4);
int dsv_fail_nomem(struct dsv_err *err);

/* Returns the version of the library, "0.1.0"; static. */
const char *dsv_version(void);

/*
 * Returns how large "dsv_tag_options", or any other struct of this header, is
 * in the library, or 0 if there is none of that name.  This is for bindings,
 * which have no compiler that could know.
 */
size_t dsv_sizeof(const char *name);

/* ---- Values ------------------------------------------------------------ */

enum dsv_type { DSV_STRING, DSV_NUMBER, DSV_BOOL, DSV_JSON };

/*
 * A number keeps its text ("1e-3"); number is its value.  A boolean's text is
 * "true" or "false" and its number 1 or 0.  The text of DSV_JSON is a JSON
 * null, array or object.
 */
struct dsv_value {
	enum dsv_type type;
	double number;
	const char *text;
};

struct dsv_kv {
	const char *key;
	struct dsv_value value;
};

/* These are sorted by key, bytewise. */
struct dsv_kvs {
	size_t count;
	struct dsv_kv *items;
};

/* Returns NULL if there is no such key. */
const struct dsv_value *dsv_kvs_get(const struct dsv_kvs *kvs,
				    const char *key);
void dsv_kvs_free(struct dsv_kvs *kvs);

/* This is a borrowed list of strings, the input of many functions. */
struct dsv_strings {
	size_t count;
	const char *const *items;
};

/* Converts "90s" "15m" "12h" "7d" "4w" "0" to nanoseconds; or DSV_EUSAGE. */
int dsv_parse_duration(const char *text, int64_t *out_ns, struct dsv_err *err);

/* Converts "10GiB" "500MB" "42" to bytes; or DSV_EUSAGE. */
int dsv_parse_size(const char *text, int64_t *out_bytes, struct dsv_err *err);

/*
 * Converts RFC 3339, "2026-01-31", "2026-01-31 14:00" (local time), or "-7d"
 * (before now_ns); or DSV_EUSAGE.
 */
int dsv_parse_time(const char *text, int64_t now_ns, int64_t *out_ns,
		   struct dsv_err *err);

#define DSV_TIME_SIZE 32
/* Writes RFC 3339 in UTC, to the second: "2026-01-31T14:00:00Z". */
void dsv_format_time(int64_t time_ns, char out[DSV_TIME_SIZE]);
/* Writes "5 minutes ago". */
void dsv_format_age(int64_t time_ns, int64_t now_ns, char out[DSV_TIME_SIZE]);
/* Writes "1.4 GiB". */
void dsv_format_size(int64_t bytes, char out[DSV_TIME_SIZE]);

/*
 * Returns the candidate that a person who typed word most likely meant, the
 * first among equals, or NULL if none is near.
 */
const char *dsv_suggest(const char *word, const char *const *candidates,
			size_t count);

/* ---- JSON output ------------------------------------------------------- */

/*
 * This is a streaming writer of one JSON document that keeps the text of
 * numbers (which a tree of doubles would not: 0.1 becomes 0.10000000000000001).
 * key is NULL inside arrays.  Bytes that are not UTF-8 become "\xNN" (a
 * backslash, an x and two digits, in the string); NULL strings become null.
 */
struct dsv_json;

struct dsv_json *dsv_json_new(void);
/* If the document is an array, writes its elements without it, one per line. */
void dsv_json_lines(struct dsv_json *j);
void dsv_json_free(struct dsv_json *j);
void dsv_json_object(struct dsv_json *j, const char *key);
void dsv_json_array(struct dsv_json *j, const char *key);
void dsv_json_end(struct dsv_json *j);
void dsv_json_string(struct dsv_json *j, const char *key, const char *text);
void dsv_json_int(struct dsv_json *j, const char *key, int64_t n);
void dsv_json_real(struct dsv_json *j, const char *key, double n);
void dsv_json_bool(struct dsv_json *j, const char *key, bool b);
void dsv_json_null(struct dsv_json *j, const char *key);
void dsv_json_time(struct dsv_json *j, const char *key, int64_t time_ns);
void dsv_json_value(struct dsv_json *j, const char *key,
		    const struct dsv_value *value);
/* Returns what was written since the last call; NULL when out of memory. */
const char *dsv_json_take(struct dsv_json *j, size_t *len);

/* ---- Repository -------------------------------------------------------- */

struct dsv;

struct dsv_options {
	size_t size_bytes;	/* of this struct */
	/*
	 * This is the .dsv directory or the directory that holds it; NULL:
	 * $DSV_REPO, else the nearest .dsv upwards from the working directory.
	 */
	const char *repo;
	const char *branch;	/* the current branch; NULL: by the rules */
	int64_t lock_wait_ms;	/* < 0: $DSV_LOCK_WAIT, else 60000 */
	/*
	 * This is for dsv_config_*() only, which can fix a value that breaks
	 * everything else.
	 */
	bool only_config;
	/*
	 * These report to people; arg is passed on.  All may be NULL.
	 * total_bytes is 0 if it is unknown.
	 */
	void (*warn)(void *arg, const char *msg);
	void (*progress)(void *arg, const char *what, int64_t done_bytes,
			 int64_t total_bytes);
	void *arg;
	/* A signal handler sets this: long operations stop. */
	const volatile int *interrupted;
};

/*
 * Makes <dir>/.dsv.  In an existing repository nothing changes and *existed (if
 * not NULL) is true.  shared: modes and setgid for the directory's group.
 */
int dsv_init(const char *dir, bool shared, bool *existed, struct dsv_err *err);

/*
 * Opens a repository.  options may be NULL.  The caller passes *out to
 * dsv_close().
 *
 * Returns DSV_ENOREPO if nothing is there, or its format is newer; DSV_EREFUSED
 * if it is somebody else's, and not in safe.repository.
 */
int dsv_open(const struct dsv_options *options, struct dsv **out,
	     struct dsv_err *err);
void dsv_close(struct dsv *d);

/* Returns the absolute path of the .dsv directory. */
const char *dsv_path(const struct dsv *d);

/* ---- States ------------------------------------------------------------ */

struct dsv_job {
	const char *id;		/* "123", array: "120_3"; NULL: no job */
	const char *array_task;	/* NULL: not an array */
	const char *cluster;	/* NULL: not known yet */
	const char *state;	/* WAITING RUNNING COMPLETED FAILED ... */
	const char *branch;
	const char *fork;	/* id of the state it forked, or NULL */
	const char *fork_state;	/* id of the fork state made for it, or NULL */
	const char *nodes;
	const char *ticket;
	struct dsv_kvs params;
	int exit_code;		/* -1: unknown */
	int signal;		/* 0: none */
	int attempt;
	int64_t submitted_ns;	/* 0: unknown, as for the next two */
	int64_t started_ns;
	int64_t ended_ns;
};

struct dsv_state {
	char id[DSV_ID_SIZE];
	char content[DSV_ID_SIZE];	/* "" while pending */
	const char *kind;		/* "tag" "fork" "reshape" "import" */
	const char *branch;
	const char *name;		/* NULL: none */
	const char *message;
	const char *author;
	const char *host;
	int64_t created_ns;
	int64_t files;
	int64_t size_bytes;		/* of the files */
	int64_t stored_bytes;		/* added to the store by this state */
	size_t parent_count;
	char (*parents)[DSV_ID_SIZE];
	struct dsv_kvs params;		/* effective */
	struct dsv_kvs changed;		/* set by this state */
	struct dsv_strings unset;	/* keys unset by this state */
	struct dsv_kvs attrs;
	struct dsv_strings scopes;
	bool pinned;
	bool held;
	bool pending;
	bool lost;
	bool pruned;
	int64_t pruned_ns;
	const char *pruned_by;		/* rule; NULL unless pruned */
	const struct dsv_job *job;	/* NULL: made outside jobs */
};

void dsv_state_free(struct dsv_state *s);

/*
 * Resolves a revision ("HEAD", "main~2", "max:acc@*", an id's prefix).  Returns
 * DSV_ENOTFOUND if there is no such state, or it is ambiguous.
 */
int dsv_rev_parse(struct dsv *d, const char *rev, char id[DSV_ID_SIZE],
		  struct dsv_err *err);

/* Loads a state; rev NULL: HEAD. */
int dsv_state_get(struct dsv *d, const char *rev, struct dsv_state **out,
		  struct dsv_err *err);

/* This is the result of a search: its order is fixed when it is made. */
struct dsv_list;

/*
 * Returns < 0 if unknown: the end of a long log is searched for as it is read.
 */
int64_t dsv_list_count(const struct dsv_list *l);
/* Returns 1 if *out is the next state, which the caller frees; 0 if no more. */
int dsv_list_next(struct dsv_list *l, struct dsv_state **out,
		  struct dsv_err *err);
void dsv_list_free(struct dsv_list *l);

struct dsv_log_options {
	size_t size_bytes;	/* of this struct */
	struct dsv_strings revs;	/* or "A..B"; none: HEAD */
	bool all;			/* from every branch head */
	bool first_parent;
	int64_t limit;			/* < 0: none */
	int64_t since_ns;		/* 0: none */
	int64_t until_ns;		/* 0: none */
};

/* Lists newest first; a state comes before its parents. */
int dsv_log(struct dsv *d, const struct dsv_log_options *options,
	    struct dsv_list **out, struct dsv_err *err);

struct dsv_find_options {
	size_t size_bytes;	/* of this struct */
	const char *expr;		/* NULL: every state */
	const char *branch;
	const char *scope;
	const char *descendants_of;	/* revisions, not found themselves */
	const char *ancestors_of;
	struct dsv_strings sort;	/* "KEY", "-KEY"; none: newest first */
	int64_t limit;			/* < 0: none */
	bool pruned;			/* pruned states too */
};

/*
 * Returns DSV_EUSAGE for a syntax error in expr; the message names the column.
 */
int dsv_find(struct dsv *d, const struct dsv_find_options *options,
	     struct dsv_list **out, struct dsv_err *err);
int dsv_find_count(struct dsv *d, const struct dsv_find_options *options,
		   int64_t *out, struct dsv_err *err);

/* These are lists of ids, which the caller passes to dsv_ids_free(). */
struct dsv_ids {
	size_t count;
	char (*items)[DSV_ID_SIZE];
};

void dsv_ids_free(struct dsv_ids *ids);
int dsv_next(struct dsv *d, const char *rev, struct dsv_ids *out,
	     struct dsv_err *err);
int dsv_prev(struct dsv *d, const char *rev, struct dsv_ids *out,
	     struct dsv_err *err);
/* Returns DSV_ENOTFOUND if there is no common ancestor. */
int dsv_merge_base(struct dsv *d, const char *a, const char *b,
		   char id[DSV_ID_SIZE], struct dsv_err *err);

/* ---- Content ----------------------------------------------------------- */

enum dsv_entry_type { DSV_FILE, DSV_DIR, DSV_LINK };

struct dsv_entry {
	const char *path;	/* raw bytes, no leading slash */
	enum dsv_entry_type type;
	bool executable;
	int64_t size_bytes;
	const char *target;	/* of a link, else NULL */
	char recipe[DSV_ID_SIZE];	/* "" for directories and links */
	int64_t part;		/* rank that tagged it; -1: not collective */
};

struct dsv_entries {
	size_t count;
	struct dsv_entry *items;	/* sorted by path, bytewise */
	void *memory;			/* the library's */
};

/*
 * Returns DSV_ENOTFOUND if it is pruned; the message says when and by which
 * rule.
 */
int dsv_entries(struct dsv *d, const char *rev, struct dsv_entries *out,
		struct dsv_err *err);
void dsv_entries_free(struct dsv_entries *entries);

struct dsv_tensor {
	const char *path;
	const char *name;
	const char *dtype;	/* "F32", "BF16", ... as safetensors has them */
	size_t rank;
	const int64_t *shape;
	int64_t offset_bytes;	/* of its first byte in the file; -1: strided */
	int64_t size_bytes;
};

struct dsv_tensors {
	size_t count;
	struct dsv_tensor *items;
	void *memory;
};

int dsv_tensors(struct dsv *d, const char *rev, struct dsv_tensors *out,
		struct dsv_err *err);
void dsv_tensors_free(struct dsv_tensors *tensors);

/*
 * Writes a file's bytes (or, with tensor, that tensor's) to fd.  spec is
 * "REV:PATH".
 */
int dsv_cat(struct dsv *d, const char *spec, const char *tensor, int fd,
	    struct dsv_err *err);

struct dsv_tag_options {
	size_t size_bytes;	/* of this struct */
	struct dsv_strings paths;
	const char *message;
	const char *name;
	struct dsv_strings params;	/* "K=V", "K:=JSON" */
	struct dsv_strings attrs;
	struct dsv_strings unset_params;
	const char *params_from;	/* text of a JSON object, or NULL */
	const char *attrs_from;
	struct dsv_strings scopes;
	struct dsv_strings parents;	/* revisions */
	struct dsv_strings excludes;	/* globs, see dsv(7) */
	bool pin;
	/*
	 * If set, dsv_tag() returns as soon as the files are safe from their
	 * writer, cloned or copied; the state is pending until dsv_queue_run()
	 * has stored them.
	 */
	bool async;
	bool move;	/* the files are handed over to dsv */
	/*
	 * If set, this is one of ranks processes that make one state together,
	 * each with its own paths; message, name, parameters, ... are those of
	 * rank 0.  If ranks is 0, the environment says rank and ranks.  If
	 * group is NULL, it is the step of the job and a count.  Waits for the
	 * others at most group_timeout_ms (0: 10 minutes): then DSV_EPARTIAL,
	 * nothing is tagged.
	 */
	bool collective;
	bool replicated;	/* all have the same files */
	int64_t rank, ranks;
	const char *group;
	int64_t group_timeout_ms;
};

/*
 * Captures files and directories as a new state on the current branch.
 *
 * Returns DSV_EREFUSED if the name belongs to a state of another job, the
 * parents do not include the branch head, a path was checked out from another
 * state, or the processes of a group contradict one another.
 */
int dsv_tag(struct dsv *d, const struct dsv_tag_options *options,
	    char id[DSV_ID_SIZE], struct dsv_err *err);
/* Returns whether we are the rank that speaks for its group, or in no group. */
bool dsv_tag_leads(const struct dsv *d, const struct dsv_tag_options *options);
/*
 * Makes the other ranks fail with why, without waiting for us: we do not tag.
 */
void dsv_tag_refuse(struct dsv *d, const struct dsv_tag_options *options,
		    const struct dsv_err *why);

struct dsv_queue_item {
	char id[DSV_ID_SIZE];	/* of the pending state */
	int64_t rank;		/* whose part waits; -1: not collective */
	const char *host;	/* that captured it */
	const char *dir;	/* of the capture */
	bool here;		/* can be stored by this host */
	int64_t size_bytes;	/* of the whole state */
	int64_t created_ns;
};

struct dsv_queue {
	size_t count;
	struct dsv_queue_item *items;	/* oldest first */
};

int dsv_queue(struct dsv *d, struct dsv_queue *out, struct dsv_err *err);
void dsv_queue_free(struct dsv_queue *queue);

/* Returns whether a caller should run the queue: queue.auto, true if unset. */
bool dsv_queue_is_automatic(struct dsv *d);

/*
 * Stores what this host has captured, oldest first, and counts states in
 * *stored (may be NULL).  Only one process does so at a time; if another does,
 * wait makes us wait for its end, else there is nothing to do.
 */
int dsv_queue_run(struct dsv *d, bool wait, int64_t *stored,
		  struct dsv_err *err);

/*
 * Waits until the states are durable (none named: those this host captured);
 * stores them itself where it can.  Returns DSV_NO after timeout_ms (< 0:
 * none), DSV_ENOTFOUND if one is lost.
 */
int dsv_wait(struct dsv *d, const struct dsv_strings *revs,
	     int64_t timeout_ms, struct dsv_err *err);

/*
 * Waits until a state satisfies an expression, as in dsv_find(): id gets the
 * newest one that does.  Returns DSV_NO after timeout_ms (< 0: none).
 */
int dsv_wait_for(struct dsv *d, const char *expr, int64_t timeout_ms,
		 char id[DSV_ID_SIZE], struct dsv_err *err);

enum dsv_link { DSV_LINK_AUTO, DSV_LINK_REFLINK, DSV_LINK_COPY };

struct dsv_checkout_options {
	size_t size_bytes;	/* of this struct */
	const char *rev;	/* NULL: HEAD */
	const char *dir;	/* NULL: "." */
	struct dsv_strings paths;	/* globs, see dsv(7); none: all */
	enum dsv_link link;
	bool force;
	bool if_any;
	bool nearest;
	int64_t rank;		/* < 0: all parts */
};

struct dsv_checkout_result {
	char id[DSV_ID_SIZE];	/* whose files were written; "": none */
	int64_t files;
	int64_t size_bytes;
	int64_t reflinked;	/* files */
};

/* Returns DSV_EREFUSED if a differing file exists; nothing was written. */
int dsv_checkout(struct dsv *d, const struct dsv_checkout_options *options,
		 struct dsv_checkout_result *out, struct dsv_err *err);

/* ---- Diff -------------------------------------------------------------- */

struct dsv_diff_options {
	size_t size_bytes;	/* of this struct */
	const char *a;		/* revisions; NULL: HEAD */
	const char *b;
	const char *dir;	/* not NULL: the files there, instead of b */
	struct dsv_strings paths;	/* globs, see dsv(7); none: all */
	bool tensors;		/* look into changed files */
	/*
	 * If >= 0, numbers that far apart are the same (0: 0.0 and -0.0, and
	 * two NaNs), and a file with tensors has changed if one of them has;
	 * what else it holds is not compared.  If < 0, any byte counts.
	 */
	double tolerance;
};

enum dsv_change { DSV_ADDED, DSV_REMOVED, DSV_CHANGED };

struct dsv_diff_entry {
	const char *path;
	enum dsv_change change;
	const char *what;	/* "content" "mode" "type" "target"; changed */
	enum dsv_entry_type old_type, new_type;
	int64_t old_size_bytes, new_size_bytes;	/* -1: not there */
};

struct dsv_diff_value {
	const char *key;
	const struct dsv_value *before;	/* NULL: unset */
	const struct dsv_value *after;
};

struct dsv_diff_tensor {
	const char *path;
	const char *name;
	enum dsv_change change;
	const char *old_dtype, *new_dtype;	/* NULL: not there */
	size_t old_rank, new_rank;
	const int64_t *old_shape, *new_shape;
	/*
	 * This is NULL if what follows is known; else why not: "another shape".
	 */
	const char *not_compared;
	int64_t elements;
	int64_t differing;	/* further apart than the tolerance */
	int64_t nans;		/* NaN in only one: not in those below */
	double max, rms;	/* of |old - new| */
	double relative;	/* largest |old - new| / max(|old|, |new|) */
};

struct dsv_diff {
	char a[DSV_ID_SIZE];
	char b[DSV_ID_SIZE];	/* "": a directory */
	size_t entry_count, param_count, attr_count, tensor_count;
	struct dsv_diff_entry *entries;		/* by path */
	struct dsv_diff_value *params, *attrs;	/* by key */
	struct dsv_diff_tensor *tensors;	/* by path and name */
	void *memory;				/* the library's */
};

/*
 * Finds what changed from a to b.  Bytes that both have from the same chunks
 * are not read.
 *
 * Returns DSV_ENOTFOUND if a state is pruned, or dir does not exist.
 */
int dsv_diff(struct dsv *d, const struct dsv_diff_options *options,
	     struct dsv_diff *out, struct dsv_err *err);
void dsv_diff_free(struct dsv_diff *diff);

/* ---- Bisect ------------------------------------------------------------ */

enum dsv_bisect_mark { DSV_BISECT_GOOD, DSV_BISECT_BAD, DSV_BISECT_SKIP };

/* This is a user's search for the first bad state of a line. */
struct dsv_bisect {
	char next[DSV_ID_SIZE];	/* to be tested; "": none */
	char bad[DSV_ID_SIZE];	/* the oldest known bad one */
	char good[DSV_ID_SIZE];	/* the newest known good one before it */
	int64_t left;		/* states between that could be tested */
	int64_t pruned;		/* and pruned ones */
	struct dsv_ids skipped;	/* and skipped ones, oldest first */
};

/*
 * Searches for the first bad state on the line of first parents from bad back
 * to good.  along: where a state has several parents, the line goes to the one
 * that was made on that branch, if any.  Replaces a search in progress.  The
 * caller passes *out to dsv_bisect_release().
 *
 * Returns DSV_EUSAGE if good is not on that line.
 */
int dsv_bisect_start(struct dsv *d, const char *bad, const char *good,
		     const char *along, struct dsv_bisect *out,
		     struct dsv_err *err);
/*
 * Marks a state (rev NULL: the one to be tested).
 *
 * Returns DSV_EUSAGE if there is no search, the state is not on its line, or
 * the mark contradicts earlier ones.
 */
int dsv_bisect_mark(struct dsv *d, const char *rev, enum dsv_bisect_mark mark,
		    struct dsv_bisect *out, struct dsv_err *err);
/* Returns DSV_EUSAGE if there is no search. */
int dsv_bisect_get(struct dsv *d, struct dsv_bisect *out, struct dsv_err *err);
void dsv_bisect_release(struct dsv_bisect *b);
/*
 * Gets the marks, one per line: "start BAD GOOD", "good ID"; the caller frees
 * it.
 */
int dsv_bisect_log(struct dsv *d, char **out, struct dsv_err *err);
/* Forgets the search; it is fine if there is none. */
int dsv_bisect_reset(struct dsv *d, struct dsv_err *err);

/* ---- Fork -------------------------------------------------------------- */

struct dsv_fork_options {
	size_t size_bytes;	/* of this struct */
	const char *rev;
	const char *branch;	/* NULL: "<branch>-1", "-2", ... */
	struct dsv_strings set;	/* "K=V", "+K=V" (new), with ":=" JSON */
	struct dsv_strings unset;
	const char *message;
	struct dsv_strings scopes;
};

struct dsv_fork {
	char branch[256];
	char id[DSV_ID_SIZE];
	int64_t task;		/* of the job array; -1: none */
};

struct dsv_forks {
	size_t count;
	struct dsv_fork *items;
};

void dsv_forks_free(struct dsv_forks *forks);

/*
 * Starts a branch with a fork state of rev's content and parameters.  Copies
 * and hashes no byte.  Returns DSV_EREFUSED if the branch exists, rev is
 * pending, or a key that is set is not a parameter of rev (the nearest one is
 * named).
 */
int dsv_fork(struct dsv *d, const struct dsv_fork_options *options,
	     struct dsv_fork *out, struct dsv_err *err);

/*
 * Makes a fork for each combination of values, all or none.  sweeps: "K=V,V" or
 * "K:=[JSON,...]".  A branch name, if given, gets ".0", ".1", ... appended.
 */
int dsv_fork_sweep(struct dsv *d, const struct dsv_fork_options *options,
		   const struct dsv_strings *sweeps, struct dsv_forks *out,
		   struct dsv_err *err);

/*
 * Returns the environment that a command forked from state id gets, as "K=V"
 * strings (DSV_REPO, DSV_STATE, DSV_PARAM_<KEY>, ...).  dir is what
 * DSV_CHECKOUT names; NULL: one in the repository, where the files are placed.
 * Writes the file that DSV_PARAMS_FILE names.
 */
int dsv_fork_environment(struct dsv *d, const char *id, const char *dir,
			 char ***out, struct dsv_err *err);
void dsv_environment_free(char **env);

/* ---- Branches, names, scopes, attributes, pins -------------------------- */

struct dsv_branch {
	const char *name;
	char head[DSV_ID_SIZE];	/* "": no state yet */
	bool current;
};

struct dsv_branches {
	size_t count;
	struct dsv_branch *items;	/* sorted by name */
};

int dsv_branches(struct dsv *d, struct dsv_branches *out, struct dsv_err *err);
void dsv_branches_free(struct dsv_branches *branches);
/* Returns the name of the current branch; the caller frees it. */
int dsv_branch_current(struct dsv *d, char **out, struct dsv_err *err);
int dsv_branch_create(struct dsv *d, const char *name, const char *rev,
		      bool force, struct dsv_err *err);
int dsv_branch_rename(struct dsv *d, const char *from, const char *to,
		      struct dsv_err *err);
int dsv_branch_delete(struct dsv *d, const char *name, struct dsv_err *err);
/* Sets HEAD, the user's current branch outside jobs. */
int dsv_switch(struct dsv *d, const char *name, bool create,
	       struct dsv_err *err);

struct dsv_name {
	const char *name;
	char id[DSV_ID_SIZE];
};

struct dsv_names {
	size_t count;
	struct dsv_name *items;		/* sorted by name */
};

int dsv_names(struct dsv *d, struct dsv_names *out, struct dsv_err *err);
void dsv_names_free(struct dsv_names *names);
int dsv_name_set(struct dsv *d, const char *name, const char *rev, bool force,
		 struct dsv_err *err);
int dsv_name_delete(struct dsv *d, const char *name, struct dsv_err *err);

struct dsv_scope {
	const char *name;
	bool open;
	int64_t states;
	int64_t created_ns;
	int64_t closed_ns;	/* 0: open */
};

struct dsv_scopes {
	size_t count;
	struct dsv_scope *items;
};

int dsv_scopes(struct dsv *d, struct dsv_scopes *out, struct dsv_err *err);
void dsv_scopes_free(struct dsv_scopes *scopes);
/* Opens a scope; a closed one is reopened. */
int dsv_scope_open(struct dsv *d, const char *name, struct dsv_err *err);
int dsv_scope_close(struct dsv *d, const char *name, struct dsv_err *err);
int dsv_scope_add(struct dsv *d, const char *name,
		  const struct dsv_strings *revs, struct dsv_err *err);
int dsv_scope_remove(struct dsv *d, const char *name,
		     const struct dsv_strings *revs, struct dsv_err *err);

/* Sets and unsets attributes; assignments: "K=V", "K:=JSON". */
int dsv_attr_set(struct dsv *d, const char *rev,
		 const struct dsv_strings *assignments,
		 const struct dsv_strings *unset, struct dsv_err *err);

struct dsv_attr_change {
	int64_t time_ns;
	const char *author;
	const char *key;
	bool unset;
	struct dsv_value value;
};

struct dsv_attr_history {
	size_t count;
	struct dsv_attr_change *items;	/* oldest first */
};

int dsv_attr_history(struct dsv *d, const char *rev,
		     struct dsv_attr_history *out, struct dsv_err *err);
void dsv_attr_history_free(struct dsv_attr_history *history);

int dsv_pin(struct dsv *d, const struct dsv_strings *revs, bool pinned,
	    struct dsv_err *err);

/*
 * Formats the parameters as text.  format: "json" "nested" "env" "argparse"
 * "hydra" "lines".  The caller frees *out.
 */
int dsv_params_format(const struct dsv_kvs *params, const char *format,
		      char **out, struct dsv_err *err);

/* ---- Prune, restore, fsck, status --------------------------------------- */

struct dsv_prune_options {
	size_t size_bytes;	/* of this struct */
	struct dsv_strings revs;	/* exactly these; else by rules */
	int64_t keep_last;		/* 0: rule not given; same below */
	int64_t keep_hourly, keep_daily, keep_weekly, keep_monthly;
	int64_t keep_within_ns;
	struct dsv_strings keep_best;	/* "max:KEY:N", "min:KEY:N" */
	struct dsv_strings keep_every;	/* "KEY:N" */
	struct dsv_strings keep_where;	/* expressions */
	bool out_of_scope;
	const char *policy;		/* rules from [prune "policy"] */
	/* These select states. */
	const char *branch, *scope, *where, *author;
	const char *group_by;		/* NULL: "branch" */
	bool remove_all;		/* --unsafe-allow-remove-all */
	bool expire_now;
	bool forget;
	bool dry_run;
};

struct dsv_prune_item {
	char id[DSV_ID_SIZE];
	const char *branch;
	bool remove;
	struct dsv_strings reasons;
};

struct dsv_prune_report {
	size_t count;
	struct dsv_prune_item *items;
	int64_t removed;
	int64_t freed_now_bytes;
	int64_t freed_later_bytes;
	int64_t later_ns;	/* when the rest is freed; 0: no rest */
	bool bounded;		/* the bytes are an upper bound */
	struct dsv_strings left_alone;	/* groups without a --keep-best key */
	void *memory;
};

/*
 * Prunes.  Returns DSV_EPARTIAL if some groups were left alone; *out is filled
 * in all the same.  Returns DSV_EREFUSED if there is no rule, or a group would
 * become empty.
 */
int dsv_prune(struct dsv *d, const struct dsv_prune_options *options,
	      struct dsv_prune_report *out, struct dsv_err *err);
void dsv_prune_report_free(struct dsv_prune_report *report);

/* Returns DSV_ENOTFOUND if the bytes have already been freed. */
int dsv_restore(struct dsv *d, const struct dsv_strings *revs,
		struct dsv_err *err);

struct dsv_fsck_options {
	size_t size_bytes;	/* of this struct */
	double data_percent;	/* 0: structure only; 100: all bytes */
	bool repair;
};

struct dsv_problem {
	const char *kind;
	const char *object;
	struct dsv_strings states;	/* ids affected */
	const char *message;
	enum dsv_hint hint;	/* none has a subject */
	bool repaired;
};

struct dsv_fsck_report {
	size_t count;
	struct dsv_problem *items;
	int64_t states, segments, chunks;
	int64_t data_bytes;	/* hashed */
	void *memory;
};

struct dsv_repack_options {
	size_t size_bytes;	/* of this struct */
	bool dry_run;
	bool if_it_pays;	/* only when there are many, or much is dead */
};

struct dsv_repack_report {
	int64_t segments;	/* replaced; in a dry run: to be replaced */
	int64_t made;
	int64_t moved_bytes;
	int64_t freed_bytes;	/* as the file system reports */
};

/*
 * Puts the chunks of small segments, and of those that are mostly dead, into
 * few dense ones.  dsv_prune() does so when it pays.
 */
int dsv_repack(struct dsv *d, const struct dsv_repack_options *options,
	       struct dsv_repack_report *out, struct dsv_err *err);

/*
 * Returns DSV_ECORRUPT if problems were found; *out is filled in all the same.
 */
int dsv_fsck(struct dsv *d, const struct dsv_fsck_options *options,
	     struct dsv_fsck_report *out, struct dsv_err *err);
/*
 * Rebuilds the catalog from records, journal and segments; also when it is
 * missing or garbage, and dsv_open() fails.  The old one is moved aside.  *out
 * lists what could not be used; dsv_fsck() reports what is missing.
 */
int dsv_rebuild(const struct dsv_options *options,
		struct dsv_fsck_report *out, struct dsv_err *err);
void dsv_fsck_report_free(struct dsv_fsck_report *report);

struct dsv_status {
	char *branch;		/* current; dsv_status_release() frees it */
	char head[DSV_ID_SIZE];	/* "": none yet */
	int64_t states;		/* live */
	int64_t pruned;
	int64_t size_bytes;	/* of the live states' files */
	int64_t stored_bytes;	/* on disk */
	int64_t condemned_bytes;	/* freed after the grace period */
	int64_t pending;
	int64_t lost;
	int64_t scopes_open;
	int64_t jobs;		/* waiting or running */
};

int dsv_status(struct dsv *d, struct dsv_status *out, struct dsv_err *err);
void dsv_status_release(struct dsv_status *status);

struct dsv_finding {
	const char *name;
	const char *value;
	const char *advice;	/* NULL: all is well */
};

struct dsv_findings {
	size_t count;
	struct dsv_finding *items;
};

/*
 * Finds out what the file systems of the repository, the current directory and
 * the local tier can do, by trying it with small files that are removed again.
 */
int dsv_doctor(struct dsv *d, struct dsv_findings *out, struct dsv_err *err);
void dsv_findings_free(struct dsv_findings *findings);

struct dsv_usage {
	const char *key;
	int64_t states;
	int64_t size_bytes;	/* of the files */
	int64_t stored_bytes;	/* added to the store */
};

struct dsv_usages {
	size_t count;
	struct dsv_usage *items;
};

/* Adds up usage by "branch", "author" or "scope". */
int dsv_usage(struct dsv *d, const char *by, struct dsv_usages *out,
	      struct dsv_err *err);
void dsv_usages_free(struct dsv_usages *usages);

/* ---- Configuration ------------------------------------------------------ */

enum dsv_config_level {
	DSV_CONFIG_ANY,		/* reading: the last file that has it */
	DSV_CONFIG_SYSTEM,
	DSV_CONFIG_USER,
	DSV_CONFIG_REPO
};

struct dsv_config_item {
	const char *key;	/* "section.name", "section.sub.name" */
	const char *value;
	const char *origin;	/* path of the file */
};

struct dsv_config_items {
	size_t count;
	struct dsv_config_item *items;	/* in order of reading */
};

/* Lists items; d may be NULL: system and user level only. */
int dsv_config_list(struct dsv *d, enum dsv_config_level level,
		    struct dsv_config_items *out, struct dsv_err *err);
void dsv_config_items_free(struct dsv_config_items *items);
/*
 * Sets a key; value NULL: unset.  DSV_CONFIG_ANY means the repository's.
 * Returns DSV_EUSAGE if the key cannot have this value.
 */
int dsv_config_set(struct dsv *d, enum dsv_config_level level,
		   const char *key, const char *value, struct dsv_err *err);

/* ---- Jobs --------------------------------------------------------------- */

#define DSV_TICKET_SIZE 33

struct dsv_job_request {
	size_t size_bytes;	/* of this struct */
	const char *rev;
	struct dsv_strings set, unset;
	struct dsv_strings sweep;	/* an array job over the grid */
	const char *array;	/* as for sbatch; NULL: not an array */
	const char *branch;	/* NULL: "<branch>-<job id>" */
	const char *to;		/* placement pattern, NULL: in the repository */
	const char *parts;	/* "mine": a node gets its ranks only; "all" */
	const char *message;
	const char *clusters;	/* where the job is sent: "a", or "a,b": to one
				   of these; NULL: where it is submitted */
	struct dsv_strings scopes;	/* joined by the fork */
	bool fork_now;		/* make the fork at once */
	bool dry_run;		/* check only: no ticket, no hold, no fork */
};

struct dsv_submission {
	char ticket[DSV_TICKET_SIZE];	/* "" after a dry run */
	char id[DSV_ID_SIZE];		/* of the state */
	size_t tasks;			/* of the sweep; 0: none */
	struct dsv_forks forks;		/* made at once, one per task */
};

/*
 * At submission, resolves and holds the state, checks the options, and writes a
 * ticket that the job will present.  Returns DSV_EUSAGE, among other reasons,
 * if the array is not the one that the sweep needs; where the forks are made at
 * once, asking for that may be left to the caller.
 */
int dsv_job_prepare(struct dsv *d, const struct dsv_job_request *request,
		    struct dsv_submission *out, struct dsv_err *err);
void dsv_submission_release(struct dsv_submission *s);

/* Gives the ticket its job id, which whoever ran sbatch knows. */
int dsv_job_bind(struct dsv *d, const char *ticket, const char *job_id,
		 struct dsv_err *err);

/*
 * At the start of a job, as often as needed, makes the fork (once per job),
 * places the files (once per directory), and returns the environment.  Reads
 * SLURM_*. *each_node (may be NULL) is true if this has to be done on each of
 * the job's nodes.
 */
int dsv_job_start(struct dsv *d, const char *ticket, char ***env,
		  bool *each_node, struct dsv_err *err);

/* Records the end of a job.  wait_status is as in waitpid(2). */
int dsv_job_finish(struct dsv *d, const char *ticket, int wait_status,
		   struct dsv_err *err);

/* Withdraws a ticket: the submission failed. */
int dsv_job_cancel(struct dsv *d, const char *ticket, struct dsv_err *err);

/*
 * Asks Slurm what became of the jobs whose end was not recorded, and ends their
 * holds.  *changed is how many records were closed.
 */
int dsv_job_sync(struct dsv *d, int64_t *changed, struct dsv_err *err);

struct dsv_jobs {
	size_t count;
	struct dsv_job *items;	/* newest first */
};

int dsv_jobs(struct dsv *d, struct dsv_jobs *out, struct dsv_err *err);
void dsv_jobs_free(struct dsv_jobs *jobs);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
