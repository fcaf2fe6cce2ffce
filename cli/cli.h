/* SPDX-License-Identifier: MIT */
/*
 * This is what the files of dsv(1) share.  A command is a const struct cmd
 * in its own file and a row of the table in main.c; its options are a
 * table too, from which the parser, -h and the completions work.
 *
 * Only main.c exits.  Results go to stdout, everything else to stderr.
 */
#ifndef CLI_H
#define CLI_H

#include "../lib/dsv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* ---- Options and commands (opt.c) -------------------------------------- */

/* A table ends with an entry without a name.  Exactly one pointer is set. */
struct opt {
	char letter;		/* 0: none */
	const char *name;	/* without "--" */
	const char *value;	/* what -h calls the value; NULL: a flag */
	const char *help;
	bool *flag;
	const char **string;
	struct dsv_strings *strings;	/* repeatable */
	int64_t *number;
	int64_t *duration_ns;
	int64_t *size_bytes;
	int64_t *time_ns;
	/* The value if it is left out: --opt means --opt=IMPLIED. */
	const char *implied;
};

enum {
	CMD_REPO = 1 << 0,	/* opens the repository */
	CMD_MAYBE_CONFIG = 1 << 1,	/* its configuration, if there is one */
	CMD_JSON = 1 << 2,	/* takes --json and --jsonl */
	CMD_FORMAT = 1 << 3,	/* --format */
	CMD_BRANCH = 1 << 4,	/* -b: the current branch */
	CMD_REST = 1 << 5,	/* "--" separates a command line */
	CMD_STOP = 1 << 6,	/* no options after the first operand */
	CMD_HIDDEN = 1 << 7	/* for programs, not in "dsv help" */
};

struct cmd {
	const char *name;	/* "job start" for a command of a group */
	const char *summary;
	const char *synopsis;	/* without "dsv NAME"; "\n": one more form */
	const struct opt *opts;	/* NULL: none of its own */
	unsigned int flags;
	/* d is NULL unless flags ask for it.  Returns the exit status. */
	int (*run)(struct dsv *d, int argc, char **argv, struct dsv_err *err);
	const struct cmd *const *subs;	/* a group's; ends with NULL */
};

/* The options of the program as a whole. */
struct cli {
	const char *repo;
	const char *branch;
	const char *format;
	const char *color;	/* "auto" "always" "never"; NULL: not given */
	int64_t lock_wait_ns;	/* < 0: not given */
	bool quiet, verbose, no_pager;
	bool json, jsonl;	/* jsonl: json too */
	bool help, usage, list_options, list_commands;
	volatile int interrupted;	/* the signal; 0: none */
	/* Operands before "--"; -1: there was none (CMD_REST only). */
	int before_rest;
	const char *command;	/* "log", "job start"; NULL: not known yet */
};

extern struct cli cli;

/*
 * Parses options and leaves the operands in argv[0..], in order; returns
 * their number.
 */
int opt_parse(const struct cmd *cmd, int argc, char **argv,
	      struct dsv_err *err);
void opt_usage(const struct cmd *cmd, FILE *out);
void opt_list(const struct cmd *cmd);
/* Appends to a list whose items live as long as the program. */
int strings_add(struct dsv_strings *list, const char *text,
		struct dsv_err *err);
/* Returns argv as a list, which borrows it. */
struct dsv_strings strings_of(int argc, char **argv);

/* ---- cli.c ------------------------------------------------------------- */

/* Fills in what the command line says about the repository. */
void cli_options(struct dsv_options *out);
int cli_open(struct dsv **out, struct dsv_err *err);
/* A number that was not given; negative, which the library reads as none. */
#define NOT_GIVEN INT64_MIN
/* Fails with DSV_EUSAGE if a number was given and is negative. */
int cli_not_negative(int64_t number, const char *option, struct dsv_err *err);
/* Fails with DSV_EUSAGE unless min <= argc <= max (max < 0: any). */
int cli_operands(int argc, int min, int max, struct dsv_err *err);

/* ---- main.c ------------------------------------------------------------ */

/* Returns the command of the table, or NULL. */
const struct cmd *cli_find(const char *name);
/* Fails with DSV_EUSAGE and suggests the nearest; group may be NULL. */
int cli_no_command(const char *name, const struct cmd *group,
		   struct dsv_err *err);
/* Prints the list of commands, for people. */
void cli_usage(FILE *out);
/* Shows the manual page, else the usage; cmd NULL: of dsv itself. */
void cli_help(const struct cmd *cmd);
/* True once the signal handler has run or stdout is gone: stop printing. */
bool cli_stopped(void);

/* ---- Signals, warnings, progress, traces (ui.c) ------------------------- */

