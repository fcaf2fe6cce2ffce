/* SPDX-License-Identifier: MIT */
/* Fuzzes a line of the journal: nothing in it may be believed unchecked. */
#include <stdlib.h>
#include <string.h>

#include "../../lib/catalog/journal.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	char *line = malloc(len + 1);
	const char *json;
	int64_t seq;

	if (!line)
		return 0;
	if (len > 0)
		memcpy(line, data, len);
	line[len] = '\0';
	journal_parse(line, len, &seq, &json);
	free(line);
	return 0;
}
