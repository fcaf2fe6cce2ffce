/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "plugin.h"

enum option_id {
	OPT_FORK,
	OPT_SET,
	OPT_UNSET,
	OPT_SWEEP,
	OPT_BRANCH,
	OPT_TO,
	OPT_PARTS,
	OPT_MESSAGE,
	OPT_REPO,
	OPT_TICKET,
	OPT_COUNT
};

/* The form a value must have; its meaning is for dsv to judge. */
enum shape { SHAPE_LINE, SHAPE_TEXT, SHAPE_PAIR, SHAPE_KEY, SHAPE_TICKET };

static int on_option(int id, const char *value, int remote);

/* All have has_arg: an option without an argument reaches tasks as "(null)". */
#define OPTION(id, name, arg, usage) \
	[id] = { (char *)name, (char *)arg, (char *)usage, 1, id, on_option }

static struct spank_option table[] = {
	OPTION(OPT_FORK, "dsv-fork", "REV",
	       "fork the dsv state REV into this job"),
	OPTION(OPT_SET, "dsv-set", "K=V",
	       "with --dsv-fork: change parameter K, +K=V adds one "
	       "(repeatable)"),
	OPTION(OPT_UNSET, "dsv-unset", "K",
	       "with --dsv-fork: drop parameter K (repeatable)"),
	OPTION(OPT_SWEEP, "dsv-sweep", "K=V,V",
	       "with --dsv-fork: a grid of parameters over the array's tasks "
	       "(repeatable)"),
	OPTION(OPT_BRANCH, "dsv-branch", "NAME",
	       "with --dsv-fork: name of the new branch"),
	OPTION(OPT_TO, "dsv-to", "DIR",
	       "with --dsv-fork: where the nodes place the files (%j job, "
	       "%a task, %N node, %b branch)"),
	OPTION(OPT_PARTS, "dsv-parts", "all|mine",
	       "with --dsv-fork: place all parts of a collective state on each "
	       "node, or only those of its ranks"),
	OPTION(OPT_MESSAGE, "dsv-message", "TEXT",
	       "with --dsv-fork: message of the fork"),
	OPTION(OPT_REPO, "dsv-repo", "DIR", "dsv repository"),
	OPTION(OPT_TICKET, "dsv-ticket", "TICKET",
	       "for use by dsv fork --sbatch only"),
};

static const enum shape shapes[OPT_COUNT] = {
	[OPT_FORK] = SHAPE_LINE,    [OPT_SET] = SHAPE_PAIR,
	[OPT_UNSET] = SHAPE_KEY,    [OPT_SWEEP] = SHAPE_PAIR,
	[OPT_BRANCH] = SHAPE_LINE,  [OPT_TO] = SHAPE_LINE,
	[OPT_PARTS] = SHAPE_LINE,
	[OPT_MESSAGE] = SHAPE_TEXT, [OPT_REPO] = SHAPE_LINE,
	[OPT_TICKET] = SHAPE_TICKET,
};

static const char *const expected[] = {
	[SHAPE_LINE] = "a value of one line", [SHAPE_TEXT] = "text",
	[SHAPE_PAIR] = "KEY=VALUE", [SHAPE_KEY] = "KEY",
	[SHAPE_TICKET] = "a ticket",
};

/* Returns the length of the key that s begins with; 0: none. */
static size_t key_length(const char *s)
{
	size_t n;

	n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		      "0123456789_./-");
	return n > 128 || strchr("0123456789./-", s[0]) ? 0 : n;
}

static bool has_shape(enum shape shape, const char *s)
{
	size_t n;

	if (!*s)
		return false;
	if (shape == SHAPE_TEXT)
		return true;
	if (strpbrk(s, "\n\r"))
		return false;
	switch (shape) {
	case SHAPE_PAIR:
		s += *s == '+';
		n = key_length(s);
		return n > 0 && (s[n] == '=' || !strncmp(s + n, ":=", 2));
	case SHAPE_KEY:
		n = key_length(s);
		return n > 0 && !s[n];
	case SHAPE_TICKET:
		return ticket_is_valid(s);
	default:
		return true;
	}
}