/* Writes to stderr if DSV_TRACE=1, to the end of a file if DSV_TRACE=FILE. */
void trace(const char *fmt, ...) DSV_PRINTF(1, 2);

void signals_catch(void);
void cli_warn(const char *fmt, ...) DSV_PRINTF(1, 2);
/* Of a failure, with its hint, that stops nothing. */
void cli_warn_of(const struct dsv_err *err);
/* Callbacks for struct dsv_options. */
void ui_warn(void *arg, const char *msg);
void ui_progress(void *arg, const char *what, int64_t done_bytes,
		 int64_t total_bytes);
bool ui_wants_progress(void);
void ui_progress_clear(void);

/* ---- Text for people (out.c) ------------------------------------------- */

/* Prints control bytes and what is not UTF-8 as \xnn, a newline as \n. */
void out_text(FILE *out, const char *text);
/* The same, but newline and tab stay. */
void out_block(FILE *out, const char *text);
/* Prints the first line only, escaped. */
void out_line(FILE *out, const char *text);
/* Prints as out_text() does, then blanks up to width columns. */
void out_column(FILE *out, const char *text, int width);
/* Prints byte by byte for programs, but as out_block() on a terminal. */
void out_exact(FILE *out, const char *text);
/* Prints "K=V". */
void out_kv(FILE *out, const struct dsv_kv *kv);
/* Prints " K=V K=V". */
void out_kvs(FILE *out, const struct dsv_kvs *kvs);
/* Prints the first 12 digits on a terminal, else all. */
void out_id(FILE *out, const char *id);
bool out_is_terminal(void);
int64_t time_now_ns(void);
const char *program_path(void);	/* of this executable; "dsv" if unknown */

/* ---- JSON (json.c) ----------------------------------------------------- */

/* Returns the writer of a document that --jsonl may want as lines. */
struct dsv_json *json_new(void);
void json_state(struct dsv_json *j, const char *key,
		const struct dsv_state *s);
/* Writes the members only, inside an object that is open. */
void json_state_members(struct dsv_json *j, const struct dsv_state *s);
void json_job(struct dsv_json *j, const char *key, const struct dsv_job *job);
void json_kvs(struct dsv_json *j, const char *key, const struct dsv_kvs *kvs);
void json_strings(struct dsv_json *j, const char *key,
		  const struct dsv_strings *list);
void json_ids(struct dsv_json *j, const char *key,
	      const char (*ids)[DSV_ID_SIZE], size_t count);
/* Writes what there is so far to stdout. */
int json_flush(struct dsv_json *j, struct dsv_err *err);
/* Prints and frees a document. */
int json_print(struct dsv_json *j, struct dsv_err *err);
/* Prints {"error":{...}} on stderr. */
void json_error(int code, const struct dsv_err *err);

/* ---- Hints (hint.c) ---------------------------------------------------- */

/* There is room for a subject twice, and the words about it. */
#define HINT_SIZE (2 * sizeof(((struct dsv_err *)0)->subject) + 256)
#define ERR_TEXT_SIZE (sizeof(((struct dsv_err *)0)->msg) + HINT_SIZE + 4)

/* Says what can be done, in options and commands; false: "", nothing. */
bool hint_text(enum dsv_hint hint, const char *subject, char out[HINT_SIZE]);
/* Writes "MESSAGE (HINT)", or the message alone. */
void err_text(const struct dsv_err *err, char out[ERR_TEXT_SIZE]);

/* ---- Formats (format.c) ------------------------------------------------ */

struct format;

/* Fails with DSV_EUSAGE on an unknown field.  The caller frees *out. */
int format_parse(const char *text, struct format **out, struct dsv_err *err);
void format_free(struct format *f);
void format_print(const struct format *f, const struct dsv_state *s);

/* ---- Lists of states (list.c) ------------------------------------------ */

/*
 * Prints and frees a list as --json, --jsonl or --format ask, else with
 * print, one state at a time.
 */
int list_print(struct dsv_list *l,
	       int (*print)(struct dsv *d, const struct dsv_state *s,
			    struct dsv_err *err),
	       struct dsv *d, struct dsv_err *err);
/* Prints one id per line, or an array; frees ids. */
int ids_print(struct dsv_ids *ids, struct dsv_err *err);

/* The branches by their heads, for the decorations of log and show. */
struct refs;
int refs_load(struct dsv *d, struct refs **out, struct dsv_err *err);
void refs_free(struct refs *refs);
/* Prints " (HEAD -> main, best)", or nothing. */
void refs_print(const struct refs *refs, const struct dsv_state *s);

/* Prints what a state changed against its first parent: "lr 0.1 -> 0.01". */
void out_changes(FILE *out, const struct dsv_state *s,
		 const struct dsv_state *parent, const char *separator);
