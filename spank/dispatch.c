/* SPDX-License-Identifier: MIT */
#include <slurm/slurm_version.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT extern const char plugin_name[];
EXPORT extern const char plugin_type[];
EXPORT extern const unsigned int plugin_version;

const char plugin_name[] = "dsv";
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM_VERSION_NUMBER;

#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 5, 0)
/* If our init ever fails, the job fails, not the node. */
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

/*
 * For tests, a job can ask with DSV_SPANK_FAULT=init:die that a callback fails,
 * hangs or dies on its nodes.  Returns true if it has to fail.
 */
#ifdef DSV_SPANK_FAULTS
static bool fault(spank_t sp, const char *callback)
{
	size_t len = strlen(callback);
	char text[64];

	if (spank_context() != S_CTX_REMOTE ||
	    spank_getenv(sp, "DSV_SPANK_FAULT", text, sizeof(text)) !=
	    ESPANK_SUCCESS ||
	    strncmp(text, callback, len) || text[len] != ':')
		return false;
	if (!strcmp(text + len, ":die"))
		abort();
	if (!strcmp(text + len, ":hang"))
		sleep(5);
	return !strcmp(text + len, ":fail");
}
#else
static bool fault(spank_t sp, const char *callback)
{
	(void)sp;
	(void)callback;
	return false;
}
#endif

int slurm_spank_init(spank_t sp, int argc, char **argv)
{
	if (fault(sp, "init"))
		return -1;
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
	if (fault(sp, "init_post_opt"))
		return -1;
	/*
	 * If the plugin is `optional`, Slurm would ignore a failure and submit
	 * a job that starts from nothing.
	 */
	if (is_submission() && submit_post_opt(&plugin, sp) < 0)
		exit(1);
	return 0;
}

int slurm_spank_task_init(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	/* The reason is the same; this process is the task and nothing else. */
	if (spank_context() == S_CTX_REMOTE &&
	    (fault(sp, "task_init") || task_start(&plugin, sp) < 0))
		_Exit(1);
	return 0;
}

int slurm_spank_task_exit(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (fault(sp, "task_exit"))
		return -1;
	if (spank_context() == S_CTX_REMOTE)
		task_end(&plugin, sp);
	return 0;
}

/* Slurm also calls this where it has not called init. */
int slurm_spank_exit(spank_t sp, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (fault(sp, "exit"))
		return -1;
	options_release(&plugin.options);
	cmdline_release(&plugin.cmdline);
	memset(&plugin, 0, sizeof(plugin));
	return 0;
}
