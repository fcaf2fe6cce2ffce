/* SPDX-License-Identifier: MIT */
/* The parts of sbatch's command line that Slurm does not tell us. */
#ifndef DSV_SPANK_CMDLINE_H
#define DSV_SPANK_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

struct cmdline {
	char *words;
	bool is_sbatch;
	bool test_only;
	const char *array;	/* of --array; NULL: none.  Borrows words */
	size_t rows;		/* of the grid of its --dsv-sweep options */
	const char *clusters;	/* of -M or the environment; NULL: none */
	char script_clusters[256];	/* of the #SBATCH lines */
};

/* If it cannot be read, c is as if sbatch had no arguments. */
void cmdline_read(struct cmdline *c);
void cmdline_release(struct cmdline *c);

/* Returns how many values "K=V,V" or "K:=[JSON,...]" names. */
size_t sweep_values(const char *sweep);

#endif
