/* SPDX-License-Identifier: MIT */
#include <slurm/slurm_version.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT extern const char plugin_name[];
EXPORT extern const char plugin_type[];
EXPORT extern const unsigned int plugin_version;

const char plugin_name[] = "dsv";
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM_VERSION_NUMBER;

#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 5, 0)
/* Should an init of ours ever fail: the job, not the node. */
EXPORT extern int slurm_spank_init_failure_mode;
int slurm_spank_init_failure_mode = ESPANK_JOB_FAILURE;
#endif

struct plugin plugin;

EXPORT spank_f slurm_spank_init;
EXPORT spank_f slurm_spank_init_post_opt;
EXPORT spank_f slurm_spank_task_init;
EXPORT spank_f slurm_spank_task_exit;
EXPORT spank_f slurm_spank_exit;

static bool is_submission(void)
{
	return spank_context() == S_CTX_ALLOCATOR ||
	       spank_context() == S_CTX_LOCAL;
}

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
	if (!is_submission() && spank_context() != S_CTX_REMOTE)
		return 0;
	config_parse(&plugin.config, argc, argv);
	if (options_register(sp) < 0)
		slurm_debug("dsv: cannot register the options");
	return is_submission() ? submit_init(&plugin) : 0;
}

int slurm_spank_init_post_opt(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	/*
	 * Where the plugin is `optional`, Slurm would ignore a failure and
	 * submit a job that starts from nothing.
	 */
	if (is_submission() && submit_post_opt(&plugin, sp) < 0)
		exit(1);
	return 0;
}

int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	/* For the same reason; this process is the task and nothing else. */
	if (spank_context() == S_CTX_REMOTE && task_start(&plugin, sp) < 0)
		_Exit(1);
	return 0;
}

int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (spank_context() == S_CTX_REMOTE)
		task_end(&plugin, sp);
	return 0;
}

/* Also called where init was not. */
int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
	(void)sp;
	(void)argc;
	(void)argv;
	options_release(&plugin.options);
	memset(&plugin, 0, sizeof(plugin));
	return 0;
}
