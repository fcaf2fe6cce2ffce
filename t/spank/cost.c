/* SPDX-License-Identifier: MIT */
/*
 * cost PLUGIN: prints what the callbacks cost a job without our options, in a
 * slurmstepd whose environment has 200 variables: CPU microseconds of each, as
 * the mean of many.  Slurm's functions do here what they do in Slurm, except
 * for the messages.
 */
#include <dlfcn.h>
#include <slurm/spank.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 1000
#define VARS 200

static char *env[VARS + 1];

spank_context_t spank_context(void)
{
	return S_CTX_REMOTE;
}

spank_err_t spank_option_register(spank_t sp, struct spank_option *option)
{
	(void)sp;
	(void)option;
	return ESPANK_SUCCESS;
}

spank_err_t spank_getenv(spank_t sp, const char *var, char *buf, int len)
{
	size_t n = strlen(var);
	int i;

	(void)sp;
	for (i = 0; i < VARS; i++) {
		if (!strncmp(env[i], var, n) && env[i][n] == '=') {
			snprintf(buf, (size_t)len, "%s", env[i] + n + 1);
			return ESPANK_SUCCESS;
		}
	}
	return ESPANK_ENV_NOEXIST;
}

spank_err_t spank_setenv(spank_t sp, const char *var, const char *val,
			 int overwrite)
{
	(void)sp;
	(void)var;
	(void)val;
	(void)overwrite;
	return ESPANK_SUCCESS;
}

spank_err_t spank_job_control_setenv(spank_t sp, const char *var,
				     const char *val, int overwrite)
{
	return spank_setenv(sp, var, val, overwrite);
}

spank_err_t spank_unsetenv(spank_t sp, const char *var)
{
	char buf[64];

	return spank_getenv(sp, var, buf, sizeof(buf));
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	va_list ap;

	(void)sp;
	va_start(ap, item);
	if (item == S_JOB_ENV)
		*va_arg(ap, char ***) = env;
	else
		*va_arg(ap, uint32_t *) = 1;
	va_end(ap);
	return ESPANK_SUCCESS;
}

#define SILENT(name) \
	void name(const char *fmt, ...) { (void)fmt; }
SILENT(slurm_error)
SILENT(slurm_info)
SILENT(slurm_debug)
SILENT(slurm_spank_log)

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"init", "init_post_opt", "task_init", "task_exit", "exit",
	};
	char dsv[] = "dsv=/usr/bin/dsv", *args[] = { dsv, NULL }, symbol[64];
	double spent[5] = { 0 }, start = cpu_us();
	void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	size_t i, round;

	if (!plugin) {
		fprintf(stderr, "cost: %s\n", dlerror());
		return 1;
	}
	printf("%-14s %8.2f\n", "load", cpu_us() - start);
	for (i = 0; i < VARS; i++) {
		if (asprintf(&env[i], "SLURM_VARIABLE_%zu=%zu", i, i) < 0)
			return 1;
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < 5; i++) {
			spank_f *f;

			snprintf(symbol, sizeof(symbol), "slurm_spank_%s",
				 names[i]);
			f = (spank_f *)dlsym(plugin, symbol);
			start = cpu_us();
			if (!f || f(NULL, 1, args) != 0)
				return 1;
			spent[i] += cpu_us() - start;
		}
	}
	for (i = 0; i < 5; i++)
		printf("%-14s %8.2f\n", names[i], spent[i] / ROUNDS);
	return 0;
}
