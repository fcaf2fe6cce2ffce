/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/list.h"
#include "../base/value.h"

static const char sql_key[] = "SELECT id FROM key WHERE name = :name";
static const char sql_attr_has[] =
	"SELECT 1 WHERE EXISTS (SELECT 1 FROM attr WHERE key = :key"
	" AND type = 1) OR EXISTS (SELECT 1 FROM attr WHERE key = :key"
	" AND type <> 1)";
static const char sql_param_has[] =
	"SELECT 1 WHERE EXISTS (SELECT 1 FROM param WHERE key = :key)";

/* 1: a row; 0: none. */
static int has_rows(struct find_context *x, const char *sql, int64_t key,
		    struct dsv_err *err)
{
	struct query q = db_query(x->db, sql);
	int64_t ignored;

	query_int(&q, ":key", key);
	return query_one_int(&q, &ignored, err);
}

static const char *after_prefix(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(text, prefix, len) || !strchr(".:", text[len]) ||
	    !text[len] || !text[len + 1])
		return NULL;
	return text + len + 1;
}

/* Finds where rows of the key are, of the places it may come from. */
static int find_rows(struct find_context *x, const char *name, bool attr,
		     bool param, struct find_key *out, struct dsv_err *err)
{
	struct query q = db_query(x->db, sql_key);
	int ret;

	query_text(&q, ":name", name);
	ret = query_one_int(&q, &out->id, err);
	if (ret <= 0)
		return ret;
	if (attr) {
		ret = has_rows(x, sql_attr_has, out->id, err);
		if (ret < 0)
			return ret;
		attr = ret > 0;
	}
	if (param) {
		ret = has_rows(x, sql_param_has, out->id, err);
		if (ret < 0)
			return ret;
		param = ret > 0;
	}
	if (attr)
		out->source = param ? FIND_EITHER : FIND_ATTR;
	else if (param)
		out->source = FIND_PARAM;
	return 0;
}

int find_resolve_key(struct find_context *x, const char *text,
		     struct find_key *out, struct dsv_err *err)
{
	const char *name;

	memset(out, 0, sizeof(*out));
	name = after_prefix(text, "attr");
	if (name)
		return find_rows(x, name, true, false, out, err);
	name = after_prefix(text, "param");
	if (name)
		return find_rows(x, name, false, true, out, err);
	out->field = find_field(text);
	if (out->field) {
		out->source = FIND_BUILTIN;
		return 0;
	}
	return find_rows(x, text, true, true, out, err);
}

static int add_regex(struct find_context *x, struct find_value *value,
		     struct dsv_err *err)
{
	char reason[128];
	int rc;

	if (find_regex_parts(value->text) > FIND_REGEX_PARTS)
		return find_fail(err, value->column, "'%.60s' becomes too"
				 " large a regular expression, with its"
				 " repetitions written out (at most %d parts)",
				 value->text, FIND_REGEX_PARTS);
	rc = list_grow((void **)&x->regexes, x->regex_count,
		       sizeof(*x->regexes), err);
	if (rc < 0)
		return rc;
	rc = regcomp(&x->regexes[x->regex_count], value->text,
		     REG_EXTENDED | REG_NOSUB);
	if (rc == REG_ESPACE)
		return dsv_fail_nomem(err);
	if (rc != 0) {
		regerror(rc, NULL, reason, sizeof(reason));
		return find_fail(err, value->column, "'%.60s' is not an"
				 " extended regular expression: %s",
				 value->text, reason);
	}
	value->regex = (int)x->regex_count++;
	return 0;
}

/* Types the value beside a key as the user's values are typed. */
static void resolve_free_value(struct find_value *value)
{
	struct dsv_value typed;

	value->type = DSV_STRING;
	if (value->quoted)
		return;
	typed = value_from_text(value->text);
	value->type = typed.type;
	value->number = typed.number;
	if (typed.text != value->text)
		strcpy(value->text, typed.text);	/* "NaN": "nan" */
}

