/* SPDX-License-Identifier: MIT */
/*
 * Finds the first bad state of a line.  The user's verdicts are kept as lines
 * in heads/<uid>.bisect; everything else is computed again each time, since
 * states may have been pruned in the meantime.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/list.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../repo/repo.h"
#include "rev.h"

enum { TEXT_LIMIT_BYTES = 16 << 20 };

static const char *const marks[] = {
	[DSV_BISECT_GOOD] = "good", [DSV_BISECT_BAD] = "bad",
	[DSV_BISECT_SKIP] = "skip",
};

/* Indexes refer to the line, whose first state is the bad end. */
struct search {
	struct str text;	/* as in the file */
	int64_t bad, good;	/* the ends */
	char *along;		/* NULL: first parents only */
	int64_t *line;		/* from bad to before good */
	size_t count;
	bool *skipped, *live;
	size_t newest_good;	/* count: the end */
	size_t oldest_bad;
};

static void search_release(struct search *s)
{
	str_release(&s->text);
	free(s->along);
	free(s->line);
	free(s->skipped);
	free(s->live);
}

static char *bisect_path(struct dsv *d)
{
	return repo_path(d, DIR_HEADS "/%lu.bisect", (unsigned long)geteuid());
}

/* ---- The line ---- */

static int append(struct search *s, int64_t seq, struct dsv_err *err)
{
	int ret;

	ret = list_grow((void **)&s->line, s->count, sizeof(seq), err);
	if (ret == 0)
		s->line[s->count++] = seq;
	return ret;
}

/* Steps to the parent made on s->along, else to the first; 0 means none. */
static int step_back(struct dsv *d, const struct search *s, int64_t *seq,
		     struct dsv_err *err)
{
	struct dsv_state *parent;
	int64_t *parents = NULL;
	bool found = false;
	size_t count, i;
	int ret;

	ret = catalog_parents(d->catalog, *seq, &parents, &count, err);
	if (ret < 0)
		return ret;
	*seq = count ? parents[0] : 0;
	for (i = 0; s->along && count > 1 && i < count && !found; i++) {
		ret = catalog_load(d->catalog, &parents[i], 1, &parent, err);
		if (ret < 0)
			break;
		found = parent->branch && !strcmp(parent->branch, s->along);
		if (found)
			*seq = parents[i];
		dsv_state_free(parent);
	}
	free(parents);
	return ret;
}

static int make_line(struct dsv *d, struct search *s, struct dsv_err *err)
{
	int64_t seq = s->bad;
	int ret = 0;

	/* A parent is older, so there is nothing to find beyond good. */
	while (ret == 0 && seq > s->good) {
		ret = repo_poll(d, err);
		if (ret == 0)
			ret = append(s, seq, err);
		if (ret == 0)
			ret = step_back(d, s, &seq, err);
	}
	if (ret == 0 && seq != s->good)
		ret = dsv_fail_hint(err, DSV_EUSAGE, s->bad <= s->good ||
				    s->along ? DSV_HINT_NONE :
				    DSV_HINT_BISECT_ALONG, NULL,
				    "the good state is not on the line of"
				    " first parents of the bad one%s",
				    s->bad > s->good ? "" :
				    ": it is the newer one");
	if (ret == 0 && s->count == 0)
		ret = dsv_fail(err, DSV_EUSAGE,
			       "a state cannot be good and bad");
	return ret;
}

static int by_seq(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int find_live(struct dsv *d, struct search *s, struct dsv_err *err)
{
	const struct catalog_query query = {
		.ancestors_of = s->bad, .limit = -1
	};
	int64_t *seqs = NULL;
	size_t count, i;
	int ret;

	s->live = calloc(s->count + 1, sizeof(*s->live));
	s->skipped = calloc(s->count + 1, sizeof(*s->skipped));
	if (!s->live || !s->skipped)
		return dsv_fail_nomem(err);
	ret = catalog_find(d->catalog, &query, &seqs, &count, err);
	if (ret < 0)
		return ret;
	if (count > 1)
		qsort(seqs, count, sizeof(*seqs), by_seq);
	for (i = 0; i < s->count && count > 0; i++)
		s->live[i] = bsearch(&s->line[i], seqs, count, sizeof(*seqs),
				     by_seq) != NULL;
	free(seqs);
	return 0;
}

/* ---- The user's verdicts ---- */

/* Returns false if seq is not on the line, which is in descending order. */
static bool find_index(const struct search *s, int64_t seq, size_t *out)
{
	size_t low = 0;
	size_t high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->line[middle] > seq)
			low = middle + 1;
		else
			high = middle;
	}
	*out = low;
	return low < s->count ? s->line[low] == seq : seq == s->good;
}

static int say(struct search *s, int64_t seq, enum dsv_bisect_mark mark,
	       struct dsv_err *err)
{
	size_t i;