/* Only the first complaint is kept. */
__attribute__((format(printf, 2, 3)))
static void complain(struct options *o, const char *format, ...)
{
	va_list ap;

	if (o->error[0])
		return;
	va_start(ap, format);
	vsnprintf(o->error, sizeof(o->error), format, ap);
	va_end(ap);
}

/* Returns how much of a value to show, so that the message is one line. */
static int shown_length(const char *value)
{
	size_t n = strcspn(value, "\n\r");

	return n < 100 ? (int)n : 100;
}

static int add_arg(struct options *o, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 4;
	char **args, *arg;

	if (size > OPTION_BYTES_MAX - o->arg_bytes) {
		complain(o, "the --dsv-* options are longer than 64 KiB");
		return 0;
	}
	args = realloc(o->args, (o->arg_count + 1) * sizeof(*args));
	if (!args)
		return -1;
	o->args = args;
	arg = malloc(size);
	if (!arg)
		return -1;
	snprintf(arg, size, "--%s=%s", name, value);
	o->args[o->arg_count++] = arg;
	o->arg_bytes += size;
	return 0;
}

static int keep(char **dst, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -1;
	free(*dst);
	*dst = copy;
	return 0;
}

/*
 * A complaint waits for init_post_opt, since failing here makes Slurm add a
 * line of its own.  Components of a heterogeneous job repeat the same options.
 */
static int on_option(int id, const char *value, int remote)
{
	struct options *o = &plugin.options;
	const char *name;

	if (remote || id < 0 || id >= OPT_COUNT || plugin.prepared)
		return 0;
	name = table[id].name + strlen("dsv-");
	if (!value)
		value = "";
	if (!has_shape(shapes[id], value)) {
		complain(o, "--dsv-%s needs %s, not '%.*s'", name,
			 expected[shapes[id]], shown_length(value), value);
		return 0;
	}
	if (id == OPT_REPO)
		return keep(&o->repo, value);
	if (id == OPT_TICKET)
		return keep(&o->ticket, value);
	if (id == OPT_SWEEP)
		submit_sweep(&plugin, value);
	if (id == OPT_FORK)
		o->fork = true;
	else if (!o->needs_fork)
		o->needs_fork = table[id].name;
	return add_arg(o, name, value);
}

int options_register(spank_t sp)
{
	int i;

	for (i = 0; i < OPT_COUNT; i++) {
		if (spank_option_register(sp, &table[i]) != ESPANK_SUCCESS)
			return -1;
	}
	return 0;
}

/*
 * Slurm keeps options under two names: one that the submitting command passes
 * on, and one that a job's environment has.
 */
static const char *const inherited[] = {
	"SLURM_SPANK__SLURM_SPANK_OPTION_dsv_",
	"_SLURM_SPANK_OPTION_dsv_",
};

static void inherited_name(char *buf, size_t size, int id, int form)
{
	char *c;

	snprintf(buf, size, "%s%s", inherited[form], table[id].name);
	for (c = buf; *c; c++) {
		if (*c == '-')
			*c = '_';
	}
}

void options_unset_inherited(void)
{
	char name[128];
	int id, form;

	for (id = 0; id < OPT_COUNT; id++) {
		for (form = 0; form < 2; form++) {
			inherited_name(name, sizeof(name), id, form);
			unsetenv(name);
		}
	}
}

void options_unset_in_task(spank_t sp)
{
	char name[128];
	int id, form;

	for (id = 0; id < OPT_COUNT; id++) {
		for (form = 0; form < 2; form++) {
			inherited_name(name, sizeof(name), id, form);
			spank_unsetenv(sp, name);
		}
	}
}

void options_release(struct options *o)
{
	size_t i;

	for (i = 0; i < o->arg_count; i++)
		free(o->args[i]);
	free(o->args);
	free(o->repo);
	free(o->ticket);
	memset(o, 0, sizeof(*o));
}
