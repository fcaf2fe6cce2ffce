/* SPDX-License-Identifier: MIT */
/* Format strings: %(field), %%, %n, %t. */
#include "cli.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum field_type {
	LITERAL,
	ID, ID_SHORT, PARENTS, CREATED, CREATED_RELATIVE, CREATED_UNIX, SCOPES,
	PARAM, ATTR, JOB_EXIT,
	/* These stand at an offset of struct dsv_state or struct dsv_job. */
	CHARS, TEXT, INTEGER, BOOLEAN, JOB_TEXT
};

struct piece {
	enum field_type type;
	size_t offset;
	char *text;		/* the literal, or KEY of "param:KEY" */
};

struct format {
	struct piece *pieces;
	size_t count;
};

struct field {
	const char *name;	/* if it ends with ":", a key follows */
	enum field_type type;
	size_t offset;
};

#define STATE(member) offsetof(struct dsv_state, member)
#define JOB(member) offsetof(struct dsv_job, member)

static const struct field fields[] = {
	{ "id", ID, 0 },
	{ "id:short", ID_SHORT, 0 },
	{ "parents", PARENTS, 0 },
	{ "kind", TEXT, STATE(kind) },
	{ "branch", TEXT, STATE(branch) },
	{ "name", TEXT, STATE(name) },
	{ "message", TEXT, STATE(message) },
	{ "author", TEXT, STATE(author) },
	{ "host", TEXT, STATE(host) },
	{ "created", CREATED, 0 },
	{ "created:relative", CREATED_RELATIVE, 0 },
	{ "created:unix", CREATED_UNIX, 0 },
	{ "content", CHARS, STATE(content) },
	{ "files", INTEGER, STATE(files) },
	{ "size", INTEGER, STATE(size_bytes) },
	{ "stored", INTEGER, STATE(stored_bytes) },
	{ "scopes", SCOPES, 0 },
	{ "pinned", BOOLEAN, STATE(pinned) },
	{ "pruned", BOOLEAN, STATE(pruned) },
	{ "pending", BOOLEAN, STATE(pending) },
	{ "param:", PARAM, 0 },
	{ "attr:", ATTR, 0 },
	{ "job.id", JOB_TEXT, JOB(id) },
	{ "job.state", JOB_TEXT, JOB(state) },
	{ "job.nodes", JOB_TEXT, JOB(nodes) },
	{ "job.exit", JOB_EXIT, 0 },
};

static int add(struct format *f, const char *data, size_t len,
	       const struct field *field, struct dsv_err *err)
{
	struct piece *pieces;

	pieces = realloc(f->pieces, (f->count + 1) * sizeof(*pieces));
	if (!pieces)
		return dsv_fail_nomem(err);
	f->pieces = pieces;
	pieces[f->count].type = field ? field->type : LITERAL;
	pieces[f->count].offset = field ? field->offset : 0;
	pieces[f->count].text = strndup(data, len);
	if (!pieces[f->count].text)
		return dsv_fail_nomem(err);
	f->count++;
	return 0;
}

static int add_field(struct format *f, const char *name, size_t len,
		     struct dsv_err *err)
{
	size_t i, n;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		n = strlen(fields[i].name);
		if (fields[i].name[n - 1] == ':') {
			if (len > n && !memcmp(name, fields[i].name, n))
				return add(f, name + n, len - n, &fields[i],
					   err);
		} else if (n == len && !memcmp(name, fields[i].name, n)) {
			return add(f, "", 0, &fields[i], err);
		}
	}
	return dsv_fail(err, DSV_EUSAGE, "--format: unknown field '%.*s'",
			(int)len, name);
}

