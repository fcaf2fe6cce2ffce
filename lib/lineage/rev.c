/* SPDX-License-Identifier: MIT */
#include "rev.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "../base/value.h"

enum { MAX_STEPS_DIGITS = 9 };

static int resolve_head(struct dsv *d, int64_t *seq, struct dsv_err *err)
{
	struct dsv_err why;
	char *branch;
	int ret;

	ret = repo_branch(d, &branch, err);
	if (ret < 0)
		return ret;
	ret = catalog_branch_head(d->catalog, branch, seq, &why);
	if (ret == DSV_ENOTFOUND) {
		*seq = -1;	/* not made yet */
		ret = 0;
	} else if (ret < 0) {
		ret = dsv_fail_as(err, ret, &why);
	} else if (*seq == 0) {
		*seq = -1;
	}
	free(branch);
	return ret;
}

/* Checks that the branch exists; fails as catalog_branch_head() does. */
static int need_branch(struct dsv *d, const char *branch, struct dsv_err *err)
{
	int64_t ignored;

	return catalog_branch_head(d->catalog, branch, &ignored, err);
}

/* Resolves "KEY", "KEY@BRANCH" or "KEY@*". */
static int resolve_extreme(struct dsv *d, const char *text, int sign,
			   int64_t *seq, struct dsv_err *err)
{
	const char *at = strchr(text, '@');
	char *key = at ? strndup(text, (size_t)(at - text)) : strdup(text);
	char *branch = NULL;
	bool all = at && !strcmp(at + 1, "*");
	int ret = 0;

	if (!key)
		return dsv_fail_nomem(err);
	if (!key_is_valid(key))
		ret = dsv_fail(err, DSV_EUSAGE, "'%s:%s' names no key"
			       " (max:KEY, max:KEY@BRANCH, max:KEY@*)",
			       sign > 0 ? "max" : "min", text);
	if (ret == 0 && !at)
		ret = repo_branch(d, &branch, err);
	if (ret == 0 && at && !all)
		ret = need_branch(d, at + 1, err);
	if (ret == 0)
		ret = catalog_extreme(d->catalog, key, sign, all ? NULL :
				      at ? at + 1 : branch, seq, err);
	free(branch);
	free(key);
	return ret;
}

static int not_found(struct dsv *d, const char *word, struct dsv_err *err)
{
	struct dsv_branches branches = { 0, NULL };
	struct dsv_names names = { 0, NULL };
	const char **candidates = NULL;
	const char *near = NULL;
	size_t i, count = 0;

	if (catalog_branches(d->catalog, &branches, NULL) == 0 &&
	    catalog_names(d->catalog, &names, NULL) == 0)
		candidates = malloc((branches.count + names.count + 1) *
				    sizeof(*candidates));
	for (i = 0; candidates && i < branches.count; i++)
		candidates[count++] = branches.items[i].name;
	for (i = 0; candidates && i < names.count; i++)
		candidates[count++] = names.items[i].name;
	if (candidates)
		near = dsv_suggest(word, candidates, count);
	if (near)
		dsv_fail(err, DSV_ENOTFOUND, "no branch, name or state '%s'"
			 " (did you mean '%s'?)", word, near);
	else
		dsv_fail(err, DSV_ENOTFOUND, "no branch, name or state '%s'",
			 word);
	free(candidates);
	dsv_branches_free(&branches);
	dsv_names_free(&names);
	return DSV_ENOTFOUND;
}

static bool is_hex(const char *word)
{
	size_t len = strlen(word);

	return len >= 4 && len <= 64 &&
		strspn(word, "0123456789abcdefABCDEF") == len;
}

static int resolve_word(struct dsv *d, const char *word, int64_t *seq,
			struct dsv_err *err)
{
	struct dsv_err reason;
	int ret;

	if (!strcmp(word, "HEAD") || !strcmp(word, "@"))
		return resolve_head(d, seq, err);
	if (!strncmp(word, "max:", 4))
		return resolve_extreme(d, word + 4, 1, seq, err);
	if (!strncmp(word, "min:", 4))
		return resolve_extreme(d, word + 4, -1, seq, err);
	ret = catalog_branch_head(d->catalog, word, seq, &reason);
	if (ret == 0) {
		if (*seq == 0)
			*seq = -1;
		return 0;
	}
	if (ret != DSV_ENOTFOUND)
		return dsv_fail_as(err, ret, &reason);
	ret = catalog_name_get(d->catalog, word, seq, err);
	if (ret < 0 || *seq > 0)
		return ret;
	if (!is_hex(word))
		return not_found(d, word, err);
	return catalog_find_id(d->catalog, word, seq, err);
}

/* Goes from seq to its n-th first parent. */
static int step_back(struct dsv *d, const char *rev, int64_t n, int64_t *seq,
		     struct dsv_err *err)
{
	struct catalog_log_query query = { .heads = seq, .head_count = 1,
					   .first_parent = true,
					   .limit = n + 1 };
	int64_t *line;
	size_t count;
	int ret;

