/* SPDX-License-Identifier: MIT */
#include "carrier.h"

#include <slurm/slurm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	"DSV_TICKET", "DSV_REPO", "DSV_STATE", "DSV_V", "DSV_JOB", "DSV_DIRECT",
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
#define NAME_SIZE 64

static bool is_hex(const char *s, size_t len)
{
	return strlen(s) == len && strspn(s, "0123456789abcdef") == len;
}

bool ticket_is_valid(const char *s)
{
	return is_hex(s, 32);
}

bool state_is_valid(const char *s)
{
	return is_hex(s, 64);
}

bool repo_is_valid(const char *s)
{
	return s[0] == '/' && strlen(s) < PATH_SIZE && !strpbrk(s, "\n\r");
}

void carrier_unset(void)
{
	char name[NAME_SIZE];
	size_t i;

	for (i = 0; i < NAME_COUNT; i++) {
		snprintf(name, sizeof(name), CARRIER_PREFIX "%s", names[i]);
		unsetenv(name);
	}
}

static void set(const char *name, const char *value)
{
	char full[NAME_SIZE];

	snprintf(full, sizeof(full), CARRIER_PREFIX "%s", name);
	setenv(full, value, 1);
}

/*
 * In the shell of salloc the carriers are this job's, since salloc removed
 * those of the job it was started in.  In a task DSV_TICKET is the carrier; it
 * may come from another job, and DSV_JOB_ID differs then.
 */
void carrier_renew(const char *job)
{
	const char *ticket = getenv("DSV_TICKET");
	const char *repo = getenv("DSV_REPO");
	const char *owner = getenv("DSV_JOB_ID");

	if (ticket && repo && owner && !strcmp(owner, job) &&
	    ticket_is_valid(ticket) && repo_is_valid(repo)) {
		carrier_unset();
		set("DSV_TICKET", ticket);
		set("DSV_REPO", repo);
		set("DSV_V", "1");
	}
	if (getenv(CARRIER_PREFIX "DSV_TICKET"))
		set("DSV_JOB", job);
	unsetenv(CARRIER_PREFIX "DSV_DIRECT");
}

/* Returns false if it is not set; a value that does not fit is set but "". */
static bool get(spank_t sp, const char *name, char *buf, int size)
{
	char full[NAME_SIZE];
	spank_err_t rc;

	snprintf(full, sizeof(full), CARRIER_PREFIX "%s", name);
	rc = spank_getenv(sp, full, buf, size);
	if (rc != ESPANK_SUCCESS)
		buf[0] = '\0';
	return rc != ESPANK_ENV_NOEXIST;
}

/*
 * srun tells its steps the job's id, even in the second component of a
 * heterogeneous job, which has an id of its own.
 */
static uint32_t read_job_id(spank_t sp)
{
	uint32_t id = 0, step = 0;
	char text[32];

	if (spank_get_item(sp, S_JOB_ID, &id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step) != ESPANK_SUCCESS)
		return 0;
	if (step != SLURM_BATCH_SCRIPT &&
	    spank_getenv(sp, "SLURM_JOB_ID", text, sizeof(text)) ==
	    ESPANK_SUCCESS && strtoul(text, NULL, 10) > 0)
		id = (uint32_t)strtoul(text, NULL, 10);
	return id;
}

enum carrier_kind carrier_read(spank_t sp, struct carrier *c)
{
	char text[32];

	memset(c, 0, sizeof(*c));
	if (!get(sp, "DSV_TICKET", c->ticket, sizeof(c->ticket)))
		return CARRIER_NONE;
	c->job_id = read_job_id(sp);
	/* With srun --jobid of another job, the ticket is not for that job. */
	if (get(sp, "DSV_JOB", text, sizeof(text)) &&
	    strtoul(text, NULL, 10) != c->job_id)
		return CARRIER_NONE;
	c->direct = get(sp, "DSV_DIRECT", text, sizeof(text));
	get(sp, "DSV_REPO", c->repo, sizeof(c->repo));
	get(sp, "DSV_V", text, sizeof(text));
	if (!ticket_is_valid(c->ticket) || !repo_is_valid(c->repo) ||
	    strcmp(text, "1") || !c->job_id)
		return CARRIER_BROKEN;
	return CARRIER_VALID;
}

int carrier_hand_over(spank_t sp, const struct carrier *c)
{
	char name[NAME_SIZE];
	size_t i;

	for (i = 0; i < NAME_COUNT; i++) {
		snprintf(name, sizeof(name), CARRIER_PREFIX "%s", names[i]);
		spank_unsetenv(sp, name);
	}
	return spank_setenv(sp, "DSV_TICKET", c->ticket, 1) == ESPANK_SUCCESS ?
	       0 : -1;
}
