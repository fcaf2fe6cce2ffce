/* SPDX-License-Identifier: MIT */
/*
 * How large an expression becomes: regcomp(3) writes repetitions out, so that
 * a few bytes, nested, would take all memory.
 */
#include "find.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

/* Beyond the limit no sum or product may overflow. */
static size_t capped(size_t parts)
{
	return parts > FIND_REGEX_PARTS ? FIND_REGEX_PARTS + 1 : parts;
}

/* Past a bracket expression that begins at p. */
static const char *skip_bracket(const char *p)
{
	p += 1 + (p[1] == '^');
	p += *p == ']';
	while (*p && *p != ']') {
		const char *end = NULL;
		char close[3] = { p[1], ']', '\0' };

		if (*p == '[' && p[1] && strchr(".=:", p[1]))
			end = strstr(p + 2, close);
		p = end ? end + 2 : p + 1;
	}
	return *p ? p + 1 : p;
}

/* The larger number of "{m,n}" at p, which *p moves past. */
static size_t repeated(const char **p)
{
	const char *q = *p + 1;
	size_t most = 0, n;

	for (; *q && *q != '}'; q += *q == ',') {
		char *end;

		n = strtoul(q, &end, 10);
		if (end == q && *q != ',')
			break;
		most = n > most ? n : most;
		q = end;
	}
	*p = *q == '}' ? q + 1 : q;
	return capped(most) + 1;
}

/* Up to the end of a group that is depth deep. */
static size_t count_parts(const char **p, int depth)
{
	size_t parts = 0, atom = 0;

	while (**p && (**p != ')' || depth == 0)) {
		if (**p == '{') {
			atom = capped(atom * repeated(p));
			continue;
		}
		if (strchr("*+?", **p)) {
			++*p;
			continue;
		}
		parts = capped(parts + atom);
		atom = 1;
		if (**p == '(' && depth == MAX_DEPTH)
			return FIND_REGEX_PARTS + 1;
		if (**p == '(') {
			++*p;
			atom += count_parts(p, depth + 1);
			*p += **p == ')';
		} else if (**p == '[') {
			*p = skip_bracket(*p);
		} else {
			*p += 1 + (**p == '\\' && (*p)[1]);
		}
	}
	return capped(parts + atom);
}

size_t find_regex_parts(const char *text)
{
	return count_parts(&text, 0);
}
