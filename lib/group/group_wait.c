/* SPDX-License-Identifier: MIT */
/* Coming to an agreement. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/json_text.h"
#include "../os/fs.h"
#include "../os/lock.h"
#include "group_file.h"

enum {
	POLL_MIN_MS = 5,
	POLL_MAX_MS = 100,
	/* A decided group is all but committed: have patience with it. */
	COMMIT_MIN_MS = 5 * 60 * 1000,
	/* After this another looks whether who commits has died. */
	PATIENCE_MS = 1000,
	/* Without a lock to say so, the ranks look one after another. */
	LOCKLESS_MS = 30000,
	LOCKLESS_RANK_MS = 10000,
	RANKS_NAMED = 8
};

/* why: whose hint is told too, or NULL. */
static json_t *failure_json(int code, const char *message,
			    const struct dsv_err *why)
{
	if (!why || why->hint == DSV_HINT_NONE)
		return json_pack("{s:i, s:o}", "code", code,
				 "message", text_to_json(message));
	return json_pack("{s:i, s:o, s:i, s:o}", "code", code,
			 "message", text_to_json(message),
			 "hint", (int)why->hint,
			 "subject", text_to_json(why->subject));
}

int group_join(struct group *g, const json_t *part, struct dsv_err *err)
{
	char name[24];
	int ret;

	snprintf(name, sizeof(name), "%" PRId64, g->rank);
	ret = group_file_make(g, name, part, err);
	if (ret == 0)
		return dsv_fail(err, DSV_EREFUSED, "another process is rank"
				" %s of this group", name);
	g->has_part = ret > 0;
	return ret < 0 ? ret : 0;
}

void group_fail(struct group *g, const struct dsv_err *why)
{
	int code = why->code == DSV_EINTERRUPTED ? DSV_EPARTIAL : why->code;
	char *message = str_format("rank %" PRId64 ": %s", g->rank, why->msg);
	json_t *json = message ? failure_json(code, message, why) : NULL;

	if (json && g->decided_ms == 0)
		group_file_make(g, "verdict", json, NULL);
	json_decref(json);
	free(message);
}

/* Name the ranks that did not come. */
static int put_timeout(struct group *g, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int64_t missing = 0, rank;
	json_t *json;
	int ret;

	str_printf(&text, "the group was not complete after %" PRId64 " s: of"
		   " %" PRId64 " ranks these did not arrive:",
		   g->timeout_ms / 1000, g->ranks);
	for (rank = g->seen; rank < g->ranks; rank++) {
		if (group_file_has_part(g, rank))
			continue;
		if (missing++ < RANKS_NAMED)
			str_printf(&text, "%s %" PRId64, missing > 1 ? "," : "",
				   rank);
	}
	if (missing > RANKS_NAMED)
		str_printf(&text, " and %" PRId64 " more",
			   missing - RANKS_NAMED);
	json = failure_json(DSV_EPARTIAL, str_text(&text), NULL);
	ret = group_file_make(g, "verdict", json, err);
	json_decref(json);
	str_release(&text);
	return ret < 0 ? ret : 0;
}

static int put_commit(struct group *g, struct dsv_err *err)
{
	json_t *json = json_pack("{s:I}", "rank", (json_int_t)g->rank);
	int ret = group_file_make(g, "verdict", json, err);

	json_decref(json);
	g->ours = ret > 0;
	return ret < 0 ? ret : 0;
}

/* 1: it is ours; 0: somebody commits; < 0: there are no locks here. */
static int lock(struct group *g)
{
	char *path;

	if (g->lock_fd < 0) {
		path = str_format("%s/lock", g->dir);
		if (path)
			g->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW |
					  O_CLOEXEC, 0666);
		free(path);
	}
	return g->lock_fd < 0 ? -1 : file_lock(g->lock_fd, false, NULL);
}

static void unlock(struct group *g)
{
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	g->lock_fd = -1;
}

/* 1: we are to commit. */
static int take_over(struct group *g)
{
	int64_t waited_ms = monotonic_ms() - g->decided_ms;
	int locked;

	if (!g->ours && waited_ms < PATIENCE_MS)
		return 0;
	locked = lock(g);
	if (locked >= 0)
		return locked;
	return g->ours ||
		waited_ms >= LOCKLESS_MS + g->rank * LOCKLESS_RANK_MS;
}

/* Over NFS a name that was not there may be remembered as such. */
static void refresh(struct group *g)
{
	DIR *dir = opendir(g->dir);

	if (dir) {
		readdir(dir);
		closedir(dir);
	}
}

enum { NOT_YET = 100 };

/* Once there is a verdict to commit. */
static int look_decided(struct group *g, char id[DSV_ID_SIZE],
			struct dsv_err *err)
{
	int64_t limit_ms = g->timeout_ms > COMMIT_MIN_MS ? g->timeout_ms :
		COMMIT_MIN_MS;
	int ret;

	ret = group_file_result(g, id, err);
	if (ret == 0 && take_over(g)) {
		/* It may have come before we got the lock. */
		ret = group_file_result(g, id, err);
		if (ret == 0)
			return GROUP_COMMIT;
	}
	if (ret == 1)
		return GROUP_DONE;
	if (ret == 2)
		return GROUP_AGAIN;
	if (ret == 0 && monotonic_ms() - g->decided_ms > limit_ms)
		ret = dsv_fail(err, DSV_EPARTIAL, "all ranks arrived, but"
			       " the one that commits the state has not"
			       " finished after %" PRId64 " s; it may still"
			       " appear", limit_ms / 1000);
	return ret < 0 ? ret : (int)NOT_YET;
}

