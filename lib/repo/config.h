/* SPDX-License-Identifier: MIT */
/*
 * Configuration in git's format ([section "sub"] name = value), at the levels
 * system, user and repository.  Settings that run commands or widen trust are
 * never read from a repository.
 */
#ifndef DSV_REPO_CONFIG_H
#define DSV_REPO_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "../dsv.h"

struct config {
	size_t count;
	struct config_entry {
		enum dsv_config_level level;
		char *key;
		char *value;
		char *origin;
	} *items;	/* the last one of a key wins */
};

#define CONFIG_INIT { 0, NULL }

/* Reads the files of all levels.  repo is NULL if there is no repository. */
int config_read(struct config *config, const char *repo, struct dsv_err *err);
void config_release(struct config *config);

/* Returns the path of a level's file, or NULL.  The caller frees it. */
char *config_file(enum dsv_config_level level, const char *repo);

/* Returns NULL if key is unset; its section and name are in lower case. */
const char *config_get(const struct config *config, const char *key);
/* The same, but reads only the system's and the user's files. */
const char *config_get_trusted(const struct config *config, const char *key);

/* The message of DSV_EUSAGE names the key and the file. */
int config_duration(const struct config *config, const char *key,
		    int64_t otherwise_ns, int64_t *out_ns,
		    struct dsv_err *err);
int config_parse_bool(const char *value, bool *out, struct dsv_err *err);
int config_bool(const struct config *config, const char *key, bool otherwise,
		bool *out, struct dsv_err *err);

/* Fails with DSV_EUSAGE if dsv uses the key but cannot parse this value. */
int config_check(const char *key, const char *value, struct dsv_err *err);

/*
 * Checks whether dsv knows all keys of the section ("prune.") itself, not of
 * its subsections.  The message of DSV_EUSAGE names the nearest known key, or
 * else says what has become of it.
 */
int config_check_section(const struct config *config, const char *section,
			 const char *otherwise, struct dsv_err *err);

/* Splits "prune.x.keep-last", or fails with DSV_EUSAGE.  sub may be "". */
int config_split_key(const char *key, char **section, char **sub, char **name,
		     struct dsv_err *err);

#endif
