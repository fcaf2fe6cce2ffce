/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"

static const struct {
	const char *name;
	enum retention_kind kind;
} names[] = {
	{ "keep-last", RETENTION_LAST },
	{ "keep-hourly", RETENTION_HOURLY },
	{ "keep-daily", RETENTION_DAILY },
	{ "keep-weekly", RETENTION_WEEKLY },
	{ "keep-monthly", RETENTION_MONTHLY },
	{ "keep-within", RETENTION_WITHIN },
	{ "keep-best", RETENTION_BEST },
	{ "keep-every", RETENTION_EVERY },
	{ "keep-where", RETENTION_WHERE },
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static const char *kind_name(enum retention_kind kind)
{
	size_t i;

	for (i = 0; i < NAME_COUNT && names[i].kind != kind; i++)
		;
	return names[i].name;
}

void rules_release(struct rules *rules)
{
	size_t i;

	for (i = 0; i < rules->count; i++) {
		free(rules->items[i].key);
		free(rules->items[i].text);
	}
	free(rules->branch);
	free(rules->scope);
	free(rules->where);
	free(rules->author);
	free(rules->text);
	memset(rules, 0, sizeof(*rules));
}

static int add_rule(struct rules *rules, const struct rule *rule,
		    const char *value, struct dsv_err *err)
{
	struct rule *item = &rules->items[rules->count];

	if (rules->count == RETENTION_MAX_RULES) {
		free(rule->key);
		return dsv_fail(err, DSV_EUSAGE, "more than %d rules",
				RETENTION_MAX_RULES);
	}
	*item = *rule;
	item->text = str_format(RULE_PREFIX "%s %s", kind_name(rule->kind),
				value);
	rules->count++;
	return item->text ? 0 : dsv_fail_nomem(err);
}

static int add_count(struct rules *rules, enum retention_kind kind,
		     int64_t count, struct dsv_err *err)
{
	const struct rule rule = { .kind = kind, .count = count };
	char text[32];

	if (count == 0)
		return 0;
	if (count < 0)
		return dsv_fail(err, DSV_EUSAGE, "%s: %" PRId64 " is less than"
				" 0", kind_name(kind), count);
	snprintf(text, sizeof(text), "%" PRId64, count);
	return add_rule(rules, &rule, text, err);
}

static int add_within(struct rules *rules, int64_t within_ns,
		      const char *text, struct dsv_err *err)
{
	const struct rule rule = { .kind = RETENTION_WITHIN,
				   .within_ns = within_ns };
	char seconds[32];

	if (within_ns == 0 && !text)
		return 0;
	if (within_ns <= 0)
		return dsv_fail(err, DSV_EUSAGE,
				"keep-within: must be longer than 0s");
	snprintf(seconds, sizeof(seconds), "%" PRId64 "s",
		 within_ns / NS_PER_S);
	return add_rule(rules, &rule, text ? text : seconds, err);
}

/* Adds a rule of the kinds best, every and where. */
static int add_text(struct rules *rules, enum retention_kind kind,
		    const char *text, struct dsv_err *err)
{
	struct rule rule = { .kind = kind };
	int ret = 0;

	if (kind == RETENTION_BEST)
		ret = retention_parse_best(text, &rule.sign, &rule.key,
					   &rule.count, err);
	else if (kind == RETENTION_EVERY)
		ret = retention_parse_every(text, &rule.key, &rule.every, err);
	else if (!(rule.key = strdup(text)))
		ret = dsv_fail_nomem(err);
	if (ret < 0)
		return dsv_fail_in(err, ret, "%s", kind_name(kind));
	return add_rule(rules, &rule, text, err);
}

static int add_texts(struct rules *rules, enum retention_kind kind,
		     const struct dsv_strings *texts, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < texts->count; i++)
		ret = add_text(rules, kind, texts->items[i], err);
	return ret;
}

static int set_group_by(struct rules *rules, const char *text,
			struct dsv_err *err)
{
	const char *p = text;

