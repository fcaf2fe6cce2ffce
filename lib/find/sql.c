/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/list.h"

void find_sql_release(struct find_sql *sql)
{
	str_release(&sql->text);
	free(sql->binds);
}

void find_sql_puts(struct find_sql *sql, const char *text)
{
	str_puts(&sql->text, text);
}

/* Writes the place of a value, keeps the value for later. */
static void bind(struct find_sql *sql, const struct find_bind *value)
{
	if (list_grow((void **)&sql->binds, sql->bind_count, sizeof(*value),
		      NULL) < 0) {
		sql->failed = true;
		return;
	}
	sql->binds[sql->bind_count++] = *value;
	str_printf(&sql->text, "?%zu", sql->bind_count);
}

void find_sql_int(struct find_sql *sql, int64_t value)
{
	bind(sql, &(struct find_bind){ .type = FIND_BIND_INT,
				       .integer = value });
}

void find_sql_real(struct find_sql *sql, double value)
{
	bind(sql, &(struct find_bind){ .type = FIND_BIND_REAL,
				       .real = value });
}

static void bind_text(struct find_sql *sql, const char *text)
{
	bind(sql, &(struct find_bind){ .type = FIND_BIND_TEXT,
				       .text = text });
}

/* A text that is no id binds zeros, which are the id of no state. */
void find_sql_hash(struct find_sql *sql, const char *hex)
{
	struct find_bind value = { .type = FIND_BIND_HASH };

	if (!hash_from_hex(hex, value.hash))
		memset(value.hash, 0, sizeof(value.hash));
	bind(sql, &value);
}

struct query find_sql_query(struct find_sql *sql, struct db *db)
{
	bool failed = sql->failed || str_failed(&sql->text);
	struct query q = db_query_once(db, failed ? NULL :
				       str_text(&sql->text));
	char name[24];
	size_t i;

	for (i = 0; i < sql->bind_count; i++) {
		const struct find_bind *b = &sql->binds[i];

		snprintf(name, sizeof(name), "?%zu", i + 1);
		switch (b->type) {
		case FIND_BIND_INT:
			query_int(&q, name, b->integer);
			break;
		case FIND_BIND_REAL:
			query_real(&q, name, b->real);
			break;
		case FIND_BIND_TEXT:
			query_text(&q, name, b->text);
			break;
		case FIND_BIND_HASH:
			query_hash(&q, name, b->hash);
			break;
		}
	}
	return q;
}

static bool is_negated(enum find_op op)
{
	return op == FIND_NE || op == FIND_NO_MATCH || op == FIND_NOT_IN;
}

static bool is_equality(enum find_op op)
{
	return op == FIND_EQ || op == FIND_NE || op == FIND_IN ||
		op == FIND_NOT_IN;
}

static const char *order_text(enum find_op op)
{
	return op == FIND_LT ? " < " : op == FIND_LE ? " <= " :
		op == FIND_GT ? " > " : " >= ";
}

/* ---- Rows of attr and param ------------------------------------------ */

static bool never_ordered(const char *text)
{
	return !strcmp(text, "nan") || !strcmp(text, "inf") ||
		!strcmp(text, "-inf");
}

static void bind_typed(struct find_sql *sql, const struct find_value *value)
{
	if (value->type == DSV_NUMBER)
		find_sql_real(sql, value->number);
	else
		bind_text(sql, value->text);
}

bool find_has_type(const struct find_node *node, enum dsv_type type)
{
	size_t i;

	for (i = 0; i < node->value_count; i++) {
		if (node->values[i].type == type)
			return true;
	}
	return false;
}

/* " IN (...)" of those of node's values that have the type. */
static void values_of_type(struct find_sql *sql, const struct find_node *node,
			   enum dsv_type type)
{
	const char *before = " IN (";
	size_t i;

	for (i = 0; i < node->value_count; i++) {
		if (node->values[i].type != type)
			continue;
		find_sql_puts(sql, before);
		bind_typed(sql, &node->values[i]);
		before = ", ";
	}
	find_sql_puts(sql, ")");
}

