/* SPDX-License-Identifier: MIT */
/*
 *	or    = and { "or" and }
 *	and   = not { "and" not }
 *	not   = "not" not | "(" or ")" | compare
 *	compare = KEY ( OP VALUE | [ "not" ] "in" "(" VALUE { "," VALUE } ")"
 *		| "is" [ "not" ] "set" )
 */
#include "find.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/list.h"

struct parser {
	struct find_lexer lexer;
	int depth;
	size_t comparisons;
	size_t values;
	struct dsv_err *err;
};

void find_free(struct find_node *node)
{
	size_t i;

	if (!node)
		return;
	for (i = 0; i < node->child_count; i++)
		find_free(node->children[i]);
	free(node->children);
	for (i = 0; i < node->value_count; i++)
		free(node->values[i].text);
	free(node->values);
	free(node->text);
	free(node);
}

static struct find_node *node_new(enum find_kind kind, size_t column)
{
	struct find_node *node = calloc(1, sizeof(*node));

	if (node) {
		node->kind = kind;
		node->column = column;
	}
	return node;
}

static bool node_add(struct find_node *node, struct find_node *child)
{
	if (list_grow((void **)&node->children, node->child_count,
		      sizeof(child), NULL) < 0)
		return false;
	node->children[node->child_count++] = child;
	return true;
}

/* Operands of the same operator become operands of one node. */
static bool node_join(struct find_node *node, struct find_node *child)
{
	size_t i;

	if (child->kind != node->kind)
		return node_add(node, child);
	for (i = 0; i < child->child_count; i++) {
		if (!node_add(node, child->children[i]))
			break;
	}
	/* Whatever was not moved still belongs to the child. */
	child->child_count -= i;
	memmove(child->children, child->children + i,
		child->child_count * sizeof(*child->children));
	if (child->child_count > 0)
		return false;
	find_free(child);
	return true;
}

/*
 * The opposite, with not only at comparisons: SQLite's parser has a short
 * stack.  Tests are true or false, never unknown, so De Morgan's laws hold.
 * Takes the node over; NULL when out of memory.
 */
static struct find_node *negate(struct find_node *node)
{
	struct find_node *child, *wrapper;
	size_t i;

	switch (node->kind) {
	case FIND_NOT:
		child = node->children[0];
		node->child_count = 0;
		find_free(node);
		return child;
	case FIND_AND:
	case FIND_OR:
		for (i = 0; i < node->child_count; i++) {
			child = negate(node->children[i]);
			if (!child) {
				node->children[i] = node->children
					[--node->child_count];
				find_free(node);
				return NULL;
			}
			node->children[i] = child;
		}
		node->kind = node->kind == FIND_AND ? FIND_OR : FIND_AND;
		return node;
	case FIND_COMPARE:
		break;
	}
	if (node->op == FIND_SET || node->op == FIND_UNSET) {
		node->op = node->op == FIND_SET ? FIND_UNSET : FIND_SET;
		return node;
	}
	wrapper = node_new(FIND_NOT, node->column);
	if (wrapper && node_add(wrapper, node))
		return wrapper;
	find_free(wrapper);
	find_free(node);
	return NULL;
}

static int node_depth(const struct find_node *node)
{
	int depth, deepest = 0;
	size_t i;

	for (i = 0; i < node->child_count; i++) {
		depth = node_depth(node->children[i]);
		if (depth > deepest)
			deepest = depth;
	}
	return deepest + 1;
}

/* The deepest first: then SQLite's stack grows least. */
static void sort_children(struct find_node *node)
{
	size_t i, deepest = 0;
	struct find_node *child;
	int depth = 0;

	for (i = 0; i < node->child_count; i++) {
		int d = node_depth(node->children[i]);

		if (d > depth) {
			depth = d;
			deepest = i;
		}
	}
	for (i = 0; i < node->child_count; i++)
		sort_children(node->children[i]);
	if (deepest > 0) {
		child = node->children[deepest];
		node->children[deepest] = node->children[0];
		node->children[0] = child;
	}
}

static bool value_add(struct find_node *node, const char *text, bool quoted,
		      size_t column)
{
	struct find_value value = { .column = column, .quoted = quoted,
				    .regex = -1 };

	if (list_grow((void **)&node->values, node->value_count,
		      sizeof(value), NULL) < 0)
		return false;
	value.text = strdup(text);
	if (!value.text)
		return false;
	node->values[node->value_count++] = value;
	return true;
}

