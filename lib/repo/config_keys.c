/* SPDX-License-Identifier: MIT */
/*
 * The keys that dsv reads and the values they can have, as described in
 * dsv-config(1).  rules.c checks the rules of policies; commands of hooks can
 * be anything.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

enum type { DURATION, BOOLEAN, WHEN, ABSOLUTE, REPOSITORY };

static const struct {
	const char *key;	/* section and name in lower case */
	enum type type;
} keys[] = {
	{ "color.ui", WHEN },
	{ "core.fsync", BOOLEAN },
	{ "core.guardlock", BOOLEAN },
	{ "core.localtier", ABSOLUTE },
	{ "prune.grace", DURATION },
	{ "prune.headgrace", DURATION },
	{ "queue.auto", BOOLEAN },
	{ "safe.repository", REPOSITORY },
};

static bool is_one_of(const char *value, const char *const *words)
{
	while (*words && strcasecmp(value, *words) != 0)
		words++;
	return *words;
}

int config_parse_bool(const char *value, bool *out, struct dsv_err *err)
{
	static const char *const yes[] = { "true", "yes", "on", "1", "full",
					   NULL };
	static const char *const no[] = { "false", "no", "off", "0", NULL };

	*out = is_one_of(value, yes);
	if (*out || is_one_of(value, no))
		return 0;
	return dsv_fail(err, DSV_EUSAGE, "'%s' is neither true nor false",
			value);
}

static int check_value(enum type type, const char *value, struct dsv_err *err)
{
	static const char *const whens[] = { "auto", "always", "never", NULL };
	int64_t ns;
	bool yes;

	switch (type) {
	case DURATION:
		return dsv_parse_duration(value, &ns, err);
	case BOOLEAN:
		return config_parse_bool(value, &yes, err);
	case WHEN:
		return is_one_of(value, whens) ? 0 :
			dsv_fail(err, DSV_EUSAGE, "'%s' is not auto, always or"
				 " never", value);
	case REPOSITORY:
		if (!strcmp(value, "*"))
			return 0;
		/* fall through */
	case ABSOLUTE:
		/* "" means none and overrides the value of an earlier file. */
		return !*value || *value == '/' ? 0 :
			dsv_fail(err, DSV_EUSAGE, "'%s' is not an absolute"
				 " path", value);
	}
	return 0;
}

int config_check(const char *key, const char *value, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcasecmp(key, keys[i].key))
			ret = check_value(keys[i].type, value, err);
	}
	return ret < 0 ? dsv_fail_in(err, ret, "%s", key) : 0;
}

int config_check_section(const struct config *config, const char *section,
			 const char *otherwise, struct dsv_err *err)
{
	const char *known[sizeof(keys) / sizeof(keys[0])], *nearest;
	size_t len = strlen(section), count = 0, i, j;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strncmp(keys[i].key, section, len))
			known[count++] = keys[i].key + len;
	for (i = 0; i < config->count; i++) {
		const struct config_entry *e = &config->items[i];
		const char *name = e->key + len;

		if (strncmp(e->key, section, len) || strchr(name, '.'))
			continue;
		for (j = 0; j < count && strcmp(name, known[j]) != 0; j++)
			;
		if (j < count)
			continue;
		nearest = dsv_suggest(name, known, count);
		return dsv_fail(err, DSV_EUSAGE, "there is no %s (in '%s')"
				"%s%s%s %s", e->key, e->origin, nearest ?
				"; did you mean '" : "", nearest ? nearest :
				"", nearest ? "'?" : ";", otherwise);
	}
	return 0;
}
