/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer without its library, which runs each FILE once, so that a build with
 * any compiler can check that a target still takes its first inputs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int run(const char *path)
{
	uint8_t *data = malloc(MAX_BYTES);
	FILE *f = fopen(path, "re");
	size_t len;

	if (!data || !f) {
		perror(path);
		return 1;
	}
	len = fread(data, 1, MAX_BYTES, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (run(argv[i]) != 0)
			return 1;
	return 0;
}
