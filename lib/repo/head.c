/* SPDX-License-Identifier: MIT */
/*
 * Each user has a HEAD of their own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/name.h"
#include "../base/str.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "repo.h"

static char *head_path(struct dsv *d)
{
	return repo_path(d, DIR_HEADS "/%lu", (unsigned long)geteuid());
}

/* Reads the user's branch outside of jobs; it is "main" until a switch. */
static int read_head(struct dsv *d, char **out, struct dsv_err *err)
{
	struct str text = STR_INIT;
	char *path = head_path(d);
	int ret;

	if (!path)
		return dsv_fail_nomem(err);
	ret = fs_read(path, 4096, &text, err);
	free(path);
	if (ret == DSV_ENOTFOUND) {
		str_clear(&text);
		str_puts(&text, "main");
		ret = 0;
	}
	if (ret == 0) {
		if (text.len > 0 && text.data[text.len - 1] == '\n')
			text.data[--text.len] = '\0';
		*out = str_take(&text);
		if (!*out)
			ret = dsv_fail_nomem(err);
	}
	str_release(&text);
	return ret;
}

int repo_branch(struct dsv *d, char **out, struct dsv_err *err)
{
	const struct process *p = &d->process;
	const char *given = d->branch ? d->branch : p->branch;
	int ret;

	if (given) {
		ret = name_check(given, "branch", err);
		if (ret < 0)
			return ret;
		*out = strdup(given);
	} else if (p->array_job) {
		*out = str_format("job-%s.%s", p->array_job, p->array_task);
	} else if (p->job_number) {
		*out = str_format("job-%s", p->job_number);
	} else {
		return read_head(d, out, err);
	}
	return *out ? 0 : dsv_fail_nomem(err);
}

int dsv_branch_current(struct dsv *d, char **out, struct dsv_err *err)
{
	return repo_branch(d, out, err);
}

int dsv_switch(struct dsv *d, const char *name, bool create,
	       struct dsv_err *err)
{
	char *text = NULL;
	char *path = NULL;
	int64_t head;
	int ret;

	ret = name_check(name, "branch", err);
	if (ret < 0)
		return ret;
	if (create)
		ret = catalog_branch_set(d->catalog, name, 0, false, err);
	else
		ret = catalog_branch_head(d->catalog, name, &head, err);
	/* As in git after init, the initial branch may have no state yet. */
	if (ret == DSV_ENOTFOUND && !strcmp(name, "main"))
		ret = 0;
	if (ret < 0)
		return ret;
	text = str_format("%s\n", name);
	path = head_path(d);
	ret = text && path ? repo_replace(d, path, text, err) :
		dsv_fail_nomem(err);
	free(text);
	free(path);
	return ret;
}