/* Adds what stands at a '%' and moves *p behind it. */
static int add_escape(struct format *f, const char **p, struct dsv_err *err)
{
	const char *start = *p + 1;
	const char *end;

	*p += 2;
	switch (*start) {
	case '%':
		return add(f, "%", 1, NULL, err);
	case 'n':
		return add(f, "\n", 1, NULL, err);
	case 't':
		return add(f, "\t", 1, NULL, err);
	case '(':
		end = strchr(start, ')');
		if (!end)
			return dsv_fail(err, DSV_EUSAGE,
					"--format: '%s' has no ')'", start);
		*p = end + 1;
		return add_field(f, start + 1, (size_t)(end - start) - 1, err);
	case '\0':
		return dsv_fail(err, DSV_EUSAGE,
				"--format: '%%' at the end; write '%%%%'");
	}
	return dsv_fail(err, DSV_EUSAGE, "--format: unknown '%%%c'", *start);
}

int format_parse(const char *spec, struct format **out, struct dsv_err *err)
{
	struct format *f = calloc(1, sizeof(*f));
	const char *p = spec;
	size_t len;
	int ret = 0;

	if (!f)
		return dsv_fail_nomem(err);
	while (*p && ret == 0) {
		len = strcspn(p, "%");
		if (len) {
			ret = add(f, p, len, NULL, err);
			p += len;
		} else {
			ret = add_escape(f, &p, err);
		}
	}
	if (ret < 0) {
		format_free(f);
		return ret;
	}
	*out = f;
	return 0;
}

void format_free(struct format *f)
{
	size_t i;

	if (!f)
		return;
	for (i = 0; i < f->count; i++)
		free(f->pieces[i].text);
	free(f->pieces);
	free(f);
}

static void print_text(const char *text)
{
	if (text)
		out_block(stdout, text);
}

static void print_value(const struct dsv_value *value)
{
	if (value)
		out_block(stdout, value->text);
}

static void print_parents(const struct dsv_state *s)
{
	size_t i;

	for (i = 0; i < s->parent_count; i++)
		printf("%s%s", i ? " " : "", s->parents[i]);
}

static void print_scopes(const struct dsv_state *s)
{
	size_t i;

	for (i = 0; i < s->scopes.count; i++) {
		if (i)
			putchar(' ');
		out_text(stdout, s->scopes.items[i]);
	}
}

static void print_created(const struct dsv_state *s, enum field_type type)
{
	char text[DSV_TIME_SIZE];

	if (type == CREATED_UNIX) {
		printf("%" PRId64, s->created_ns / 1000000000);
		return;
	}
	if (type == CREATED)
		dsv_format_time(s->created_ns, text);
	else
		dsv_format_age(s->created_ns, time_now_ns(), text);
	fputs(text, stdout);
}

/* Prints a member of the structure. */
static void print_member(const struct dsv_state *s, const struct piece *p)
{
	const char *at = (const char *)s + p->offset;

	if (p->type == CHARS)
		fputs(at, stdout);
	else if (p->type == TEXT)
		print_text(*(const char *const *)(const void *)at);
	else if (p->type == INTEGER)
		printf("%" PRId64, *(const int64_t *)(const void *)at);
	else if (p->type == BOOLEAN)
		fputs(*(const bool *)at ? "true" : "false", stdout);
	else if (p->type == JOB_TEXT && s->job)
		print_text(*(const char *const *)(const void *)
			   ((const char *)s->job + p->offset));
}

static void print_piece(const struct dsv_state *s, const struct piece *p)
{
	switch (p->type) {
	case LITERAL:
		fputs(p->text, stdout);
		break;
	case ID:
		fputs(s->id, stdout);
		break;
	case ID_SHORT:
		printf("%.12s", s->id);
		break;
	case PARENTS:
		print_parents(s);
		break;
	case CREATED:
	case CREATED_RELATIVE:
	case CREATED_UNIX:
		print_created(s, p->type);
		break;
	case SCOPES:
		print_scopes(s);
		break;
	case PARAM:
		print_value(dsv_kvs_get(&s->params, p->text));
		break;
	case ATTR:
		print_value(dsv_kvs_get(&s->attrs, p->text));
		break;
	case JOB_EXIT:
		if (s->job && s->job->exit_code >= 0)
			printf("%d", s->job->exit_code);
		break;
	default:
		print_member(s, p);
	}
}

void format_print(const struct format *f, const struct dsv_state *s)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		print_piece(s, &f->pieces[i]);
	putchar('\n');
}
