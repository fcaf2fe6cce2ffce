/* SPDX-License-Identifier: MIT */
/* What sbatch was called with, as far as Slurm does not tell. */
#ifndef DSV_SPANK_CMDLINE_H
#define DSV_SPANK_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

struct cmdline {
	char *words;
	bool is_sbatch;
	bool test_only;
	const char *array;	/* of --array; NULL: none.  Borrows words */
	size_t rows;		/* of the grid that its --dsv-sweep span */
	const char *clusters;	/* of -M or the environment; NULL: none */
	char script_clusters[256];	/* of the #SBATCH lines */
};

/* Where it cannot be read, it is as if sbatch had been given nothing. */
void cmdline_read(struct cmdline *c);
void cmdline_release(struct cmdline *c);

/* How many values "K=V,V" or "K:=[JSON,...]" names. */
size_t sweep_values(const char *sweep);

#endif
