/* SPDX-License-Identifier: MIT */
/* This runs in sbatch, salloc and srun, as the user, with one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "exec.h"
#include "plugin.h"
#include "report.h"

extern char **environ;

struct answer {
	const char *ticket, *repo, *state;
};

/* ---- The array of a sweep ----------------------------------------------- */

/*
 * A plugin cannot set --array, but sbatch reads SBATCH_ARRAY_INX after the
 * #SBATCH lines and before the command line.  So it must be set when the last
 * of those lines has been read, which is why the values are counted here.  dsv
 * gets the count, and checks that it is right.
 */
static void preset_array(struct plugin *p, size_t rows)
{
	char text[48];

	if (!rows || !p->cmdline.is_sbatch || p->cmdline.array ||
	    (getenv("SBATCH_ARRAY_INX") && !p->array_preset))
		return;
	snprintf(text, sizeof(text), "0-%zu", rows - 1);
	p->array_preset = !setenv("SBATCH_ARRAY_INX", text, 1);
}

/* This is also called for the command line's, when it no longer matters. */
void submit_sweep(struct plugin *p, const char *sweep)
{
	p->rows = (p->rows ? p->rows : 1) * sweep_values(sweep);
	preset_array(p, p->rows * (p->cmdline.rows ? p->cmdline.rows : 1));
}

/* Returns the argument that tells dsv, which the caller frees, or NULL. */
static char *array_argument(const struct plugin *p)
{
	const char *array = p->cmdline.array;
	char preset[48], *text;
	size_t size;

	if (!array && p->array_preset) {
		snprintf(preset, sizeof(preset), "0-%zu", p->rows - 1);
		array = preset;
	}
	if (!array)
		array = getenv("SBATCH_ARRAY_INX");
	if (!array || !p->cmdline.is_sbatch || !p->rows)
		return NULL;
	size = strlen(array) + sizeof("--array=");
	text = malloc(size);
	if (text)
		snprintf(text, size, "--array=%s", array);
	return text;
}

/*
 * A job's environment repeats the options that the job was submitted with.
 * Neither its steps nor the jobs it submits have asked to fork again.
 */
int submit_init(struct plugin *p)
{
	const char *job = getenv("SLURM_JOB_ID");

	if (job)
		options_unset_inherited();
	if (job && spank_context() == S_CTX_LOCAL) {
		carrier_renew(job);
	} else {
		carrier_unset();
		unsetenv("DSV_TICKET");
	}
	cmdline_read(&p->cmdline);
	preset_array(p, p->cmdline.rows);
	return 0;
}

/* ---- The ticket ---------------------------------------------------------- */

static char **make_argv(struct plugin *p, char *array, bool dry_run)
{
	struct options *o = &p->options;
	char **argv = calloc(o->arg_count + 11, sizeof(*argv));
	size_t i, n = 0;

	if (!argv)
		return NULL;
	argv[n++] = (char *)p->config.dsv;
	if (o->repo) {
		argv[n++] = (char *)"--repo";
		argv[n++] = o->repo;
	}
	argv[n++] = (char *)"job";
	argv[n++] = (char *)"prepare";
	for (i = 0; i < o->arg_count; i++)
		argv[n++] = o->args[i];
	if (array)
		argv[n++] = array;
	if (p->cmdline.clusters) {
		argv[n++] = (char *)"--clusters";
		argv[n++] = (char *)p->cmdline.clusters;
	}
	argv[n++] = (char *)"--porcelain";
	if (dry_run)
		argv[n++] = (char *)"--dry-run";
	return argv;
}

static int parse_answer(const struct helper_result *r, struct answer *a)
{
	const char *pair, *version = "";
	size_t pos = 0;

	while ((pair = next_pair(r, &pos))) {
		if (!strncmp(pair, "TICKET=", 7))
			a->ticket = pair + 7;
		else if (!strncmp(pair, "REPO=", 5))
			a->repo = pair + 5;
		else if (!strncmp(pair, "STATE=", 6))
			a->state = pair + 6;
		else if (!strncmp(pair, "V=", 2))
			version = pair + 2;
	}
	if (!a->ticket || !ticket_is_valid(a->ticket) || !a->repo ||
	    !repo_is_valid(a->repo) || !a->state ||
	    !state_is_valid(a->state) || strcmp(version, "1"))
		return -1;
	return 0;
}

