/* SPDX-License-Identifier: MIT */
/*
 * Configuration as git has it: [section "sub"] name = value; system, user,
 * repository.  What runs commands or widens trust is never read from a
 * repository.
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

/* Read the files of the levels; repo NULL: no repository. */
int config_read(struct config *config, const char *repo, struct dsv_err *err);
void config_release(struct config *config);

/* The path of a level's file, the caller's to free(); NULL: there is none. */
char *config_file(enum dsv_config_level level, const char *repo);

/* NULL: unset.  key: section and name in lower case. */
const char *config_get(const struct config *config, const char *key);
/* Only from the system's and the user's files. */
const char *config_get_trusted(const struct config *config, const char *key);

/* DSV_EUSAGE names the key and the file. */
int config_duration(const struct config *config, const char *key,
		    int64_t otherwise_ns, int64_t *out_ns,
		    struct dsv_err *err);
int config_parse_bool(const char *value, bool *out, struct dsv_err *err);
int config_bool(const struct config *config, const char *key, bool otherwise,
		bool *out, struct dsv_err *err);

/* DSV_EUSAGE: dsv reads the key, and could not read this value. */
int config_check(const char *key, const char *value, struct dsv_err *err);

/*
 * Whether dsv knows all keys of the section ("prune.") itself, its
 * subsections aside.  DSV_EUSAGE names the nearest, and says otherwise what
 * has come of it.
 */
int config_check_section(const struct config *config, const char *section,
			 const char *otherwise, struct dsv_err *err);

/* "prune.x.keep-last" to its parts; DSV_EUSAGE.  sub may be "". */
int config_split_key(const char *key, char **section, char **sub, char **name,
		     struct dsv_err *err);

#endif