static int resolve_field_value(const struct find_context *x,
			       const struct find_field *field,
			       struct find_value *value, struct dsv_err *err)
{
	struct dsv_err reason;
	int ret = 0;

	value->type = DSV_NUMBER;
	switch (field->type) {
	case FIND_TEXT:
		value->type = DSV_STRING;
		return 0;
	case FIND_SIZE:
		ret = dsv_parse_size(value->text, &value->integer, &reason);
		break;
	case FIND_TIME:
		ret = dsv_parse_time(value->text, x->now_ns, &value->integer,
				     &reason);
		break;
	case FIND_NUMBER:
		if (number_parse(value->text, &value->number))
			return 0;
		return find_fail(err, value->column, "'%.60s' is not a number",
				 value->text);
	case FIND_FLAG:
		value->integer = !strcasecmp(value->text, "true");
		if (value->integer || !strcasecmp(value->text, "false"))
			return 0;
		return find_fail(err, value->column, "'%.60s' is neither true"
				 " nor false", value->text);
	}
	return ret < 0 ? find_fail(err, value->column, "%.200s", reason.msg) :
		0;
}

static bool op_fits(const struct find_field *field, enum find_op op)
{
	switch (op) {
	case FIND_MATCH:
	case FIND_NO_MATCH:
		return field->type == FIND_TEXT;
	case FIND_LT:
	case FIND_LE:
	case FIND_GT:
	case FIND_GE:
		return field->type != FIND_FLAG;
	default:
		return true;
	}
}

static int resolve_compare(struct find_context *x, struct find_node *node,
			   struct dsv_err *err)
{
	const struct find_field *field;
	size_t i;
	int ret;

	ret = find_resolve_key(x, node->text, &node->key, err);
	if (ret < 0)
		return ret;
	field = node->key.field;
	if (field && !op_fits(field, node->op))
		return find_fail(err, node->column, "'%s' cannot be compared"
				 " in this way", field->name);
	for (i = 0; i < node->value_count && ret == 0; i++) {
		struct find_value *value = &node->values[i];

		if (node->op == FIND_MATCH || node->op == FIND_NO_MATCH)
			ret = add_regex(x, value, err);
		else if (field)
			ret = resolve_field_value(x, field, value, err);
		else
			resolve_free_value(value);
	}
	return ret;
}

int find_resolve(struct find_context *x, struct find_node *node,
		 struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	if (node->kind == FIND_COMPARE)
		return resolve_compare(x, node, err);
	for (i = 0; i < node->child_count && ret == 0; i++)
		ret = find_resolve(x, node->children[i], err);
	return ret;
}

static int regex_function(void *arg, const struct db_call *call)
{
	const struct find_context *x = arg;
	int64_t i = db_call_int(call, 0);
	const char *text = db_call_text(call, 1);

	if (!text || i < 0 || (size_t)i >= x->regex_count)
		return -1;
	return regexec(&x->regexes[i], text, 0, NULL, 0) == 0;
}

static int set_function(void *arg, const struct db_call *call)
{
	const struct find_context *x = arg;
	int64_t seq = db_call_int(call, 0);

	return x->set && find_set_has(x->set, seq);
}

static const struct {
	const char *name;
	int arguments;
	db_function *call;
} functions[] = {
	{ "dsv_regex", 2, regex_function },
	{ "dsv_in_set", 1, set_function }
};

int find_functions_add(struct find_context *x, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < 2; i++)
		ret = db_function_add(x->db, functions[i].name,
				      functions[i].arguments,
				      functions[i].call, x, err);
	return ret;
}

void find_functions_remove(struct find_context *x)
{
	size_t i;

	for (i = 0; i < 2; i++)
		db_function_remove(x->db, functions[i].name,
				   functions[i].arguments);
}

void find_context_release(struct find_context *x)
{
	size_t i;

	for (i = 0; i < x->regex_count; i++)
		regfree(&x->regexes[i]);
	free(x->regexes);
}