	ret = catalog_log(d->catalog, &query, &line, &count, err);
	if (ret < 0)
		return ret;
	if (count == (size_t)n + 1)
		*seq = line[n];
	else
		ret = dsv_fail(err, DSV_ENOTFOUND, "no state '%s': the history"
			       " is %zu state%s long", rev, count,
			       count == 1 ? "" : "s");
	free(line);
	return ret;
}

static int nth_parent(struct dsv *d, const char *rev, int64_t n, int64_t *seq,
		      struct dsv_err *err)
{
	int64_t *parents;
	size_t count;
	int ret;

	if (n == 0)
		return 0;
	ret = catalog_parents(d->catalog, *seq, &parents, &count, err);
	if (ret < 0)
		return ret;
	if ((size_t)n <= count)
		*seq = parents[n - 1];
	else
		ret = dsv_fail(err, DSV_ENOTFOUND, "no state '%s': it has %zu"
			       " parent%s there", rev, count,
			       count == 1 ? "" : "s");
	free(parents);
	return ret;
}

/* Follows "~2^^3"; each of them without a number is one step. */
static int resolve_steps(struct dsv *d, const char *rev, const char *steps,
			 int64_t *seq, struct dsv_err *err)
{
	const char *p = steps;
	int ret = 0;

	while (*p && ret == 0) {
		char kind = *p++;
		size_t digits = strspn(p, "0123456789");
		int64_t n = digits ? strtoll(p, NULL, 10) : 1;

		if ((kind != '~' && kind != '^') || digits > MAX_STEPS_DIGITS)
			return dsv_fail(err, DSV_EUSAGE, "'%s' is not a"
					" revision (a number follows '~'"
					" and '^')",
					rev);
		p += digits;
		if (*seq < 0)
			continue;
		ret = kind == '~' ? step_back(d, rev, n, seq, err) :
			nth_parent(d, rev, n, seq, err);
	}
	return ret;
}

int rev_resolve_any(struct dsv *d, const char *rev, int64_t *out,
		    struct dsv_err *err)
{
	int64_t seq = -1;
	size_t len;
	char *word;
	int ret;

	if (!rev)
		rev = "HEAD";
	len = strcspn(rev, "~^");
	word = strndup(rev, len);
	if (!word)
		return dsv_fail_nomem(err);
	if (len == 0)
		ret = dsv_fail(err, DSV_EUSAGE, "'%s' is not a revision", rev);
	else
		ret = resolve_word(d, word, &seq, err);
	if (ret >= 0)
		ret = resolve_steps(d, rev, rev + len, &seq, err);
	free(word);
	if (ret < 0)
		return ret;
	*out = seq;
	return 0;
}

/* Reports that "max:KEY" has no candidate. */
static int no_extreme(struct dsv *d, const char *rev, struct dsv_err *err)
{
	const char *start = strchr(rev, ':') + 1;
	char *key = strndup(start, strcspn(start, "@~^"));
	const char *near = NULL;
	char **keys = NULL;
	size_t i, count = 0;

	if (key && catalog_keys(d->catalog, &keys, &count, NULL) == 0)
		near = dsv_suggest(key, (const char *const *)keys, count);
	if (near && strcmp(near, key) != 0)
		dsv_fail(err, DSV_ENOTFOUND, "'%s': no live state there has"
			 " that attribute as a number (did you mean '%s'?)",
			 rev, near);
	else
		dsv_fail(err, DSV_ENOTFOUND, "'%s': no live state there has"
			 " that attribute as a number", rev);
	for (i = 0; i < count; i++)
		free(keys[i]);
	free(keys);
	free(key);
	return DSV_ENOTFOUND;
}

int rev_resolve(struct dsv *d, const char *rev, int64_t *out,
		struct dsv_err *err)
{
	int64_t seq;
	int ret = rev_resolve_any(d, rev, &seq, err);

	if (ret < 0)
		return ret;
	if (!rev)
		rev = "HEAD";
	if (seq < 0 && strchr(rev, ':'))
		return no_extreme(d, rev, err);
	if (seq < 0)
		return dsv_fail(err, DSV_ENOTFOUND, "'%s': the branch has no"
				" state yet", rev);
	*out = seq;
	return 0;
}

int dsv_rev_parse(struct dsv *d, const char *rev, char id[DSV_ID_SIZE],
		  struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	int64_t seq;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	if (ret == 0)
		ret = catalog_id(d->catalog, seq, hash, err);
	if (ret == 0)
		hash_to_hex(hash, id);
	return ret;
}

int dsv_state_get(struct dsv *d, const char *rev, struct dsv_state **out,
		  struct dsv_err *err)
{
	int64_t seq;
	int ret;

	ret = rev_resolve(d, rev, &seq, err);
	return ret < 0 ? ret : catalog_load(d->catalog, &seq, 1, out, err);
}