struct find_node *find_and(struct find_node *a, struct find_node *b)
{
	struct find_node *node;

	if (!a || !b)
		return a ? a : b;
	node = node_new(FIND_AND, a->column);
	if (node && node_join(node, b)) {
		b = NULL;
		if (node_join(node, a))
			return node;
	}
	find_free(node);
	find_free(a);
	find_free(b);
	return NULL;
}

struct find_node *find_equals(const char *key, const char *text)
{
	struct find_node *node = node_new(FIND_COMPARE, 1);

	if (!node)
		return NULL;
	node->op = FIND_EQ;
	node->text = strdup(key);
	if (!node->text || !value_add(node, text, true, 1)) {
		find_free(node);
		return NULL;
	}
	return node;
}

static bool at_keyword(const struct parser *p, const char *keyword)
{
	return p->lexer.token.type == FIND_WORD &&
		!strcasecmp(str_text(&p->lexer.token.text), keyword);
}

static bool is_keyword(const char *text)
{
	static const char *const keywords[] = { "and", "or", "not", "in",
						"is" };
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!strcasecmp(text, keywords[i]))
			return true;
	}
	return false;
}

static int next(struct parser *p)
{
	return find_lexer_next(&p->lexer, p->err);
}

/* Fail at the token that is there instead of what. */
static int expected(struct parser *p, const char *what)
{
	struct find_token *token = &p->lexer.token;

	if (token->type == FIND_END)
		return find_fail(p->err, token->column,
				 "the expression ends where %s is expected",
				 what);
	return find_fail(p->err, token->column, "expected %s, found '%.60s'",
			 what, str_text(&token->text));
}

static int parse_value(struct parser *p, struct find_node *node)
{
	struct find_token *token = &p->lexer.token;
	const char *text = str_text(&token->text);
	bool quoted = token->type == FIND_STRING;

	if (!quoted && (token->type != FIND_WORD || is_keyword(text)))
		return expected(p, "a value");
	if (++p->values > FIND_MAX_VALUES)
		return find_fail(p->err, token->column,
				 "more than %d values", FIND_MAX_VALUES);
	if (!value_add(node, text, quoted, token->column))
		return dsv_fail_nomem(p->err);
	return next(p);
}

static int parse_list(struct parser *p, struct find_node *node)
{
	int ret;

	if (p->lexer.token.type != FIND_OPEN)
		return expected(p, "'('");
	do {
		ret = next(p);
		if (ret == 0)
			ret = parse_value(p, node);
		if (ret < 0)
			return ret;
	} while (p->lexer.token.type == FIND_COMMA);
	if (p->lexer.token.type != FIND_CLOSE)
		return expected(p, "',' or ')'");
	return next(p);
}

/* After "is". */
static int parse_set(struct parser *p, struct find_node *node)
{
	int ret;

	node->op = FIND_SET;
	if (at_keyword(p, "not")) {
		node->op = FIND_UNSET;
		ret = next(p);
		if (ret < 0)
			return ret;
	}
	if (!at_keyword(p, "set"))
		return expected(p, node->op == FIND_SET ?
				"'set' or 'not set'" : "'set'");
	return next(p);
}

static int parse_operation(struct parser *p, struct find_node *node)
{
	int ret;

	if (p->lexer.token.type == FIND_OPERATOR) {
		node->op = p->lexer.token.op;
		ret = next(p);
		return ret < 0 ? ret : parse_value(p, node);
	}
	if (at_keyword(p, "is")) {
		ret = next(p);
		return ret < 0 ? ret : parse_set(p, node);
	}
	node->op = FIND_IN;
	if (at_keyword(p, "not")) {
		node->op = FIND_NOT_IN;
		ret = next(p);
		if (ret < 0)
			return ret;
		if (!at_keyword(p, "in"))
			return expected(p, "'in'");
	}
	if (!at_keyword(p, "in"))
		return expected(p, "an operator (= != < <= > >= ~ !~, in,"
				" is set)");
	ret = next(p);
	return ret < 0 ? ret : parse_list(p, node);
}

