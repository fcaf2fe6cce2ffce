/* SPDX-License-Identifier: MIT */
/* Forks that were made: printing them, and the hook post-fork. */
#include "sbatch.h"

enum { JOB_ID_SIZE = 96 };

static void format_job(const struct dsv_fork *fork, const char *job_id,
		       char out[JOB_ID_SIZE])
{
	if (fork->task < 0)
		snprintf(out, JOB_ID_SIZE, "%s", job_id ? job_id : "");
	else
		snprintf(out, JOB_ID_SIZE, "%s_%" PRId64, job_id ? job_id : "",
			 fork->task);
}

static int json_forks(FILE *out, const struct dsv_forks *forks,
		      const char *job_id, struct dsv_err *err)
{
	struct dsv_json *j = json_new();
	char job[JOB_ID_SIZE];
	const char *text;
	size_t i, len;
	int ret = 0;

	if (!j)
		return dsv_fail_nomem(err);
	dsv_json_array(j, NULL);
	for (i = 0; i < forks->count; i++) {
		format_job(&forks->items[i], job_id, job);
		dsv_json_object(j, NULL);
		dsv_json_string(j, "branch", forks->items[i].branch);
		dsv_json_string(j, "id", forks->items[i].id);
		dsv_json_string(j, "job", job_id ? job : NULL);
		dsv_json_end(j);
	}
	dsv_json_end(j);
	text = dsv_json_take(j, &len);
	if (text)
		fprintf(out, "%.*s", (int)len, text);
	else
		ret = dsv_fail_nomem(err);
	dsv_json_free(j);
	return ret;
}

void fork_tell(struct dsv *d, const struct dsv_forks *forks)
{
	struct hook h = { .name = "post-fork" };
	size_t i;

	if (!hook_is_set(d, h.name))
		return;
	for (i = 0; i < forks->count; i++) {
		h.state = forks->items[i].id;
		h.branch = forks->items[i].branch;
		hook_tell(d, &h);
	}
}

int fork_print(FILE *out, const struct dsv_forks *forks, const char *job_id,
	       struct dsv_err *err)
{
	char job[JOB_ID_SIZE];
	size_t i;

	if (cli.json)
		return json_forks(out, forks, job_id, err);
	for (i = 0; i < forks->count; i++) {
		out_text(out, forks->items[i].branch);
		fprintf(out, " %s", forks->items[i].id);
		if (job_id) {
			format_job(&forks->items[i], job_id, job);
			putc(' ', out);
			out_text(out, job);
		}
		putc('\n', out);
	}
	return 0;
}
