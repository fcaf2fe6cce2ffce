/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../base/list.h"
#include "../base/str.h"
#include "../os/fs.h"

enum { CONFIG_LIMIT_BYTES = 1 << 20 };

char *config_file(enum dsv_config_level level, const char *repo)
{
	const char *dir = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	const char *system = getenv("DSV_CONFIG_SYSTEM");

	switch (level) {
	case DSV_CONFIG_SYSTEM:
		return strdup(system && *system ? system :
			      DSV_SYSCONFDIR "/dsv/config");
	case DSV_CONFIG_USER:
		if (dir && *dir)
			return str_format("%s/dsv/config", dir);
		return home && *home ?
			str_format("%s/.config/dsv/config", home) : NULL;
	case DSV_CONFIG_REPO:
	case DSV_CONFIG_ANY:
		break;
	}
	return repo ? str_format("%s/config", repo) : NULL;
}

void config_release(struct config *config)
{
	size_t i;

	for (i = 0; i < config->count; i++) {
		free(config->items[i].key);
		free(config->items[i].value);
		free(config->items[i].origin);
	}
	free(config->items);
	*config = (struct config)CONFIG_INIT;
}

static int add_entry(struct config *config, enum dsv_config_level level,
		     const char *section, const char *name, const char *value,
		     const char *origin)
{
	struct config_entry *entry;

	if (list_grow((void **)&config->items, config->count, sizeof(*entry),
		      NULL) < 0)
		return -1;
	entry = &config->items[config->count];
	entry->level = level;
	entry->key = str_format("%s.%s", section, name);
	entry->value = strdup(value);
	entry->origin = strdup(origin);
	config->count++;
	return entry->key && entry->value && entry->origin ? 0 : -1;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (isspace((unsigned char)*text))
		text++;
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/*
 * Turns "[section]" or "[section "sub"]" into "section" or "section.sub", in
 * place.  Returns NULL if it is malformed.
 */
static char *parse_section(char *line)
{
	char *end = line + strlen(line) - 1;
	char *quote;

	if (*end != ']')
		return NULL;
	*end = '\0';
	line = trim(line + 1);
	quote = strchr(line, '"');
	if (!quote) {
		lower(line);
		return *line ? line : NULL;
	}
	end = strrchr(line, '"');
	if (end == quote || end[1] || quote == line)
		return NULL;
	*end = '\0';
	*quote = '\0';
	trim(line);
	lower(line);
	/* Close the gap: "section" ... "sub". */
	end = line + strlen(line);
	*end = '.';
	memmove(end + 1, quote + 1, strlen(quote + 1) + 1);
	return line;
}

/*
 * Removes quotes, backslashes and comments in place.  Returns false if text
 * is malformed.
 */
static bool parse_value(char *text)
{
	char *out = text;
	char *solid = text;	/* after the last character that stays */
	bool quoted = false;
	char *p;

	for (p = text; *p; p++) {
		if (*p == '"') {
			quoted = !quoted;
			solid = out;
			continue;
		}
		if (!quoted && (*p == '#' || *p == ';'))
			break;
		if (*p == '\\') {
			p++;
			if (!*p || !strchr("\"\\nt", *p))
				return false;
			*out++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
			solid = out;
			continue;
		}
		*out++ = *p;
		if (quoted || !isspace((unsigned char)out[-1]))
			solid = out;
	}
	*solid = '\0';
	return !quoted;
}

static int parse_line(struct config *config, enum dsv_config_level level,
		      const char *origin, char *line, char **section)
{
	char *equals;
	char *name;
	char *text;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[') {
		text = parse_section(line);
		free(*section);
		*section = text ? strdup(text) : NULL;
		return *section ? 0 : -1;
	}
	if (!*section)
		return -1;
	equals = strchr(line, '=');
	if (!equals) {	/* as in git, a name alone is true */
		lower(line);
		return add_entry(config, level, *section, line, "true", origin);
	}
	*equals = '\0';
	name = trim(line);
	text = trim(equals + 1);
	lower(name);
	if (!*name || !parse_value(text))
		return -1;
	return add_entry(config, level, *section, name, text, origin);
}

static int read_level(struct config *config, enum dsv_config_level level,
		      const char *repo, struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *path = config_file(level, repo);
	char *section = NULL;
	char *line, *next;
	int number = 0;
	int ret;

	if (!path)
		return 0;
	ret = fs_read(path, CONFIG_LIMIT_BYTES, &text, err);
	if (ret == DSV_ENOTFOUND) {
		ret = 0;
		goto out;
	}
	if (ret < 0)
		goto out;
	for (line = text.data; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		if (parse_line(config, level, path, line, &section) < 0) {
			ret = dsv_fail(err, DSV_EUSAGE,
				       "'%s', line %d: no [section] or"
				       " name = value", path, number);
			break;
		}
	}
out:
	free(section);
	free(path);
	str_release(&text);
	return ret;
}

int config_read(struct config *config, const char *repo, struct dsv_err *err)
{
	int ret;

	ret = read_level(config, DSV_CONFIG_SYSTEM, repo, err);
	if (ret == 0)
		ret = read_level(config, DSV_CONFIG_USER, repo, err);
	if (ret == 0 && repo)
		ret = read_level(config, DSV_CONFIG_REPO, repo, err);
	if (ret < 0)
		config_release(config);
	return ret;
}

static const struct config_entry *last_entry(const struct config *config,
					     const char *key, bool trusted)
{
	size_t i;

	for (i = config->count; i > 0; i--) {
		const struct config_entry *e = &config->items[i - 1];

		if (trusted && e->level == DSV_CONFIG_REPO)
			continue;
		if (!strcmp(e->key, key))
			return e;
	}
	return NULL;
}

const char *config_get(const struct config *config, const char *key)
{
	const struct config_entry *e = last_entry(config, key, false);

	return e ? e->value : NULL;
}

const char *config_get_trusted(const struct config *config, const char *key)
{
	const struct config_entry *e = last_entry(config, key, true);

	return e ? e->value : NULL;
}

int config_duration(const struct config *config, const char *key,
		    int64_t otherwise_ns, int64_t *out_ns, struct dsv_err *err)
{
	const struct config_entry *e = last_entry(config, key, false);
	int ret;

	if (!e) {
		*out_ns = otherwise_ns;
		return 0;
	}
	ret = dsv_parse_duration(e->value, out_ns, err);
	return ret < 0 ? dsv_fail_in(err, ret, "%s in '%s'", key, e->origin) :
		0;
}

int config_bool(const struct config *config, const char *key, bool otherwise,
		bool *out, struct dsv_err *err)
{
	const struct config_entry *e = last_entry(config, key, false);
	int ret;

	*out = otherwise;
	if (!e)
		return 0;
	ret = config_parse_bool(e->value, out, err);
	return ret < 0 ? dsv_fail_in(err, ret, "%s in '%s'", key, e->origin) :
		0;
}