static int parse_compare(struct parser *p, struct find_node **out)
{
	struct find_token *token = &p->lexer.token;
	const char *text = str_text(&token->text);
	struct find_node *node;
	int ret;

	if (token->type != FIND_WORD || is_keyword(text) ||
	    (!isalpha((unsigned char)*text) && *text != '_'))
		return expected(p, "a key");
	if (++p->comparisons > FIND_MAX_COMPARISONS)
		return find_fail(p->err, token->column, "more than %d"
				 " comparisons", FIND_MAX_COMPARISONS);
	node = node_new(FIND_COMPARE, token->column);
	if (!node)
		return dsv_fail_nomem(p->err);
	node->text = strdup(text);
	ret = node->text ? next(p) : dsv_fail_nomem(p->err);
	if (ret == 0)
		ret = parse_operation(p, node);
	if (ret < 0)
		find_free(node);
	else
		*out = node;
	return ret;
}

static int parse_or(struct parser *p, struct find_node **out);

static int parse_parentheses(struct parser *p, struct find_node **out)
{
	size_t column = p->lexer.token.column;
	struct find_node *node = NULL;
	int ret;

	ret = next(p);
	if (ret == 0)
		ret = parse_or(p, &node);
	if (ret == 0 && p->lexer.token.type == FIND_END)
		ret = find_fail(p->err, column, "the '(' is not closed");
	else if (ret == 0 && p->lexer.token.type != FIND_CLOSE)
		ret = expected(p, "'and', 'or' or ')'");
	if (ret == 0)
		ret = next(p);
	if (ret < 0)
		find_free(node);
	else
		*out = node;
	return ret;
}

static int parse_not(struct parser *p, struct find_node **out)
{
	struct find_node *child = NULL;
	int ret;

	if (p->depth >= FIND_MAX_DEPTH)
		return find_fail(p->err, p->lexer.token.column,
				 "nested more than %d deep", FIND_MAX_DEPTH);
	p->depth++;
	if (p->lexer.token.type == FIND_OPEN) {
		ret = parse_parentheses(p, out);
	} else if (at_keyword(p, "not")) {
		ret = next(p);
		if (ret == 0)
			ret = parse_not(p, &child);
		if (ret < 0)
			return ret;
		child = negate(child);
		if (!child)
			return dsv_fail_nomem(p->err);
		*out = child;
	} else {
		ret = parse_compare(p, out);
	}
	p->depth--;
	return ret;
}

static int parse_chain(struct parser *p, enum find_kind kind,
		       struct find_node **out)
{
	const char *keyword = kind == FIND_AND ? "and" : "or";
	struct find_node *node = NULL, *child = NULL;
	size_t column = p->lexer.token.column;
	int ret;

	for (;;) {
		ret = kind == FIND_AND ? parse_not(p, &child) :
			parse_chain(p, FIND_AND, &child);
		if (ret < 0)
			goto fail;
		if (!node && !at_keyword(p, keyword)) {
			*out = child;
			return 0;
		}
		if (!node)
			node = node_new(kind, column);
		if (!node || !node_join(node, child)) {
			ret = dsv_fail_nomem(p->err);
			goto fail;
		}
		child = NULL;
		if (!at_keyword(p, keyword))
			break;
		ret = next(p);
		if (ret < 0)
			goto fail;
	}
	*out = node;
	return 0;
fail:
	find_free(child);
	find_free(node);
	return ret;
}

static int parse_or(struct parser *p, struct find_node **out)
{
	return parse_chain(p, FIND_OR, out);
}

int find_parse(const char *text, struct find_node **out, struct dsv_err *err)
{
	struct parser p = { .err = err };
	struct find_node *node = NULL;
	int ret;

	if (strlen(text) > FIND_MAX_LENGTH)
		return find_fail(err, 1, "longer than %d bytes",
				 FIND_MAX_LENGTH);
	find_lexer_init(&p.lexer, text);
	ret = next(&p);
	if (ret == 0)
		ret = parse_or(&p, &node);
	if (ret == 0 && p.lexer.token.type != FIND_END)
		ret = expected(&p, "'and', 'or' or the end");
	if (ret == 0 && node_depth(node) > FIND_MAX_LEVELS)
		ret = find_fail(err, node->column, "'and' and 'or' alternate"
				" more than %d deep", FIND_MAX_LEVELS - 2);
	find_lexer_release(&p.lexer);
	if (ret < 0) {
		find_free(node);
		return ret;
	}
	sort_children(node);
	*out = node;
	return 0;
}
