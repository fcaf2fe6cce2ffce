/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int find_fail(struct dsv_err *err, size_t column, const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return dsv_fail(err, DSV_EUSAGE, "expression, column %zu: %s", column,
			msg);
}

void find_lexer_init(struct find_lexer *lexer, const char *text)
{
	memset(lexer, 0, sizeof(*lexer));
	lexer->next = text;
	lexer->column = 1;
}

void find_lexer_release(struct find_lexer *lexer)
{
	str_release(&lexer->token.text);
}

/* Columns are characters: what continues one in UTF-8 does not count. */
static void advance(struct find_lexer *lexer, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (((unsigned char)lexer->next[i] & 0xc0) != 0x80)
			lexer->column++;
	}
	lexer->next += len;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
		(c && strchr("_./-+:@*%", c));
}

static const struct {
	const char *text;
	enum find_op op;
} operators[] = {
	/* Longer ones first. */
	{ "==", FIND_EQ }, { "!=", FIND_NE }, { "<>", FIND_NE },
	{ "<=", FIND_LE }, { ">=", FIND_GE }, { "!~", FIND_NO_MATCH },
	{ "=", FIND_EQ }, { "<", FIND_LT }, { ">", FIND_GT },
	{ "~", FIND_MATCH }
};

static bool read_operator(struct find_lexer *lexer)
{
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t len = strlen(operators[i].text);

		if (strncmp(lexer->next, operators[i].text, len))
			continue;
		lexer->token.type = FIND_OPERATOR;
		lexer->token.op = operators[i].op;
		str_add(&lexer->token.text, lexer->next, len);
		advance(lexer, len);
		return true;
	}
	return false;
}

/* An unknown escape stays as it is, for the sake of regular expressions. */
static int read_string(struct find_lexer *lexer, struct dsv_err *err)
{
	struct find_token *token = &lexer->token;
	char quote = *lexer->next;
	const char *p;

	token->type = FIND_STRING;
	for (p = lexer->next + 1; *p && *p != quote; p++) {
		if (*p != '\\' || !p[1]) {
			str_putc(&token->text, *p);
			continue;
		}
		p++;
		if (*p == 'n')
			str_putc(&token->text, '\n');
		else if (*p == 't')
			str_putc(&token->text, '\t');
		else if (*p == '\\' || *p == '"' || *p == '\'')
			str_putc(&token->text, *p);
		else
			str_printf(&token->text, "\\%c", *p);
	}
	if (!*p)
		return find_fail(err, token->column,
				 "the string has no closing %c", quote);
	advance(lexer, (size_t)(p + 1 - lexer->next));
	return 0;
}

int find_lexer_next(struct find_lexer *lexer, struct dsv_err *err)
{
	struct find_token *token = &lexer->token;
	size_t len = 0;
	int ret = 0;

	advance(lexer, strspn(lexer->next, " \t\r\n"));
	str_clear(&token->text);
	token->column = lexer->column;
	switch (*lexer->next) {
	case '\0':
		token->type = FIND_END;
		return 0;
	case '(':
	case ')':
	case ',':
		token->type = *lexer->next == '(' ? FIND_OPEN :
			*lexer->next == ')' ? FIND_CLOSE : FIND_COMMA;
		str_putc(&token->text, *lexer->next);
		advance(lexer, 1);
		break;
	case '"':
	case '\'':
		ret = read_string(lexer, err);
		break;
	default:
		if (read_operator(lexer))
			break;
		while (is_word(lexer->next[len]))
			len++;
		if (len == 0)
			return find_fail(err, token->column,
					 "unexpected character '%c'",
					 *lexer->next);
		token->type = FIND_WORD;
		str_add(&token->text, lexer->next, len);
		advance(lexer, len);
	}
	if (ret == 0 && str_failed(&token->text))
		ret = dsv_fail_nomem(err);
	return ret;
}
