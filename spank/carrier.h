/* SPDX-License-Identifier: MIT */
/*
 * A ticket travels in SLURM_SPANK_DSV_* in the environment of the job, since
 * names that begin with SLURM survive every --export.  A user can set them to
 * anything, so nothing that does not have the right shape is believed.
 *
 * In a task they are replaced by DSV_TICKET (and what dsv exports), which a
 * nested sbatch ignores and an srun of the same job turns back.
 */
#ifndef DSV_SPANK_CARRIER_H
#define DSV_SPANK_CARRIER_H

#include <slurm/spank.h>
#include <stdbool.h>
#include <stdint.h>

#define CARRIER_PREFIX "SLURM_SPANK_"
#define PATH_SIZE 4096

struct carrier {
	char ticket[33];
	char repo[PATH_SIZE];
	uint32_t job_id;	/* heterogeneous job: its first component's */
	bool direct;		/* this step is the whole job */
};

bool ticket_is_valid(const char *s);
bool repo_is_valid(const char *s);
bool state_is_valid(const char *s);

/* Removes all of it from our own environment. */
void carrier_unset(void);
/* In srun in a job: passes on what the task of this same job was given. */
void carrier_renew(const char *job);

enum carrier_kind { CARRIER_NONE, CARRIER_VALID, CARRIER_BROKEN };

/* Called in slurmstepd. */
enum carrier_kind carrier_read(spank_t sp, struct carrier *c);
/* Called in the task to be: the ticket stays, as DSV_TICKET. */
int carrier_hand_over(spank_t sp, const struct carrier *c);

#endif
