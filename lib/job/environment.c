/* SPDX-License-Identifier: MIT */
/*
 * The environment that a forked job or command gets.
 */
#include <stdlib.h>
#include <string.h>

#include "../base/str.h"
#include "../lineage/rev.h"
#include "../os/fs.h"
#include "../os/paths.h"
#include "../repo/repo.h"
#include "job.h"
#include "params.h"

struct env {
	char **items;
	size_t count;
	bool failed;
};

void dsv_environment_free(char **env)
{
	char **p;

	for (p = env; p && *p; p++)
		free(*p);
	free(env);
}

static void put(struct env *env, const char *name, const char *value)
{
	char **items = realloc(env->items,
			       (env->count + 2) * sizeof(*items));

	if (!items) {
		env->failed = true;
		return;
	}
	env->items = items;
	items[env->count] = str_format("%s=%s", name, value ? value : "");
	items[env->count + 1] = NULL;
	if (items[env->count])
		env->count++;
	else
		env->failed = true;
}

static void put_params(struct env *env, const struct dsv_kvs *params)
{
	size_t i;

	for (i = 0; i < params->count; i++) {
		char *name = params_variable(params->items[i].key);

		if (name)
			put(env, name, params->items[i].value.text);
		else
			env->failed = true;
		free(name);
	}
}

/* Writes the fork's params.json; the bytes are the same whoever writes them. */
static int write_params(struct dsv *d, const struct dsv_state *fork,
			char **path, struct dsv_err *err)
{
	char *dir = repo_path(d, DIR_JOBS "/%.16s", fork->id);
	char *tmp = repo_path(d, DIR_TMP);
	char *text = NULL;
	int ret;

	*path = repo_path(d, DIR_JOBS "/%.16s/params.json", fork->id);
	ret = dir && *path && tmp ? fs_make_own_dirs(dir, d->dir_mode, err) :
		dsv_fail_nomem(err);
	if (ret == 0)
		ret = dsv_params_format(&fork->params, "json", &text, err);
	if (ret == 0)
		ret = fs_replace_soon(tmp, *path, text, strlen(text),
				      d->file_mode, err);
	free(tmp);
	free(text);
	free(dir);
	return ret;
}

/* Places the files of the fork in the repository, like those of a job. */
static int place_files(struct dsv *d, const struct dsv_state *fork,
		       char **dir, struct dsv_err *err)
{
	struct job_placement p = { .parts = 0 };
	int ret = catalog_find_id(d->catalog, fork->id, &p.seq, err);

	if (ret < 0)
		return ret;
	p.dir = *dir = job_files_dir(d, fork->id, fork->id);
	return *dir ? job_place_files(d, &p, err) : dsv_fail_nomem(err);
}

int dsv_fork_environment(struct dsv *d, const char *id, const char *dir,
			 char ***out, struct dsv_err *err)
{
	struct env env = { NULL, 0, false };
	struct dsv_state *fork = NULL;
	char *params_file = NULL;
	char *real = NULL;
	int ret;

	ret = dsv_state_get(d, id, &fork, err);
	if (ret == 0)
		ret = write_params(d, fork, &params_file, err);
	if (ret == 0)
		ret = dir ? fs_absolute(dir, &real, err) :
			place_files(d, fork, &real, err);
	if (ret < 0)
		goto out;
	put(&env, "DSV_REPO", d->path);
	put(&env, "DSV_BRANCH", fork->branch);
	put(&env, "DSV_STATE", fork->id);
	if (fork->parent_count > 0)
		put(&env, "DSV_PARENT", fork->parents[0]);
	put(&env, "DSV_CHECKOUT", real);
	put(&env, "DSV_PARAMS_FILE", params_file);
	put(&env, "DSV_ATTEMPT", "1");
	put_params(&env, &fork->params);
	if (env.failed)
		ret = dsv_fail_nomem(err);
out:
	dsv_state_free(fork);
	free(params_file);
	free(real);
	if (ret < 0)
		dsv_environment_free(env.items);
	else
		*out = env.items;
	return ret;
}
