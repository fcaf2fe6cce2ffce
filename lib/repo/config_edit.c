/* SPDX-License-Identifier: MIT */
/*
 * Listing and changing configuration.  A change keeps every other line of the
 * file as it is.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "../base/str.h"
#include "../base/texts.h"
#include "../os/fs.h"
#include "repo.h"

int config_split_key(const char *key, char **section, char **sub, char **name,
		     struct dsv_err *err)
{
	const char *first = strchr(key, '.');
	const char *last = strrchr(key, '.');
	const char *p;

	if (!first || first == key || !last[1])
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a key of the"
				" form section.name", key);
	for (p = key; *p; p++) {
		bool in_sub = p > first && p < last;

		if (*p == '\n' || (!in_sub && *p != '.' && *p != '-' &&
				   !isalnum((unsigned char)*p)))
			return dsv_fail(err, DSV_EUSAGE,
					"'%s' is not a valid key", key);
	}
	*section = strndup(key, (size_t)(first - key));
	*sub = first == last ? strdup("") :
		strndup(first + 1, (size_t)(last - first - 1));
	*name = strdup(last + 1);
	if (*section && *sub && *name)
		return 0;
	free(*section);
	free(*sub);
	free(*name);
	return dsv_fail_nomem(err);
}

int dsv_config_list(struct dsv *d, enum dsv_config_level level,
		    struct dsv_config_items *out, struct dsv_err *err)
{
	struct config config = CONFIG_INIT;
	struct dsv_config_item *items;
	size_t count = 0;
	size_t i;
	int ret;

	ret = config_read(&config, d ? d->path : NULL, err);
	if (ret < 0)
		return ret;
	items = calloc(config.count + 1, sizeof(*items));
	if (!items) {
		config_release(&config);
		return dsv_fail_nomem(err);
	}
	for (i = 0; i < config.count; i++) {
		struct config_entry *e = &config.items[i];

		if (level != DSV_CONFIG_ANY && level != e->level)
			continue;
		items[count].key = e->key;
		items[count].value = e->value;
		items[count].origin = e->origin;
		e->key = e->value = e->origin = NULL;
		count++;
	}
	config_release(&config);
	out->items = items;
	out->count = count;
	return 0;
}

void dsv_config_items_free(struct dsv_config_items *items)
{
	size_t i;

	for (i = 0; i < items->count; i++) {
		text_free(items->items[i].key);
		text_free(items->items[i].value);
		text_free(items->items[i].origin);
	}
	free(items->items);
	*items = (struct dsv_config_items){ 0, NULL };
}

static void put_value(struct str *out, const char *name, const char *value)
{
	str_printf(out, "\t%s = \"", name);
	for (; *value; value++) {
		if (*value == '\n')
			str_puts(out, "\\n");
		else if (*value == '"' || *value == '\\')
			str_printf(out, "\\%c", *value);
		else
			str_putc(out, *value);
	}
	str_puts(out, "\"\n");
}

static void put_header(struct str *out, const char *section, const char *sub)
{
	if (*sub)
		str_printf(out, "[%s \"%s\"]\n", section, sub);
	else
		str_printf(out, "[%s]\n", section);
}

/* Returns whether line is the header of the section. */
static bool is_header(const char *line, size_t len, const char *section,
		      const char *sub)
{
	struct str header = STR_INIT;
	bool same;

	put_header(&header, section, sub);
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	/* Only subsections are case-sensitive. */
	same = !str_failed(&header) && header.len - 1 == len &&
		!strncasecmp(header.data, line, strlen(section) + 1) &&
		!memcmp(header.data + strlen(section) + 1,
			line + strlen(section) + 1, len - strlen(section) - 1);
	str_release(&header);
	return same;
}

static bool sets_name(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);

	return len >= n && !strncasecmp(line, name, n) &&
	       (len == n || line[n] == '=' || isspace((unsigned char)line[n]));
}

/* Writes the file with the key set, or unset if value is NULL, to out. */
static void edit(struct str *out, const char *text, const char *section,
		 const char *sub, const char *name, const char *value,
		 bool *found)
{
	bool inside = false, written = !value;
	const char *line, *next;

	*found = false;
	for (line = text; *line; line = next) {
		const char *end = strchrnul(line, '\n');
		const char *p = line;

		next = *end ? end + 1 : end;
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (*p == '[') {
			if (inside && !written)
				put_value(out, name, value);
			written = written || inside;
			inside = is_header(p, (size_t)(end - p), section, sub);
		} else if (inside && sets_name(p, (size_t)(end - p), name)) {
			*found = true;
			if (!written)
				put_value(out, name, value);
			written = true;
			continue;
		}
		str_add(out, line, (size_t)(end - line));
		str_putc(out, '\n');
	}
	if (written)
		return;
	if (!inside)
		put_header(out, section, sub);
	put_value(out, name, value);
}

static int write_file(const char *path, const struct str *text, mode_t mode,
		      struct dsv_err *err)
{
	char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	int ret = 0;

	if (!dir)
		return dsv_fail_nomem(err);
	if (*dir)
		ret = fs_make_dirs(dir, 0, err);
	if (ret == 0)
		ret = fs_replace(path, str_text(text), text->len, mode, err);
	free(dir);
	return ret;
}

int dsv_config_set(struct dsv *d, enum dsv_config_level level,
		   const char *key, const char *value, struct dsv_err *err)
{
	struct str text = STR_INIT, edited = STR_INIT;
	char *section, *sub, *name;
	char *path = config_file(level, d ? d->path : NULL);
	struct stat st;
	/* Every member of the group can read what another member sets. */
	mode_t mode = d && level != DSV_CONFIG_USER &&
		level != DSV_CONFIG_SYSTEM ? d->file_mode : 0;
	bool found = false;
	int ret;

	if (!path)
		return dsv_fail_hint(err, DSV_ENOREPO, DSV_HINT_CONFIG_LEVEL,
				     NULL, "there is no repository to"
				     " configure");
	ret = value ? config_check(key, value, err) : 0;
	if (ret == 0)
		ret = config_split_key(key, &section, &sub, &name, err);
	if (ret < 0) {
		free(path);
		return ret;
	}
	ret = fs_read(path, 1 << 20, &text, err);
	if (ret == DSV_ENOTFOUND)
		ret = 0;
	if (ret == 0)
		edit(&edited, str_text(&text), section, sub, name, value,
		     &found);
	if (ret == 0 && !value && !found)
		ret = dsv_fail(err, DSV_ENOTFOUND, "'%s' is not set in '%s'",
			       key, path);
	if (ret == 0 && str_failed(&edited))
		ret = dsv_fail_nomem(err);
	if (ret == 0)
		ret = write_file(path, &edited, stat(path, &st) == 0 ?
				 st.st_mode & 07777 : mode, err);
	free(section);
	free(sub);
	free(name);
	free(path);
	str_release(&text);
	str_release(&edited);
	return ret;
}