static int send(spank_t sp, const char *name, const char *value)
{
	char full[64] = CARRIER_PREFIX;

	if (spank_context() == S_CTX_ALLOCATOR)
		return spank_job_control_setenv(sp, name, value, 1) ==
		       ESPANK_SUCCESS ? 0 : -1;
	strncat(full, name, sizeof(full) - sizeof(CARRIER_PREFIX));
	return setenv(full, value, 1);
}

static int send_answer(spank_t sp, const struct answer *a)
{
	if (send(sp, "DSV_TICKET", a->ticket) < 0 ||
	    send(sp, "DSV_REPO", a->repo) < 0 ||
	    (a->state && send(sp, "DSV_STATE", a->state) < 0) ||
	    send(sp, "DSV_V", "1") < 0)
		goto fail;
	/* The step that srun is about to start is the whole job. */
	if (spank_context() == S_CTX_LOCAL) {
		if (send(sp, "DSV_DIRECT", "1") < 0)
			goto fail;
		unsetenv(CARRIER_PREFIX "DSV_JOB");
	}
	return 0;
fail:
	slurm_error("dsv: cannot hand the ticket to the job");
	return -1;
}

static int prepare(struct plugin *p, spank_t sp)
{
	bool dry_run = p->cmdline.test_only;
	struct helper h = {
		.envp = environ,
		.timeout_ms = p->config.prepare_timeout_ms,
	};
	struct helper_result r = { 0 };
	struct answer a = { 0 };
	char *array = array_argument(p);
	char **argv;
	int ret = -1;

	argv = make_argv(p, array, dry_run);
	if (!argv) {
		slurm_error("dsv: out of memory");
		free(array);
		return -1;
	}
	h.argv = argv;
	helper_run(&h, &r);
	if (!helper_succeeded(&r)) {
		report_failure(&h, &r);
		goto out;
	}
	report_remarks(&h, &r);
	if (dry_run) {
		/* If it is not a test after all, the job must not just run. */
		a.ticket = a.repo = "none";
	} else if (parse_answer(&r, &a) < 0) {
		slurm_error("dsv: '%s' and the plugin have different "
			    "versions", argv[0]);
		goto out;
	}
	ret = send_answer(sp, &a);
out:
	helper_result_release(&r);
	free(argv);
	free(array);
	return ret;
}

static int use_ticket(struct plugin *p, spank_t sp)
{
	struct answer a = {
		.ticket = p->options.ticket,
		.repo = p->options.repo,
	};

	if (p->options.arg_count > 0 || !a.repo || !repo_is_valid(a.repo)) {
		slurm_error("dsv: --dsv-ticket needs the absolute "
			    "--dsv-repo of its repository, and nothing else");
		return -1;
	}
	return send_answer(sp, &a);
}

static int check(const struct plugin *p)
{
	if (p->config.error[0])
		slurm_error("dsv: %s", p->config.error);
	else if (p->options.error[0])
		slurm_error("dsv: %s", p->options.error);
	else if (!p->options.fork && p->options.needs_fork)
		slurm_error("dsv: --%s needs --dsv-fork",
			    p->options.needs_fork);
	else
		return 0;
	return -1;
}

/* Slurm calls this once for each component of a heterogeneous job. */
int submit_post_opt(struct plugin *p, spank_t sp)
{
	struct options *o = &p->options;

	/* The job must not have it: an sbatch in its script would read it. */
	if (p->array_preset)
		unsetenv("SBATCH_ARRAY_INX");
	if (!o->fork && !o->ticket && !o->error[0] && !o->needs_fork)
		return 0;
	if (p->prepared)
		return 0;
	if (check(p) < 0)
		return -1;
	if ((o->ticket ? use_ticket(p, sp) : prepare(p, sp)) < 0)
		return -1;
	p->prepared = true;
	return 0;
}
