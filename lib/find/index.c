/* SPDX-License-Identifier: MIT */
/*
 * The sets of states that an index of the schema gives.
 */
#include "find.h"

#include <string.h>

/* More would make a compound SELECT that SQLite refuses. */
enum { MAX_SETS = 50 };

static bool field_is_indexed(const struct find_node *node)
{
	bool one = node->op == FIND_EQ;
	bool equal = one || node->op == FIND_IN;
	bool ordered = node->op == FIND_LT || node->op == FIND_LE ||
		node->op == FIND_GT || node->op == FIND_GE;

	switch (node->key.field->index) {
	case FIND_BY_VALUE:
		return one || ordered;
	case FIND_BY_ID:
		return equal;
	case FIND_BY_CONTENT:
		return one;
	case FIND_BY_KIND:
		return one && strcmp(node->values[0].text, "tag") != 0;
	case FIND_BY_FLAG:
		return one && node->values[0].integer;
	case FIND_NO_INDEX:
		break;
	}
	return false;
}

static bool compare_is_indexed(const struct find_node *node)
{
	if (node->key.source == FIND_BUILTIN)
		return field_is_indexed(node);
	switch (node->op) {
	case FIND_NE:
	case FIND_NO_MATCH:
	case FIND_NOT_IN:
	case FIND_UNSET:
		return false;
	default:
		return true;
	}
}

/*
 * The comparison with a set that node implies: itself, or one of an and;
 * NULL: none.
 */
static const struct find_node *implied(const struct find_node *node)
{
	size_t i;

	if (node->kind == FIND_COMPARE)
		return compare_is_indexed(node) ? node : NULL;
	for (i = 0; node->kind == FIND_AND && i < node->child_count; i++) {
		if (node->children[i]->kind == FIND_COMPARE &&
		    compare_is_indexed(node->children[i]))
			return node->children[i];
	}
	return NULL;
}

bool find_is_indexed(const struct find_node *node)
{
	size_t i;

	if (node->kind != FIND_OR)
		return implied(node);
	for (i = 0; i < node->child_count; i++) {
		if (!implied(node->children[i]))
			return false;
	}
	return node->child_count <= MAX_SETS;
}

bool find_index_is_costly(const struct find_node *node)
{
	size_t i;

	if (node->kind != FIND_OR)
		return implied(node)->op == FIND_MATCH;
	for (i = 0; i < node->child_count; i++) {
		if (implied(node->children[i])->op == FIND_MATCH)
			return true;
	}
	return false;
}

static bool compare_is_exact(const struct find_node *node)
{
	return node->kind == FIND_COMPARE && node->key.source != FIND_EITHER;
}

bool find_index_is_exact(const struct find_node *node)
{
	size_t i;

	if (node->kind != FIND_OR)
		return compare_is_exact(node);
	for (i = 0; i < node->child_count; i++) {
		if (!compare_is_exact(node->children[i]))
			return false;
	}
	return true;
}

/* The rows of one index: those with values of the type. */
static void rows_select(struct find_sql *sql, const struct find_node *node,
			bool attr, enum dsv_type type)
{
	if (attr)
		find_sql_puts(sql, "SELECT a.state FROM attr AS a"
			      " WHERE a.key = ");
	else
		find_sql_puts(sql, "SELECT s.seq FROM param AS a CROSS JOIN"
			      " state AS s ON s.params = a.params"
			      " WHERE a.key = ");
	find_sql_int(sql, node->key.id);
	if (type != DSV_NUMBER)
		find_sql_puts(sql, " AND a.type <> 1");
	if (node->op == FIND_SET) {
		find_sql_puts(sql, type == DSV_NUMBER ? " AND a.type = 1" : "");
	} else {
		find_sql_puts(sql, " AND ");
		find_sql_type_test(sql, node, "a", type);
	}
}

/* Values of different types are in different parts of the indexes. */
static void rows_set(struct find_sql *sql, const struct find_node *node,
		     bool attr)
{
	static const enum dsv_type types[] = { DSV_NUMBER, DSV_BOOL,
					       DSV_STRING };
	const char *before = "";
	size_t i;

	if (node->op == FIND_SET) {
		rows_select(sql, node, attr, DSV_NUMBER);
		find_sql_puts(sql, " UNION ALL ");
		rows_select(sql, node, attr, DSV_STRING);
		return;
	}
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!find_has_type(node, types[i]))
			continue;
		find_sql_puts(sql, before);
		rows_select(sql, node, attr, types[i]);
		before = " UNION ALL ";
	}
}

static void id_set(struct find_sql *sql, const struct find_node *node)
{
	size_t i;

	find_sql_puts(sql, "SELECT seq FROM state WHERE id IN (");
	for (i = 0; i < node->value_count; i++) {
		find_sql_puts(sql, i ? ", " : "");
		find_sql_hash(sql, node->values[i].text);
	}
	find_sql_puts(sql, ")");
}

static void field_set(struct find_sql *sql, const struct find_node *node)
{
	const struct find_field *field = node->key.field;

	switch (field->index) {
	case FIND_BY_VALUE:
		find_sql_puts(sql, field->by);
		find_sql_field_term(sql, node, 0);
		find_sql_puts(sql, ")");
		break;
	case FIND_BY_ID:
		id_set(sql, node);
		break;
	case FIND_BY_CONTENT:
		find_sql_puts(sql, "SELECT seq FROM state WHERE manifest ="
			      " (SELECT id FROM manifest WHERE hash = ");
		find_sql_hash(sql, node->values[0].text);
		find_sql_puts(sql, ")");
		break;
	case FIND_BY_KIND:
		find_sql_puts(sql, "SELECT seq FROM state"
			      " WHERE kind <> 'tag' AND kind");
		find_sql_field_term(sql, node, 0);
		break;
	case FIND_BY_FLAG:
		find_sql_puts(sql, field->by);
		break;
	case FIND_NO_INDEX:
		break;
	}
}

static void compare_set(struct find_sql *sql, const struct find_node *node)
{
	switch (node->key.source) {
	case FIND_NOWHERE:
		find_sql_puts(sql, "SELECT seq FROM state WHERE 0");
		break;
	case FIND_BUILTIN:
		field_set(sql, node);
		break;
	case FIND_ATTR:
	case FIND_PARAM:
		rows_set(sql, node, node->key.source == FIND_ATTR);
		break;
	case FIND_EITHER:
		find_sql_puts(sql, "SELECT * FROM (");
		rows_set(sql, node, true);
		find_sql_puts(sql, sql->rough ? ") UNION ALL SELECT * FROM (" :
			      ") UNION SELECT * FROM (");
		rows_set(sql, node, false);
		find_sql_puts(sql, ")");
		break;
	}
}

void find_sql_index(struct find_sql *sql, const struct find_node *node)
{
	size_t i;

	if (node->kind != FIND_OR) {
		compare_set(sql, implied(node));
		return;
	}
	for (i = 0; i < node->child_count; i++) {
		find_sql_puts(sql, i == 0 ? "SELECT * FROM (" : sql->rough ?
			      " UNION ALL SELECT * FROM (" :
			      " UNION SELECT * FROM (");
		compare_set(sql, implied(node->children[i]));
		find_sql_puts(sql, ")");
	}
}