	rules->by_branch = rules->by_scope = false;
	while (*p) {
		size_t len = strcspn(p, ",");

		if (len == 6 && !strncmp(p, "branch", len))
			rules->by_branch = true;
		else if (len == 5 && !strncmp(p, "scope", len))
			rules->by_scope = true;
		else
			return dsv_fail(err, DSV_EUSAGE, "group-by '%s': groups"
					" are by branch, scope or both", text);
		p += len + (p[len] == ',');
	}
	return 0;
}

static int set_text(char **to, const char *text, struct dsv_err *err)
{
	if (!text)
		return 0;
	free(*to);
	*to = strdup(text);
	return *to ? 0 : dsv_fail_nomem(err);
}

static int policy_rule(struct rules *rules, enum retention_kind kind,
		       const char *value, struct dsv_err *err)
{
	int64_t n = 0;
	char *end;
	int ret;

	if (kind == RETENTION_BEST || kind == RETENTION_EVERY ||
	    kind == RETENTION_WHERE)
		return add_text(rules, kind, value, err);
	if (kind == RETENTION_WITHIN) {
		ret = dsv_parse_duration(value, &n, err);
		return ret < 0 ? ret : add_within(rules, n, value, err);
	}
	n = strtoll(value, &end, 10);
	if (end == value || *end || n <= 0 || n > INT32_MAX)
		return dsv_fail(err, DSV_EUSAGE, "'%s' is not a number of"
				" states", value);
	return add_count(rules, kind, n, err);
}

static int fail_key(const char *policy, const char *name, const char *origin,
		    struct dsv_err *err)
{
	const char *known[NAME_COUNT + 6];
	const char *nearest;
	size_t i;

	for (i = 0; i < NAME_COUNT; i++)
		known[i] = names[i].name;
	known[i++] = "out-of-scope";
	known[i++] = "group-by";
	known[i++] = "branch";
	known[i++] = "scope";
	known[i++] = "where";
	known[i++] = "author";
	nearest = dsv_suggest(name, known, i);
	if (nearest)
		return dsv_fail(err, DSV_EUSAGE, "policy '%s' has no rule '%s'"
				" (in '%s'); did you mean '%s'? nothing was"
				" removed", policy, name, origin, nearest);
	return dsv_fail(err, DSV_EUSAGE, "policy '%s' has no rule '%s' (in"
			" '%s'); nothing was removed", policy, name, origin);
}

static int policy_entry(struct rules *rules, const char *policy,
			const char *name, const struct config_entry *e,
			struct dsv_err *err)
{
	const char *value = e->value;
	size_t i;

	for (i = 0; i < NAME_COUNT; i++)
		if (!strcmp(name, names[i].name))
			return policy_rule(rules, names[i].kind, value, err);
	if (!strcmp(name, "branch"))
		return set_text(&rules->branch, value, err);
	if (!strcmp(name, "scope"))
		return set_text(&rules->scope, value, err);
	if (!strcmp(name, "where"))
		return set_text(&rules->where, value, err);
	if (!strcmp(name, "author"))
		return set_text(&rules->author, value, err);
	if (!strcmp(name, "group-by"))
		return set_group_by(rules, value, err);
	if (!strcmp(name, "out-of-scope")) {
		rules->out_of_scope = !strcmp(value, "true");
		return rules->out_of_scope || !strcmp(value, "false") ? 0 :
			dsv_fail(err, DSV_EUSAGE, "'%s' is neither true nor"
				 " false", value);
	}
	return fail_key(policy, name, e->origin, err);
}

static int read_policy(struct dsv *d, const char *policy, struct rules *rules,
		       struct dsv_err *err)
{
	char *prefix = str_format("prune.%s.", policy);
	bool found = false;
	size_t i;
	int ret = 0;