/* Gets the first parent, or NULL if there is none or nothing changed. */
int parent_for_changes(struct dsv *d, const struct dsv_state *s,
		       struct dsv_state **out, struct dsv_err *err);

/* ---- show.c ------------------------------------------------------------ */

/* Prints "0123456789ab (HEAD -> main) message", without a newline. */
void out_oneline(const struct refs *refs, const struct dsv_state *s);
/* Prints everything but the files, as log and show do. */
int out_state(struct dsv *d, const struct refs *refs,
	      const struct dsv_state *s, struct dsv_err *err);

/* ---- config.c ---------------------------------------------------------- */

/* Returns the value, which the caller frees; NULL: unset, or no memory. */
char *config_value(struct dsv *d, const char *key);

/* ---- Colours (color.c) ------------------------------------------------- */

enum color {
	COLOR_ID, COLOR_HEAD, COLOR_BRANCH, COLOR_NAME, COLOR_GONE,
	COLOR_CHANGE
};

/*
 * Decides whether stdout gets colours, by --color, NO_COLOR and color.ui.  It
 * is called before the pager is started.
 */
int color_init(struct dsv *d, struct dsv_err *err);
void color_start(enum color color);
void color_end(void);
/* Prints a character of a graph in the colour of its line. */
void color_mark(char mark, unsigned int line);

/* ---- Pager (pager.c) --------------------------------------------------- */

/* Sends stdout through the pager from now on, if it is a terminal. */
void pager_start(void);
/* Flushes, and waits until the user has left the pager. */
void pager_wait(void);

/* ---- Graph (graph.c) --------------------------------------------------- */

struct graph;

struct graph *graph_new(void);
void graph_free(struct graph *g);
/*
 * Prints the prefix of a state's own line.  graph_more() follows once for each
 * further line of its text, and then graph_end() draws the edges to the next
 * state.
 */
int graph_state(struct graph *g, const char *id,
		const char (*parents)[DSV_ID_SIZE], size_t parent_count,
		struct dsv_err *err);
void graph_more(struct graph *g);
void graph_end(struct graph *g);

/* ---- Children (child.c) ------------------------------------------------ */

struct child {
	char **argv;
	const char *name;	/* in messages; NULL: argv[0] */
	char **environment;	/* "K=V" added to ours; NULL: none */
	const char *dir;	/* NULL: here */
	int *stdin_fd;		/* if set, gets the writing end of a pipe */
	int *stdout_fd;		/* if set, gets the reading end of a pipe */
	bool quiet;		/* its stderr is discarded */
	bool to_stderr;		/* its stdout is our stderr */
	bool hold;		/* signals wait until child_wait() forwards */
};

/* Starts a command, never through a shell. */
int child_start(const struct child *child, int *pid, struct dsv_err *err);
/* Waits, and forwards signals to it in the meantime if asked. */
int child_wait(int pid, bool forward, int *wait_status, struct dsv_err *err);
/* Returns what a shell would: the exit status, or 128 + the signal. */
int child_status(int wait_status);

/* Waits without caring how it ended. */
void child_reap(int pid);

/* Stores what is captured, in a separate process (queue.c). */
void queue_start(const char *repo);

/* ---- Hooks (hook.c) ---------------------------------------------------- */

struct hook {
	const char *name;	/* "post-tag" */
	const char *state;	/* DSV_STATE; NULL: not set */
	const char *branch;	/* DSV_BRANCH; NULL: not set */
	struct dsv_strings args;	/* "$@" */
	struct dsv_strings lines;	/* on its stdin */
};

bool hook_is_set(struct dsv *d, const char *name);
/* Fails with DSV_EREFUSED if a command of it ends with a status not 0. */
int hook_run(struct dsv *d, const struct hook *h, struct dsv_err *err);
/* Runs a hook after the fact: a failure is only a warning. */
void hook_tell(struct dsv *d, const struct hook *h);

/* Reads a file ("-": stdin); the caller frees the text. */
int read_text(const char *path, char **out, size_t *len, struct dsv_err *err);

extern const struct cmd cmd_attr, cmd_bisect, cmd_branch, cmd_cat,
	cmd_checkout, cmd_config, cmd_diff, cmd_doctor, cmd_du, cmd_find,
	cmd_fork, cmd_fsck, cmd_help, cmd_init, cmd_job, cmd_log,
	cmd_merge_base, cmd_name, cmd_next, cmd_params, cmd_pin, cmd_prev,
	cmd_prune, cmd_queue, cmd_repack, cmd_restore, cmd_rev_parse, cmd_scope,
	cmd_show, cmd_status, cmd_switch, cmd_tag, cmd_unpin, cmd_wait;

#endif
