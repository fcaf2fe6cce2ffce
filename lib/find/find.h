/* SPDX-License-Identifier: MIT */
/*
 * Find expressions: text to tree (find_lex.c, find_parse.c), tree to what is
 * in this catalog (find_resolve.c), to SQL (find_sql.c), to an answer
 * (find.c).  Values of the text are always bound, never pasted into SQL.
 */
#ifndef DSV_FIND_FIND_H
#define DSV_FIND_FIND_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/str.h"
#include "../catalog/internal.h"

enum {
	FIND_MAX_LENGTH = 1 << 20,	/* bytes of an expression */
	FIND_MAX_DEPTH = 100,		/* of parentheses and not */
	FIND_MAX_LEVELS = 32,		/* of the tree, not counting those */
	FIND_MAX_COMPARISONS = 500,
	FIND_MAX_VALUES = 10000
};

/* ---- Words ----------------------------------------------------------- */

enum find_token_type {
	FIND_END,
	FIND_OPEN,
	FIND_CLOSE,
	FIND_COMMA,
	FIND_OPERATOR,
	FIND_WORD,	/* a key, a keyword, or a value without quotes */
	FIND_STRING
};

enum find_op {
	FIND_EQ, FIND_NE, FIND_LT, FIND_LE, FIND_GT, FIND_GE,
	FIND_MATCH, FIND_NO_MATCH, FIND_IN, FIND_NOT_IN,
	FIND_SET, FIND_UNSET
};

struct find_token {
	enum find_token_type type;
	enum find_op op;
	size_t column;		/* of its first character, from 1 */
	struct str text;	/* of a word or string, escapes resolved */
};

struct find_lexer {
	const char *next;
	size_t column;
	struct find_token token;
};

void find_lexer_init(struct find_lexer *lexer, const char *text);
void find_lexer_release(struct find_lexer *lexer);
/* Read lexer->token; DSV_EUSAGE. */
int find_lexer_next(struct find_lexer *lexer, struct dsv_err *err);
/* A failure at a column, in the one form that all have. */
int find_fail(struct dsv_err *err, size_t column, const char *fmt, ...)
	DSV_PRINTF(3, 4);

#define FIND_REGEX_PARTS 2000

/*
 * What a regular expression consists of with its repetitions written out;
 * more than FIND_REGEX_PARTS: too much.
 */
size_t find_regex_parts(const char *text);

/* ---- Trees ----------------------------------------------------------- */

enum find_kind { FIND_AND, FIND_OR, FIND_NOT, FIND_COMPARE };

struct find_value {
	size_t column;
	bool quoted;
	char *text;
	/* Set by find_resolve(), as the field needs it: */
	enum dsv_type type;
	double number;
	int64_t integer;
	int regex;		/* index of struct find_context's; -1: none */
};

/* The left side of a comparison comes from one of these. */
enum find_source {
	FIND_NOWHERE,	/* no state of this catalog has it */
	FIND_BUILTIN,
	FIND_ATTR,
	FIND_PARAM,
	FIND_EITHER	/* attribute if the state has it, else parameter */
};

struct find_field;

/* This is what a key means in this catalog. */
struct find_key {
	enum find_source source;
	const struct find_field *field;	/* of FIND_BUILTIN */
	int64_t id;			/* of the row in key, for the others */
};

struct find_node {
	enum find_kind kind;
	size_t column;
	/* FIND_AND, FIND_OR: two or more; FIND_NOT: one comparison. */
	size_t child_count;
	struct find_node **children;
	/* FIND_COMPARE */
	char *text;		/* the key as written */
	struct find_key key;
	enum find_op op;
	size_t value_count;
	struct find_value *values;
};

/* DSV_EUSAGE: the message names the column. */
int find_parse(const char *text, struct find_node **out, struct dsv_err *err);
void find_free(struct find_node *node);
/* Make a AND of a (may be NULL) and b; frees both on failure. */
struct find_node *find_and(struct find_node *a, struct find_node *b);
/* key = "text"; NULL when out of memory. */
struct find_node *find_equals(const char *key, const char *text);

/* ---- Built-in fields ------------------------------------------------- */

enum find_field_type {
	FIND_TEXT,
	FIND_SIZE,	/* bytes, or a count */
	FIND_TIME,	/* ns */
	FIND_NUMBER,
	FIND_FLAG
};

/* An index of the schema can find states by these. */
enum find_index {
	FIND_NO_INDEX,
	FIND_BY_VALUE,		/* "by": SELECT of seq that ends in a term */
	FIND_BY_ID,
	FIND_BY_CONTENT,
	FIND_BY_KIND,
	FIND_BY_FLAG		/* "by": the states whose flag is set */
};

