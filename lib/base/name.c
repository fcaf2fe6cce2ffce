/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <ctype.h>
#include <string.h>

enum { MAX_NAME = 255 };

int name_check(const char *name, const char *what, struct dsv_err *err)
{
	size_t len = strlen(name);
	const char *p;

	if (len == 0)
		return dsv_fail(err, DSV_EUSAGE, "the name of a %s is empty",
				what);
	if (len > MAX_NAME)
		return dsv_fail(err, DSV_EUSAGE, "%s '%.40s...' is longer than"
				" %d bytes", what, name, MAX_NAME);
	for (p = name; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '_' &&
		    (p == name || !strchr("./-", *p)))
			return dsv_fail(err, DSV_EUSAGE, "'%s' is not a valid"
					" %s name (letters, digits and _ . / -,"
					" the first a letter, digit or _)",
					name, what);
	}
	if (strstr(name, ".."))
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a valid %s name:"
				" it contains '..'", name, what);
	if (!strcmp(name, "HEAD"))
		return dsv_fail(err, DSV_EUSAGE, "a %s cannot be called HEAD",
				what);
	if (len == 64 && strspn(name, "0123456789abcdefABCDEF") == 64)
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a valid %s name:"
				" it looks like an id", name, what);
	return 0;
}
