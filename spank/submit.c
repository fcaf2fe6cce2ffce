/* SPDX-License-Identifier: MIT */
/* In sbatch, salloc and srun, which run as the user, with one thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carrier.h"
#include "exec.h"
#include "plugin.h"
#include "report.h"

#define CMDLINE_MAX (64 * 1024)

extern char **environ;

struct answer {
	const char *ticket, *repo, *state;
};

/*
 * A job's environment repeats the options the job was submitted with.  Neither
 * its steps nor the jobs it submits asked to fork again.
 */
int submit_init(void)
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
	return 0;
}

/*
 * sbatch --test-only submits nothing, so no ticket must be left.  There is no
 * asking Slurm; an argument of the script with that name must not count, so
 * the search ends at the first operand that is a file.
 */
static bool is_test_only(void)
{
	char *buf, *arg, *slash;
	bool found = false, first = true;
	struct stat st;
	ssize_t n = 0;
	int fd;

	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	buf = malloc(CMDLINE_MAX + 1);
	if (fd >= 0 && buf)
		n = read(fd, buf, CMDLINE_MAX);
	if (fd >= 0)
		close(fd);
	for (arg = buf; n > 0 && arg < buf + n; arg += strlen(arg) + 1) {
		buf[n] = '\0';
		slash = strrchr(arg, '/');
		if (first && strcmp(slash ? slash + 1 : arg, "sbatch"))
			break;
		if (!strcmp(arg, "--test-only"))
			found = true;
		if (found || !strcmp(arg, "--") ||
		    (!first && *arg != '-' && !stat(arg, &st) &&
		     S_ISREG(st.st_mode)))
			break;
		first = false;
	}
	free(buf);
	return found;
}

static char **make_argv(struct plugin *p, bool dry_run)
{
	struct options *o = &p->options;
	char **argv = calloc(o->arg_count + 8, sizeof(*argv));
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
	/* The step that srun is about to make is all there will be. */
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
	bool dry_run = is_test_only();
	struct helper h = {
		.envp = environ,
		.timeout_ms = p->config.prepare_timeout_ms,
	};
	struct helper_result r = { 0 };
	struct answer a = { 0 };
	char **argv;
	int ret = -1;

	argv = make_argv(p, dry_run);
	if (!argv) {
		slurm_error("dsv: out of memory");
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
		/* Were it no test after all, the job must not just run. */
		a.ticket = a.repo = "none";
	} else if (parse_answer(&r, &a) < 0) {
		slurm_error("dsv: '%s' and the plugin are of different "
			    "versions", argv[0]);
		goto out;
	}
	ret = send_answer(sp, &a);
out:
	helper_result_release(&r);
	free(argv);
	return ret;
}

static int use_ticket(struct plugin *p, spank_t sp)
{
	struct answer a = {
		.ticket = p->options.ticket,
		.repo = p->options.repo,
	};

	if (p->options.arg_count > 0 || !a.repo || !repo_is_valid(a.repo)) {
		slurm_error("dsv: --dsv-ticket goes with the absolute "
			    "--dsv-repo of its repository alone");
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

/* Called once for each component of a heterogeneous job. */
int submit_post_opt(struct plugin *p, spank_t sp)
{
	struct options *o = &p->options;

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