struct find_field {
	const char *name;
	enum find_field_type type;
	bool nullable;
	const char *value;	/* SQL; NULL is unset */
	const char *from;	/* many values: FROM ... WHERE ...; else NULL */
	enum find_index index;
	const char *by;
};

/* NULL: none of that name. */
const struct find_field *find_field(const char *name);

/* ---- Meaning --------------------------------------------------------- */

/* A set of states. */
struct find_set {
	unsigned char *bits;	/* by seq */
	int64_t limit;		/* seqs are below */
	int64_t count;
	int64_t least, most;	/* members are between, if there are any */
};

/* An empty set with room for all states; in a read transaction. */
int find_set_init(struct catalog *c, struct find_set *out,
		  struct dsv_err *err);
void find_set_release(struct find_set *set);
/* False if it was there. */
bool find_set_add(struct find_set *set, int64_t seq);
bool find_set_has(const struct find_set *set, int64_t seq);
/* All descendants (or ancestors) of seq; in a read transaction. */
int find_set_relatives(struct catalog *c, int64_t seq, bool descendants,
		       struct find_set *out, struct dsv_err *err);
/* Takes other over. */
void find_set_intersect(struct find_set *set, struct find_set *other);

/* The SQL functions of one search work on this. */
struct find_context {
	struct catalog *c;
	struct db *db;
	int64_t now_ns;
	size_t regex_count;
	regex_t *regexes;
	struct find_set *set;	/* borrowed; NULL: no limit */
};

/* Look up keys, give values their types, compile regular expressions. */
int find_resolve(struct find_context *x, struct find_node *node,
		 struct dsv_err *err);
int find_resolve_key(struct find_context *x, const char *text,
		     struct find_key *out, struct dsv_err *err);
/*
 * Make dsv_regex(index, text) and dsv_in_set(seq) known to the connection;
 * find_functions_remove() before *x goes.
 */
int find_functions_add(struct find_context *x, struct dsv_err *err);
void find_functions_remove(struct find_context *x);
void find_context_release(struct find_context *x);

/* ---- SQL ------------------------------------------------------------- */

struct find_bind {
	enum { FIND_BIND_INT, FIND_BIND_REAL, FIND_BIND_TEXT, FIND_BIND_HASH }
		type;
	int64_t integer;
	double real;
	const char *text;	/* borrowed from the tree */
	unsigned char hash[HASH_BYTES];
};

/* A statement that is being written. */
struct find_sql {
	struct str text;
	size_t bind_count;
	struct find_bind *binds;
	bool failed;			/* out of memory */
	const struct find_node *given;	/* known to hold: not asked again */
	bool rough;			/* sets may have a state twice */
};

#define FIND_SQL_INIT { .text = STR_INIT }

void find_sql_release(struct find_sql *sql);
void find_sql_int(struct find_sql *sql, int64_t value);
void find_sql_real(struct find_sql *sql, double value);
void find_sql_hash(struct find_sql *sql, const char *hex);
void find_sql_puts(struct find_sql *sql, const char *text);
/*
 * The statement with its values bound.  sql must live as long.  On failure
 * to allocate, the first step fails.
 */
struct query find_sql_query(struct find_sql *sql, struct db *db);

/* A condition on the row "s" of state: 0 or 1, never NULL. */
void find_sql_test(struct find_sql *sql, const struct find_node *node);
/* The condition on a row of attr or param whose alias is row. */
void find_sql_row_test(struct find_sql *sql, const struct find_node *node,
		       const char *row);
/* The same, of only those of node's values that have the type. */
void find_sql_type_test(struct find_sql *sql, const struct find_node *node,
			const char *row, enum dsv_type type);
bool find_has_type(const struct find_node *node, enum dsv_type type);
/* Writes what follows a built-in field's value: " = ?1". */
void find_sql_field_term(struct find_sql *sql, const struct find_node *node,
			 size_t i);
/* Is there an index that finds node's states? */
bool find_is_indexed(const struct find_node *node);
/*
 * Must more rows be looked at than it has states?  (A regular expression goes
 * through all texts of the key.)  Only if find_is_indexed().
 */
bool find_index_is_costly(const struct find_node *node);
/* Does find_sql_index() give exactly node's states? */
bool find_index_is_exact(const struct find_node *node);
/*
 * A SELECT of the seqs of at least those states that satisfy node, each
 * once.  Only if find_is_indexed().
 */
void find_sql_index(struct find_sql *sql, const struct find_node *node);

#endif