static int look(struct group *g, int64_t start_ms, char id[DSV_ID_SIZE],
		struct dsv_err *err)
{
	int ret;

	if (g->decided_ms > 0)
		return look_decided(g, id, err);
	ret = group_file_verdict(g, err);
	if (ret < 0) {
		g->staged = false;
		return ret;
	}
	if (ret > 0) {
		g->decided_ms = monotonic_ms();
		g->staged = true;
		return look_decided(g, id, err);
	}
	while (g->seen < g->ranks && group_file_has_part(g, g->seen))
		g->seen++;
	if (g->seen == g->ranks)
		ret = put_commit(g, err);
	else if (monotonic_ms() - start_ms >= g->timeout_ms)
		ret = put_timeout(g, err);
	else
		return NOT_YET;
	/* Ours, or who was faster. */
	return ret < 0 ? ret : look(g, start_ms, id, err);
}

int group_wait(struct group *g, char id[DSV_ID_SIZE], struct dsv_err *err)
{
	bool network = fs_is_network(g->dir);
	int64_t start_ms = monotonic_ms();
	int pause_ms = POLL_MIN_MS;
	int ret;

	for (;;) {
		struct timespec ts = { 0, pause_ms * 1000000L };

		ret = look(g, start_ms, id, err);
		if (ret != NOT_YET)
			break;
		ret = repo_poll(g->d, err);
		if (ret < 0)
			break;
		nanosleep(&ts, NULL);
		pause_ms = pause_ms * 3 / 2;
		if (pause_ms > POLL_MAX_MS)
			pause_ms = POLL_MAX_MS;
		if (network)
			refresh(g);
	}
	if (ret != GROUP_COMMIT)
		unlock(g);
	return ret;
}

/* ---- Committing -------------------------------------------------------- */

int group_part(struct group *g, int64_t rank, json_t **out,
	       struct dsv_err *err)
{
	char name[24];
	int ret;

	snprintf(name, sizeof(name), "%" PRId64, rank);
	ret = group_file_read(g, name, out, err);
	if (ret == 0)
		ret = dsv_fail(err, DSV_ESYS, "the part of rank %s has gone",
			       name);
	return ret < 0 ? ret : 0;
}

int group_trying(struct group *g, const char *id, struct dsv_err *err)
{
	char *path = str_format("%s/trying.%" PRId64, g->dir, g->rank);
	char line[DSV_ID_SIZE + 1];
	int fd = -1;
	int ret = 0;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW |
			  O_CLOEXEC, 0666);
	snprintf(line, sizeof(line), "%s\n", id);
	if (!path)
		ret = dsv_fail_nomem(err);
	else if (fd < 0 || write_all(fd, line, strlen(line)) < 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	/* Other hosts see it once it is closed. */
	if (fd >= 0 && close(fd) < 0 && ret == 0)
		ret = dsv_fail_errno(err, "write '%s'", path);
	free(path);
	return ret;
}

/* 1: one of the lines is the id of a state. */
static int find_state(struct group *g, const struct str *text,
		      char id[DSV_ID_SIZE], struct dsv_err *err)
{
	unsigned char hash[HASH_BYTES];
	char line[DSV_ID_SIZE];
	size_t at;
	int64_t seq;
	int ret;

	for (at = 0; at + DSV_ID_SIZE <= text->len; at += DSV_ID_SIZE) {
		memcpy(line, text->data + at, DSV_ID_SIZE - 1);
		line[DSV_ID_SIZE - 1] = '\0';
		if (!hash_from_hex(line, hash))
			break;
		ret = catalog_seq(g->d->catalog, hash, &seq, err);
		if (ret < 0)
			return ret;
		if (seq >= 0) {
			memcpy(id, line, DSV_ID_SIZE);
			return 1;
		}
	}
	return 0;
}

int group_tried(struct group *g, char id[DSV_ID_SIZE], struct dsv_err *err)
{
	DIR *dir = opendir(g->dir);
	struct dirent *e;
	int ret = 0;

	if (!dir)
		return dsv_fail_errno(err, "open directory '%s'", g->dir);
	while (ret == 0 && (e = readdir(dir))) {
		struct str text = STR_INIT;
		char *path;

		if (strncmp(e->d_name, "trying.", 7) != 0)
			continue;
		path = str_format("%s/%s", g->dir, e->d_name);
		ret = path ? fs_read(path, 1 << 20, &text, err) :
			dsv_fail_nomem(err);
		if (ret == 0)
			ret = find_state(g, &text, id, err);
		str_release(&text);
		free(path);
	}
	closedir(dir);
	return ret;
}

int group_tell(struct group *g, int ret, const char *id,
	       const struct dsv_err *why, struct dsv_err *err)
{
	char *path = str_format("%s/result", g->dir);
	json_t *json;
	char *text;
	int told;

	if (ret < 0)
		json = failure_json(ret, why->msg, why);
	else if (ret == 0)
		json = json_pack("{s:s}", "id", id);
	else
		json = json_pack("{s:b}", "again", true);
	if (json && ret < 0)
		json_object_set_new(json, "staged", json_boolean(g->staged));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	told = path && text ? fs_replace(path, text, strlen(text),
					 g->d->file_mode, err) :
		dsv_fail_nomem(err);
	free(text);
	json_decref(json);
	free(path);
	unlock(g);
	return told;
}