	if (!find_index(s, seq, &i))
		return dsv_fail(err, DSV_EUSAGE, "that state is not on the line"
				" that is searched");
	if (mark == DSV_BISECT_GOOD && i <= s->oldest_bad)
		return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_BISECT_LOG,
				     NULL, "a state at or before it is"
				     " known to be bad");
	if (mark == DSV_BISECT_BAD && i >= s->newest_good)
		return dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_BISECT_LOG,
				     NULL, "a state at or after it is"
				     " known to be good");
	if (mark == DSV_BISECT_GOOD && i < s->newest_good)
		s->newest_good = i;
	if (mark == DSV_BISECT_BAD && i > s->oldest_bad)
		s->oldest_bad = i;
	if (mark == DSV_BISECT_SKIP && i < s->count)
		s->skipped[i] = true;
	return 0;
}

static int seq_of(struct dsv *d, const char *hex, int64_t *seq,
		  struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int ret;

	if (!hash_from_hex(hex, id))
		return dsv_fail_hint(err, DSV_ECORRUPT, DSV_HINT_BISECT_RESET,
				     NULL, "the search is damaged");
	ret = catalog_seq(d->catalog, id, seq, err);
	if (ret == 0 && *seq < 0)
		ret = dsv_fail(err, DSV_ENOTFOUND, "state %.12s of the search"
			       " is gone", hex);
	return ret;
}

static int begin(struct dsv *d, struct search *s, struct dsv_err *err)
{
	int ret = make_line(d, s, err);

	s->newest_good = s->count;
	return ret < 0 ? ret : find_live(d, s, err);
}

/* Replays a line of the file; the line is cut at spaces. */
static int replay(struct dsv *d, struct search *s, char *line,
		  struct dsv_err *err)
{
	char *save = NULL;
	char *verb = strtok_r(line, " ", &save);
	char *id = strtok_r(NULL, " ", &save);
	int64_t seq;
	size_t i;
	int ret;

	ret = seq_of(d, id ? id : "", &seq, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (!strcmp(marks[i], verb) && s->count > 0)
			return say(s, seq, (enum dsv_bisect_mark)i, err);
	id = strtok_r(NULL, " ", &save);
	if (strcmp(verb, "start") || !id || s->count > 0)
		return seq_of(d, "", &seq, err);
	s->bad = seq;
	ret = seq_of(d, id, &s->good, err);
	if (ret < 0)
		return ret;
	if (strtok_r(NULL, " ", &save)) {	/* --along */
		id = strtok_r(NULL, " ", &save);
		s->along = strdup(id ? id : "");
		if (!s->along)
			return dsv_fail_nomem(err);
	}
	return begin(d, s, err);
}

static int read_text(struct dsv *d, struct str *text, struct dsv_err *err)
{
	char *path = bisect_path(d);
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, TEXT_LIMIT_BYTES, text, err);
	free(path);
	if (ret == DSV_ENOTFOUND)
		ret = dsv_fail_hint(err, DSV_EUSAGE, DSV_HINT_BISECT_START,
				    NULL, "no search is under way");
	return ret;
}

static int load(struct dsv *d, struct search *s, struct dsv_err *err)
{
	char *text, *line, *save = NULL;
	int ret;

	ret = read_text(d, &s->text, err);
	if (ret < 0)
		return ret;
	text = strdup(str_text(&s->text));
	if (!text)
		return dsv_fail_nomem(err);
	for (line = strtok_r(text, "\n", &save); line && ret == 0;
	     line = strtok_r(NULL, "\n", &save))
		ret = replay(d, s, line, err);
	free(text);
	if (ret == 0 && s->count == 0)
		ret = seq_of(d, "", &s->bad, err);
	return ret;
}

static int save(struct dsv *d, const struct search *s, struct dsv_err *err)
{
	char *path = bisect_path(d);
	int ret;

	if (!path || str_failed(&s->text))
		ret = dsv_fail_nomem(err);
	else
		ret = fs_replace(path, s->text.data, s->text.len, d->file_mode,
				 err);
	free(path);
	return ret;
}

/* ---- What follows from it ---- */

static int id_at(struct dsv *d, int64_t seq, char out[DSV_ID_SIZE],
		 struct dsv_err *err)
{
	unsigned char id[HASH_BYTES];
	int ret = catalog_id(d->catalog, seq, id, err);

	if (ret == 0)
		hash_to_hex(id, out);
	return ret;
}

static int64_t seq_at(const struct search *s, size_t i)
{
	return i < s->count ? s->line[i] : s->good;
}

/* Returns the index of the middle of the live states between; 0: none. */
static size_t find_next(const struct search *s, int64_t left)
{
	int64_t seen = 0;
	size_t i;

	for (i = s->oldest_bad + 1; i < s->newest_good; i++)
		if (s->live[i] && !s->skipped[i] && seen++ == left / 2)
			return i;
	return 0;
}

