/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what people and jobs write: find expressions, assignments, sweeps,
 * durations.  The first byte says which.
 */
#include <stdlib.h>
#include <string.h>

#include "../../lib/base/value.h"
#include "../../lib/find/find.h"
#include "../../lib/job/grid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_text(char kind, const char *text)
{
	struct dsv_strings one = { 1, &text };
	struct dsv_kvs kvs = KVS_INIT;
	struct find_node *node;
	struct grid grid;
	int64_t ns;

	switch (kind) {
	case 'f':
		if (find_parse(text, &node, NULL) == 0)
			find_free(node);
		break;
	case 'a':
		kvs_assign(&kvs, text, NULL);
		dsv_kvs_free(&kvs);
		break;
	case 's':
		if (grid_parse(&one, &grid, NULL) == 0)
			grid_release(&grid);
		break;
	case 'd':
		dsv_parse_duration(text, &ns, NULL);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = len > 0 ? malloc(len) : NULL;

	if (!text)
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	try_text((char)data[0], text);
	free(text);
	return 0;
}
