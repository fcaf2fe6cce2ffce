/* SPDX-License-Identifier: MIT */
/* The plugin's arguments in plugstack.conf, each KEY=VALUE. */
#ifndef DSV_SPANK_CONFIG_H
#define DSV_SPANK_CONFIG_H

struct config {
	const char *dsv;	/* absolute path; borrowed from Slurm */
	int prepare_timeout_ms;
	int start_timeout_ms;
	int finish_timeout_ms;
	char error[256];	/* "": none */
};

/*
 * Never fails: a mistake of the administrator is kept in error, for those who
 * use dsv, and does not affect anybody else.
 */
void config_parse(struct config *c, int argc, char **argv);

#endif
