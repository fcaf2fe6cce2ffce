/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <string.h>

struct dsv_json *json_new(void)
{
	struct dsv_json *j = dsv_json_new();

	if (j && cli.jsonl)
		dsv_json_lines(j);
	return j;
}

void json_kvs(struct dsv_json *j, const char *key, const struct dsv_kvs *kvs)
{
	size_t i;

	dsv_json_object(j, key);
	for (i = 0; i < kvs->count; i++)
		dsv_json_value(j, kvs->items[i].key, &kvs->items[i].value);
	dsv_json_end(j);
}

void json_strings(struct dsv_json *j, const char *key,
		  const struct dsv_strings *list)
{
	size_t i;

	dsv_json_array(j, key);
	for (i = 0; i < list->count; i++)
		dsv_json_string(j, NULL, list->items[i]);
	dsv_json_end(j);
}

void json_ids(struct dsv_json *j, const char *key,
	      const char (*ids)[DSV_ID_SIZE], size_t count)
{
	size_t i;

	dsv_json_array(j, key);
	for (i = 0; i < count; i++)
		dsv_json_string(j, NULL, ids[i]);
	dsv_json_end(j);
}

static void json_time(struct dsv_json *j, const char *key, int64_t time_ns)
{
	if (time_ns)
		dsv_json_time(j, key, time_ns);
	else
		dsv_json_null(j, key);
}

static void json_text(struct dsv_json *j, const char *key, const char *text)
{
	if (text && *text)
		dsv_json_string(j, key, text);
	else
		dsv_json_null(j, key);
}

/* A state made outside jobs gets an empty object. */
void json_job(struct dsv_json *j, const char *key, const struct dsv_job *job)
{
	dsv_json_object(j, key);
	if (job) {
		json_text(j, "id", job->id);
		json_text(j, "array_task", job->array_task);
		json_text(j, "cluster", job->cluster);
		json_text(j, "state", job->state);
		json_text(j, "branch", job->branch);
		json_text(j, "fork", job->fork);
		json_text(j, "fork_state", job->fork_state);
		json_kvs(j, "params", &job->params);
		json_text(j, "nodes", job->nodes);
		if (job->exit_code >= 0)
			dsv_json_int(j, "exit", job->exit_code);
		else
			dsv_json_null(j, "exit");
		if (job->signal)
			dsv_json_int(j, "signal", job->signal);
		else
			dsv_json_null(j, "signal");
		json_time(j, "submitted", job->submitted_ns);
		json_time(j, "started", job->started_ns);
		json_time(j, "ended", job->ended_ns);
		dsv_json_int(j, "attempt", job->attempt);
		/* Only job list has it, for those who want to cancel. */
		if (job->ticket)
			dsv_json_string(j, "ticket", job->ticket);
	}
	dsv_json_end(j);
}

void json_state_members(struct dsv_json *j, const struct dsv_state *s)
{
	dsv_json_string(j, "id", s->id);
	json_ids(j, "parents", (const char (*)[DSV_ID_SIZE])s->parents,
		 s->parent_count);
	dsv_json_string(j, "kind", s->kind);
	json_text(j, "branch", s->branch);
	json_text(j, "name", s->name);
	json_text(j, "message", s->message);
	json_text(j, "author", s->author);
	json_text(j, "host", s->host);
	json_time(j, "created", s->created_ns);
	json_text(j, "content", s->content);
	dsv_json_int(j, "files", s->files);
	dsv_json_int(j, "size", s->size_bytes);
	dsv_json_int(j, "stored", s->stored_bytes);
	json_strings(j, "scopes", &s->scopes);
	dsv_json_bool(j, "pinned", s->pinned);
	dsv_json_bool(j, "held", s->held);
	dsv_json_bool(j, "pending", s->pending);
	dsv_json_bool(j, "lost", s->lost);
	dsv_json_bool(j, "pruned", s->pruned);
	json_time(j, "pruned_at", s->pruned ? s->pruned_ns : 0);
	json_text(j, "pruned_by", s->pruned_by);
	json_kvs(j, "params", &s->params);
	json_kvs(j, "changed", &s->changed);
	json_strings(j, "unset", &s->unset);
	json_kvs(j, "attrs", &s->attrs);
	json_job(j, "job", s->job);
}

void json_state(struct dsv_json *j, const char *key,
		const struct dsv_state *s)
{
	dsv_json_object(j, key);
	json_state_members(j, s);
	dsv_json_end(j);
}

int json_flush(struct dsv_json *j, struct dsv_err *err)
{
	size_t len;
	const char *text = dsv_json_take(j, &len);

	if (!text)
		return dsv_fail_nomem(err);
	fwrite(text, 1, len, stdout);
	return 0;
}

int json_print(struct dsv_json *j, struct dsv_err *err)
{
	int ret;

	if (!j)
		return dsv_fail_nomem(err);
	ret = json_flush(j, err);
	dsv_json_free(j);
	return ret;
}

void json_error(int code, const struct dsv_err *err)
{
	struct dsv_json *j = dsv_json_new();
	const char *text = NULL;
	char hint[HINT_SIZE];
	size_t len;

	if (j) {
		dsv_json_object(j, NULL);
		dsv_json_object(j, "error");
		dsv_json_int(j, "code", code);
		dsv_json_string(j, "name", dsv_code_name(-code));
		dsv_json_string(j, "message", err->msg);
		if (hint_text(err->hint, err->subject, hint))
			dsv_json_string(j, "hint", hint);
		dsv_json_end(j);
		dsv_json_end(j);
		text = dsv_json_take(j, &len);
	}
	if (text)
		fprintf(stderr, "%.*s", (int)len, text);
	else
		fprintf(stderr, "{\"error\":{\"code\":%d,\"name\":\"%s\","
			"\"message\":\"out of memory\"}}\n", code,
			dsv_code_name(-code));
	dsv_json_free(j);
}