/* A text equals also a null, list or object that is written so. */
void find_sql_type_test(struct find_sql *sql, const struct find_node *node,
			const char *row, enum dsv_type type)
{
	const struct find_value *value = &node->values[0];

	str_printf(&sql->text, "%s.type %s AND ", row,
		   type == DSV_NUMBER ? "= 1" : type == DSV_BOOL ? "= 2" :
		   is_equality(node->op) ? "IN (0, 3)" : "= 0");
	if (value->regex >= 0) {
		find_sql_puts(sql, "dsv_regex(");
		find_sql_int(sql, value->regex);
		str_printf(&sql->text, ", %s.text)", row);
		return;
	}
	str_printf(&sql->text, "%s.%s", row,
		   type == DSV_NUMBER ? "number" : "text");
	if (is_equality(node->op)) {
		values_of_type(sql, node, type);
		return;
	}
	find_sql_puts(sql, order_text(node->op));
	bind_typed(sql, value);
	if (type == DSV_STRING)
		str_printf(&sql->text, " AND %s.text NOT IN"
			   " ('nan', 'inf', '-inf')", row);
	if (type == DSV_STRING && never_ordered(value->text))
		find_sql_puts(sql, " AND 0");
}

void find_sql_row_test(struct find_sql *sql, const struct find_node *node,
		       const char *row)
{
	static const enum dsv_type types[] = { DSV_NUMBER, DSV_BOOL,
					       DSV_STRING };
	const char *before = "(";
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!find_has_type(node, types[i]))
			continue;
		find_sql_puts(sql, before);
		find_sql_type_test(sql, node, row, types[i]);
		before = " OR ";
	}
	find_sql_puts(sql, ")");
}

/* EXISTS (a row of the key [that satisfies node]) */
static void row_exists(struct find_sql *sql, const struct find_node *node,
		       bool attr)
{
	find_sql_puts(sql, attr ? "EXISTS (SELECT 1 FROM attr AS a"
		      " WHERE a.state = s.seq AND a.key = " :
		      "EXISTS (SELECT 1 FROM param AS a"
		      " WHERE a.params = s.params AND a.key = ");
	find_sql_int(sql, node->key.id);
	if (node->op != FIND_SET && node->op != FIND_UNSET) {
		find_sql_puts(sql, is_negated(node->op) ? " AND NOT " :
			      " AND ");
		find_sql_row_test(sql, node, "a");
	}
	find_sql_puts(sql, ")");
}

static void either_test(struct find_sql *sql, const struct find_node *node)
{
	struct find_node is_set = *node;

	is_set.op = FIND_SET;
	find_sql_puts(sql, "(CASE WHEN ");
	row_exists(sql, &is_set, true);
	find_sql_puts(sql, " THEN ");
	row_exists(sql, node, true);
	find_sql_puts(sql, " ELSE ");
	row_exists(sql, node, false);
	find_sql_puts(sql, " END)");
}

/* ---- Built-in fields ------------------------------------------------- */

static void bind_field(struct find_sql *sql, const struct find_node *node,
		       size_t i)
{
	const struct find_value *value = &node->values[i];

	switch (node->key.field->type) {
	case FIND_TEXT:
		bind_text(sql, value->text);
		break;
	case FIND_NUMBER:
		find_sql_real(sql, value->number);
		break;
	default:
		find_sql_int(sql, value->integer);
	}
}

/*
 * A time that is given to the second is all of that second, as times are
 * shown so.
 */
void find_sql_field_term(struct find_sql *sql, const struct find_node *node,
			 size_t i)
{
	int64_t time_ns = node->values[i].integer;
	bool is_second = node->key.field->type == FIND_TIME &&
			 time_ns % NS_PER_S == 0;
	int64_t last_ns = is_second ? time_ns + NS_PER_S - 1 : 0;

	if (!is_equality(node->op)) {
		find_sql_puts(sql, order_text(node->op));
		if (is_second && (node->op == FIND_LE || node->op == FIND_GT))
			find_sql_int(sql, last_ns);
		else
			bind_field(sql, node, i);
	} else if (is_second) {
		find_sql_puts(sql, " BETWEEN ");
		find_sql_int(sql, time_ns);
		find_sql_puts(sql, " AND ");
		find_sql_int(sql, last_ns);
	} else {
		find_sql_puts(sql, " = ");
		bind_field(sql, node, i);
	}
}