static int conclude(struct dsv *d, const struct search *s,
		    struct dsv_bisect *out, struct dsv_err *err)
{
	struct dsv_bisect b = { .left = 0 };
	size_t i, next;
	int ret;

	b.skipped.items = calloc(s->newest_good - s->oldest_bad,
				 sizeof(*b.skipped.items));
	ret = b.skipped.items ? 0 : dsv_fail_nomem(err);
	for (i = s->newest_good; ret == 0 && --i > s->oldest_bad;) {
		if (s->skipped[i])
			ret = id_at(d, s->line[i],
				    b.skipped.items[b.skipped.count++], err);
		else if (s->live[i])
			b.left++;
		else
			b.pruned++;
	}
	next = find_next(s, b.left);
	if (ret == 0 && next > 0)
		ret = id_at(d, s->line[next], b.next, err);
	if (ret == 0)
		ret = id_at(d, seq_at(s, s->oldest_bad), b.bad, err);
	if (ret == 0)
		ret = id_at(d, seq_at(s, s->newest_good), b.good, err);
	if (ret < 0)
		dsv_bisect_release(&b);
	else
		*out = b;
	return ret;
}

void dsv_bisect_release(struct dsv_bisect *b)
{
	dsv_ids_free(&b->skipped);
}

/* ---- The verbs ---- */

int dsv_bisect_start(struct dsv *d, const char *bad, const char *good,
		     const char *along, struct dsv_bisect *out,
		     struct dsv_err *err)
{
	struct search s = { .text = STR_INIT };
	char bad_id[DSV_ID_SIZE], good_id[DSV_ID_SIZE];
	int64_t head;
	int ret;

	ret = rev_resolve(d, bad, &s.bad, err);
	if (ret == 0)
		ret = rev_resolve(d, good, &s.good, err);
	if (ret == 0 && along)
		ret = catalog_branch_head(d->catalog, along, &head, err);
	if (ret == 0 && along) {
		s.along = strdup(along);
		if (!s.along)
			ret = dsv_fail_nomem(err);
	}
	if (ret == 0)
		ret = begin(d, &s, err);
	if (ret == 0)
		ret = id_at(d, s.bad, bad_id, err);
	if (ret == 0)
		ret = id_at(d, s.good, good_id, err);
	if (ret == 0) {
		str_printf(&s.text, "start %s %s", bad_id, good_id);
		if (along)
			str_printf(&s.text, " --along %s", along);
		str_putc(&s.text, '\n');
		ret = save(d, &s, err);
	}
	if (ret == 0)
		ret = conclude(d, &s, out, err);
	search_release(&s);
	return ret;
}

int dsv_bisect_mark(struct dsv *d, const char *rev, enum dsv_bisect_mark mark,
		    struct dsv_bisect *out, struct dsv_err *err)
{
	struct search s = { .text = STR_INIT };
	struct dsv_bisect b = { .left = 0 };
	char id[DSV_ID_SIZE] = "";
	int64_t seq = 0;
	int ret;

	ret = load(d, &s, err);
	if (ret == 0 && !rev)
		ret = conclude(d, &s, &b, err);
	if (ret == 0 && !rev && !b.next[0])
		ret = dsv_fail(err, DSV_EUSAGE, "no state is left to test");
	if (ret == 0)
		ret = rev_resolve(d, rev ? rev : b.next, &seq, err);
	if (ret == 0)
		ret = id_at(d, seq, id, err);
	if (ret == 0) {
		ret = say(&s, seq, mark, err);
		if (ret < 0)
			ret = dsv_fail_in(err, ret, "state %.12s is '%s'", id,
					  marks[mark]);
	}
	if (ret == 0) {
		str_printf(&s.text, "%s %s\n", marks[mark], id);
		ret = save(d, &s, err);
	}
	if (ret == 0)
		ret = conclude(d, &s, out, err);
	dsv_bisect_release(&b);
	search_release(&s);
	return ret;
}

int dsv_bisect_get(struct dsv *d, struct dsv_bisect *out, struct dsv_err *err)
{
	struct search s = { .text = STR_INIT };
	int ret = load(d, &s, err);

	if (ret == 0)
		ret = conclude(d, &s, out, err);
	search_release(&s);
	return ret;
}

int dsv_bisect_log(struct dsv *d, char **out, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret = read_text(d, &text, err);

	if (ret < 0)
		return ret;
	*out = str_take(&text);
	return *out ? 0 : dsv_fail_nomem(err);
}

int dsv_bisect_reset(struct dsv *d, struct dsv_err *err)
{
	char *path = bisect_path(d);
	int ret = 0;

	if (!path)
		return dsv_fail_nomem(err);
	if (unlink(path) < 0 && errno != ENOENT)
		ret = dsv_fail_errno(err, "remove '%s'", path);
	free(path);
	return ret;
}