	if (!prefix)
		return dsv_fail_nomem(err);
	for (i = 0; ret == 0 && i < d->config.count; i++) {
		const struct config_entry *e = &d->config.items[i];
		const char *name = e->key + strlen(prefix);

		if (strncmp(e->key, prefix, strlen(prefix)) ||
		    strchr(name, '.'))
			continue;
		found = true;
		ret = policy_entry(rules, policy, name, e, err);
		if (ret < 0)
			dsv_fail_in(err, ret, "%s", e->key);
	}
	free(prefix);
	if (ret == 0 && !found)
		ret = dsv_fail(err, DSV_ENOTFOUND, "the configuration has no"
			       " policy [prune \"%s\"]", policy);
	return ret;
}

static int set_selection(struct dsv *d, const struct dsv_prune_options *options,
			 struct rules *rules, struct dsv_err *err)
{
	int ret;

	ret = set_text(&rules->branch, options->branch, err);
	if (ret == 0)
		ret = set_text(&rules->scope, options->scope, err);
	if (ret == 0)
		ret = set_text(&rules->where, options->where, err);
	if (ret == 0)
		ret = set_text(&rules->author, options->author, err);
	/*
	 * In a shared repository, users remove only their own states unless
	 * told otherwise.
	 */
	if (ret == 0 && !rules->author && d->shared)
		ret = set_text(&rules->author, d->process.author, err);
	if (rules->author && !strcmp(rules->author, "*")) {
		free(rules->author);
		rules->author = NULL;
	}
	if (ret == 0 && options->group_by)
		ret = set_group_by(rules, options->group_by, err);
	return ret;
}

static int set_rule_text(struct rules *rules, const char *policy,
			 struct dsv_err *err)
{
	struct str text = STR_INIT;
	size_t i;

	if (policy)
		str_printf(&text, "policy %s", policy);
	for (i = 0; i < rules->count; i++)
		str_printf(&text, "%s%s", !policy ? i ? " " : "" :
			   i ? " " : ": ", rules->items[i].text);
	if (rules->out_of_scope)
		str_puts(&text, text.len ? " " RULE_OUT_OF_SCOPE :
			 RULE_OUT_OF_SCOPE);
	if (text.len == 0)
		str_puts(&text, "no rule kept anything");
	rules->text = str_take(&text);
	return rules->text ? 0 : dsv_fail_nomem(err);
}

int rules_init(struct dsv *d, const struct dsv_prune_options *options,
	       struct rules *out, struct dsv_err *err)
{
	struct rules rules = { .by_branch = true };
	const struct {
		enum retention_kind kind;
		int64_t count;
	} counts[] = {
		{ RETENTION_LAST, options->keep_last },
		{ RETENTION_HOURLY, options->keep_hourly },
		{ RETENTION_DAILY, options->keep_daily },
		{ RETENTION_WEEKLY, options->keep_weekly },
		{ RETENTION_MONTHLY, options->keep_monthly },
	};
	size_t i;
	int ret = 0;

	if (options->policy)
		ret = read_policy(d, options->policy, &rules, err);
	for (i = 0; ret == 0 && i < sizeof(counts) / sizeof(counts[0]); i++)
		ret = add_count(&rules, counts[i].kind, counts[i].count, err);
	if (ret == 0)
		ret = add_within(&rules, options->keep_within_ns, NULL, err);
	if (ret == 0)
		ret = add_texts(&rules, RETENTION_BEST, &options->keep_best,
				err);
	if (ret == 0)
		ret = add_texts(&rules, RETENTION_EVERY, &options->keep_every,
				err);
	if (ret == 0)
		ret = add_texts(&rules, RETENTION_WHERE, &options->keep_where,
				err);
	rules.out_of_scope |= options->out_of_scope;
	if (ret == 0)
		ret = set_selection(d, options, &rules, err);
	if (ret == 0)
		ret = set_rule_text(&rules, options->policy, err);
	if (ret < 0) {
		rules_release(&rules);
		return ret;
	}
	*out = rules;
	return 0;
}