static void field_condition(struct find_sql *sql, const struct find_node *node)
{
	const struct find_field *field = node->key.field;
	size_t i;

	if (node->values[0].regex >= 0) {
		find_sql_puts(sql, "dsv_regex(");
		find_sql_int(sql, node->values[0].regex);
		str_printf(&sql->text, ", %s)", field->value);
	} else if (node->value_count == 1 || field->type == FIND_TIME) {
		for (i = 0; i < node->value_count; i++) {
			str_printf(&sql->text, "%s%s", i ? " OR " : "(",
				   field->value);
			find_sql_field_term(sql, node, i);
		}
		find_sql_puts(sql, ")");
	} else {
		find_sql_puts(sql, field->value);
		for (i = 0; i < node->value_count; i++) {
			find_sql_puts(sql, i ? ", " : " IN (");
			bind_field(sql, node, i);
		}
		find_sql_puts(sql, ")");
	}
}

static void many_test(struct find_sql *sql, const struct find_node *node)
{
	const char *from = node->key.field->from;

	if (node->op == FIND_SET || node->op == FIND_UNSET ||
	    is_negated(node->op))
		str_printf(&sql->text, "EXISTS (SELECT 1 %s)", from);
	if (node->op == FIND_SET || node->op == FIND_UNSET)
		return;
	if (is_negated(node->op))
		find_sql_puts(sql, " AND NOT ");
	str_printf(&sql->text, "EXISTS (SELECT 1 %s AND ", from);
	field_condition(sql, node);
	find_sql_puts(sql, ")");
}

static void field_test(struct find_sql *sql, const struct find_node *node)
{
	const struct find_field *field = node->key.field;

	find_sql_puts(sql, "(");
	if (field->from) {
		many_test(sql, node);
	} else if (node->op == FIND_SET || node->op == FIND_UNSET) {
		if (field->nullable)
			str_printf(&sql->text, "%s IS NOT NULL", field->value);
		else
			find_sql_puts(sql, "1");
	} else {
		find_sql_puts(sql, is_negated(node->op) ? "(NOT " : "(");
		field_condition(sql, node);
		find_sql_puts(sql, ") IS TRUE");
	}
	find_sql_puts(sql, ")");
}

/* ---- Whole conditions ------------------------------------------------ */

static void compare_test(struct find_sql *sql, const struct find_node *node)
{
	if (node->op == FIND_UNSET)
		find_sql_puts(sql, "NOT ");
	switch (node->key.source) {
	case FIND_NOWHERE:
		find_sql_puts(sql, "0");
		break;
	case FIND_BUILTIN:
		field_test(sql, node);
		break;
	case FIND_ATTR:
	case FIND_PARAM:
		row_exists(sql, node, node->key.source == FIND_ATTR);
		break;
	case FIND_EITHER:
		either_test(sql, node);
		break;
	}
}

static void chain_test(struct find_sql *sql, const struct find_node *node)
{
	size_t i;

	for (i = 0; i < node->child_count; i++) {
		find_sql_puts(sql, i == 0 ? "(" :
			      node->kind == FIND_AND ? " AND " : " OR ");
		find_sql_test(sql, node->children[i]);
	}
	find_sql_puts(sql, ")");
}

void find_sql_test(struct find_sql *sql, const struct find_node *node)
{
	if (node == sql->given) {
		find_sql_puts(sql, "1");
		return;
	}
	switch (node->kind) {
	case FIND_AND:
	case FIND_OR:
		chain_test(sql, node);
		break;
	case FIND_NOT:
		find_sql_puts(sql, "NOT ");
		find_sql_test(sql, node->children[0]);
		break;
	case FIND_COMPARE:
		compare_test(sql, node);
		break;
	}
}
